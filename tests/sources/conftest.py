"""Fixtures: a peer, settings with tiny waits, and a store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.peers.pictures import Peer, running

# Fetching imports it when first needed, which must not fall into the short limits of a test.
import wayside.vision.decode  # noqa: F401
from wayside.core.settings import Settings
from wayside.store import LocalStore


@pytest.fixture(scope="module")
def served() -> Iterator[Peer]:
    with running() as peer:
        yield peer


@pytest.fixture
def peer(served: Peer) -> Peer:
    served.routes.clear()
    served.calls.clear()
    served.seen.clear()
    served.queries.clear()
    return served


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "include" / "config").mkdir(parents=True)
    return Settings(
        home=tmp_path,
        fetch_timeout=10.0,
        fetch_connect_timeout=5.0,
        fetch_backoff=0.001,
        max_image_bytes=200_000,
        max_image_pixels=2_000_000,
        _env_file=None,
    )


@pytest.fixture
def store(settings: Settings) -> LocalStore:
    return LocalStore(settings.pictures)
