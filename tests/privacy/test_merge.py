"""Findings of several looks become objects: each once, whole, across the seam, neighbours apart."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wayside.privacy.merge import Seen, merged
from wayside.privacy.objects import Found
from wayside.privacy.tiles import Window

SIZE = (1000, 2000)
WHOLE = Window(0, 0, 2000, 1000, 2000)
LEFT, RIGHT = Window(0, 0, 1100, 1000, 1100), Window(900, 0, 1100, 1000, 1100)

Box = tuple[int, int, int, int]


def seen(
    box: Box,
    window: Window = WHOLE,
    look: int = 0,
    *,
    label: str = "car",
    score: float = 0.5,
    mask: NDArray[np.bool_] | None = None,
) -> Seen:
    return Seen(Found(label, score, box, mask, "Tiny"), window, look)


def full(box: Box) -> NDArray[np.bool_]:
    return np.ones((box[3] - box[1], box[2] - box[0]), np.bool_)


def objects(findings: list[Seen], *, wrap: bool = False) -> list[tuple[str, Box]]:
    return [(one.label, one.box) for one in merged(findings, *SIZE, wrap=wrap)]


def test_one_car_in_three_looks_is_one_car() -> None:
    """Whole in the look at the whole, cut at the border of both tiles; the box is the outermost, the score the mean."""
    found = merged(
        [
            seen((800, 400, 1300, 700), WHOLE, 0, score=0.9),
            seen((810, 410, 1100, 690), LEFT, 1, score=0.6),
            seen((900, 395, 1310, 700), RIGHT, 2, score=0.3),
        ],
        *SIZE,
    )
    assert [(one.label, one.box, one.mask) for one in found] == [("car", (800, 395, 1310, 700), None)]
    assert found[0].score == pytest.approx(0.6)


def test_two_halves_that_no_look_sees_whole_are_one() -> None:
    assert objects([seen((810, 410, 1100, 690), LEFT, 1), seen((900, 400, 1310, 700), RIGHT, 2)]) == [
        ("car", (810, 400, 1310, 700))
    ]


def test_neighbours_whose_boxes_touch_stay_apart() -> None:
    """A queue of cars, each box over a fifth of the next one, seen by two looks."""
    queue = [(x, 400, x + 250, 600) for x in range(100, 900, 200)]
    looks = [seen((x, y, r + 3, b + 2), LEFT, 1) for x, y, r, b in queue] + [seen(box) for box in queue]
    assert [box[:2] for _, box in sorted(objects(looks))] == [box[:2] for box in queue]


def test_a_far_car_half_hidden_by_a_near_one_stays_a_car() -> None:
    near, far = (300, 300, 800, 700), (500, 320, 620, 400)
    assert len(objects([seen(near), seen(far), seen(near, LEFT, 1), seen(far, LEFT, 1)])) == 2


def test_a_badly_drawn_piece_of_a_bus_belongs_to_it() -> None:
    """A tile shows the end of a bus and its detector stops early: the piece is cut off by the tile and inside."""
    bus, piece = (600, 200, 1800, 800), (900, 500, 1100, 760)
    assert objects([seen(bus, label="bus"), seen(piece, RIGHT, 2, label="truck")]) == [("bus", bus)]
    elsewhere = (1200, 500, 1400, 760)
    assert len(objects([seen(bus, label="bus"), seen(elsewhere, RIGHT, 2, label="truck")])) == 2


def test_two_findings_of_one_look_and_class_are_two() -> None:
    first, second = (100, 100, 200, 300), (120, 100, 220, 300)
    assert len(objects([seen(first, label="person"), seen(second, label="person")])) == 2
    assert len(objects([seen(first, label="car"), seen(second, label="truck")])) == 1, "one car, two names for it"


def test_people_faces_and_plates_join_only_their_like() -> None:
    box = (100, 100, 200, 300)
    labels = ["person", "motorcycle", "car", "face", "plate"]
    found = objects([seen(box, look=number, label=label) for number, label in enumerate(labels)])
    assert sorted(label for label, _ in found) == sorted(labels)
    mask = full(box)
    found = objects([seen(box, look=number, label=label, mask=mask) for number, label in enumerate(labels)])
    assert sorted(label for label, _ in found) == sorted(labels)


@pytest.mark.parametrize(
    ("labels", "wins"),
    [
        (["bus", "truck", "truck"], "truck"),
        (["truck", "bus"], "bus"),
        (["truck", "bus", "car"], "car"),
        (["truck", "bus", "truck", "bus", "car"], "bus"),
        (["motorcycle", "bicycle"], "bicycle"),
    ],
)
def test_the_class_of_most_and_among_equals_the_first_of_coco(labels: list[str], wins: str) -> None:
    looks = [seen((100, 100, 300, 200), look=number, label=label) for number, label in enumerate(labels)]
    for order in itertools.islice(itertools.permutations(looks), 24):
        assert objects(list(order)) == [(wins, (100, 100, 300, 200))]


def test_masks_join_by_shared_pixels_and_not_by_boxes() -> None:
    """Two triangles in one box share nothing; a stripe across both joins the three."""
    box = (100, 100, 200, 200)
    lower = np.tri(100, dtype=np.bool_)
    upper = ~lower
    pair = [seen(box, look=0, mask=lower, label="person"), seen(box, look=1, mask=upper, label="person")]
    assert len(objects(pair)) == 2
    stripe = np.zeros((100, 100), np.bool_)
    stripe[40:60] = True
    (one,) = merged([*pair, seen(box, look=2, mask=stripe, label="person")], *SIZE)
    assert one.mask is not None
    assert one.mask.all()
    assert one.area == 100 * 100


def test_people_who_touch_by_a_few_pixels_stay_two() -> None:
    first, second = (100, 100, 200, 300), (195, 100, 295, 300)
    looks = [
        seen(first, look=0, mask=full(first), label="person"),
        seen(second, look=1, mask=full(second), label="person"),
    ]
    assert len(objects(looks)) == 2


def test_masks_do_not_carry_pixels_of_other_objects() -> None:
    """The replaced system's areas grew to 1500, 6800 and 2000 pixels here: its canvas was never cleared."""
    boxes = [(100, 100, 150, 130), (400, 100, 500, 160), (800, 100, 850, 140)]
    found = merged([seen(box, look=number, mask=full(box)) for number, box in enumerate(boxes)], *SIZE)
    assert sorted(one.area for one in found) == [1500, 2000, 6000]


def test_three_that_overlap_in_a_chain_are_one_with_all_pixels() -> None:
    """The replaced system updated only the last of several overlapping entries and never fused them."""
    chain = [(100, 100, 200, 200), (300, 100, 400, 200), (180, 100, 320, 200)]
    for order in itertools.permutations(range(3)):
        (one,) = merged([seen(chain[at], look=at, mask=full(chain[at])) for at in order], *SIZE)
        assert one.box == (100, 100, 400, 200)
        assert one.area == 300 * 100


def test_a_mask_and_a_box_unite() -> None:
    box = (100, 100, 200, 200)
    (one,) = merged([seen(box, look=0, mask=np.tri(100, dtype=np.bool_)), seen((105, 100, 200, 200), look=1)], *SIZE)
    assert one.box == box
    assert one.area == 95 * 100 + 5 * 100 - sum(range(5))


def test_across_the_seam() -> None:
    """Two halves at the edges of the whole, one car in the whole turned by half, one in a tile across the seam."""
    turned, tile = Window(1000, 0, 2000, 1000, 2000), Window(1800, 0, 600, 1000, 600)
    looks = [
        seen((1900, 400, 2000, 500)),
        seen((0, 400, 150, 500)),
        seen((1895, 400, 2150, 500), turned, 1),
        seen((1900, 395, 2140, 505), tile, 2),
    ]
    for order in itertools.permutations(looks):
        assert objects(list(order), wrap=True) == [("car", (1895, 395, 2150, 505))]
    halves = [("car", (0, 400, 150, 500)), ("car", (1900, 400, 2000, 500))]
    assert sorted(objects(looks[:2], wrap=False)) == halves


def test_left_is_in_the_picture_and_a_ring_is_the_whole_width() -> None:
    tile = Window(1900, 0, 600, 1000, 600)
    assert objects([seen((2050, 10, 2100, 50), tile)], wrap=True) == [("car", (50, 10, 100, 50))]
    ring = [
        seen((0, 900, 1200, 1000), mask=full((0, 0, 1200, 100))),
        seen((1000, 900, 2300, 1000), Window(1000, 0, 2000, 1000, 2000), 1, mask=full((0, 0, 1300, 100))),
    ]
    (one,) = merged(ring, *SIZE, wrap=True)
    assert one.box == (0, 900, 2000, 1000)
    assert one.area == 2000 * 100


def test_boxes_without_area_and_pictures_without_objects() -> None:
    assert merged([], *SIZE) == []
    assert merged([seen((10, 10, 10, 30)), seen((10, 30, 20, 10))], *SIZE) == []


@st.composite
def findings(draw: st.DrawFn) -> list[Seen]:
    """Up to a dozen boxes of two looks, some with masks, somewhere on a ring of 2000 columns."""
    windows = [WHOLE, Window(1000, 0, 2000, 1000, 2000), Window(1500, 0, 900, 1000, 900)]
    found = []
    for _ in range(draw(st.integers(1, 12))):
        look = draw(st.integers(0, 2))
        width, height = draw(st.integers(1, 400)), draw(st.integers(1, 400))
        left = windows[look].left + draw(st.integers(0, windows[look].width - width))
        top = draw(st.integers(0, 1000 - height))
        mask = None
        if draw(st.booleans()):
            mask = np.random.default_rng(draw(st.integers(0, 9))).random((height, width)) < 0.7
        label = draw(st.sampled_from(["person", "car", "bus", "plate"]))
        score = draw(st.sampled_from([0.25, 0.5, 0.75]))
        found.append(
            seen((left, top, left + width, top + height), windows[look], look, label=label, score=score, mask=mask)
        )
    return found


def covered(found: list[Found]) -> NDArray[np.bool_]:
    """Draw objects on the ring, pixel by pixel."""
    canvas = np.zeros(SIZE, np.bool_)
    for one in found:
        left, top, right, bottom = one.box
        columns = np.arange(left, right) % SIZE[1]
        canvas[top:bottom, columns] |= full(one.box) if one.mask is None else one.mask
    return canvas


@settings(max_examples=60)
@given(findings(), st.randoms(use_true_random=False))
def test_no_pixel_is_lost_and_order_does_not_matter(looks: list[Seen], dice: object) -> None:
    found = merged(looks, *SIZE, wrap=True)
    assert covered(found)[covered([one.found for one in looks])].all()
    assert len(found) <= len(looks)
    for one in found:
        assert 0 <= one.box[0] < SIZE[1]
        assert one.box[0] < one.box[2] <= one.box[0] + SIZE[1]
        assert one.mask is None or one.mask.shape == (one.box[3] - one.box[1], one.box[2] - one.box[0])
    shuffled = list(looks)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    again = merged(shuffled, *SIZE, wrap=True)
    assert [(one.label, one.box, round(one.score, 9)) for one in again] == [
        (one.label, one.box, round(one.score, 9)) for one in found
    ]


def test_hundreds_of_objects_in_33_megapixels_stay_small() -> None:
    """A mask of the picture's size for each of 600 objects would be 20 GB; theirs alone are 6 MB."""
    window = Window(0, 0, 8000, 4000, 8000)
    boxes = [(x, y, x + 100, y + 100) for x in range(0, 8000, 320) for y in range(0, 4000, 170)]
    looks = [seen(box, window, number, mask=full(box)) for number, box in enumerate(boxes)]
    tracemalloc.start()
    found = merged(looks, 4000, 8000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == len(boxes) == 600
    assert peak < 32e6
