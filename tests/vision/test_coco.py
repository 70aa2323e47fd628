"""COCO sets: what is read, what is refused as a whole, and what is left out and reported."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as runs
from tests.vision.coco_sets import CATEGORIES, document, write_set

from wayside.core.errors import ModelError
from wayside.vision import coco
from wayside.vision.coco import CocoSet, read_coco, write_coco
from wayside.vision.coco_masks import BadEntryError, mask_rle, read_mask, rle_mask
from wayside.vision.decode import Limits, encode_jpeg
from wayside.vision.evaluate import Truth

LIMITS = Limits(2**24, 10_000_000)
SQUARE = [[10, 10, 30, 10, 30, 30, 10, 30]]


def read(tmp_path: Path, content: Any, **options: Any) -> CocoSet:
    path = tmp_path / "instances_street.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return read_coco(path, limits=LIMITS, **options)


def test_boxes_polygons_and_both_kinds_of_run_lengths(tmp_path: Path) -> None:
    mask = np.zeros((100, 200), bool)
    mask[20:40, 50:90] = True
    packed = {"size": [100, 200], "counts": mask_rle(mask)["counts"].decode()}
    plain = {"size": [100, 200], "counts": [50 * 100, *[20, 20, 60] * 40, 110 * 100]}
    plain["counts"] = _lengths(mask)
    found = read(
        tmp_path,
        document(
            [
                {"bbox": [1, 2, 30, 40], "category_id": 3},
                {"segmentation": SQUARE, "bbox": [10, 10, 20, 20], "area": 400},
                {"segmentation": packed},
                {"segmentation": plain, "iscrowd": 1},
                {"bbox": [1, 1, 5, 5], "category_id": 9},
            ]
        ),
    )
    (picture,) = found.pictures
    box, polygon, first, second = picture.objects
    assert (found.name, found.labels, dict(found.ignored)) == ("instances_street", ("car", "person"), {"giraffe": 1})
    assert (box.label, box.box, box.rle, box.area) == ("person", (1, 2, 30, 40), None, 1200)
    assert polygon.area == 400
    assert rle_mask(polygon.rle)[10:30, 10:30].all()
    assert rle_mask(polygon.rle).sum() == 400
    for one in (first, second):
        assert np.array_equal(rle_mask(one.rle), mask)
        assert one.box == (50, 20, 40, 20)
        assert one.area == 800
    assert (first.crowd, second.crowd) == (False, True)
    assert not found.faults


def _lengths(mask: np.ndarray) -> list[int]:
    """Run lengths down the columns, beginning with those of zeros."""
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff([0, *edges, flat.size]).tolist()
    return [0, *lengths] if flat[0] else lengths


@given(arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.booleans()))
@settings(max_examples=40)
def test_packed_run_lengths_are_read_as_they_were_written(mask: np.ndarray) -> None:
    if not mask.any():
        return
    height, width = mask.shape
    packed = {"size": [height, width], "counts": mask_rle(mask)["counts"].decode()}
    assert np.array_equal(rle_mask(read_mask(packed, height, width)), mask)
    plain = {"size": [height, width], "counts": _lengths(mask)}
    assert np.array_equal(rle_mask(read_mask(plain, height, width)), mask)


@given(st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=12))
@settings(max_examples=60)
def test_packed_run_lengths_from_anywhere_never_reach_the_library_unchecked(text: str) -> None:
    try:
        made = read_mask({"size": [6, 5], "counts": text}, 6, 5)
    except BadEntryError:
        return
    assert made is None or rle_mask(made).shape == (6, 5)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"bbox": [1, 2, 3]}, "no box of four numbers"),
        ({"bbox": [1, 2, 0, 4]}, "its box is empty"),
        ({"bbox": [1, 2, float("nan"), 4]}, "no box of four numbers"),
        ({"bbox": [500, 2, 3, 4]}, "its box lies outside of the picture"),
        ({"bbox": [-50, 2, 30, 4]}, "its box lies outside of the picture"),
        ({"bbox": [1, 2, 3, 4], "image_id": 99}, "no such picture"),
        ({"bbox": [1, 2, 3, 4], "image_id": [1]}, "no such picture"),
        ({"bbox": [1, 2, 3, 4], "category_id": 99}, "no such category"),
        ({"bbox": [1, 2, 3, 4], "id": "a"}, "no id"),
        ({"bbox": [1, 2, 3, 4], "id": 5}, "its id is there twice"),
        ({}, "no box of four numbers"),
        ({"segmentation": [[1, 2, 3, 4]]}, "a polygon has less than three corners"),
        ({"segmentation": [[1, 2, 3, 4, 1e9, 5]]}, "a corner lies far outside of the picture"),
        ({"segmentation": [[1, 2, 3, 4, "5", 5]]}, "a corner is no number"),
        ({"segmentation": [[1, 1] * 20_000]}, "too many corners"),
        ({"segmentation": "mask"}, "its mask is neither polygons nor run lengths"),
        ({"segmentation": {"size": [100, 201], "counts": [20_100]}}, "its mask has another size than the picture"),
        ({"segmentation": {"size": [100, 200], "counts": [1, 2**40]}}, "its run lengths do not add up to the picture"),
        ({"segmentation": {"size": [100, 200], "counts": [-1, 20_001]}}, "its run lengths cannot be read"),
        ({"segmentation": {"size": [100, 200], "counts": "~~~~"}}, "its run lengths cannot be read"),
        ({"segmentation": {"size": [100, 200], "counts": [20_000]}}, "its mask is empty"),
    ],
)
def test_a_bad_object_is_left_out_and_reported(tmp_path: Path, entry: dict[str, Any], reason: str) -> None:
    found = read(tmp_path, document([{"bbox": [1, 2, 3, 4], "id": 5}, entry, {"bbox": [1, 2, 3, 4]}]))
    assert dict(found.faults) == {reason: 1}
    assert [one.id for one in found.pictures[0].objects] == [5, 2]
    assert reason in found.examples[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": None}, "no id"),
        ({"width": 0}, "no width or height"),
        ({"width": 10**6, "height": 10**6}, "more than 10000000 pixels"),
        ({"file_name": ""}, "no file name"),
        ({"file_name": "../../etc/passwd"}, "its file lies outside of the folder of pictures"),
        ({"file_name": "/etc/passwd"}, "its file lies outside of the folder of pictures"),
        ({"file_name": "C:\\x.jpg"}, "its file lies outside of the folder of pictures"),
        ({"id": 2}, "its id is there twice"),
    ],
)
def test_a_bad_picture_is_left_out_and_reported(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    content = document([], pictures=3)
    content["images"][2] |= change
    found = read(tmp_path, content)
    assert [one.id for one in found.pictures] == [1, 2]
    assert dict(found.faults) == {reason: 1}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("nonsense", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "no list `images`"),
        ('{"images": [], "annotations": {}, "categories": []}', "no list `annotations`"),
    ],
)
def test_what_is_no_set_is_refused(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        read(tmp_path, content)
    with pytest.raises(ModelError, match="cannot be read"):
        read_coco(tmp_path / "absent.json", limits=LIMITS)


def test_a_set_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coco, "MOST_PICTURES", 2)
    with pytest.raises(ModelError, match="more than 2"):
        read(tmp_path, document([], pictures=3))
    monkeypatch.setattr(coco, "MOST_BYTES", 50)
    with pytest.raises(ModelError, match="divide the set"):
        read(tmp_path, document([]))


def test_names_in_another_language_can_be_told(tmp_path: Path) -> None:
    categories = [*CATEGORIES, {"id": 4, "name": "Number_Plate"}, {"id": 5, "name": "Personbil"}]
    content = document([{"bbox": [1, 2, 3, 4], "category_id": number} for number in (4, 5)], categories=categories)
    assert read(tmp_path, content).ignored == {"Personbil": 1}
    found = read(tmp_path, content, names={"personbil": "car"})
    assert [one.label for one in found.pictures[0].objects] == ["plate", "car"]


def test_a_labelled_set_becomes_a_coco_set_of_the_same_bytes(tmp_path: Path) -> None:
    image = encode_jpeg(np.zeros((40, 80, 3), np.uint8))
    truths = [
        Truth("a", image, np.array([[0.25, 0.5, 0.75, 1]], np.float32), ("car",)),
        Truth("b", b"broken", np.zeros((0, 4), np.float32), ()),
    ]
    path, pictures = write_coco(truths, tmp_path / "one")
    again, _ = write_coco(truths, tmp_path / "two")
    assert path.read_bytes() == again.read_bytes()
    (picture,) = read_coco(path, limits=LIMITS).pictures
    assert (pictures / picture.file).read_bytes() == image
    assert [(one.label, one.box) for one in picture.objects] == [("car", (20, 20, 40, 20))]


def test_the_library_agrees_on_the_area(tmp_path: Path) -> None:
    path, _ = write_set(tmp_path, document([{"segmentation": SQUARE}]))
    (one,) = read_coco(path, limits=LIMITS).pictures[0].objects
    assert one.area == runs.area(one.rle) == 400
