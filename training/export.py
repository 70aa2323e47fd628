"""Write the averaged weights as one ONNX file.

    python export.py --checkpoint .wayside/training/last.pt --output models/wayside_v1.onnx

The graph takes ``images``, uint8 ``[N, 3, H, W]`` RGB, and gives ``scores`` float32 ``[N, A, 6]`` (0..1) and ``boxes``
float32 ``[N, A, 4]`` (x1, y1, x2, y2 as fractions 0..1 of the input). N, H and W are free; H and W are multiples of 32.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from network import BINS, Detector


class WholeDetector(nn.Module):
    """The detector with decoding; normalisation is already inside."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Scores ``[N, A, 6]`` and boxes ``[N, A, 4]`` as fractions from uint8 ``[N, 3, H, W]``."""
        detector = self.detector
        picture = (images.float() - detector.mean) / detector.scale
        levels = detector.pyramid(detector.backbone(picture))
        scores, boxes = [], []
        size = torch.stack([torch.tensor(images.shape[axis]) for axis in (3, 2, 3, 2)]).float()
        bins = torch.arange(BINS).float()
        for features, stride, norms in zip(levels, (8, 16, 32), detector.head.norms, strict=True):
            logits, sides = detector.head.level(features, norms)
            rows, cols = logits.shape[2:]
            x = torch.arange(cols).float() * stride
            y = torch.arange(rows).float() * stride
            centre = torch.stack((x[None, :].expand(rows, cols), y[:, None].expand(rows, cols)), -1).reshape(-1, 2)
            odds = sides.flatten(2).transpose(1, 2).unflatten(2, (4, BINS)).softmax(-1)
            reach = (odds * bins).sum(-1) * stride
            box = torch.cat((centre - reach[..., :2], centre + reach[..., 2:]), -1) / size
            scores.append(logits.flatten(2).transpose(1, 2).sigmoid())
            boxes.append(box.clamp(0, 1))
        return torch.cat(scores, 1), torch.cat(boxes, 1)


def load_average(path: Path) -> tuple[Detector, dict]:
    """The averaged network of a checkpoint, ready to infer, and its training state."""
    saved = torch.load(path, weights_only=True)
    model = Detector(**saved["config"])
    model.load_state_dict(saved["average"])
    return model.eval(), saved["state"]


def export(detector: Detector, path: Path) -> None:
    """Write ``detector`` to ``path``; the file appears under its name only when complete."""
    partial = path.with_suffix(".partial")
    names = {0: "batch", 2: "height", 3: "width"}
    torch.onnx.export(
        WholeDetector(detector).eval(),
        (torch.zeros(1, 3, 416, 416, dtype=torch.uint8),),
        str(partial),
        input_names=["images"],
        output_names=["scores", "boxes"],
        dynamic_axes={"images": names, "scores": {0: "batch", 1: "cells"}, "boxes": {0: "batch", 1: "cells"}},
        opset_version=17,
        dynamo=False,
    )
    partial.rename(path)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=Path(".wayside/training/last.pt"))
    parser.add_argument("--output", type=Path, default=Path("models/wayside_v1.onnx"))
    options = parser.parse_args()
    detector, state = load_average(options.checkpoint)
    export(detector, options.output)
    print(f"{options.output}: {options.output.stat().st_size} bytes after {state['samples']} samples")


if __name__ == "__main__":
    main()
