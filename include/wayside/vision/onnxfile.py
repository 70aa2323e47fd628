"""A look into an ONNX file without the `onnx` package: is it a model, and does it keep all its weights inside?

An ONNX model may point to files beside it for its weights, and such pointers have been used to read files that they
should not (CVE-2022-25882, CVE-2024-27318). Wayside takes only models in one piece. The walk reads the Protocol
Buffers wire format (https://protobuf.dev/programming-guides/encoding) by the field numbers of onnx.proto3.
"""

from collections.abc import Iterator
from typing import Final

from wayside.core.errors import ModelError

_VARINT: Final = 0
_FIXED64: Final = 1
_BYTES: Final = 2
_FIXED32: Final = 5

# Fields by which a message is reached from another: message -> field number -> message.
_CHILDREN: Final[dict[str, dict[int, str]]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_GRAPH: Final = 7
_EXTERNAL_DATA: Final = 13
_DATA_LOCATION: Final = 14
_MAX_DEPTH: Final = 32

_Value = int | memoryview


def check_onnx(data: bytes, where: str) -> None:
    """Raise `ModelError`, naming the file as `where`, unless `data` is an ONNX model with all its weights inside."""
    try:
        fields = [number for number, _ in _fields(memoryview(data))]
        external = _has_external(memoryview(data), "model", 0)
    except (ValueError, IndexError):
        raise ModelError(f"{where} is not an ONNX model") from None
    if _GRAPH not in fields:
        raise ModelError(f"{where} is not an ONNX model: it holds no graph")
    if external:
        raise ModelError(f"{where} keeps weights in other files; only models in one piece are taken")


def _has_external(message: memoryview, kind: str, depth: int) -> bool:
    """Say whether any tensor below a message points outside of the file."""
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    children = _CHILDREN[kind]
    for number, value in _fields(message):
        if kind == "tensor" and (number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value)):
            return True
        child = children.get(number)
        if child and isinstance(value, memoryview) and _has_external(value, child, depth + 1):
            return True
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, _Value]]:
    """Yield (field number, value) of a message; a value of fixed width is passed over as 0."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        value: _Value = 0
        if wire == _VARINT:
            value, at = _varint(message, at)
        elif wire == _BYTES:
            length, at = _varint(message, at)
            value, at = message[at : at + length], at + length
        elif wire in {_FIXED64, _FIXED32}:
            at += 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if number == 0 or at > len(message):
            raise ValueError("not a message")
        yield number, value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Read one variable-length integer; return it and the position behind it."""
    result = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
    raise ValueError("an integer of more than ten bytes")
