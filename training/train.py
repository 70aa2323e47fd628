"""Train the detector on the pool of views, on as many processes as there are cores.

    python train.py --until 03:50                 start, well annealed at 03:50 UTC
    python train.py --hours 1.5 --resume          go on from the last checkpoint, with a new end

The clock sets the schedule: the learning rate rises over the first 300 steps, stays, and falls to zero over the last
half of the time given. Each process trains on its own part of the pool and gradients are averaged. Convolutions run in
bfloat16; they are updated by Muon (Jordan et al., 2024: momentum, orthogonalised by Newton-Schulz iteration), all else
by AdamW. The weights that are evaluated and exported are an exponential moving average. New shards in the pool are
taken up while training runs.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import os
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, distributed, multiprocessing, nn

from augment import degrade
from evaluate import Evaluation, load_evaluation, score_detections
from export import WholeDetector
from loss import cell_grid, detection_loss
from network import CLASSES, STRIDES, Detector

WORK = Path(".wayside/training")
SIZES = {320: 0.75, 416: 0.25}
"""Pixels a side of the views and how often a step takes them; larger views come in smaller batches."""

DEMO_SHARE = 0.45
"""Share of samples from rendered views once there are any."""


@dataclass
class Shard:
    """One file of the pool in memory; see ``prepare.write_shard`` for the arrays."""

    jpeg: np.ndarray
    offset: np.ndarray
    start: np.ndarray
    cell: np.ndarray
    score: np.ndarray
    box: np.ndarray


def mirrored_cells(size: int) -> np.ndarray:
    """For each cell of a view of ``size`` pixels its place in the mirrored view, -1 for the first column: ``[A]``."""
    mirror, base = [], 0
    for stride in STRIDES:
        side = size // stride
        cell = np.arange(side * side)
        column = cell % side
        mirror.append(np.where(column > 0, base + cell - column + (side - column), -1))
        base += side * side
    return np.concatenate(mirror)


class Pool:
    """The views that one process trains on: every shard whose number falls to it, shuffled anew each round."""

    def __init__(self, folder: Path, rank: int, world: int, seed: int) -> None:
        self.folder, self.rank, self.world = folder, rank, world
        self.shards: dict[str, Shard] = {}
        self.queues: dict[str, list[tuple[str, int]]] = {}
        self.rng = np.random.default_rng((seed, rank))
        self.looked = 0.0
        self.mirrors = {size: mirrored_cells(size) for size in SIZES}

    def choose_size(self, step: int) -> int:
        """The size of the views of a step: the same in all processes, and small while there are no large ones."""
        sizes = [size for size in SIZES if any(name.startswith(f"real-{size}") for name in self.shards)]
        odds = np.array([SIZES[size] for size in sizes])
        return int(np.random.default_rng(step).choice(sizes, p=odds / odds.sum()))

    def refresh(self) -> None:
        """Load shards that are new since the last look and drop those that are gone, at most once a minute."""
        if time.time() - self.looked < 60:
            return
        self.looked = time.time()
        paths = sorted(self.folder.glob("*.npz"))
        gone = self.shards.keys() - {path.stem for path in paths}
        for name in gone:
            del self.shards[name]
        for kind, queue in self.queues.items():
            self.queues[kind] = [item for item in queue if item[0] not in gone]
        for path in paths:
            if path.stem in self.shards or int(path.stem.split("-")[-1]) % self.world != self.rank:
                continue
            with np.load(path) as file:
                offset = np.concatenate(([0], np.cumsum(file["length"])))
                start = np.searchsorted(file["view"], np.arange(len(offset)))
                self.shards[path.stem] = Shard(file["jpeg"], offset, start, file["cell"], file["score"], file["box"])

    def flip(
        self, image: np.ndarray, cell: np.ndarray, scores: np.ndarray, box: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Mirror a view. Cells lie at multiples of the stride, so the first column has no counterpart: unknown, -1."""
        mirror = self.mirrors[image.shape[1]]
        target, edge = mirror[cell], np.flatnonzero(mirror < 0)
        kept = target >= 0
        box = box[kept].copy()
        box[:, [0, 2]] = image.shape[1] - box[:, [2, 0]]
        unknown = np.full((len(edge), scores.shape[1]), -1, np.float32)
        return (
            image[:, ::-1],
            np.concatenate((target[kept], edge)),
            np.concatenate((scores[kept], unknown)),
            np.concatenate((box, np.zeros((len(edge), 4), np.float32))),
        )

    def draw(self, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """A degraded picture BGR ``[S, S, 3]`` with its cells ``[K]``, scores ``[K, 6]`` and boxes ``[K, 4]``."""
        demo = self.rng.random() < DEMO_SHARE and any(name.startswith(f"demo-{size}") for name in self.shards)
        kind = f"{'demo' if demo else 'real'}-{size}"
        if not self.queues.get(kind):
            names = [name for name in self.shards if name.startswith(kind)]
            queue = [(name, view) for name in names for view in range(len(self.shards[name].offset) - 1)]
            self.rng.shuffle(queue)
            self.queues[kind] = queue
        name, view = self.queues[kind].pop()
        shard = self.shards[name]
        image = cv2.imdecode(shard.jpeg[shard.offset[view] : shard.offset[view + 1]], cv2.IMREAD_COLOR)
        part = slice(shard.start[view], shard.start[view + 1])
        scores = shard.score[part].astype(np.float32) / 255
        view = image, shard.cell[part], scores, shard.box[part].astype(np.float32)
        image, cell, scores, box = self.flip(*view) if self.rng.random() < 0.5 else view
        return degrade(self.rng, image), cell, scores, box

    def batch(self, count: int, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """RGB float pictures ``[N, 3, S, S]``, scores ``[N, A, 6]``, flat rows ``[P]`` and their boxes ``[P, 4]``."""
        cells = len(self.mirrors[size])
        images = np.empty((count, size, size, 3), np.uint8)
        target = np.zeros((count * cells, len(CLASSES)), np.float32)
        rows, boxes = [], []
        for number in range(count):
            image, index, scores, box = self.draw(size)
            images[number] = image[..., ::-1]
            target[index + number * cells] = scores
            boxed = (scores.max(1) > 0.1) & ((box[:, 2:] - box[:, :2]).min(1) > 1)
            rows.append(index[boxed].astype(np.int64) + number * cells)
            boxes.append(box[boxed])
        picture = torch.from_numpy(images).permute(0, 3, 1, 2).float()
        return (
            picture.contiguous(memory_format=torch.channels_last),
            torch.from_numpy(target).view(count, cells, -1),
            torch.from_numpy(np.concatenate(rows)),
            torch.from_numpy(np.concatenate(boxes)),
        )


def orthogonal(matrix: Tensor) -> Tensor:
    """The nearest matrix with singular values near 1, by five Newton-Schulz steps (coefficients of Jordan et al.)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised, for convolution weights seen as matrices ``[outputs, inputs * k * k]``."""

    def __init__(self, params: list[nn.Parameter], lr: float, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "momentum": 0.95, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        """One update from the gradients."""
        for group in self.param_groups:
            for weight in group["params"]:
                state = self.state[weight]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(weight)
                state["momentum"].lerp_(weight.grad, 1 - group["momentum"])
                look = weight.grad.lerp(state["momentum"], group["momentum"])
                matrix = look.reshape(look.shape[0], -1)
                update = orthogonal(matrix) * max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update.view_as(weight), alpha=-group["lr"])


def make_optimizers(model: Detector, options: argparse.Namespace) -> list[torch.optim.Optimizer]:
    """Muon for the convolutions of the body, AdamW for normalisation, biases, stem and predictors."""
    body, rest = [], []
    for name, weight in model.named_parameters():
        inner = weight.ndim == 4 and "stem" not in name and "scores" not in name and "sides" not in name
        (body if inner else rest).append(weight)
    adam = torch.optim.AdamW(rest, lr=options.adam_lr, betas=(0.9, 0.98), weight_decay=0.0)
    return [Muon(body, options.lr, weight_decay=0.05), adam]


def parse_until(text: str) -> float:
    """Seconds since the epoch of the next ``HH:MM`` UTC."""
    now = datetime.datetime.now(datetime.UTC)
    hour, minute = (int(part) for part in text.split(":"))
    end = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return (end if end > now else end + datetime.timedelta(days=1)).timestamp()


def rate(progress: float, step: int) -> float:
    """Share 0..1 of the full learning rate at ``progress`` 0..1 of the time."""
    return min(1.0, (step + 1) / 300) * min(1.0, max(0.0, 1 - progress) / 0.5 + 0.005)


@torch.no_grad()
def follow(average: Detector, model: Detector, decay: float) -> None:
    """Move the moving average towards the model; buffers are averaged too."""
    for kept, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if kept.dtype.is_floating_point:
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)


def save(path: Path, **content: object) -> None:
    """Write a checkpoint; it appears under its name only when complete."""
    partial = path.with_suffix(".partial")
    torch.save(content, partial)
    partial.rename(path)


def quick_score(average: Detector, evaluation: Evaluation) -> dict[str, float]:
    """AP50 of each class on a few evaluation pictures at 416 x 416."""
    whole = WholeDetector(average).eval()

    def detect(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        small = cv2.resize(image, (416, 416), interpolation=cv2.INTER_AREA)[..., ::-1].copy()
        with torch.no_grad():
            scores, boxes = whole(torch.from_numpy(small).permute(2, 0, 1)[None])
        return scores[0].numpy(), boxes[0].numpy()

    return score_detections(evaluation, detect).classes


def train(rank: int, world: int, options: argparse.Namespace) -> None:
    """One process of the training."""
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", str(options.port))
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    distributed.init_process_group("gloo", rank=rank, world_size=world)
    torch.manual_seed(options.seed)
    model = Detector().to(memory_format=torch.channels_last).train()
    average = copy.deepcopy(model).eval()
    optimizers = make_optimizers(model, options)
    last = WORK / options.name
    state = {"step": 0, "samples": 0, "seconds": 0.0, "begin": time.time()}
    if options.resume:
        saved = torch.load(last, weights_only=True)
        model.load_state_dict(saved["model"])
        average.load_state_dict(saved["average"])
        for optimizer, content in zip(optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(content)
        state = saved["state"]
        if options.restart_schedule:
            state["begin"] = time.time()
    base_rates = (options.lr, options.adam_lr)
    end = options.end
    grids = {size: cell_grid(size, size, STRIDES) for size in SIZES}
    pool = Pool(WORK / "pool", rank, world, options.seed + state["step"])
    checks = []
    if rank == 0 and options.check_minutes:
        data = Path(os.environ.get("WAYSIDE_TEST_DATA", "../shared/data")) / "detection"
        checks = [load_evaluation(data / "eval_highway.parquet", 120)]
    sums = {"score": 0.0, "box": 0.0, "spread": 0.0}
    mark = saved_at = checked_at = time.time()
    since = shown = 0
    while True:
        begun = time.time()
        pool.refresh()
        size = pool.choose_size(state["step"])
        count = max(1, round(options.batch * (320 / size) ** 2))
        picture, target, rows, boxes = pool.batch(count, size)
        with torch.autocast("cpu", torch.bfloat16):
            logits, sides = model(picture)
        loss, parts = detection_loss(logits.float(), sides.float(), target, rows, boxes, *grids[size])
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        weights = list(model.parameters())
        now = time.time()
        progress = min(1.0, (now - state["begin"]) / max(1.0, end - state["begin"])) if rank == 0 else 0.0
        flat = torch.cat([weight.grad.reshape(-1) for weight in weights] + [torch.tensor([progress * world])])
        distributed.all_reduce(flat)
        flat /= world
        progress = flat[-1].item()
        flat[:-1] *= min(1.0, options.clip / (flat[:-1].norm().item() + 1e-6))
        for weight, part in zip(weights, flat[:-1].split([weight.numel() for weight in weights]), strict=True):
            weight.grad.copy_(part.view(weight.shape))
        for optimizer, base in zip(optimizers, base_rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = base * rate(progress, state["step"])
            optimizer.step()
        follow(average, model, min(0.9985, (state["step"] + 1) / (state["step"] + 20)))
        state["step"] += 1
        state["samples"] += count * world
        state["seconds"] += time.time() - begun
        for key, value in parts.items():
            sums[key] += value
        since, shown = since + 1, shown + count * world
        done = progress >= 1
        if rank == 0 and (since == 50 or done):
            losses = " ".join(f"{key} {value / since:.4f}" for key, value in sums.items())
            speed = shown / (time.time() - mark)
            print(
                f"{datetime.datetime.now(datetime.UTC):%H:%M:%S} step {state['step']} {progress:.1%} {losses} "
                f"rate {rate(progress, state['step']):.3f} {speed:.1f} img/s samples {state['samples']}",
                flush=True,
            )
            sums, since, shown, mark = dict.fromkeys(sums, 0.0), 0, 0, time.time()
        elif since == 50:
            sums, since, shown = dict.fromkeys(sums, 0.0), 0, 0
        if rank == 0 and (done or time.time() - saved_at > 120):
            contents = [optimizer.state_dict() for optimizer in optimizers]
            save(
                last,
                model=model.state_dict(),
                average=average.state_dict(),
                optimizers=contents,
                state=state,
                config=model.config,
            )
            saved_at = time.time()
        if checks and (done or time.time() - checked_at > 60 * options.check_minutes):
            for check in checks:
                classes = quick_score(average, check)
                mean = sum(classes.values()) / len(classes)
                print(f"check {mean:.1f} " + " ".join(f"{name} {ap:.0f}" for name, ap in classes.items()), flush=True)
            checked_at = time.time()
        if done:
            break
    distributed.destroy_process_group()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=1.5, help="time to train from now, in hours")
    parser.add_argument("--until", type=parse_until, help="or the end, HH:MM in UTC")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint and its schedule")
    parser.add_argument("--restart-schedule", action="store_true", help="with --resume: a new schedule from now")
    parser.add_argument("--name", default="last.pt", help="file name of the checkpoint in .wayside/training")
    parser.add_argument("--processes", type=int, default=2, help="one for each core")
    parser.add_argument("--batch", type=int, default=12, help="views a step and process")
    parser.add_argument("--lr", type=float, default=0.02, help="full learning rate of Muon")
    parser.add_argument("--adam-lr", type=float, default=0.002, help="full learning rate of AdamW")
    parser.add_argument("--clip", type=float, default=20.0, help="largest gradient norm")
    parser.add_argument("--check-minutes", type=float, default=10.0, help="minutes between checks; 0: none")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=29517, help="loopback port for the processes")
    options = parser.parse_args()
    options.end = options.until or time.time() + 3600 * options.hours
    multiprocessing.spawn(train, (options.processes, options), options.processes)


if __name__ == "__main__":
    main()
