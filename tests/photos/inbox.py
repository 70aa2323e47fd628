"""Inboxes of small road photos, and a finder that knows what was planted: whatever is purely red is a car."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tests.metadata.support import jpeg_with_exif

from wayside.core.settings import Settings
from wayside.photos.batch import Batch
from wayside.photos.job import Job, new_job
from wayside.photos.profile import Profile
from wayside.privacy.find import ModelUse
from wayside.privacy.objects import Found
from wayside.privacy.settings import Finding

NAMES = (
    "2020/FV00013/S1/D1/F1_2020_06_02/FV00013_S1D1_m00014_f1.jpg",
    "2020/FV00013/S1/D1/F1_2020_06_02/FV00013_S1D1_m00034_f1.JPG",
    "%#{} _  _ _/åæø/ev_6.jpeg",
    "loose.jpg",
)


@dataclass
class RedFinder:
    """Finds one car: the box of all red pixels. `fails` raises what it is given for pictures of that width."""

    finding: Finding = field(default_factory=Finding)
    missing: tuple[str, ...] = ()
    fails: Mapping[int, Exception] = field(default_factory=dict)
    looked: int = 0

    @property
    def models(self) -> tuple[ModelUse, ...]:
        return (ModelUse("Red", "4" * 64, "Apache-2.0", {"car": 0.5}),)

    def find(self, image: np.ndarray, *, workers: int = 1) -> list[Found]:
        self.looked += 1
        if image.shape[1] in self.fails:
            raise self.fails[image.shape[1]]
        red = (image[..., 2] > 180) & (image[..., 1] < 90) & (image[..., 0] < 90)
        if not red.any():
            return []
        rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
        box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        return [Found("car", 0.8, box, None, "Red")]


def scene(number: int, size: tuple[int, int] = (128, 96)) -> np.ndarray:
    """A picture of `size` with a red car somewhere, different for each number."""
    width, height = size
    image = np.full((height, width, 3), (90 + number % 60, 110, 100), np.uint8)
    cv2.circle(image, (number * 7 % width, 20), 9, (200, 200, 60), -1)
    left = 16 + number * 11 % (width - 64)
    cv2.rectangle(image, (left, 48), (left + 23, 63), (0, 0, 255), -1)
    return image


def photo(number: int = 0, size: tuple[int, int] = (128, 96), **planted: Any) -> bytes:
    """A road photo with a car, a position, a driver and a thumbnail."""
    given = {
        "gps": True,
        "driver": "Kari Testsjåfør",
        "thumbnail": scene(number, (32, 24)),
        "model": "ViaCam",
    } | planted
    return jpeg_with_exif(scene(number, size), **given)


def fill_inbox(folder: Path, names: Mapping[str, bytes] | None = None) -> Path:
    """Write pictures into a folder; by default one of each odd name."""
    chosen = {name: photo(number) for number, name in enumerate(NAMES)} if names is None else names
    for name, data in chosen.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def job(root: Path, run: str = "run-1", *, archive: bool = False, **changes: Any) -> Job:
    """A job from `root/in` to `root/out`; `changes` are fields of the profile, or of the run."""
    own = {name: changes.pop(name) for name in ("records", "previews", "delete_input", "redo") if name in changes}
    profile = Profile.model_validate({"name": "test"} | changes)
    places = {"input": str(root / "in"), "output": str(root / "out"), "archive": str(root / "arc") if archive else ""}
    return new_job(profile, source="inbox", run=run, who="somebody", **places, **own)


def batch(settings: Settings, one: Job, finder: RedFinder | None = None, **options: Any) -> Batch:
    """A run with the finder of red cars."""
    return Batch(settings, one, finder=finder or RedFinder(), wait=lambda _seconds: None, **options)


def run(settings: Settings, one: Job, finder: RedFinder | None = None, **options: Any) -> dict[str, int]:
    """Plan, do and publish; return the number of pictures by status."""
    work = batch(settings, one, finder, **options)
    for shard in work.plan().shards:
        for _ in work.do(shard):
            pass
    return work.publish()


def files(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
