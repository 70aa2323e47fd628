"""The Wayside detector: a small plain-convolution network, made to be trained and run on CPUs.

Depthwise convolutions save multiplications but are slow to train on a CPU, so every convolution here is dense and the
width is kept low instead. A CSP backbone (after Wang et al., "CSPNet", 2020, in the C2f arrangement) feeds a top-down
and bottom-up pyramid (Liu et al., "PANet", 2018) at strides 8, 16 and 32. One head, shared by all levels, gives
class scores and, for each box side, a distribution over distances (Li et al., "Generalized Focal Loss", 2020).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

CLASSES = ("bicycle", "bus", "car", "motorcycle", "person", "truck")
"""Raw classes, in the order of the score columns."""

STRIDES = (8, 16, 32)
"""Input pixels between two neighbouring cells of each pyramid level."""

BINS = 8
"""A side's distance is the mean of a distribution over 0..7 strides."""


class ConvUnit(nn.Module):
    """Dense convolution, batch normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs, momentum=0.03)

    def forward(self, features: Tensor) -> Tensor:
        """``[N, inputs, H, W]`` to ``[N, outputs, H / stride, W / stride]``."""
        return functional.relu(self.norm(self.conv(features)), inplace=True)


class SplitBlock(nn.Module):
    """C2f block: half of the channels pass through ``depth`` residual 3x3 convolutions, every step is kept."""

    def __init__(self, inputs: int, outputs: int, depth: int) -> None:
        super().__init__()
        half = outputs // 2
        self.enter = ConvUnit(inputs, outputs, 1)
        self.steps = nn.ModuleList(ConvUnit(half, half) for _ in range(depth))
        self.leave = ConvUnit(outputs + depth * half, outputs, 1)

    def forward(self, features: Tensor) -> Tensor:
        """``[N, inputs, H, W]`` to ``[N, outputs, H, W]``."""
        parts = list(self.enter(features).chunk(2, 1))
        for step in self.steps:
            parts.append(parts[-1] + step(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class Backbone(nn.Module):
    """Features at strides 8, 16 and 32 from a normalised picture ``[N, 3, H, W]``."""

    def __init__(self, widths: tuple[int, ...], depths: tuple[int, ...]) -> None:
        super().__init__()
        stem, *stages = widths
        self.stem = ConvUnit(3, stem, 3, 2)
        self.stages = nn.ModuleList()
        before = stem
        for width, depth in zip(stages, depths, strict=True):
            self.stages.append(nn.Sequential(ConvUnit(before, width, 3, 2), SplitBlock(width, width, depth)))
            before = width

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Three maps ``[N, C, H / stride, W / stride]``, finest first."""
        features = self.stem(picture)
        levels = []
        for stage in self.stages:
            features = stage(features)
            levels.append(features)
        return levels[1:]


class Pyramid(nn.Module):
    """Top-down then bottom-up fusion; levels of ``width`` channels at strides 8, 16, 32."""

    def __init__(self, inputs: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.reduce = nn.ModuleList(ConvUnit(channels, width, 1) for channels in inputs)
        self.down = nn.ModuleList(SplitBlock(2 * width, width, 1) for _ in inputs[1:])
        self.stride = nn.ModuleList(ConvUnit(width, width, 3, 2) for _ in inputs[1:])
        self.up = nn.ModuleList(SplitBlock(2 * width, width, 1) for _ in inputs[1:])

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """Fused maps of the same sizes, finest first."""
        levels = [reduce(level) for reduce, level in zip(self.reduce, levels, strict=True)]
        for index in range(len(levels) - 2, -1, -1):
            coarse = functional.interpolate(levels[index + 1], size=levels[index].shape[2:], mode="nearest")
            levels[index] = self.down[index](torch.cat((levels[index], coarse), 1))
        for index in range(1, len(levels)):
            fine = self.stride[index - 1](levels[index - 1])
            levels[index] = self.up[index - 1](torch.cat((fine, levels[index]), 1))
        return levels


class Head(nn.Module):
    """Convolutions shared by all levels, each level with normalisation of its own; one score and box predictor."""

    def __init__(self, width: int, levels: int, classes: int, depth: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, 1, 1, bias=False) for _ in range(depth))
        self.norms = nn.ModuleList(
            nn.ModuleList(nn.BatchNorm2d(width, momentum=0.03) for _ in range(depth)) for _ in range(levels)
        )
        self.scores = nn.Conv2d(width, classes, 1)
        self.sides = nn.Conv2d(width, 4 * BINS, 1)
        nn.init.normal_(self.scores.weight, std=0.01)
        nn.init.constant_(self.scores.bias, -4.6)
        nn.init.normal_(self.sides.weight, std=0.01)

    def level(self, features: Tensor, norms: nn.ModuleList) -> tuple[Tensor, Tensor]:
        """Class logits ``[N, 6, h, w]`` and side logits ``[N, 32, h, w]`` of one level."""
        for conv, norm in zip(self.convs, norms, strict=True):
            features = functional.relu(norm(conv(features)), inplace=True)
        return self.scores(features), self.sides(features)

    def forward(self, levels: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Class logits ``[N, A, 6]`` and side logits ``[N, A, 32]`` of all levels together."""
        pairs = [self.level(features, norms) for features, norms in zip(levels, self.norms, strict=True)]
        scores, sides = (torch.cat([part.flatten(2) for part in column], 2) for column in zip(*pairs, strict=True))
        return scores.transpose(1, 2), sides.transpose(1, 2)


class Detector(nn.Module):
    """Whole network: pixels in, class logits and side logits out.

    Takes RGB ``[N, 3, H, W]`` with values 0..255 (H, W multiples of 32) and returns logits ``[N, A, 6]`` and side
    logits ``[N, A, 32]`` (left, top, right, bottom, eight bins each), cells ordered by level, row, column.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (16, 32, 64, 128, 192),
        depths: tuple[int, ...] = (1, 2, 3, 2),
        neck: int = 64,
        head_depth: int = 2,
    ) -> None:
        super().__init__()
        self.config = {"widths": widths, "depths": depths, "neck": neck, "head_depth": head_depth}
        self.backbone = Backbone(widths, depths)
        self.pyramid = Pyramid(tuple(widths[2:]), neck)
        self.head = Head(neck, len(STRIDES), len(CLASSES), head_depth)
        self.register_buffer("mean", torch.tensor([123.7, 116.3, 103.5]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor([58.4, 57.1, 57.4]).view(1, 3, 1, 1), persistent=False)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Class logits ``[N, A, 6]`` and side logits ``[N, A, 32]``."""
        return self.head(self.pyramid(self.backbone((picture - self.mean) / self.scale)))
