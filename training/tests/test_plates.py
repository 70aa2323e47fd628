"""The recipe of the plate detector: what is held out, what views look like, which cells are taught."""

import numpy as np
import onnxruntime
import pytest
import torch
from plate_data import MARGIN, Plates, held_out_by_id, split
from plate_loss import assign, mark_unknown
from plate_network import STRIDES, PlateDetector, WholePlateDetector, export
from plate_render import erase, paste, render_plate, render_sign
from plate_views import Views

from loss import cell_grid, detection_loss

SIZE = 320
CENTRES, STEPS = cell_grid(SIZE, SIZE, STRIDES)
CELLS = len(CENTRES)


def picture(number: int, rng: np.random.Generator, boxes: list | None = None) -> Plates:
    image = rng.integers(0, 256, (12, 16, 3), np.uint8).repeat(12, 0).repeat(12, 1)
    return Plates(f"{number:05d}", image, np.array(boxes or [], np.float32).reshape(-1, 4))


@pytest.fixture(scope="module")
def pictures() -> list[Plates]:
    rng = np.random.default_rng(0)
    return [picture(number, rng, [[0.25, 0.5, 0.75, 0.75]]) for number in range(1000, 1800)]


def test_held_out_pictures_have_no_neighbour_in_training(pictures: list[Plates]) -> None:
    training, held, close = split(pictures)
    assert 0.04 < len(held) / len(pictures) < 0.2
    assert len(training) + len(held) + close == len(pictures)
    ids = np.array([int(one.id) for one in held])
    assert all(held_out_by_id(number) for number in ids)
    assert min(np.abs(ids - int(one.id)).min() for one in training) > MARGIN


def test_twins_of_held_out_pictures_are_not_trained_on(pictures: list[Plates]) -> None:
    training, held, _ = split(pictures)
    other, twin = training[len(training) // 2], held[0]
    noisy = (twin.image.astype(int) + np.random.default_rng(1).integers(-6, 7, twin.image.shape)).clip(0, 255)
    copy = Plates(other.id, noisy.astype(np.uint8), other.boxes[:0])
    crop = Plates(other.id, other.image.copy(), other.boxes)
    rows, cols = twin.image.shape[:2]
    crop.image[: rows // 4, : cols // 2] = twin.image[rows // 2 : rows // 4 * 3, cols // 4 : cols // 4 * 3]
    crop = Plates(other.id, crop.image, np.array([[0, 0, 0.5, 0.25]], np.float32))
    for changed in (copy, crop):
        kept, _, _ = split([changed if one.id == other.id else one for one in pictures])
        assert other.id not in {one.id for one in kept}
        assert len(kept) == len(training) - 1


def test_rendered_plates_lie_in_their_boxes() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        canvas = np.full((200, 200, 3), 90, np.uint8)
        box = paste(rng, canvas, render_plate(rng), np.array([60.0, 80.0, 140.0, 110.0]), 4.0)
        outside = canvas.copy()
        x1, y1, x2, y2 = box.astype(int)
        assert (canvas[y1:y2, x1:x2] != 90).mean() > 0.5
        outside[y1:y2, x1:x2] = 90
        assert (outside == 90).all()
        assert render_sign(rng).dtype == np.uint8


def test_an_erased_plate_is_gone() -> None:
    canvas = np.full((60, 80, 3), 50, np.uint8)
    canvas[20:30, 30:60] = 250
    erase(canvas, np.array([30.0, 20.0, 60.0, 30.0]))
    assert (canvas == 50).all()


def test_views_hold_plates_and_plate_free_pictures(pictures: list[Plates]) -> None:
    views = Views(pictures[:40], seed=1, cameras=2, moments=1)
    samples = [views.draw(SIZE) for _ in range(60)]
    assert all(one.image.shape == (SIZE, SIZE, 3) and one.image.dtype == np.uint8 for one in samples)
    boxes = np.concatenate([one.boxes for one in samples])
    assert (boxes >= 0).all()
    assert (boxes <= SIZE).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert 0 < sum(not len(one.boxes) for one in samples) < 30
    assert any(len(one.unknown) for one in samples)


@pytest.mark.parametrize("box", [(100, 100, 107, 103), (40, 60, 90, 75), (20, 20, 300, 150)])
def test_every_plate_gets_cells_that_can_describe_it(box: tuple) -> None:
    torch.manual_seed(0)
    logits, sides = torch.randn(2, CELLS, 1), torch.randn(2, CELLS, 32)
    plates, owner = torch.tensor([box], dtype=torch.float32), torch.tensor([1])
    target, rows, boxes = assign(logits, sides, plates, owner, CENTRES, STEPS)
    assert (target[0] == 0).all()
    assert 1 <= len(rows) <= 8
    assert (boxes == plates).all()
    assert target.max() >= 0.6
    centre, stride = CENTRES[rows - CELLS], STEPS[rows - CELLS]
    reach = torch.maximum(centre - plates[:, :2], plates[:, 2:] - centre).amax(1)
    assert (reach < 7 * stride).all()
    loss, _ = detection_loss(logits, sides, target, rows, boxes, CENTRES, STEPS)
    assert torch.isfinite(loss)


def test_what_is_unknown_is_not_taught_but_plates_in_it_are() -> None:
    logits, sides = torch.zeros(1, CELLS, 1), torch.zeros(1, CELLS, 32)
    plates = torch.tensor([[100.0, 120, 140, 132]])
    target, rows, _ = assign(logits, sides, plates, torch.tensor([0]), CENTRES, STEPS)
    mark_unknown(target, torch.tensor([[60.0, 60, 200, 160]]), torch.tensor([0]), CENTRES, STEPS)
    inside = ((CENTRES > 64) & (CENTRES < 156)).all(1)
    assert (target[0, rows] > 0).all()
    assert (target[0, inside, 0] != 0).all()
    assert (target[0, (CENTRES > 240).all(1), 0] == 0).all()


def test_the_exported_file_answers_like_the_network(tmp_path) -> None:
    torch.manual_seed(1)
    detector = PlateDetector(widths=(8, 8, 16, 16, 16), depths=(1, 1, 1, 1), neck=16, head_depth=1).eval()
    export(detector, tmp_path / "plates.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "plates.onnx"), providers=["CPUExecutionProvider"])
    pixels = torch.randint(0, 256, (2, 3, 96, 160), dtype=torch.uint8)
    scores, boxes = session.run(["scores", "boxes"], {"images": pixels.numpy()})
    with torch.no_grad():
        wanted = WholePlateDetector(detector)(pixels)
    cells = sum((96 // stride) * (160 // stride) for stride in STRIDES)
    assert scores.shape == (2, cells, 1)
    np.testing.assert_allclose(scores, wanted[0], atol=1e-4)
    np.testing.assert_allclose(boxes, wanted[1], atol=1e-4)
