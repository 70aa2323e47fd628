"""Tiny ONNX graphs with the inputs and outputs of the families, whose answers the tests choose."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_IR = 10
_OPSET = 17


def constant_graph(
    outputs: Mapping[str, NDArray[np.generic]],
    *,
    size: int = 64,
    dtype: int = TensorProto.FLOAT,
    batch: int | str = "N",
    sizes_input: bool = False,
) -> bytes:
    """Build a graph that answers `outputs` (shapes [1, ...]) for every picture, whatever is in it."""
    inputs = [helper.make_tensor_value_info("images", dtype, [batch, 3, size, size])]
    if sizes_input:
        inputs.append(helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, [batch, 2]))
    nodes = [
        helper.make_node("Shape", ["images"], ["shape"], start=0, end=1),
    ]
    stored, infos = [], []
    for name, value in outputs.items():
        rest = value.shape[1:]
        stored += [
            numpy_helper.from_array(value, f"{name}_value"),
            numpy_helper.from_array(np.asarray(rest, np.int64), f"{name}_rest"),
        ]
        nodes += [
            helper.make_node("Concat", ["shape", f"{name}_rest"], [f"{name}_shape"], axis=0),
            helper.make_node("Expand", [f"{name}_value", f"{name}_shape"], [name]),
        ]
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        infos.append(helper.make_tensor_value_info(name, kind, [batch, *rest]))
    return _finish(nodes, inputs, infos, stored)


def brightness_graph(classes: int = 6, size: int = 64, batch: int | str = "N") -> bytes:
    """Build a graph of the family `wayside` whose one box and score per picture follow from the picture's pixels."""
    mean = ["mean"]
    nodes = [
        helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], mean, axes=[1, 2, 3], keepdims=0),
        helper.make_node("Div", ["mean", "white"], ["level"]),
        helper.make_node("Reshape", ["level", "column"], ["level3"]),
        helper.make_node("Mul", ["level3", "per_class"], ["scores"]),
        helper.make_node("Mul", ["level3", "per_side"], ["boxes"]),
    ]
    stored = [
        numpy_helper.from_array(np.float32(255.0), "white"),
        numpy_helper.from_array(np.asarray([-1, 1, 1], np.int64), "column"),
        numpy_helper.from_array(np.linspace(0.1, 1, classes, dtype=np.float32)[None, None], "per_class"),
        numpy_helper.from_array(np.asarray([0.1, 0.2, 0.9, 0.8], np.float32)[None, None], "per_side"),
    ]
    inputs = [helper.make_tensor_value_info("images", TensorProto.UINT8, [batch, 3, size, size])]
    outputs = [
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, 1, classes]),
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [batch, 1, 4]),
    ]
    return _finish(nodes, inputs, outputs, stored)


def external_graph() -> bytes:
    """Build a graph whose one weight points to a file beside it."""
    model = onnx.load_from_string(brightness_graph())
    tensor = model.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, location="../../secret.bin")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    return model.SerializeToString()


def nested_external_graph() -> bytes:
    """Hide the outside weight in the branch of an If node."""
    inner = onnx.load_from_string(external_graph()).graph
    node = helper.make_node("If", ["flag"], ["out"], then_branch=inner, else_branch=inner)
    graph = helper.make_graph([node], "outer", [], [])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)]).SerializeToString()


def _finish(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    stored: Sequence[onnx.TensorProto],
) -> bytes:
    graph = helper.make_graph(list(nodes), "tiny", list(inputs), list(outputs), list(stored))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    onnx.checker.check_model(model)
    return model.SerializeToString()
