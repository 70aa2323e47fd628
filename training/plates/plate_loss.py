"""Which cells should say "plate", settled in every step by how well they already do.

After task-aligned assignment (Feng et al., "TOOD", 2021): among the cells near a plate those whose score and box fit
it best are its examples, and how well they fit is what their score should be. The best cell of a plate is asked for
at least ``FLOOR``, so that small plates, whose boxes never fit well, still get high scores: a missed plate costs more
here than a box that is a pixel too wide.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loss import decode_boxes
from network import BINS

TOP = 8
"""Most cells that one plate gets."""

FLOOR = 0.6
"""Least score that is asked of the best cell of a plate, 0..1."""


def pair_iou(first: Tensor, second: Tensor) -> Tensor:
    """IoU of boxes ``[..., 4]`` with boxes ``[..., 4]``, broadcast."""
    low, high = torch.maximum(first[..., :2], second[..., :2]), torch.minimum(first[..., 2:], second[..., 2:])
    inner = (high - low).clamp(0).prod(-1)
    sizes = (first[..., 2:] - first[..., :2]).prod(-1) + (second[..., 2:] - second[..., :2]).prod(-1)
    return inner / (sizes - inner).clamp(1e-6)


@torch.no_grad()
def assign(
    logits: Tensor, sides: Tensor, boxes: Tensor, owner: Tensor, centres: Tensor, strides: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Targets of a batch from its predictions and its plates.

    ``logits`` ``[N, A, 1]``, ``sides`` ``[N, A, 32]``; ``boxes`` ``[G, 4]`` in pixels and the picture of each,
    ``owner`` ``[G]``; ``centres`` ``[A, 2]``, ``strides`` ``[A]``. Returns the target ``[N, A, 1]``, flat indices
    ``[P]`` of the cells with a plate, and their boxes ``[P, 4]``.
    """
    number, cells = logits.shape[:2]
    target = torch.zeros(number * cells)
    chosen = torch.zeros(number * cells, dtype=torch.long)
    if not len(boxes):
        return target.view(number, cells, 1), torch.zeros(0, dtype=torch.long), boxes
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    away = (centres[None] - middle[:, None]).abs()
    near = (away <= torch.maximum(half[:, None], 0.75 * strides[None, :, None])).all(-1)
    longest = 2 * half.amax(1)
    fitting = (longest[:, None] >= 1.5 * strides) | (strides == strides.min())
    near &= fitting & ((away + half[:, None]).amax(-1) < (BINS - 1) * strides)
    plate, cell = near.nonzero(as_tuple=True)
    flat = owner[plate] * cells + cell
    predicted = decode_boxes(sides.reshape(number * cells, -1)[flat], centres[cell], strides[cell])
    overlap = pair_iou(predicted, boxes[plate])
    score = logits.reshape(-1)[flat].sigmoid()
    # A little of the distance to the middle decides while nothing is learned yet.
    closeness = torch.exp(-(away[plate, cell] / strides[cell, None]).square().sum(-1))
    fit = torch.zeros(near.shape)
    fit[plate, cell] = score.sqrt() * overlap.pow(3) + 1e-4 * closeness
    overlaps = torch.zeros(near.shape)
    overlaps[plate, cell] = overlap
    best, index = fit.topk(min(TOP, cells), 1)
    wanted = best / best[:, :1].clamp(1e-9) * overlaps.amax(1, keepdim=True).clamp(FLOOR)
    wanted = torch.where(best > 0, wanted, 0)
    places = (owner[:, None] * cells + index).reshape(-1)
    order = wanted.reshape(-1).argsort()
    # Later writes win, so a cell that two plates want goes to the one that wants it more.
    for position in order[wanted.reshape(-1)[order] > 0.01].tolist():
        target[places[position]] = wanted.reshape(-1)[position]
        chosen[places[position]] = position // index.shape[1]
    rows = target.nonzero().reshape(-1)
    return target.view(number, cells, 1), rows, boxes[chosen[rows]]


def mark_unknown(target: Tensor, unknown: Tensor, owner: Tensor, centres: Tensor, strides: Tensor) -> None:
    """Set cells without a plate whose centre lies in or within a stride of an ``unknown`` box ``[U, 4]`` to -1."""
    for box, picture in zip(unknown, owner.tolist(), strict=True):
        reach = torch.minimum(strides, (box[2:] - box[:2]).amax())[:, None]
        inside = ((centres >= box[:2] - reach) & (centres <= box[2:] + reach)).all(-1)
        part = target[picture, :, 0]
        part[inside & (part == 0)] = -1
