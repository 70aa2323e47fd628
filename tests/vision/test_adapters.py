"""Each family reads its own outputs: tiny graphs that answer with one known object."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto
from tests.vision.graphs import constant_graph

from wayside.core.errors import ModelError
from wayside.core.settings import Settings
from wayside.vision.adapters import adapter_for
from wayside.vision.cards import ModelCard
from wayside.vision.detector import load_detector
from wayside.vision.labels import COCO80

BOX = np.asarray([0.25, 0.25, 0.75, 0.5], np.float32)
CENTRE = np.asarray([0.5, 0.375, 0.5, 0.25], np.float32)
PICTURE = np.full((48, 64, 3), 127, np.uint8)
FLOAT_INPUT = {"width": 64, "height": 64}
CAR, BUS = COCO80.index("car"), COCO80.index("bus")

Make = Callable[..., ModelCard]


def logit(share: float) -> np.float32:
    return np.float32(np.log(share / (1 - share)))


def detect(settings: Settings, picture: NDArray[np.uint8] = PICTURE, **options: Any) -> list[tuple[str, float, list]]:
    found = load_detector("Tiny", settings, **options).detect(picture)
    return [
        (label, round(float(score), 3), box.astype(float).round(3).tolist())
        for label, score, box in zip(found.labels, found.scores, found.boxes, strict=True)
    ]


def test_wayside(settings: Settings, make_card: Make) -> None:
    scores = np.zeros((1, 3, 6), np.float32)
    scores[0, 0, 2], scores[0, 1, 2], scores[0, 2, 1] = 0.9, 0.8, 0.7
    boxes = np.stack([BOX, BOX + 0.01, BOX])[None]
    make_card(constant_graph({"scores": scores, "boxes": boxes}, dtype=TensorProto.UINT8))
    assert detect(settings) == [("car", 0.9, BOX.tolist()), ("bus", 0.7, BOX.tolist())]
    assert [label for label, *_ in detect(settings, score=0.85)] == ["car"]
    assert len(detect(settings, nms_iou=0.99)) == 3


def test_boxes_are_cut_at_the_edge_and_empty_ones_go(settings: Settings, make_card: Make) -> None:
    scores = np.full((1, 4, 6), 0.9, np.float32) * np.eye(6, dtype=np.float32)[[0, 1, 2, 3]]
    boxes = np.asarray([[[-0.5, 0.1, 0.5, 1.5], [1.1, 0, 1.2, 1], [0.5, 0.5, 0.5, 0.6], [np.nan] * 4]], np.float32)
    make_card(constant_graph({"scores": scores, "boxes": boxes}, dtype=TensorProto.UINT8))
    assert detect(settings) == [("bicycle", 0.9, [0.0, 0.1, 0.5, 1.0])]


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
def test_yolox(settings: Settings, make_card: Make, resize: str) -> None:
    output = np.zeros((1, 84, 85), np.float32)
    cell = 64 + 1 * 4 + 2  # level 16, row 1, column 2
    output[0, cell, :4] = (0.0, 0.5, np.log(2.0), np.log(1.0))  # centre (32, 24), size 32 x 16
    output[0, cell, 4:6] = (0.9, 0.3)
    output[0, cell, 5 + CAR] = 0.8
    output[0, 0, 4] = output[0, 0, 5 + COCO80.index("giraffe")] = 1
    make_card(
        constant_graph({"output": output}),
        family="yolox",
        classes="coco80",
        strides=[8, 16, 32],
        input={**FLOAT_INPUT, "colour": "bgr", "resize": resize},
    )
    # In a letterbox the picture covers the upper 48 of 64 rows.
    down = 1.0 if resize == "stretch" else 48 / 64
    expected = [0.25, round(0.25 / down, 3), 0.75, round(0.5 / down, 3)]
    assert detect(settings) == [("car", 0.72, expected)]


def nanodet_levels() -> dict[str, NDArray[np.float32]]:
    """One car of half width and a quarter height around the corner of cell (2, 2) of the level of stride 16."""
    outputs = {}
    for stride in (8, 16, 32, 64):
        cells = (64 // stride) ** 2
        outputs[f"cls{stride}"] = np.zeros((1, cells, 80), np.float32)
        outputs[f"dis{stride}"] = np.zeros((1, cells, 32), np.float32)
    outputs["cls16"][0, 2 * 4 + 2, CAR] = 0.6
    distances = outputs["dis16"][0, 2 * 4 + 2].reshape(4, 8)
    distances[[0, 1, 2, 3], [1, 1, 1, 0]] = 50  # left 16, top 16, right 16, bottom 0
    return outputs


@pytest.mark.parametrize("joined", [True, False])
def test_nanodet(settings: Settings, make_card: Make, joined: bool) -> None:
    levels = nanodet_levels()
    if joined:
        pairs = [np.concatenate([levels[f"cls{s}"], levels[f"dis{s}"]], axis=2) for s in (8, 16, 32, 64)]
        levels = {"output": np.concatenate(pairs, axis=1)}
    else:
        levels = dict(reversed(levels.items()))
    make_card(constant_graph(levels), family="nanodet", classes="coco80", strides=[8, 16, 32, 64], input=FLOAT_INPUT)
    assert detect(settings) == [("car", 0.6, [0.25, 0.25, 0.75, 0.5])]


def test_nanodet_that_finds_nothing(settings: Settings, make_card: Make) -> None:
    levels = {name: np.zeros_like(values) for name, values in nanodet_levels().items()}
    make_card(constant_graph(levels), family="nanodet", classes="coco80", strides=[8, 16, 32, 64], input=FLOAT_INPUT)
    assert detect(settings) == []


def test_rtmdet_raw(settings: Settings, make_card: Make) -> None:
    outputs = {}
    for stride in (8, 16, 32):
        side = 64 // stride
        outputs[f"cls{stride}"] = np.full((1, 80, side, side), -20, np.float32)
        outputs[f"reg{stride}"] = np.zeros((1, 4, side, side), np.float32)
    outputs["cls16"][0, BUS, 2, 1] = logit(0.7)
    outputs["reg16"][0, :, 2, 1] = (0, 16, 32, 0)
    make_card(constant_graph(outputs), family="rtmdet", classes="coco80", strides=[8, 16, 32], input=FLOAT_INPUT)
    assert detect(settings) == [("bus", 0.7, [0.25, 0.25, 0.75, 0.5])]


def test_rtmdet_with_suppression_inside(settings: Settings, make_card: Make) -> None:
    dets = np.zeros((1, 3, 5), np.float32)
    dets[0, 0] = (*BOX * 64, 0.8)
    dets[0, 1] = (*BOX * 64, 0.9)
    labels = np.asarray([[CAR, COCO80.index("giraffe"), -1]], np.int64)
    make_card(
        constant_graph({"dets": dets, "labels": labels}),
        family="rtmdet",
        classes="coco80",
        strides=[8, 16, 32],
        input={**FLOAT_INPUT, "resize": "letterbox"},
    )
    assert detect(settings, np.zeros((64, 64, 3), np.uint8)) == [("car", 0.8, BOX.tolist())]


def test_detr_dfine(settings: Settings, make_card: Make) -> None:
    outputs = {
        "labels": np.asarray([[CAR, 17, 99, BUS]], np.int64),
        "boxes": np.stack([BOX] * 4)[None],
        "scores": np.asarray([[0.9, 0.9, 0.9, 0.1]], np.float32),
    }
    make_card(
        constant_graph(outputs, sizes_input=True),
        family="detr",
        classes="coco80",
        export="dfine",
        input=FLOAT_INPUT,
        thresholds={"score": 0.3},
    )
    assert detect(settings) == [("car", 0.9, BOX.tolist())]


@pytest.mark.parametrize(
    ("export", "boxes", "logits"), [("rfdetr", "dets", "labels"), ("transformers", "pred_boxes", "logits")]
)
def test_detr_with_logits(settings: Settings, make_card: Make, export: str, boxes: str, logits: str) -> None:
    raw = np.full((1, 2, 91), -20, np.float32)
    raw[0, 0, 3], raw[0, 0, 8], raw[0, 1, 25] = logit(0.8), logit(0.6), 20  # car, truck; a giraffe
    make_card(
        constant_graph({boxes: np.stack([CENTRE] * 2)[None], logits: raw}),
        family="detr",
        classes="coco91",
        export=export,
        input=FLOAT_INPUT,
        thresholds={"score": 0.3},
    )
    assert detect(settings) == [("car", 0.8, BOX.tolist()), ("truck", 0.6, BOX.tolist())]


def test_yunet(settings: Settings, make_card: Make) -> None:
    outputs = {}
    for stride in (8, 16, 32):
        cells = (64 // stride) ** 2
        for kind, width in (("cls", 1), ("obj", 1), ("bbox", 4)):
            outputs[f"{kind}_{stride}"] = np.zeros((1, cells, width), np.float32)
    outputs["cls_16"][0, 6], outputs["obj_16"][0, 6] = 0.9, 0.4
    outputs["bbox_16"][0, 6] = (0.0, 0.5, np.log(2.0), 0)
    make_card(
        constant_graph(outputs), task="face", family="yunet", classes=["face"], strides=[8, 16, 32], input=FLOAT_INPUT
    )
    assert detect(settings) == [("face", 0.6, BOX.tolist())]
    assert load_detector("Tiny", settings).classes == ("face",)


FAMILIES = {
    "wayside": {},
    "yolox": {"strides": [8]},
    "nanodet": {"strides": [8]},
    "rtmdet": {"strides": [8]},
    "yunet": {"strides": [8], "task": "face", "classes": ["face"]},
    "detr": {"export": "dfine"},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_foreign_outputs_are_refused(settings: Settings, make_card: Make, family: str) -> None:
    odd = {"one": np.zeros((1, 7, 3, 2), np.float32), "two": np.zeros((1, 2), np.float32)}
    make_card(constant_graph(odd, sizes_input=family == "detr"), family=family, input=FLOAT_INPUT, **FAMILIES[family])
    with pytest.raises(ModelError, match="does not answer like the family"):
        detect(settings)


def test_a_grid_of_another_size_is_refused(settings: Settings, make_card: Make) -> None:
    make_card(
        constant_graph({"output": np.zeros((1, 80, 85), np.float32)}),
        family="yolox",
        classes="coco80",
        strides=[8, 16, 32],
        input=FLOAT_INPUT,
    )
    with pytest.raises(ModelError, match=r"output \(1, 80, 85\)"):
        detect(settings)


def test_prepare_colour_and_normalisation(make_card: Make) -> None:
    picture = np.empty((64, 64, 3), np.uint8)
    picture[:] = (10, 20, 30)
    rgb = adapter_for(make_card(input={**FLOAT_INPUT, "mean": [30, 20, 10], "std": [2, 4, 5]}))
    tensor, _ = rgb.prepare(picture)
    assert np.allclose(tensor, 0)
    bgr = adapter_for(make_card(input={**FLOAT_INPUT, "colour": "bgr", "std": [10, 10, 10]}))
    assert np.allclose(bgr.prepare(picture)[0][:, 0, 0], (1, 2, 3))
    plain = adapter_for(make_card(input={**FLOAT_INPUT, "dtype": "uint8"}))
    assert plain.prepare(picture)[0][:, 0, 0].tolist() == [30, 20, 10]
    assert plain.prepare(picture)[0].dtype == np.uint8


def test_prepare_letterbox_pads_below_and_right(make_card: Make) -> None:
    adapter = adapter_for(make_card(input={**FLOAT_INPUT, "dtype": "uint8", "resize": "letterbox"}))
    tensor, fit = adapter.prepare(np.zeros((300, 100, 3), np.uint8))
    assert (fit.across, fit.down) == (21 / 64, 1)
    assert (tensor[:, :, :21] == 0).all()
    assert (tensor[:, :, 21:] == 114).all()
    tensor, fit = adapter.prepare(np.zeros((1, 1000, 3), np.uint8))
    assert (fit.across, fit.down) == (1, 1 / 64)


@pytest.mark.parametrize("bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)])
def test_what_is_no_picture_is_refused(make_card: Make, bad: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="uint8"):
        adapter_for(make_card()).prepare(bad)
