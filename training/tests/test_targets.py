"""What the cells of a view are told."""

import numpy as np
import torch

from loss import cell_grid, decode_boxes, detection_loss
from network import BINS, STRIDES, Detector
from teacher import assign, cell_centres, merge_labels

SIZE = 320
CAR, TRUCK = 2, 5


def empty() -> tuple[np.ndarray, np.ndarray]:
    centres, _ = cell_centres(SIZE, STRIDES)
    return np.zeros((len(centres), 6), np.float32), np.zeros((len(centres), 4), np.float32)


def merge(scores: np.ndarray, boxes: np.ndarray, truth: np.ndarray, doubted: bool) -> tuple[np.ndarray, np.ndarray]:
    labels, visible = np.full(len(truth), CAR), np.ones(len(truth))
    return merge_labels(scores, boxes, truth, labels, visible, np.full(scores.shape, doubted), SIZE)


def test_a_human_box_the_teacher_missed_is_assigned_by_geometry() -> None:
    box = np.array([[100, 100, 140, 130]], np.float32)
    scores, boxes = merge(*empty(), box, doubted=False)
    cells = np.flatnonzero(scores.max(1))
    assert 1 <= len(cells) <= 9
    assert (scores[cells].argmax(1) == CAR).all()
    assert (boxes[cells] == box).all()


def test_a_human_label_overrules_the_class_of_the_teacher() -> None:
    scores, boxes = empty()
    centres, _ = cell_centres(SIZE, STRIDES)
    box = np.array([100, 100, 140, 130], np.float32)
    cell = int(np.abs(centres - (120, 112)).sum(1).argmin())
    scores[cell, TRUCK], boxes[cell] = 0.6, box + 2
    merged, moved = merge(scores, boxes, box[None], doubted=True)
    assert merged[cell].argmax() == CAR
    assert merged[cell, CAR] >= 0.85
    assert merged[cell, TRUCK] < 0.2
    assert (moved[cell] == box).all()


def test_a_finding_where_people_saw_nothing_is_doubted() -> None:
    scores, boxes = empty()
    scores[50, CAR], boxes[50] = 0.6, (70, 0, 90, 20)
    assert merge(scores, boxes, np.zeros((0, 4), np.float32), doubted=True)[0][50, CAR] == np.float32(0.3)
    assert merge(scores, boxes, np.zeros((0, 4), np.float32), doubted=False)[0][50, CAR] == np.float32(0.6)


def test_every_object_gets_a_cell() -> None:
    rng = np.random.default_rng(0)
    centres, strides = cell_centres(SIZE, STRIDES)
    for _ in range(200):
        low = rng.uniform(0, 280, 2)
        box = np.concatenate((low, np.minimum(low + rng.uniform(4, 200, 2), SIZE))).astype(np.float32)
        cells, scores = assign(box, centres, strides)
        assert len(cells) >= 1
        assert scores.max() > 0.3


def test_the_grids_of_teacher_and_student_are_the_same() -> None:
    centres, strides = cell_grid(SIZE, SIZE, STRIDES)
    other, steps = cell_centres(SIZE, STRIDES)
    assert np.array_equal(centres.numpy(), other)
    assert np.array_equal(strides.numpy(), steps)


def test_sure_bins_decode_to_their_distances() -> None:
    sides = torch.full((1, 4, BINS), -50.0)
    for side, bin_ in enumerate((1, 2, 3, 4)):
        sides[0, side, bin_] = 50
    box = decode_boxes(sides.reshape(1, -1), torch.tensor([[80.0, 80.0]]), torch.tensor([8.0]))
    assert box.tolist() == [[72, 64, 104, 112]]


def test_one_step_of_the_loss_is_finite_and_unknown_cells_cost_nothing() -> None:
    torch.manual_seed(0)
    model = Detector()
    logits, sides = model(torch.rand(1, 3, SIZE, SIZE) * 255)
    centres, strides = cell_grid(SIZE, SIZE, STRIDES)
    target = torch.zeros_like(logits)
    target[0, 500, CAR] = 0.9
    box = torch.tensor([[150.0, 80.0, 190.0, 110.0]])
    rows = torch.tensor([500])
    loss, _ = detection_loss(logits, sides, target, rows, box, centres, strides)
    loss.backward()
    assert torch.isfinite(loss)
    target[0, 7] = -1
    changed = logits.detach().clone()
    changed[0, 7] = 9
    first, _ = detection_loss(logits.detach(), sides.detach(), target, rows, box, centres, strides)
    second, _ = detection_loss(changed, sides.detach(), target, rows, box, centres, strides)
    assert first == second
