"""The plate network: the parts of the road-user detector, narrower, and one level finer.

A plate eight pixels wide is three pixels high. On cells of eight pixels no centre may lie in it, so this network also
answers at stride 4. Its one class keeps the head small.
"""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from network import BINS, Backbone, Head, Pyramid

STRIDES = (4, 8, 16, 32)
"""Input pixels between two neighbouring cells of each level."""


class PlateDetector(nn.Module):
    """RGB ``[N, 3, H, W]`` 0..255 (H, W multiples of 32) to logits ``[N, A, 1]`` and side logits ``[N, A, 32]``."""

    def __init__(
        self,
        widths: tuple[int, ...] = (16, 24, 48, 96, 128),
        depths: tuple[int, ...] = (1, 2, 2, 1),
        neck: int = 32,
        head_depth: int = 2,
    ) -> None:
        super().__init__()
        self.config = {"widths": widths, "depths": depths, "neck": neck, "head_depth": head_depth}
        self.backbone = Backbone(widths, depths)
        self.pyramid = Pyramid(tuple(widths[1:]), neck)
        self.head = Head(neck, len(STRIDES), 1, head_depth)
        self.register_buffer("mean", torch.tensor([123.7, 116.3, 103.5]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor([58.4, 57.1, 57.4]).view(1, 3, 1, 1), persistent=False)

    def levels(self, picture: Tensor) -> list[Tensor]:
        """Fused features at strides 4, 8, 16 and 32 of a picture with values 0..255."""
        features = self.backbone.stem((picture - self.mean) / self.scale)
        found = []
        for stage in self.backbone.stages:
            features = stage(features)
            found.append(features)
        return self.pyramid(found)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``[N, A, 1]`` and side logits ``[N, A, 32]``."""
        return self.head(self.levels(picture))


class WholePlateDetector(nn.Module):
    """The detector with decoding: uint8 ``[N, 3, H, W]`` in, scores and boxes out."""

    def __init__(self, detector: PlateDetector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Scores ``[N, A, 1]`` 0..1 and boxes ``[N, A, 4]`` as fractions of the input."""
        detector = self.detector
        size = torch.stack([torch.tensor(images.shape[axis]) for axis in (3, 2, 3, 2)]).float()
        bins = torch.arange(BINS).float()
        scores, boxes = [], []
        for features, stride, norms in zip(detector.levels(images.float()), STRIDES, detector.head.norms, strict=True):
            logits, sides = detector.head.level(features, norms)
            rows, cols = logits.shape[2:]
            x, y = torch.arange(cols).float() * stride, torch.arange(rows).float() * stride
            centre = torch.stack((x[None, :].expand(rows, cols), y[:, None].expand(rows, cols)), -1).reshape(-1, 2)
            odds = sides.flatten(2).transpose(1, 2).unflatten(2, (4, BINS)).softmax(-1)
            reach = (odds * bins).sum(-1) * stride
            boxes.append((torch.cat((centre - reach[..., :2], centre + reach[..., 2:]), -1) / size).clamp(0, 1))
            scores.append(logits.flatten(2).transpose(1, 2).sigmoid())
        return torch.cat(scores, 1), torch.cat(boxes, 1)


def export(detector: PlateDetector, path: Path) -> None:
    """Write one ONNX file with free batch, height and width; it appears under its name only when complete."""
    partial = path.with_suffix(".partial")
    names = {0: "batch", 2: "height", 3: "width"}
    torch.onnx.export(
        WholePlateDetector(detector).eval(),
        (torch.zeros(1, 3, 416, 416, dtype=torch.uint8),),
        str(partial),
        input_names=["images"],
        output_names=["scores", "boxes"],
        dynamic_axes={"images": names, "scores": {0: "batch", 1: "cells"}, "boxes": {0: "batch", 1: "cells"}},
        opset_version=17,
        dynamo=False,
    )
    shorten_names(partial)
    partial.rename(path)


def shorten_names(path: Path) -> None:
    """Give inner values of an ONNX file short names and its nodes none: a twentieth of a small file is names."""
    model = onnx.load(str(path))
    outer = {value.name for value in [*model.graph.input, *model.graph.output]}
    short: dict[str, str] = {"": ""} | {name: name for name in outer}
    for node in model.graph.node:
        node.ClearField("name")
        node.ClearField("doc_string")
        for names in (node.input, node.output):
            names[:] = [short.setdefault(name, f"v{len(short)}") for name in names]
    for tensor in model.graph.initializer:
        tensor.name = short.setdefault(tensor.name, f"v{len(short)}")
    del model.graph.value_info[:]
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def load_average(path: Path) -> tuple[PlateDetector, dict]:
    """The averaged network of a checkpoint, ready to infer, and its training state."""
    saved = torch.load(path, weights_only=True)
    model = PlateDetector(**saved["config"])
    model.load_state_dict(saved["average"])
    return model.eval(), saved["state"]
