"""Archives of short videos for tests, made from a few encodings: each file gets a box of its own at its end.

An MP4 may end in boxes that mean nothing (`free`), so that thousands of files with different hashes cost no encoding.
"""

import os
import random
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.media.clips import Move, make_clip

START = datetime(2026, 6, 16, 5, 40, tzinfo=UTC)
PATTERN = r".*/(?P<camera>\w+?)-\d+-(?P<epoch>\d+)\.mp4$"
CAMERAS = ("AFT", "BOW", "DECK", "HOLD", "PORT")
WHEN = 1_780_000_000  # every file was changed last at the same second

_ACROSS = Move("red", (0.05, 0.5), (0.95, 0.5), start_s=1.0, end_s=2.5)
_DOWN = Move("blue", (0.4, 0.1), (0.4, 0.9), start_s=1.2, end_s=2.6)
#: What the archive is made of: by name, how each is encoded.
CLIPS = {
    "h264": {"moves": (_ACROSS,), "b_frames": 2},
    "h265": {"moves": (_DOWN,), "codec": "libx265"},
    "vfr": {"moves": (_ACROSS,), "vfr": True, "seed": 3},
    "portrait": {"moves": (_DOWN,), "rotation": 90, "seed": 4},
    "sound": {"moves": (_ACROSS,), "audio": True, "seed": 5},
    "still": {"seed": 6},
}


@dataclass
class Archive:
    """What lies in a generated archive: keys of files by what should become of them."""

    root: Path
    videos: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    quarantined: dict[str, str] = field(default_factory=dict)

    @property
    def files(self) -> int:
        return len(self.videos) + len(self.aliases) + len(self.quarantined)


def clips(folder: Path) -> dict[str, bytes]:
    """Encode every kind of clip once."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for name, options in CLIPS.items():
        path = make_clip(folder / f"{name}.mp4", seconds=3, fps=8, size=(128, 96), **options)
        made[name] = path.read_bytes()
    late = make_clip(folder / "late.mp4", seconds=3, fps=8, size=(128, 96), moves=(_ACROSS,), front=False)
    return made | {"late": late.read_bytes()}


def distinct(clip: bytes, number: int) -> bytes:
    """Return the same video with another hash."""
    return clip + struct.pack(">I4sQ", 16, b"free", number)


def make_archive(root: Path, number: int, made: dict[str, bytes], seed: int = 20260616) -> Archive:
    """Write an archive of so many files, 20 at least, into a folder."""
    draw = random.Random(seed)
    archive = Archive(root)
    odd = _odd(archive, made)
    aliases = max(2, number // 20)
    videos = number - aliases - odd
    kinds = list(CLIPS)
    for one in range(videos):
        kind = kinds[one % len(kinds)]
        camera = CAMERAS[one % len(CAMERAS)]
        start = START + timedelta(seconds=97 * one)
        key = f"{camera.lower()}/{camera}-{one:04}-{int(start.timestamp())}.mp4"
        _write(archive, key, distinct(made[kind], one))
        archive.videos[key] = kind
    first = sorted(archive.videos)
    for one in range(aliases):
        twin = draw.choice(first)
        key = f"zz-copies/COPY-{one:04}-{int(START.timestamp()) + one}.mp4"
        _write(archive, key, (root / twin).read_bytes())
        archive.aliases[key] = twin
    return archive


def _odd(archive: Archive, made: dict[str, bytes]) -> int:
    """Add what is not as it should be: some quarantined, one that breaks off and so counts among the videos."""
    seconds = int(START.timestamp())
    whole = made["h264"]
    for key, data, reason in (
        (f"bow/BOW-9001-{seconds}.mp4", made["late"][: len(made["late"]) // 2], "truncated"),
        (f"bow/BOW-9002-{seconds}.mp4", b"this is no video\n" * 40, "not_a_video"),
        (f"bow/BOW-9003-{seconds}.mp4", b"", "empty"),
        ("bow/holiday.mp4", distinct(whole, 9004), "no_match"),
        ("bow/notes.txt", b"battery changed\n", "not_a_video"),
        (f"bow/BOW-9006-{seconds}000000.mp4", distinct(whole, 9006), "bad_time"),
    ):
        _write(archive, key, data)
        archive.quarantined[key] = reason
    broken = f"aft/AFT-9010-{seconds + 7200}.mp4"
    _write(archive, broken, whole[: int(len(whole) * 0.8)])
    archive.videos[broken] = "broken"
    return len(archive.quarantined) + 1


def _write(archive: Archive, key: str, data: bytes) -> None:
    path = archive.root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (WHEN, WHEN))
