"""Tidying up after imports: pictures and cuts go by age, events and labels stay, and nothing that changed meanwhile."""

import os
from datetime import timedelta
from pathlib import Path

from tests.photos.inbox import files
from tests.videos.imports import NOW, importer

from wayside.store.files import TEMPORARY
from wayside.videos import tidy


def write(path: Path, days: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 1000)
    then = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (then, then))
    return path


def test_old_pictures_and_cuts_go_and_nothing_else(tmp_path: Path):
    chosen = importer(tmp_path).settings
    boat = chosen.state / "videos" / "Boat"
    old = [
        write(boat / "covers" / "ab-1" / "0.jpg", 91),
        write(boat / "covers" / "ab-1" / "1.jpg", 91),
        write(boat / "cuts" / "ab-1-9.mp4", 120),
        write(boat / "segments" / "ab" / f"{TEMPORARY}0123456789abcdef", 2),
    ]
    kept = [
        write(boat / "covers" / "cd-1" / "0.jpg", 89),
        write(boat / "segments" / "ab" / "ab.json", 900),
        write(boat / "labels" / "ab-1.json", 900),
        write(boat / "ledger.sqlite", 900),
        write(boat / "segments" / "ab" / f"{TEMPORARY}fedcba9876543210", 0.5),
    ]
    link = boat / "covers" / "link.jpg"
    link.symlink_to(kept[0])
    found = tidy.plan(chosen, NOW)
    assert {one.path for one in found} == set(old)
    assert (
        str(tidy.counted(found))
        == "1 cuts of events (0.0 MB), 1 halves of files (0.0 MB), 2 pictures of events (0.0 MB)"
    )
    assert all(path.exists() for path in old)  # so far nothing was removed
    write(old[1], 0)  # made anew meanwhile
    done = tidy.carry_out(chosen, found, NOW)
    assert done.files == {"cuts of events": 1, "halves of files": 1, "pictures of events": 1}
    assert [path.exists() for path in old] == [False, True, False, False]
    assert all(path.exists() for path in kept)
    assert link.is_symlink()
    before = files(chosen.state)
    assert str(tidy.carry_out(chosen, tidy.plan(chosen, NOW), NOW)) == "nothing"
    assert files(chosen.state) == before
    assert {one.path for one in tidy.plan(chosen, NOW, days=1)} == {kept[0]}


def test_empty_folders_of_events_go_with_their_pictures(tmp_path: Path):
    chosen = importer(tmp_path).settings
    covers = chosen.state / "videos" / "Boat" / "covers"
    write(covers / "ab-1" / "0.jpg", 100)
    tidy.carry_out(chosen, tidy.plan(chosen, NOW), NOW)
    assert covers.is_dir()
    assert list(covers.iterdir()) == []
    assert tidy.plan(importer(tmp_path / "none").settings, NOW) == []
