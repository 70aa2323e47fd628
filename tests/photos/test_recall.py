"""What of labelled objects is hidden, with masks that are planted so that the answer is known."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wayside.photos.recall import cover, is_hidden, recall, uncovered
from wayside.privacy.objects import Found, Masked
from wayside.vision.bysize import wilson
from wayside.vision.coco import CocoPicture, Labelled
from wayside.vision.coco_masks import mask_rle

HEIGHT, WIDTH = 200, 400
LABELS = ("car", "person")


def labelled(*objects: tuple[str, tuple[float, float, float, float]], crowd: bool = False) -> CocoPicture:
    things = tuple(Labelled(number, label, box, None, crowd, 1.0) for number, (label, box) in enumerate(objects))
    return CocoPicture(1, "1.jpg", WIDTH, HEIGHT, things)


def masked(label: str, left: int, top: int, width: int, height: int) -> Masked:
    found = Found(label, 0.9, (left, top, left + width, top + height), None, "Stub")
    return Masked(found, ((left, top, np.ones((height, width), bool)),))


def row(picture: CocoPicture, *masks: Masked, grey: int = 128, wrap: bool = False) -> dict[str, Any]:
    image = np.full((HEIGHT, WIDTH, 3), grey, np.uint8)
    return {"width": WIDTH, "height": HEIGHT, **cover(picture, image, masks, LABELS, wrap=wrap)}


@pytest.mark.parametrize(("columns", "hidden"), [(100, True), (95, True), (94, False), (50, False), (0, False)])
def test_an_object_is_hidden_from_95_per_cent_of_its_area(columns: int, hidden: bool) -> None:
    made = row(labelled(("car", (50, 50, 100, 40))), masked("car", 50, 50, columns, 40))
    (one,) = made["objects"]
    assert (one["area"], one["covered"]) == (4000, 40 * columns)
    assert is_hidden(one) == hidden
    assert uncovered(made, LABELS) == 40 * (100 - columns)
    whole = recall([made], LABELS).overall
    assert (whole.objects, whole.hidden, whole.share) == (1, int(hidden), float(hidden))
    assert whole.area_share == columns / 100
    assert (whole.low, whole.high) == wilson(int(hidden), 1)


def test_masks_of_any_class_hide_and_overlaps_count_once() -> None:
    picture = labelled(("person", (100, 50, 20, 40)))
    made = row(picture, masked("car", 90, 50, 20, 40), masked("bus", 105, 50, 15, 40))
    assert made["objects"][0]["covered"] == 800
    assert made["masked"] == 40 * (20 + 15 - 5)


def test_a_mask_of_an_object_is_used_instead_of_its_box() -> None:
    shape = np.zeros((HEIGHT, WIDTH), bool)
    shape[50:90, 50:70] = True
    thing = Labelled(0, "car", (50, 50, 100, 40), mask_rle(shape), False, 800.0)
    made = row(CocoPicture(1, "1.jpg", WIDTH, HEIGHT, (thing,)), masked("car", 50, 50, 20, 40))
    assert (made["objects"][0]["area"], is_hidden(made["objects"][0])) == (800, True)


def test_what_is_masked_in_vain() -> None:
    picture = labelled(("car", (50, 50, 100, 40)))
    made = row(
        picture,
        masked("car", 50, 50, 110, 40),  # 400 pixels beside the car
        masked("person", 300, 100, 10, 10),  # 100 on nothing
        masked("truck", 350, 100, 20, 20),  # a class that the set does not label: nobody knows
        masked("plate", 320, 150, 4, 4),  # the same
        masked("face", 330, 150, 5, 5),  # a face on no person
    )
    assert (made["false"], made["phantom"]) == (400 + 100 + 25, 125)
    figures = recall([made, row(picture)], LABELS)
    pixels = 2 * HEIGHT * WIDTH
    assert figures.false_share[0] == pytest.approx(525 / pixels)
    assert figures.false_share[1] == 0
    assert figures.false_share[2] == pytest.approx(525 / HEIGHT / WIDTH)
    assert figures.masked_share == pytest.approx((4400 + 100 + 400 + 16 + 25) / pixels)


def test_what_stands_for_many_is_no_object_and_no_fault() -> None:
    made = row(labelled(("person", (100, 50, 200, 100)), crowd=True), masked("person", 120, 60, 20, 40))
    assert (made["objects"], made["false"]) == ([], 0)
    assert recall([made], LABELS).overall.share is None


def test_groups() -> None:
    picture = labelled(
        ("car", (0, 50, 20, 11)), ("car", (50, 50, 20, 12)), ("person", (90, 50, 20, 47)), ("person", (150, 0, 40, 200))
    )
    made = row(picture, masked("car", 0, 40, 120, 100), grey=40)
    figures = recall([made], ("car", "person"))
    named = {(kind, one.name): (one.objects, one.hidden) for kind, rows in figures.groups.items() for one in rows}
    assert named["class", "car"] == (2, 2)
    assert named["class", "person"] == (2, 1)
    assert [one.name for one in figures.groups["size"]] == [
        "below 12 px", "12 to 24 px", "24 to 48 px", "192 px and more",
    ]  # fmt: skip
    assert named["edge", "cut off by the edge"] == (2, 1)
    assert named["edge", "whole"] == (2, 2)
    assert named["light", "dark"] == (4, 3)
    assert named["class and size", "person, 192 px and more"] == (1, 0)
    assert "latitude" not in figures.groups
    assert "bar" not in figures.groups


def test_a_panorama_has_latitudes_and_no_edge_at_its_sides() -> None:
    picture = labelled(("car", (0, 90, 20, 20)), ("face", (100, 20, 30, 30)), ("plate", (200, 5, 30, 11)))
    figures = recall([row(picture, wrap=True)], ("car", "face", "plate"))
    named = {(kind, one.name): one.objects for kind, rows in figures.groups.items() for one in rows}
    assert [named["latitude", name] for name in ("below 30°", "30° to 60°", "60° and more")] == [1, 1, 1]
    assert named["edge", "whole"] == 3
    assert named["bar", "faces of 24 px and more"] == 1
    assert ("bar", "plates of 12 px and more") not in named


def test_classes_that_are_not_masked_are_left_out_and_counted() -> None:
    figures = recall([row(labelled(("car", (50, 50, 20, 20)), ("person", (90, 50, 20, 40))))], ["car"])
    assert (figures.overall.objects, dict(figures.left_out)) == (1, {"person": 1})


def test_nothing_was_looked_at() -> None:
    figures = recall([], LABELS)
    assert (figures.overall.objects, figures.overall.low, figures.masked_share) == (0, None, 0)
    assert figures.false_share == (0.0, 0.0, 1.0)


# Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_wilsons(hits: int, total: int, low: float, high: float) -> None:
    picture = labelled(("car", (50, 50, 20, 20)))
    shows, hides = row(picture), row(picture, masked("car", 50, 50, 20, 20))
    made = recall([hides] * hits + [shows] * (total - hits), LABELS).overall
    assert (made.objects, made.hidden) == (total, hits)
    assert (made.low, made.high) == pytest.approx((low, high), abs=6e-5)


@given(st.integers(-30, 420), st.integers(-20, 220), st.integers(1, 90), st.integers(1, 90))
@settings(max_examples=30)
def test_shares_are_shares_wherever_the_mask_lies(left: int, top: int, width: int, height: int) -> None:
    box = (max(0, left), max(0, top), min(WIDTH, left + width), min(HEIGHT, top + height))
    masks = (
        [masked("car", box[0], box[1], box[2] - box[0], box[3] - box[1])] if box[2] > box[0] and box[3] > box[1] else []
    )
    made = row(labelled(("car", (100, 50, 120, 80)), ("person", (390, 190, 30, 30))), *masks)
    for one in made["objects"]:
        assert 0 <= one["covered"] <= one["area"]
    assert 0 <= made["phantom"] <= made["false"] <= made["masked"] <= HEIGHT * WIDTH
