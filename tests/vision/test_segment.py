"""Instance masks: read from the families that have them, kept small, and drawn where the object is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.vision.graphs import constant_graph

from wayside.core.errors import ModelError
from wayside.core.settings import Settings
from wayside.vision.cards import ModelCard
from wayside.vision.detections import Detections, Outline
from wayside.vision.detector import load_detector
from wayside.vision.labels import COCO80
from wayside.vision.riders import derive_riders
from wayside.vision.segment import outlines, pixels

CAR, BUS = COCO80.index("car"), COCO80.index("bus")
FLOAT_INPUT = {"width": 64, "height": 64}
SIDE = 16  # masks of a quarter of the input

Make = Callable[..., ModelCard]


def logit(share: float) -> np.float32:
    return np.float32(np.log(share / (1 - share)))


def triangle() -> NDArray[np.bool_]:
    """The lower left half of a car that fills columns 4..11 and rows 4..7 of the grid."""
    mask = np.zeros((SIDE, SIDE), np.bool_)
    for row in range(4, 8):
        mask[row, 4 : 6 + 2 * (row - 4)] = True
    return mask


def rfdetr(name: str = "masks") -> dict[str, NDArray[np.float32]]:
    """Three queries: a car, nothing, a bus with a full mask."""
    labels = np.full((1, 3, 91), -20, np.float32)
    labels[0, 0, 3], labels[0, 2, 6] = logit(0.8), logit(0.6)
    dets = np.asarray([[[0.5, 0.375, 0.5, 0.25], [0.5, 0.5, 1, 1], [0.125, 0.125, 0.25, 0.25]]], np.float32)
    masks = np.stack([np.where(triangle(), 4, -4), np.full((SIDE, SIDE), 9), np.full((SIDE, SIDE), 3)])
    return {"dets": dets, "labels": labels, name: masks[None].astype(np.float32)}


def seg_card(make_card: Make, outputs: dict[str, NDArray[np.float32]], **fields: object) -> ModelCard:
    card = {"family": "detr", "classes": "coco91", "export": "rfdetr", "masks": True, "input": FLOAT_INPUT}
    return make_card(constant_graph(outputs), **{**card, "thresholds": {"score": 0.3}, **fields})


@pytest.mark.parametrize("name", ["masks", "4245"])
def test_rf_detr_seg(settings: Settings, make_card: Make, name: str) -> None:
    """The exports of RF-DETR before 1.5 forgot to name the masks."""
    seg_card(make_card, rfdetr(name))
    found = load_detector("Tiny", settings).detect(np.zeros((48, 64, 3), np.uint8))
    assert found.labels == ("car", "bus")
    car, bus = found.outlines
    assert car is not None
    assert bus is not None
    assert car.grid.shape == (8, 12), "the grid is cut to the object, with a margin of two cells"
    drawn = pixels(car, (0, 0, 160, 160), (0, 0, 160, 160))
    expected = np.kron(triangle(), np.ones((10, 10), np.bool_))
    assert np.count_nonzero(drawn & expected) / np.count_nonzero(drawn | expected) > 0.9
    assert pixels(bus, (0, 0, 40, 40), (0, 0, 160, 160)).all()


def test_masks_are_read_only_where_the_card_says_so(settings: Settings, make_card: Make) -> None:
    seg_card(make_card, rfdetr(), masks=False)
    assert load_detector("Tiny", settings).detect(np.zeros((64, 64, 3), np.uint8)).outlines == ()


def rtmdet_ins(classes: tuple[int, ...] = (CAR, -1)) -> dict[str, NDArray[np.generic]]:
    """A car in the upper left quarter of the input whose left half is its mask, and a filled-up row."""
    dets = np.asarray([[[8, 8, 40, 24, 0.9], [0, 0, 0, 0, 0]]], np.float32)
    masks = np.zeros((1, 2, 64, 64), np.float32)
    masks[0, 0, 8:24, 8:24] = 0.9
    return {"dets": dets, "labels": np.asarray([classes], np.int64), "masks": masks}


def test_rtmdet_ins_in_a_letterbox(settings: Settings, make_card: Make) -> None:
    """A picture twice as wide as high fills the upper half of the input: its pixels are two input pixels high."""
    card = {"family": "rtmdet", "classes": "coco80", "strides": [8, 16, 32], "masks": True}
    make_card(constant_graph(rtmdet_ins()), **card, input={**FLOAT_INPUT, "resize": "letterbox"})
    found = load_detector("Tiny", settings).detect(np.zeros((64, 128, 3), np.uint8))
    assert found.labels == ("car",)
    assert found.boxes[0].tolist() == pytest.approx([8 / 64, 8 / 32, 40 / 64, 24 / 32])
    (outline,) = found.outlines
    assert outline is not None
    drawn = pixels(outline, (0, 0, 128, 64), (0, 0, 128, 64))
    rows, columns = np.nonzero(drawn)
    assert (columns.min(), columns.max() + 1) == (16, 48)
    assert (rows.min(), rows.max() + 1) == (16, 48)
    assert drawn[16:48, 16:48].all()


@pytest.mark.parametrize("family", ["detr", "rtmdet"])
@pytest.mark.parametrize("odd", [None, (1, 5, 16, 16), (1, 16, 16)])
def test_a_model_without_the_masks_of_its_card_is_refused(
    settings: Settings, make_card: Make, family: str, odd: tuple[int, ...] | None
) -> None:
    outputs: dict[str, NDArray[np.generic]] = dict(rfdetr() if family == "detr" else rtmdet_ins())
    if odd is None:
        del outputs["masks"]
    else:
        outputs["masks"] = np.zeros(odd, np.float32)
    fields = {"family": "detr", "classes": "coco91", "export": "rfdetr"}
    if family == "rtmdet":
        fields = {"family": "rtmdet", "classes": "coco80", "strides": [8]}
    make_card(constant_graph(outputs), **fields, masks=True, input=FLOAT_INPUT)
    with pytest.raises(ModelError, match="does not answer like the family"):
        load_detector("Tiny", settings).detect(np.zeros((64, 64, 3), np.uint8))


def test_only_families_with_masks_may_say_so(make_card: Make) -> None:
    with pytest.raises(ModelError, match="masks"):
        make_card(masks=True)


def test_masks_stay_with_their_detections() -> None:
    """Sorting, choosing and riders keep each mask beside its box; a rider has none."""
    marks = [Outline(np.full((1, 1), number, np.float32), (0, 0, 1, 1)) for number in range(3)]
    boxes = np.asarray([[0.4, 0.1, 0.6, 0.6], [0.35, 0.4, 0.65, 0.8], [0, 0, 0.1, 0.1]], np.float32)
    scores = np.asarray([0.5, 0.6, 0.9], np.float32)
    found = Detections.sorted(boxes, scores, ["person", "bicycle", "car"], marks)
    assert [one.grid.item() for one in found.outlines if one] == [2, 1, 0]
    assert [one.grid.item() for one in found.take(np.asarray([2, 0])).outlines if one] == [0, 2]
    riding = derive_riders(found)
    assert riding.labels == ("car", "cyclist")
    assert [None if one is None else one.grid.item() for one in riding.outlines] == [2, None]
    with pytest.raises(ValueError, match="outlines"):
        Detections(found.boxes, found.scores, found.labels, found.outlines[:2])


@settings(max_examples=40)
@given(
    corner=st.tuples(st.floats(-0.2, 1.1), st.floats(-0.2, 1.1)),
    size=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)),
    shape=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    picture=st.tuples(st.integers(8, 300), st.integers(8, 300)),
)
def test_a_cut_grid_draws_the_same_pixels_as_the_whole_one(
    corner: tuple[float, float], size: tuple[float, float], shape: tuple[int, int], picture: tuple[int, int]
) -> None:
    """What is thrown away with the margin cannot be seen inside the box."""
    grid = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    box = np.asarray([[corner[0], corner[1], corner[0] + size[0], corner[1] + size[1]]], np.float32)
    (cut,) = outlines(grid[None], box)
    width, height = picture
    left, top, right, bottom = (np.clip(box[0], 0, 1) * (width, height, width, height)).astype(int).tolist()
    if right > left and bottom > top:
        inside = (left, top, right, bottom)
        whole = pixels(Outline(grid, (0, 0, 1, 1)), inside, (0, 0, width, height))
        # OpenCV interpolates in steps of 1/32 cell, so values next to 0 may fall either way.
        assert np.mean(pixels(cut, inside, (0, 0, width, height)) != whole) <= 0.05


def test_the_catalogue_has_segmenting_models() -> None:
    cards = [ModelCard.read(path) for path in (Path(__file__).parents[2] / "models").glob("*_*.yaml")]
    assert {card.name for card in cards if card.masks} >= {"RfDetrSegN", "RfDetrSegS", "RfDetrSegM", "RtmDetInsTiny"}
