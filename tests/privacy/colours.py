"""A detector that can be foreseen: a tiny network that finds the pixels of a colour, and cards for it.

Each class has a colour. The network answers with one box for each class: the one around all pixels of its colour in
what it is shown, unless that is wider than three quarters (two halves of a car at both edges of a panorama). So a test
paints a picture and knows what a real session, adapter and finder have to say about it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnx
import yaml
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from wayside.core.settings import Settings

COLOURS: Final = {
    "person": (250, 20, 20),
    "bicycle": (20, 250, 20),
    "car": (20, 20, 250),
    "motorcycle": (250, 250, 20),
    "bus": (250, 20, 250),
    "truck": (20, 250, 250),
    "face": (250, 140, 20),
    "plate": (140, 20, 250),
}
"""Class -> red, green, blue."""

GREY: Final = 120
SIDE: Final = 128


def colour_graph(classes: Sequence[str], scores: Mapping[str, float]) -> bytes:
    """Build a network of the family `wayside` whose score of a class is given, wherever its colour is."""
    number = len(classes)
    steps = np.arange(SIDE, dtype=np.float32) / SIDE
    stored = {
        "colours": np.asarray([COLOURS[name] for name in classes], np.float32).reshape(1, number, 3, 1, 1),
        "near": np.float32(100),
        "one": np.float32(1),
        "widest": np.float32(0.75),
        "across": np.asarray([1], np.int64),
        "channels": np.asarray([2], np.int64),
        "places": np.asarray([2, 3], np.int64),
        "from_left": (1 - steps).reshape(1, 1, 1, SIDE),
        "from_top": (1 - steps).reshape(1, 1, SIDE, 1),
        "to_right": (steps + 1 / SIDE).reshape(1, 1, 1, SIDE),
        "to_bottom": (steps + 1 / SIDE).reshape(1, 1, SIDE, 1),
        "per_class": np.diag([scores[name] for name in classes]).astype(np.float32)[None],
        "last": np.asarray([-1], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["float", "across"], ["each"]),
        helper.make_node("Sub", ["each", "colours"], ["difference"]),
        helper.make_node("Abs", ["difference"], ["distance"]),
        helper.make_node("ReduceSum", ["distance", "channels"], ["far"], keepdims=0),
        helper.make_node("Less", ["far", "near"], ["is_it"]),
        helper.make_node("Cast", ["is_it"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["mask"], ["any"], axes=[2, 3], keepdims=0),
    ]
    for side, low in (("from_left", True), ("from_top", True), ("to_right", False), ("to_bottom", False)):
        nodes += [
            helper.make_node("Mul", ["mask", side], [f"{side}_values"]),
            helper.make_node("ReduceMax", [f"{side}_values"], [f"{side}_most"], axes=[2, 3], keepdims=0),
        ]
        if low:
            nodes.append(helper.make_node("Sub", ["one", f"{side}_most"], [f"{side}_edge"]))
        edge = f"{side}_edge" if low else f"{side}_most"
        nodes.append(helper.make_node("Unsqueeze", [edge, "last"], [f"{side}_last"]))
    lasts = [f"{side}_last" for side in ("from_left", "from_top", "to_right", "to_bottom")]
    nodes += [
        helper.make_node("Concat", lasts, ["boxes"], axis=2),
        helper.make_node("Sub", ["to_right_most", "from_left_edge"], ["width"]),
        helper.make_node("Less", ["width", "widest"], ["narrow"]),
        helper.make_node("Cast", ["narrow"], ["believed"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["any", "believed"], ["sure"]),
        helper.make_node("Unsqueeze", ["sure", "last"], ["column"]),
        helper.make_node("Mul", ["column", "per_class"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", 3, SIDE, SIDE])],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", number, number]),
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["N", number, 4]),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def write_card(
    settings: Settings,
    name: str,
    classes: Sequence[str] | str,
    scores: Mapping[str, float] | float = 0.9,
    *,
    weights: bytes | None = None,
    **fields: Any,
) -> None:
    """Write a card and its weights: those of a colour network, unless others are given."""
    if weights is None:
        weights = colour_graph(classes, dict.fromkeys(classes, scores) if isinstance(scores, float) else scores)
    settings.models.mkdir(parents=True, exist_ok=True)
    (settings.models / f"{name.lower()}.onnx").write_bytes(weights)
    card = {
        "name": name,
        "summary": "finds colours",
        "family": "wayside",
        "file": f"{name.lower()}.onnx",
        "sha256": hashlib.sha256(weights).hexdigest(),
        "licence": "MIT",
        "classes": classes if isinstance(classes, str) else list(classes),
        "input": {"width": SIDE, "height": SIDE, "dtype": "uint8"},
        "thresholds": {"score": 0.4, "nms_iou": 0.6},
        "source": "tests",
        **fields,
    }
    (settings.models / f"{name.lower()}.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")


def picture(height: int, width: int) -> NDArray[np.uint8]:
    """Return a grey picture, uint8 [H, W, 3] blue-green-red."""
    return np.full((height, width, 3), GREY, np.uint8)


def paint(image: NDArray[np.uint8], label: str, box: tuple[int, int, int, int]) -> None:
    """Paint a box in the colour of a class; right may be beyond the picture, which then goes on at the left."""
    columns = np.arange(box[0], box[2]) % image.shape[1]
    image[box[1] : box[3], columns] = COLOURS[label][::-1]
