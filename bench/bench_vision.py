"""Pictures a second from JPEG bytes to detections, against what the machine allows and against a plain loop.

Run `PYTHONPATH=include python -m bench.bench_vision [--json PATH]`. For small camera stills and for HD pictures it
takes, in turns and in one run, the rates of

- the stream (`detect_stream`), one worker a core;
- decoding alone, and inference alone, on the same threads: the stream is compared with the slower of the two, and with
  the rate that is left when both share the cores, which no arrangement can beat on a CPU;
- a plain loop: `cv2.imread`, resize, `session.run` of one picture, a session with default options, no post-processing.

The figures are medians of the turns. The model is the one that comes with Wayside or, where it is not there, YOLOX-nano
from `$WAYSIDE_TEST_DATA`.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort

from wayside.core.settings import Settings, settings
from wayside.vision.adapters import adapter_for
from wayside.vision.decode import decode, encode_jpeg
from wayside.vision.detector import Detector, load_detector
from wayside.vision.registry import card, find, read_weights
from wayside.vision.session import Session
from wayside.vision.stream import detect_stream, stream, usable_cores

SIZES = {"352x288": (352, 288, 192), "1920x1080": (1920, 1080, 96)}
"""Name -> width, height, pictures in one turn."""

DISTINCT = 24
# Decoding an HD picture costs half as much as inference, so on a CPU only the limit of both together can be neared.
BARS = {
    "352x288": {"of the slower stage": 0.85, "of the plain loop": 1.5},
    "1920x1080": {"of the cores' limit": 0.85, "of the plain loop": 1.5},
}


def draw_still(width: int, height: int, seed: int) -> bytes:
    """Draw a road with vehicles, kerbs and noise, and return it as JPEG with the detail of a real still."""
    dice = np.random.default_rng(seed)
    rows = np.linspace(200, 90, height)[:, None, None]
    scene = np.broadcast_to(rows * np.asarray([1.0, 0.95, 0.9]), (height, width, 3)).astype(np.uint8).copy()
    road = np.asarray([[0.42, 0.3], [0.58, 0.3], [0.95, 1.0], [0.05, 1.0]]) * (width, height)
    cv2.fillPoly(scene, [road.astype(np.int32)], (96, 94, 92))
    for _ in range(40):
        centre = dice.random(2) * (width, height * 0.35)
        cv2.circle(scene, centre.astype(int).tolist(), int(width * 0.04), dice.integers(30, 160, 3).tolist(), -1)
    for _ in range(12):
        depth = dice.uniform(0.35, 0.95)
        size = (0.02 + 0.12 * (depth - 0.3)) * width
        left, top = (0.5 + dice.uniform(-0.5, 0.5) * depth) * width, depth * height
        body = ((int(left), int(top)), (int(left + size), int(top + size * 0.6)))
        cv2.rectangle(scene, *body, dice.integers(0, 255, 3).tolist(), -1)
        cv2.rectangle(scene, *body, (30, 30, 30), max(1, width // 400))
    noise = cv2.resize(dice.normal(0, 9, (height // 2, width // 2, 3)), (width, height))
    return encode_jpeg(np.clip(scene + noise, 0, 255).astype(np.uint8), 90)


def model_name(chosen: Settings, scratch: Path) -> tuple[str, Settings]:
    """Choose the model that comes with Wayside, or put the test data's YOLOX-nano where it is looked for."""
    if (chosen.models / "wayside_v1.yaml").is_file() and find(card("WaysideV1", chosen), chosen):
        return "WaysideV1", chosen
    root = Path(__file__).resolve().parents[1]
    data = Path(os.environ.get("WAYSIDE_TEST_DATA", root / ".." / "shared" / "data"))
    elsewhere = chosen.model_copy(update={"state": scratch})
    elsewhere.pulled_models.mkdir(parents=True)
    shutil.copyfile(data / "weights" / "yolox_nano_kaz.onnx", elsewhere.pulled_models / "yolox_nano.onnx")
    return "YoloxNano", elsewhere


def rate(run: Callable[[], Iterable[Any]], pictures: int) -> float:
    """Return pictures a second of one pass."""
    begin = time.perf_counter()
    deque(run(), maxlen=0)
    return pictures / (time.perf_counter() - begin)


def measure(name: str, chosen: Settings, size: str, rounds: int, folder: Path) -> dict[str, float]:
    """Take all rates for one size of picture, in turns; return their medians."""
    width, height, number = SIZES[size]
    stills = [draw_still(width, height, seed) for seed in range(DISTINCT)]
    paths = [folder / f"{size}-{index}.jpg" for index in range(DISTINCT)]
    for path, still in zip(paths, stills, strict=True):
        path.write_bytes(still)
    indices = [index % DISTINCT for index in range(number)]
    detector: Detector = load_detector(name, chosen)
    weights, _ = read_weights(detector.card, chosen)
    session, adapter = Session(weights, chosen.device), adapter_for(detector.card)
    tensors = [adapter.prepare(decode(still).image)[0][None] for still in stills]
    plain = ort.InferenceSession(weights, providers=[detector.provider])

    def infer(index: int) -> object:
        return session.run(adapter.feeds(tensors[index], session.inputs))

    def plain_loop() -> Iterable[object]:
        for index in indices:
            resized = cv2.resize(cv2.imread(str(paths[index])), detector.input_size)
            pixels = resized[..., ::-1] if detector.card.input.colour == "rgb" else resized
            batch = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], detector.card.input.dtype)
            yield plain.run(None, {session.inputs[0]: batch})

    runs: dict[str, Callable[[], Iterable[Any]]] = {
        "stream": lambda: detect_stream(indices, stills.__getitem__, detector),
        "decode alone": lambda: stream(indices, lambda index: decode(stills[index], at_least=detector.input_size)),
        "inference alone": lambda: stream(indices, infer),
        "plain loop": plain_loop,
    }
    taken: dict[str, list[float]] = {label: [] for label in runs}
    for turn in range(rounds + 1):
        for label, run in runs.items():
            speed = rate(run, number)
            if turn:  # the first turn warms caches and allocators
                taken[label].append(speed)
    return {label: statistics.median(speeds) for label, speeds in taken.items()}


def ratios(rates: dict[str, float]) -> dict[str, float]:
    """Compare the stream with each of its measures."""
    both = 1 / (1 / rates["decode alone"] + 1 / rates["inference alone"])
    return {
        "of the slower stage": rates["stream"] / min(rates["decode alone"], rates["inference alone"]),
        "of the cores' limit": rates["stream"] / both,
        "of the plain loop": rates["stream"] / rates["plain loop"],
    }


def main() -> None:
    """Measure, print a table, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--rounds", type=int, default=5, help="turns whose median is taken")
    options = parser.parse_args()
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        name, chosen = model_name(settings(), Path(scratch) / "state")
        print(f"{name}, {usable_cores()} cores, load {os.getloadavg()[0]:.1f}; pictures a second")
        for size in SIZES:
            rates = measure(name, chosen, size, options.rounds, Path(scratch))
            figures[size] = {**rates, **ratios(rates)}
            print(f"\n{size}")
            for label, value in rates.items():
                print(f"  {label:<22}{value:>9.1f}")
            for label, value in ratios(rates).items():
                bar = BARS[size].get(label)
                verdict = "" if bar is None else f"   bar {bar:g}: {'met' if value >= bar else 'NOT met'}"
                print(f"  stream {label:<21}{value:>9.2f}{verdict}")
    if options.json:
        content = {"model": name, "cores": usable_cores(), "load": os.getloadavg()[0], "figures": figures}
        options.json.write_text(json.dumps(content, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
