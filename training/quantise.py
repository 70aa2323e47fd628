"""Make the int8 form of an exported detector.

    python quantise.py models/wayside_v1.onnx models/wayside_v1_int8.onnx

Static quantisation of the convolutions (weights int8 by channel, activations uint8, QDQ form), with ranges seen on 96
training pictures. The last convolutions, which give scores and box sides, stay in float. A network of plain
convolutions and ReLU loses next to nothing, and runs about twice as fast on a CPU with 8-bit dot products (VNNI).
"""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path

import cv2
import numpy as np
import onnx
import pyarrow.parquet as parquet
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

DATA = Path(os.environ.get("WAYSIDE_TEST_DATA", "../shared/data"))


class Pictures(CalibrationDataReader):
    """Evenly spread training pictures as network inputs, uint8 ``[1, 3, 416, 416]``."""

    def __init__(self, count: int = 96) -> None:
        rows = parquet.read_table(DATA / "detection/train.parquet", columns=["image"])["image"].to_pylist()
        self.rows = iter([rows[index] for index in np.linspace(0, len(rows) - 1, count).astype(int)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next input, or None when all were seen."""
        data = next(self.rows, None)
        if data is None:
            return None
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        image = cv2.resize(image, (416, 416), interpolation=cv2.INTER_LINEAR)
        return {"images": np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1)[None])}


def quantise(source: Path, target: Path) -> None:
    """Write the int8 form of ``source`` to ``target``; the file appears under its name only when complete."""
    logging.getLogger().setLevel(logging.ERROR)
    prepared, partial = target.with_suffix(".prepared"), target.with_suffix(".partial")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    nodes = [node for node in onnx.load(str(prepared)).graph.node if node.op_type == "Conv"]
    last = [node.name for node in nodes if any("head.scores" in name or "head.sides" in name for name in node.input)]
    quantize_static(
        str(prepared),
        str(partial),
        Pictures(),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv"],
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=last,
    )
    prepared.unlink()
    partial.rename(target)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    quantise(options.source, options.target)
    print(f"{options.target}: {options.target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
