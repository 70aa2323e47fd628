"""The disk under the fetcher: two runs at once, a full disk, a broken one, and pictures that do not stay."""

import errno
import os
import subprocess
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.peers.pictures import jpeg
from tests.sources.support import NOW, fetch

from wayside.core.errors import StoreError, StoreFullError
from wayside.sources.fetch import Row
from wayside.store import LocalStore, PictureMeta


def test_two_runs_of_one_slot_at_once_tell_the_same(peer: Any, settings: Any, store: Any) -> None:
    """The peer changes its picture with each request, so that only the store can make the two agree."""
    from aiohttp import web

    served = iter(range(1000))

    async def moody(_: web.Request) -> web.Response:
        return web.Response(body=jpeg(seed=next(served)))

    for number in range(30):
        peer.routes[f"/{number}"] = moody
    urls = [f"{peer.url}/{number}" for number in range(30)]
    found: dict[int, list[Row]] = {}

    def one(which: int) -> None:
        clock = lambda: NOW + timedelta(seconds=which)  # noqa: E731
        found[which] = fetch(peer, settings, LocalStore(store.root), urls, clock=clock)

    threads = [threading.Thread(target=one, args=(which,)) for which in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1]
    assert all(row["status"] == "ok" for row in found[0])


class Full(LocalStore):
    """A disk with room for three pictures."""

    room = 3

    def create(self, key: str, data: bytes, meta: PictureMeta) -> bool:
        if self.room == 0:
            raise StoreFullError(f"no space left to write {key}: free some, or lower the retention")
        self.room -= 1
        return super().create(key, data, meta)


def test_a_full_disk_is_one_clear_error_and_loses_nothing(peer: Any, settings: Any, store: Any) -> None:
    urls = [peer.body(f"/{number}", jpeg(seed=number)) for number in range(8)]
    told: list[Row] = []
    with pytest.raises(StoreFullError, match=r"no space left.*of 8 cameras of Peer 20200501T0050Z are done and stay"):
        fetch(peer, settings, Full(store.root), urls, progress=told.append)
    kept = list(store.keys("Peer"))
    assert len(kept) == 3
    peer.calls.clear()
    rows = fetch(peer, settings, store, urls)
    assert [row["status"] for row in rows] == ["ok"] * 8
    assert sum(peer.calls.values()) == 5
    assert all(row in rows for row in told)


@pytest.mark.skipif(not Path("/proc/self/ns/mnt").exists(), reason="needs mount namespaces")
def test_a_really_full_disk(peer: Any, settings: Any, tmp_path: Path) -> None:
    """The same on a file system of 64 kB, where the machine lets us mount one."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this machine does not let us mount a file system")
    try:
        urls = [peer.body(f"/{number}", jpeg(seed=number)) for number in range(30)]
        with pytest.raises(StoreFullError, match="no space left"):
            fetch(peer, settings, LocalStore(folder), urls)
        assert not list(folder.rglob(".new-*"))
        for key in LocalStore(folder).keys("Peer"):
            stored = LocalStore(folder).read(key)
            assert stored is not None
            assert stored.meta is not None
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fails_is_an_error(peer: Any, settings: Any, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(StoreError, match="cannot write"):
        fetch(peer, settings, store, [peer.body("/1", jpeg())])


def test_a_picture_that_never_stays_is_an_error(peer: Any, settings: Any, store: Any) -> None:
    class Sieve(LocalStore):
        def read(self, key: str) -> None:
            return None

    with pytest.raises(StoreError, match="something deletes pictures"):
        fetch(peer, settings, Sieve(store.root), [peer.body("/1", jpeg())])
