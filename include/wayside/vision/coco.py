"""Read a labelled set in COCO's format: a JSON file of pictures, objects and categories, and a folder of pictures.

The file comes from outside, so it is capped, and each entry is checked. One that is wrong is left out and reported, and
stops nothing. Categories go by their *names*: numbers mean something else in every set. The format is described at
https://cocodataset.org/#format-data.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np

from wayside.core.errors import ImageError, ModelError
from wayside.vision.coco_masks import BadEntryError, Rle, is_number, is_whole, mask_area, mask_box, read_mask
from wayside.vision.decode import Limits
from wayside.vision.evaluate import Truth
from wayside.vision.headers import Header, read_header

MOST_BYTES: Final = 256 * 2**20
"""Largest file that is read; parsed, it takes about ten times as much memory."""
MOST_PICTURES: Final = 200_000
MOST_OBJECTS: Final = 2_000_000

NAMES: Final[Mapping[str, str]] = {
    "bicycle": "bicycle",
    "bike": "bicycle",
    "bus": "bus",
    "car": "car",
    "cyclist": "person",
    "face": "face",
    "human face": "face",
    "lcv": "car",
    "licence plate": "plate",
    "license plate": "plate",
    "lorry": "truck",
    "motorbike": "motorcycle",
    "motorcycle": "motorcycle",
    "motorcyclist": "person",
    "number plate": "plate",
    "pedestrian": "person",
    "person": "person",
    "plate": "plate",
    "rider": "person",
    "truck": "truck",
    "van": "car",
    "vehicle registration plate": "plate",
}
"""Name of a category, in lower case and with spaces -> class. Detectors of ours call a van a car."""


@dataclass(frozen=True, eq=False, slots=True)
class Labelled:
    """One labelled object.

    Attributes:
        id: its number in the set.
        label: our class.
        box: left, top, width, height in pixels.
        rle: its mask; None where the set gives the box alone.
        crowd: it stands for many that nobody told apart: found or not, it counts neither for nor against.
        area: pixels, as the set states them: this chooses small, medium or large.
    """

    id: int
    label: str
    box: tuple[float, float, float, float]
    rle: Rle | None
    crowd: bool
    area: float


@dataclass(frozen=True, eq=False, slots=True)
class CocoPicture:
    """One picture: its number, its file below the folder of pictures, its size in pixels, and what is on it."""

    id: int
    file: str
    width: int
    height: int
    objects: tuple[Labelled, ...]


@dataclass(frozen=True, eq=False, slots=True)
class CocoSet:
    """A labelled set.

    Attributes:
        name: stem of the file.
        sha256: hash of the file.
        pictures: in the order of their numbers.
        labels: our classes that the set labels, whether or not an object of them is there, in alphabetical order.
        ignored: category that no class of ours stands for -> how many objects were left out with it.
        faults: what was wrong -> how many entries were left out for it.
        examples: the first few of them in words.
    """

    name: str
    sha256: str
    pictures: tuple[CocoPicture, ...]
    labels: tuple[str, ...]
    ignored: Mapping[str, int]
    faults: Mapping[str, int]
    examples: tuple[str, ...]


@dataclass(slots=True)
class _Faults:
    counts: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def note(self, what: str, why: object) -> None:
        self.counts[str(why)] += 1
        if len(self.examples) < 20:
            self.examples.append(f"{what}: {why}"[:200])


def read_coco(path: Path, *, limits: Limits, names: Mapping[str, str] | None = None) -> CocoSet:
    """Read the JSON file of a set; the pictures themselves are not opened.

    Args:
        path: the file, at most `MOST_BYTES` long.
        limits: cap on the pixels of a picture.
        names: category -> class, before `NAMES`: a name in another language, say.

    Raises:
        ModelError: it is no such file, or breaks a limit as a whole.
    """
    data = _bytes(path)
    document = _parse(data, path)
    faults, ignored = _Faults(), Counter[str]()
    known = {_plain(name): label for name, label in {**NAMES, **(names or {})}.items()}
    categories = dict(_categories(document["categories"], known, faults))
    objects: dict[int, list[Labelled]] = {}
    pictures = dict(_pictures(document["images"], limits, faults))
    seen: set[int] = set()
    for number, entry in enumerate(document["annotations"]):
        try:
            picture, one = _object(entry, pictures, categories, ignored, seen)
        except BadEntryError as error:
            faults.note(f"object {_said(entry, number)}", error)
        else:
            if one is not None:
                objects.setdefault(picture, []).append(one)
    return CocoSet(
        name=path.stem,
        sha256=hashlib.sha256(data).hexdigest(),
        pictures=tuple(
            CocoPicture(number, file, width, height, tuple(objects.get(number, ())))
            for number, (file, width, height) in sorted(pictures.items())
        ),
        labels=tuple(sorted({label for _, label in categories.values() if label})),
        ignored=dict(sorted(ignored.items())),
        faults=dict(sorted(faults.counts.items())),
        examples=tuple(faults.examples),
    )


def write_coco(truths: Iterable[Truth], folder: Path, name: str = "instances") -> tuple[Path, Path]:
    """Write a labelled set as a COCO set, the same bytes for the same set.

    Args:
        truths: pictures with their boxes, as `wayside.vision.evaluate.read_set` gives them.
        folder: gets the file and `pictures/`.
        name: stem of the file, which names the set.

    Returns:
        The file and the folder of pictures. Pictures whose size cannot be read are left out.
    """
    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    images: list[dict[str, object]] = []
    objects: list[dict[str, object]] = []
    labels: dict[str, int] = {}
    for number, truth in enumerate(truths, start=1):
        header = _header(truth.image)
        if header is None:
            continue
        file = f"{number:06}.{header.format}"
        (pictures / file).write_bytes(truth.image)
        images.append({"id": number, "file_name": file, "width": header.width, "height": header.height})
        scale = np.asarray((header.width, header.height) * 2, float)
        for label, corners in zip(truth.labels, truth.boxes * scale, strict=True):
            left, top, right, bottom = (round(float(edge), 3) for edge in corners)
            box = [left, top, round(right - left, 3), round(bottom - top, 3)]
            objects.append(
                {
                    "id": len(objects) + 1,
                    "image_id": number,
                    "category_id": labels.setdefault(label, len(labels) + 1),
                    "bbox": box,
                    "area": round(box[2] * box[3], 3),
                    "iscrowd": 0,
                }
            )
    document = {
        "images": images,
        "annotations": objects,
        "categories": [{"id": number, "name": label} for label, number in labels.items()],
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path, pictures


def _header(data: bytes) -> Header | None:
    try:
        return read_header(data)
    except ImageError:
        return None


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ModelError(f"{path} is larger than {MOST_BYTES >> 20} MiB: divide the set")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error


def _parse(data: bytes, path: Path) -> Mapping[str, list[Any]]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON: {error}") from error
    parts = {"images": MOST_PICTURES, "annotations": MOST_OBJECTS, "categories": 100_000}
    for name, most in parts.items():
        part = document.get(name) if isinstance(document, dict) else None
        if not isinstance(part, list):
            raise ModelError(f"{path} is not a COCO set: it has no list `{name}`")
        if len(part) > most:
            raise ModelError(f"{path} has {len(part)} entries in `{name}`, more than {most}: divide the set")
    found: Mapping[str, list[Any]] = document
    return found


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


def _categories(
    entries: Sequence[Any], known: Mapping[str, str], faults: _Faults
) -> Iterator[tuple[int, tuple[str, str | None]]]:
    """Yield number, name and class of each category; None where no class of ours stands for it."""
    for number, entry in enumerate(entries):
        name = entry.get("name") if isinstance(entry, dict) else None
        if isinstance(name, str) and is_whole(entry.get("id")):
            yield entry["id"], (name[:80], known.get(_plain(name)))
        else:
            faults.note(f"category {_said(entry, number)}", "no id or no name")


def _pictures(entries: Sequence[Any], limits: Limits, faults: _Faults) -> Iterator[tuple[int, tuple[str, int, int]]]:
    seen: set[int] = set()
    for number, entry in enumerate(entries):
        try:
            one = _picture(entry, limits)
            if one[0] in seen:
                raise BadEntryError("its id is there twice")
        except BadEntryError as error:
            faults.note(f"picture {_said(entry, number)}", error)
        else:
            seen.add(one[0])
            yield one[0], one[1:]


def _picture(entry: Any, limits: Limits) -> tuple[int, str, int, int]:
    if not isinstance(entry, dict) or not is_whole(entry.get("id")):
        raise BadEntryError("no id")
    width, height, file = entry.get("width"), entry.get("height"), entry.get("file_name")
    if not (is_whole(width) and is_whole(height) and width > 0 and height > 0):
        raise BadEntryError("no width or height")
    if width * height > limits.max_pixels:
        raise BadEntryError(f"more than {limits.max_pixels} pixels")
    if not isinstance(file, str) or not file or len(file) > 1000 or "\0" in file:
        raise BadEntryError("no file name")
    inside = PurePosixPath(file.replace("\\", "/"))
    if inside.is_absolute() or ".." in inside.parts or ":" in inside.parts[0]:
        raise BadEntryError("its file lies outside of the folder of pictures")
    return entry["id"], str(inside), width, height


def _object(
    entry: Any,
    pictures: Mapping[int, tuple[str, int, int]],
    categories: Mapping[int, tuple[str, str | None]],
    ignored: Counter[str],
    seen: set[int],
) -> tuple[int, Labelled | None]:
    if not isinstance(entry, dict) or not is_whole(entry.get("id")):
        raise BadEntryError("no id")
    if entry["id"] in seen:
        raise BadEntryError("its id is there twice")
    picture, category = entry.get("image_id"), entry.get("category_id")
    if not is_whole(picture) or picture not in pictures:
        raise BadEntryError("no such picture")
    if not is_whole(category) or category not in categories:
        raise BadEntryError("no such category")
    seen.add(entry["id"])
    name, label = categories[category]
    if label is None:
        ignored[name] += 1
        return picture, None
    _, width, height = pictures[picture]
    rle = read_mask(entry.get("segmentation"), height, width)
    box = _box(entry.get("bbox"), rle, height, width)
    area = entry.get("area")
    if not is_number(area) or area <= 0:
        area = float(mask_area(rle)) if rle else box[2] * box[3]
    crowd = entry.get("iscrowd") in (1, True)
    return picture, Labelled(entry["id"], label, box, rle, crowd, float(area))


def _box(given: Any, rle: Rle | None, height: int, width: int) -> tuple[float, float, float, float]:
    if given is None and rle is not None:
        given = mask_box(rle)
    if not isinstance(given, list) or len(given) != 4 or not all(is_number(edge) for edge in given):
        raise BadEntryError("no box of four numbers")
    left, top, across, down = map(float, given)
    if across <= 0 or down <= 0:
        raise BadEntryError("its box is empty")
    if not (-width <= left < width and -height <= top < height and across <= 2 * width and down <= 2 * height):
        raise BadEntryError("its box lies outside of the picture")
    if left + across <= 0 or top + down <= 0:
        raise BadEntryError("its box lies outside of the picture")
    return left, top, across, down


def _said(entry: Any, number: int) -> str:
    """Name an entry by its id, or by its place where it has none."""
    named = entry.get("id") if isinstance(entry, dict) else None
    return str(named) if is_whole(named) else f"at place {number}"
