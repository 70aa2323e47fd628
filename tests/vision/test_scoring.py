"""AP and AR of sets that are small enough to be worked out by hand, and the bootstrap's agreement with the protocol."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wayside.vision.coco import CocoPicture, Labelled
from wayside.vision.coco_masks import mask_rle
from wayside.vision.scoring import Answer, precision

Box = tuple[float, float, float, float]
A: Box = (10, 10, 40, 40)
B: Box = (100, 10, 40, 40)
C: Box = (10, 100, 120, 90)
AWAY: Box = (200, 200, 50, 50)


def picture(number: int, *objects: tuple[str, Box], crowd: bool = False) -> CocoPicture:
    listed = tuple(
        Labelled(place, label, box, None, crowd, box[2] * box[3]) for place, (label, box) in enumerate(objects)
    )
    return CocoPicture(number, f"{number}.jpg", 300, 300, listed)


def answers(**rows: Sequence[tuple[str, float, Box]]) -> Mapping[int, list[Answer]]:
    return {int(name[1:]): [Answer(*row) for row in found] for name, found in rows.items()}


def test_a_perfect_detector() -> None:
    pictures = [picture(1, ("car", A), ("car", C)), picture(2, ("person", B))]
    made = precision(
        pictures, answers(p1=[("car", 0.9, A), ("car", 0.8, C)], p2=[("person", 0.7, B)]), ["car", "person"], "boxes"
    )
    assert made.objects == 3
    for name in ("ap", "ap50", "ap75", "ar100"):
        assert made.figures[name].value == pytest.approx(1.0), name
    assert (made.figures["ap"].low, made.figures["ap"].high) == (1.0, 1.0)
    # One answer a picture finds one of the two cars, and the person.
    assert made.figures["ar1"].value == pytest.approx(0.75)
    assert made.figures["ap_small"].value is None
    assert made.figures["ap_large"].value == pytest.approx(1.0)
    assert {name: figure.value for name, figure in made.classes.items()} == pytest.approx({"car": 1.0, "person": 1.0})


def test_an_ap_that_is_worked_out_by_hand() -> None:
    pictures = [picture(1, ("car", A), ("car", B)), picture(2)]
    # Right, wrong, right: precision 1 up to recall 0.5 (51 of 101 levels), then 2/3 (50 levels), at every overlap.
    made = precision(
        pictures, answers(p1=[("car", 0.9, A), ("car", 0.5, B)], p2=[("car", 0.7, AWAY)]), ["car"], "boxes"
    )
    by_hand = (51 * 1 + 50 * 2 / 3) / 101
    assert made.figures["ap"].value == pytest.approx(by_hand)
    assert made.classes["car"].value == pytest.approx(by_hand)
    assert made.figures["ap"].low <= by_hand <= made.figures["ap"].high
    assert made.figures["ap"].high == pytest.approx(1.0)


def test_overlap_decides() -> None:
    # 40 x 40 against 40 x 30 of it: an overlap of 0.75, which reaches 0.50 to 0.75, six of ten levels.
    made = precision([picture(1, ("car", A))], answers(p1=[("car", 0.9, (10, 10, 40, 30))]), ["car"], "boxes")
    assert made.figures["ap50"].value == made.figures["ap75"].value == pytest.approx(1.0)
    assert made.figures["ap"].value == pytest.approx(0.6)
    assert made.figures["ar100"].value == pytest.approx(0.6)


def test_masks_are_compared_as_masks_and_a_box_is_its_own_mask() -> None:
    mask = np.zeros((300, 300), bool)
    mask[10:50, 10:30] = True
    half = Labelled(0, "car", A, mask_rle(mask), False, 800)
    pictures = [CocoPicture(1, "1.jpg", 300, 300, (half,))]
    exact = {1: [Answer("car", 0.9, A, mask_rle(mask))]}
    assert precision(pictures, exact, ["car"], "masks").figures["ap"].value == pytest.approx(1.0)
    # The whole box covers half of itself with the object: that overlap is 0.5, and 0.55 is missed.
    boxed = precision(pictures, {1: [Answer("car", 0.9, A)]}, ["car"], "masks")
    assert boxed.figures["ap50"].value == pytest.approx(1.0)
    assert boxed.figures["ap"].value == pytest.approx(0.1)
    assert precision(pictures, {1: [Answer("car", 0.9, A)]}, ["car"], "boxes").figures["ap"].value == pytest.approx(1.0)


def test_a_crowd_counts_neither_for_nor_against() -> None:
    pictures = [picture(1, ("car", A)), picture(2, ("car", C), crowd=True)]
    made = precision(pictures, answers(p1=[("car", 0.5, A)], p2=[("car", 0.9, C)]), ["car"], "boxes")
    assert (made.objects, made.figures["ap"].value) == (1, pytest.approx(1.0))


def test_nothing_found_and_nothing_to_find() -> None:
    made = precision([picture(1, ("car", A))], {}, ["car"], "boxes")
    assert (made.figures["ap"].value, made.figures["ap"].low, made.figures["ap"].high) == (0, 0, 0)
    made = precision([picture(1)], answers(p1=[("car", 0.9, A)]), ["car"], "boxes")
    assert made.figures["ap"].value is None
    assert made.classes["car"].low is None
    assert precision([], {}, ["car"], "boxes").figures["ap"].value is None
    assert precision([picture(1, ("car", A))], {}, [], "boxes").objects == 0


def test_the_interval_narrows_with_more_pictures_and_is_the_same_each_time() -> None:
    def measured(number: int) -> tuple[float, float]:
        pictures = [picture(one, ("car", A)) for one in range(1, number + 1)]
        found = {one: [Answer("car", 0.9, A)] for one in range(1, number + 1) if one % 2}
        figure = precision(pictures, found, ["car"], "boxes").figures["ap"]
        assert figure.value == pytest.approx(51 / 101, abs=0.02)
        return figure.low, figure.high

    few, many = measured(10), measured(160)
    assert many[1] - many[0] < few[1] - few[0]
    assert few == measured(10)
    # A share of one half in 160 pictures: 1.96 standard errors are 0.077 on each side.
    assert many[1] - many[0] == pytest.approx(0.155, abs=0.03)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 3),
            st.sampled_from(["car", "person"]),
            st.floats(0.01, 0.99),
            st.sampled_from([A, B, C, AWAY, (15, 10, 40, 40), (10, 110, 120, 90)]),
        ),
        max_size=14,
    )
)
@settings(max_examples=25)
def test_the_bootstrap_of_the_whole_set_is_the_protocol(rows: list[tuple[int, str, float, Box]]) -> None:
    from wayside.vision import scoring

    pictures = [
        picture(1, ("car", A), ("person", B)),
        picture(2, ("car", C)),
        picture(3, ("person", A), ("person", C), ("car", B)),
    ]
    found: dict[int, list[Answer]] = {}
    for number, label, score, box in rows:
        found.setdefault(number, []).append(Answer(label, score, box))
    judged = scoring._judge(pictures, found, ["car", "person"], "boxes")
    once = np.ones((1, 3))
    drawn = np.stack([scoring._drawn(judged, place, once)[0] for place in range(2)])
    assert drawn.mean() == pytest.approx(max(judged.stats[0], 0))
    # Each picture twice changes no precision and no recall.
    assert np.allclose(scoring._drawn(judged, 0, 2 * once), drawn[0])
