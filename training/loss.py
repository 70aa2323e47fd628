"""How far the student is from its targets.

Scores use the quality focal loss against soft targets; boxes use generalised IoU (Rezatofighi et al., 2019) and the
distribution focal loss (both focal losses: Li et al., "Generalized Focal Loss", 2020). There is no assigner here: which
cell should say what was settled when the view was made (see ``teacher.py``).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from network import BINS


def cell_grid(height: int, width: int, strides: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Cell centres ``[A, 2]`` (x, y in pixels, index times stride) and strides ``[A]`` for an input in pixels."""
    centres, steps = [], []
    for stride in strides:
        rows = torch.arange(-(-height // stride)) * stride
        cols = torch.arange(-(-width // stride)) * stride
        y, x = torch.meshgrid(rows, cols, indexing="ij")
        centres.append(torch.stack((x, y), -1).reshape(-1, 2))
        steps.append(torch.full((x.numel(),), stride))
    return torch.cat(centres).float(), torch.cat(steps).float()


def decode_boxes(sides: Tensor, centres: Tensor, strides: Tensor) -> Tensor:
    """Boxes ``[..., 4]`` in pixels from side logits ``[..., 32]``, centres ``[..., 2]`` and strides ``[...]``."""
    odds = sides.reshape(*sides.shape[:-1], 4, BINS).softmax(-1)
    reach = (odds * torch.arange(BINS, dtype=odds.dtype)).sum(-1) * strides[..., None]
    return torch.cat((centres - reach[..., :2], centres + reach[..., 2:]), -1)


def giou(first: Tensor, second: Tensor) -> Tensor:
    """Generalised IoU (-1..1) of paired boxes ``[P, 4]``."""
    inner = (torch.minimum(first[:, 2:], second[:, 2:]) - torch.maximum(first[:, :2], second[:, :2])).clamp(0).prod(1)
    outer = (torch.maximum(first[:, 2:], second[:, 2:]) - torch.minimum(first[:, :2], second[:, :2])).prod(1)
    areas = (first[:, 2:] - first[:, :2]).prod(1) + (second[:, 2:] - second[:, :2]).prod(1)
    union = (areas - inner).clamp(1e-6)
    return inner / union - (outer - union) / outer.clamp(1e-6)


def score_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Quality focal loss, summed; ``logits`` and ``target`` ``[N, A, 6]``, the target 0..1, below 0 where unknown."""
    known = target >= 0
    target = target.clamp(0)
    error = (target - logits.sigmoid()).square() * known
    return (error * functional.binary_cross_entropy_with_logits(logits, target, reduction="none")).sum()


def distribution_loss(sides: Tensor, reach: Tensor) -> Tensor:
    """Distribution focal loss ``[P]``: ``sides`` ``[P, 32]`` against distances ``reach`` ``[P, 4]`` in strides."""
    reach = reach.clamp(0, BINS - 1.01)
    low = reach.floor()
    share = (reach - low).reshape(-1)
    logs = sides.reshape(-1, BINS).log_softmax(-1)
    index = low.reshape(-1, 1).long()
    both = torch.cat((logs.gather(1, index), logs.gather(1, index + 1)), 1)
    return -(both[:, 0] * (1 - share) + both[:, 1] * share).reshape(-1, 4).mean(1)


def detection_loss(
    logits: Tensor,
    sides: Tensor,
    target: Tensor,
    rows: Tensor,
    boxes: Tensor,
    centres: Tensor,
    strides: Tensor,
) -> tuple[Tensor, dict[str, float]]:
    """Whole loss of a batch and its parts.

    ``logits`` ``[N, A, 6]``, ``sides`` ``[N, A, 32]``, ``target`` ``[N, A, 6]``; ``rows`` ``[P]`` are flat indices into
    ``N * A`` of the cells that have a box, ``boxes`` ``[P, 4]`` those boxes in pixels; ``centres`` ``[A, 2]``,
    ``strides`` ``[A]``.
    """
    weight = target.reshape(-1, target.shape[-1])[rows].amax(1)
    cell = rows % target.shape[1]
    total = weight.sum().clamp(1.0)
    scores = score_loss(logits, target) / total
    picked = sides.reshape(-1, sides.shape[-1])[rows]
    centre, stride = centres[cell], strides[cell]
    predicted = decode_boxes(picked, centre, stride)
    reach = torch.cat((centre - boxes[:, :2], boxes[:, 2:] - centre), 1) / stride[:, None]
    fit = ((1 - giou(predicted, boxes)) * weight).sum() / total
    spread = (distribution_loss(picked, reach) * weight).sum() / total
    loss = scores + 2.0 * fit + 0.5 * spread
    parts = {"score": scores.item(), "box": fit.item(), "spread": spread.item()}
    return loss, parts
