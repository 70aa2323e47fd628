"""Train the plate detector from random weights, on as many processes as there are cores.

    python training/plates/plate_train.py --hours 1
    python training/plates/plate_train.py --hours 0.5 --resume --restart-schedule

As for the road-user detector, the clock sets the schedule, convolutions run in bfloat16, Muon moves them and AdamW the
rest, gradients are averaged over the processes, and the weights that count are a moving average. Views are made on the
way: there are few pictures, and no two steps see the same view.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import os
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, distributed, multiprocessing

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from plate_data import data_folder, read_plates, split
from plate_loss import assign, mark_unknown
from plate_network import STRIDES, PlateDetector, WholePlateDetector
from plate_views import Views

from loss import cell_grid, detection_loss
from train import follow, make_optimizers, rate, save

WORK = Path(".wayside/training-plates")
SIZES = {320: 0.75, 416: 0.25}
"""Pixels a side of the views and how often a step takes them; larger views come in smaller batches."""


def batch(views: Views, count: int, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """RGB float pictures ``[N, 3, S, S]``, plates ``[G, 4]`` and their pictures ``[G]``, unknown boxes and theirs."""
    images = np.empty((count, size, size, 3), np.uint8)
    boxes, owner, unknown, of = [], [], [], []
    for number in range(count):
        sample = views.draw(size)
        images[number] = sample.image[..., ::-1]
        boxes.append(sample.boxes)
        owner += [number] * len(sample.boxes)
        unknown.append(sample.unknown)
        of += [number] * len(sample.unknown)
    picture = torch.from_numpy(images).permute(0, 3, 1, 2).float().contiguous(memory_format=torch.channels_last)
    joined = (torch.from_numpy(np.concatenate(part).astype(np.float32)) for part in (boxes, unknown))
    plates, rest = joined
    return picture, plates, torch.tensor(owner, dtype=torch.long), rest, torch.tensor(of, dtype=torch.long)


def quick_check(average: PlateDetector, held: list) -> str:
    """Average precision and recall on the held-out pictures at 416 x 416."""
    from plate_evaluate import figures_at, look_at

    whole = WholePlateDetector(average).eval()

    def detect(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        small = cv2.resize(image, (416, 416), interpolation=cv2.INTER_LINEAR)[..., ::-1].copy()
        with torch.no_grad():
            scores, boxes = whole(torch.from_numpy(small).permute(2, 0, 1)[None])
        return scores[0, :, 0].numpy(), boxes[0].numpy()

    return figures_at(look_at(held, detect, 416), 0.4).line()


def exchange(model: PlateDetector, progress: float, world: int, clip: float) -> float:
    """Average the gradients of all processes and limit their norm; returns the progress of the first process."""
    weights = list(model.parameters())
    flat = torch.cat([weight.grad.reshape(-1) for weight in weights] + [torch.tensor([progress * world])])
    distributed.all_reduce(flat)
    flat /= world
    flat[:-1] *= min(1.0, clip / (flat[:-1].norm().item() + 1e-6))
    for weight, part in zip(weights, flat[:-1].split([weight.numel() for weight in weights]), strict=True):
        weight.grad.copy_(part.view(weight.shape))
    return flat[-1].item()


def train(rank: int, world: int, options: argparse.Namespace) -> None:
    """One process of the training."""
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", str(options.port))
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    distributed.init_process_group("gloo", rank=rank, world_size=world)
    torch.manual_seed(options.seed)
    model = PlateDetector().to(memory_format=torch.channels_last).train()
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
    training, held, close = split(read_plates(data_folder() / "train_plates.parquet"))
    if rank == 0:
        print(f"{len(training)} to train on, {len(held)} held out, {close} left out; "
              f"{sum(weight.numel() for weight in model.parameters())} parameters", flush=True)  # fmt: skip
    views = Views(training, 100 * options.seed + 10 * rank + state["step"] % 7)
    grids = {size: cell_grid(size, size, STRIDES) for size in SIZES}
    sums: dict[str, float] = {"score": 0.0, "box": 0.0, "spread": 0.0}
    mark = saved_at = checked_at = time.time()
    since = shown = 0
    done = False
    while not done:
        begun = time.time()
        size = int(np.random.default_rng(state["step"]).choice(list(SIZES), p=list(SIZES.values())))
        count = max(1, round(options.batch * (320 / size) ** 2))
        picture, plates, owner, unknown, of = batch(views, count, size)
        with torch.autocast("cpu", torch.bfloat16):
            logits, sides = model(picture)
        logits, sides = logits.float(), sides.float()
        target, rows, boxes = assign(logits, sides, plates, owner, *grids[size])
        mark_unknown(target, unknown, of, *grids[size])
        loss, parts = detection_loss(logits, sides, target, rows, boxes, *grids[size])
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        passed = min(1.0, (time.time() - state["begin"]) / max(1.0, options.end - state["begin"])) if rank == 0 else 0.0
        progress = exchange(model, passed, world, options.clip)
        for optimizer, base in zip(optimizers, (options.lr, options.adam_lr), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = base * rate(progress, state["step"])
            optimizer.step()
        follow(average, model, min(0.9985, (state["step"] + 1) / (state["step"] + 20)))
        state["step"] += 1
        state["samples"] += count * world
        state["seconds"] += time.time() - begun
        sums = {key: sums[key] + value for key, value in parts.items()}
        since, shown, done = since + 1, shown + count * world, progress >= 1
        if since == 50 or done:
            if rank == 0:
                losses = " ".join(f"{key} {value / since:.4f}" for key, value in sums.items())
                print(
                    f"{datetime.datetime.now(datetime.UTC):%H:%M:%S} step {state['step']} {progress:.1%} {losses} "
                    f"{shown / (time.time() - mark):.1f} img/s samples {state['samples']}",
                    flush=True,
                )
            sums, since, shown, mark = dict.fromkeys(sums, 0.0), 0, 0, time.time()
        if rank == 0 and (done or time.time() - saved_at > 120):
            save(last, model=model.state_dict(), average=average.state_dict(), state=state, config=model.config,
                 optimizers=[optimizer.state_dict() for optimizer in optimizers])  # fmt: skip
            saved_at = time.time()
        if rank == 0 and options.check_minutes and (done or time.time() - checked_at > 60 * options.check_minutes):
            print(f"check {quick_check(average, held[::2])}", flush=True)
            checked_at = time.time()
    distributed.destroy_process_group()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=1.0, help="time to train from now, in hours")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint and its schedule")
    parser.add_argument("--restart-schedule", action="store_true", help="with --resume: a new schedule from now")
    parser.add_argument("--name", default="last.pt", help="file name of the checkpoint in .wayside/training-plates")
    parser.add_argument("--processes", type=int, default=2, help="one for each core")
    parser.add_argument("--batch", type=int, default=12, help="views a step and process")
    parser.add_argument("--lr", type=float, default=0.02, help="full learning rate of Muon")
    parser.add_argument("--adam-lr", type=float, default=0.002, help="full learning rate of AdamW")
    parser.add_argument("--clip", type=float, default=20.0, help="largest gradient norm")
    parser.add_argument("--check-minutes", type=float, default=8.0, help="minutes between checks; 0: none")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=29519, help="loopback port for the processes")
    options = parser.parse_args()
    options.end = time.time() + 3600 * options.hours
    WORK.mkdir(parents=True, exist_ok=True)
    multiprocessing.spawn(train, (options.processes, options), options.processes)


if __name__ == "__main__":
    main()
