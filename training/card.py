"""Measure an exported detector and write its card.

    python card.py --checkpoint .wayside/training/last.pt

Exports to a file beside ``models/wayside_v1.onnx``, checks it (batch 1 against batch 16), scores it on both evaluation
sets and on a demo city it has not seen, chooses the score threshold, and only then puts weights and card in place, each
at once. Figures of the detectors to compare with are measured once by the same scorer and kept in the work folder.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from pathlib import Path

import cv2
import numpy as np
import yaml

from demo_city import RIDERS, scenes
from evaluate import (
    CLASSES,
    INPUT,
    Detect,
    Evaluation,
    load_evaluation,
    make_detector,
    open_session,
    overlaps,
    score_detections,
    suppress,
    wayside_detector,
)
from export import export, load_average
from quantise import quantise

DATA = Path(os.environ.get("WAYSIDE_TEST_DATA", "../shared/data"))
WORK = Path(".wayside/training")
NAME = "wayside_v1"
PLAIN = {"highway": "eval_highway", "atl": "eval_atl"}
BASELINES = {"yolox_nano": "yolox_nano_kaz.onnx", "nanodet_plus_m15x": "nanodet_plus_m15x416.onnx"}
THRESHOLDS = np.arange(0.15, 0.66, 0.05)

SOURCES = [
    {"name": "Highway Object Detection v40", "licence": "CC BY 4.0 (says its uploader)", "use": "human boxes"},
    {"name": "Open Images V7, vehicles", "licence": "annotations CC BY 4.0, pictures CC BY 2.0", "use": "human boxes"},
    {"name": "Open Images V7, person-car and plate scenes", "licence": "pictures CC BY 2.0", "use": "teacher"},
    {"name": "Romanian licence plate data set (dashcam)", "licence": "MIT", "use": "teacher"},
    {"name": "experiment-plates (Roboflow)", "licence": "MIT", "use": "teacher"},
    {"name": "ahmetozlu traffic clips", "licence": "MIT", "use": "teacher"},
    {"name": "Intel sample-videos: two clips of cars and people", "licence": "CC BY 4.0", "use": "teacher"},
    {
        "name": "TfL JamCam clips and stills",
        "licence": "Open Government Licence v2; powered by TfL Open Data; contains OS data (c) Crown copyright 2016",
        "use": "teacher",
    },
    {"name": "North East England camera stills, Tyne and Wear UTMC", "licence": "OGL v3", "use": "teacher"},
    {"name": "Wayside demo city (rendered)", "licence": "Apache-2.0", "use": "exact boxes"},
]

LEFT_OUT = {
    "van": "no permissively licensed pictures with van boxes were found; vans in real pictures are called car or "
    "truck, as the teacher and the human labels do, and vans of the demo city were taught as car"
}

LIMITATIONS = (
    "Trained for under two hours on two CPU cores and about 4,900 real pictures. eval_highway is in the style of "
    "part of the training pictures, so its figures flatter; eval_atl was never trained on, but the size of the input "
    "was chosen with a look at both. People are found less "
    "well than by YOLOX-nano, bicycles hardly at all on eval_atl: there were few examples. People and vehicles "
    "under about 12 pixels in the 512 x 416 input are mostly missed, in the dark larger ones too. Cars, vans and "
    "small trucks are confused with each other, likewise buses and trucks from overhead; suppress boxes of bus, car "
    "and truck together if only the number of vehicles matters. Night was mostly imitated by darkening and noise. "
    "The licence of Highway v40 is its uploader's claim. The teacher NanoDet-Plus-m-1.5x (Apache-2.0) learned from "
    "COCO."
)


def sweep(found: list[tuple[np.ndarray, np.ndarray]], truths: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """F1 at each of ``THRESHOLDS``.

    ``found`` holds boxes ``[D, 4]`` and scores ``[D]`` of each picture, best first; ``truths`` boxes ``[K, 4]`` and
    whether each is counted ``[K]``: what fits an object that is not counted is neither right nor wrong.
    """
    hits = np.zeros((len(THRESHOLDS), 3))
    for (boxes, scores), (truth, counted) in zip(found, truths, strict=True):
        shared = overlaps(boxes, truth) if len(truth) else np.zeros((len(boxes), 0))
        for row, threshold in enumerate(THRESHOLDS):
            free = np.ones(len(truth), bool)
            for index in np.flatnonzero(scores >= threshold):
                order = np.where(free, shared[index] + counted * 1e-6, 0) if len(truth) else np.zeros(0)
                best = int(order.argmax()) if len(order) else -1
                if best >= 0 and order[best] >= 0.5:
                    free[best] = False
                    hits[row, 0] += counted[best]
                else:
                    hits[row, 1] += 1
            hits[row, 2] += (free & counted).sum()
    right, wrong, missed = hits.T
    return 2 * right / np.maximum(2 * right + wrong + missed, 1)


def highway_sweep(evaluation: Evaluation, detect: Detect) -> np.ndarray:
    """F1 over all classes at each threshold, every class matched for itself."""
    found, truths = [], []
    for data, (truth, names) in zip(evaluation.images, evaluation.truths, strict=True):
        scores, boxes = detect(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
        kept = suppress(scores, boxes, floor=float(THRESHOLDS[0]))
        for name in evaluation.classes:
            mine = kept[kept[:, 1] == CLASSES.index(name)]
            found.append((boxes[mine[:, 0]], scores[mine[:, 0], mine[:, 1]]))
            wanted = truth[np.array([other == name for other in names], bool)] if len(names) else truth
            truths.append((wanted, np.ones(len(wanted), bool)))
    return sweep(found, truths)


def demo_sweep(detect: Detect, seed: int = 501, cameras: int = 24, moments: int = 4) -> dict[str, np.ndarray]:
    """F1 on a demo city never trained on, at each threshold: any motor vehicle with a body, person, cycle.

    Objects less than half visible are not counted. Vehicle boxes of different classes are suppressed together.
    """
    groups = {"vehicle": (1, 2, 5), "person": (4,), "cycle": (0, 3)}
    found: dict[str, list] = {name: [] for name in groups}
    truths: dict[str, list] = {name: [] for name in groups}
    for image, objects in scenes(seed, cameras, moments):
        scores, boxes = detect(image)
        for name, columns in groups.items():
            merged = scores[:, columns].max(1, keepdims=True)
            kept = suppress(merged, boxes, floor=float(THRESHOLDS[0]))[:, 0]
            found[name].append((boxes[kept], merged[kept, 0]))
        rows: dict[str, list] = {name: [] for name in groups}
        for thing in objects:
            counted = thing.visible >= 0.5
            if thing.label in RIDERS:
                rows["person"].append((thing.rider_box or thing.box, counted))
                rows["cycle"].append((thing.cycle_box or thing.box, counted))
            else:
                rows["person" if thing.label == "person" else "vehicle"].append((thing.box, counted))
        for name, pairs in rows.items():
            boxes_ = np.array([box for box, _ in pairs], np.float32).reshape(-1, 4)
            truths[name].append((boxes_, np.array([counted for _, counted in pairs], bool)))
    return {name: sweep(found[name], truths[name]) for name in groups}


def measure_speed(path: Path) -> float:
    """Milliseconds a picture at batch 1 on one thread: the median of the quickest half of 60 runs."""
    session = open_session(path, 1)
    data = np.random.default_rng(0).integers(0, 256, (1, 3, INPUT[1], INPUT[0]), np.uint8)
    times = []
    for _ in range(60):
        begin = time.perf_counter()
        session.run(None, {"images": data})
        times.append(time.perf_counter() - begin)
    return float(1000 * np.median(sorted(times)[:30]))


def check_batches(path: Path) -> float:
    """Largest difference between pictures run alone and in a batch of 16, at 416 x 416 and at 320 x 640 pixels."""
    session = open_session(path, 2)
    worst = 0.0
    for rows, cols in ((416, 416), (320, 640)):
        data = np.random.default_rng(1).integers(0, 256, (16, 3, rows, cols), np.uint8)
        data = np.stack([cv2.GaussianBlur(one.transpose(1, 2, 0), (0, 0), 3).transpose(2, 0, 1) for one in data])
        together = session.run(None, {"images": data})
        for index in range(0, 16, 5):
            alone = session.run(None, {"images": data[index : index + 1]})
            pairs = zip(alone, together, strict=True)
            worst = max(worst, *(float(np.abs(one[0] - many[index]).max()) for one, many in pairs))
    return worst


def baselines(sets: dict[str, Evaluation]) -> dict[str, dict[str, float]]:
    """mAP50 of the detectors to compare with, on each set; measured once."""
    path = WORK / "baselines.json"
    if not path.exists():
        figures = {
            Path(file).stem: {
                PLAIN[name]: vars(score_detections(sets[name], make_detector(DATA / "weights" / file, 416, 1)))
                for name in sets
            }
            for file in BASELINES.values()
        }
        path.write_text(json.dumps(figures))
    figures = json.loads(path.read_text())
    stems = {name: Path(file).stem for name, file in BASELINES.items()}
    return {name: {key: score["mean"] for key, score in figures[stem].items()} for name, stem in stems.items()}


def rounded(figures: dict[str, float]) -> dict[str, float]:
    """One decimal, plain floats."""
    return {name: round(float(value), 1) for name, value in figures.items()}


def headline(accuracy: dict[str, dict]) -> list[dict]:
    """Return the figures that the catalogue lists, each 0..100."""
    figures = [(file, "mAP50", accuracy[file]["mAP50"]) for file in PLAIN.values()]
    figures += [
        ("demo city", name.replace("_", " "), round(100 * value, 1)) for name, value in accuracy["demo_city"].items()
    ]
    return [{"dataset": where, "metric": what, "value": value, "measured": True} for where, what, value in figures]


def measure(path: Path, sets: dict[str, Evaluation]) -> tuple[dict[str, dict], float]:
    """All accuracy figures of a file, as the card shows them, and the score threshold with the best F1."""
    detect = wayside_detector(path)
    others = baselines(sets)
    accuracy: dict[str, dict] = {}
    for name, evaluation in sets.items():
        score = score_detections(evaluation, detect, by_size=True)
        file = PLAIN[name]
        accuracy[file] = {
            "mAP50": round(score.mean, 1),
            "classes": rounded(score.classes),
            "sizes": rounded(score.sizes),
            "yolox_nano_mAP50": round(others["yolox_nano"][file], 1),
            "nanodet_plus_m15x_mAP50": round(others["nanodet_plus_m15x"][file], 1),
            "ratio_to_yolox_nano": round(score.mean / others["yolox_nano"][file], 3),
        }
        print(file, accuracy[file], flush=True)
    highway = highway_sweep(sets["highway"], detect)
    demo = demo_sweep(detect)
    best = int((highway + demo["vehicle"] + demo["person"]).argmax())
    accuracy["eval_highway"]["F1"] = round(float(highway[best]), 3)
    accuracy["demo_city"] = {f"F1_{name}": round(float(values[best]), 3) for name, values in demo.items()}
    return accuracy, round(float(THRESHOLDS[best]), 2)


def make_card(name: str, path: Path, accuracy: dict, threshold: float, training: dict) -> dict:
    """The card of the file at ``path``, to be called ``name``, in the form that ``wayside.vision.cards`` reads."""
    content = path.read_bytes()
    int8 = name != NAME
    return {
        "name": "WaysideV1Int8" if int8 else "WaysideV1",
        "summary": "Ours, small, trained from scratch; comes with Wayside and works offline."
        + (" Quantised to eight bits: faster on CPUs with VNNI." if int8 else ""),
        "task": "detect",
        "family": "wayside",
        "file": f"{name}.onnx",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "licence": "Apache-2.0",
        "classes": list(CLASSES),
        "input": {"width": INPUT[0], "height": INPUT[1], "dtype": "uint8", "colour": "rgb", "resize": "stretch"},
        "thresholds": {"score": threshold, "nms_iou": 0.6},
        "source": "training/README.md",
        "accuracy": headline(accuracy),
        "training": {
            **training,
            "data": SOURCES,
            "left_out": LEFT_OUT,
            "figures": accuracy,
            "speed": {
                "milliseconds": round(measure_speed(path), 1),
                "conditions": "512 x 416, batch 1, one thread, ONNX Runtime, CPU (AMD EPYC with AVX-512 VNNI)",
            },
        },
        "notes": LIMITATIONS,
    }


def put(folder: Path, name: str, weights: Path, card: dict) -> None:
    """Put weights and then card in place, each at once."""
    text = yaml.safe_dump(card, sort_keys=False, width=120).encode()
    for target, data in ((folder / f"{name}.onnx", weights.read_bytes()), (folder / f"{name}.yaml", text)):
        partial = target.with_name(target.name + ".partial")
        partial.write_bytes(data)
        partial.replace(target)
    speed = card["training"]["speed"]["milliseconds"]
    print(f"{folder / name}.onnx: {card['size_bytes']} bytes, {speed} ms", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=WORK / "last.pt")
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--stage", default="final", help="what the card says of the training")
    parser.add_argument("--int8", action="store_true", help="also make the int8 form and its card")
    options = parser.parse_args()
    detector, state = load_average(options.checkpoint)
    options.models.mkdir(parents=True, exist_ok=True)
    training = {
        "seconds": round(state["seconds"]),
        "samples": state["samples"],
        "steps": state["step"],
        "parameters": sum(weight.numel() for weight in detector.parameters()),
        "teacher": "NanoDet-Plus-m-1.5x (RangiLyu, Apache-2.0), run at twice the size of the view",
        "recipe": "from random weights; dense matching of the teacher's scores and boxes, corrected by human boxes; "
        "Muon and AdamW, moving average of weights; see training/README.md",
        "stage": options.stage,
    }
    sets = {name: load_evaluation(DATA / "detection" / f"{file}.parquet") for name, file in PLAIN.items()}
    fresh = {NAME: WORK / f"{NAME}.fresh.onnx"}
    export(detector, fresh[NAME])
    if options.int8:
        fresh[f"{NAME}_int8"] = WORK / f"{NAME}_int8.fresh.onnx"
        quantise(fresh[NAME], fresh[f"{NAME}_int8"])
    for name, path in fresh.items():
        difference = check_batches(path)
        if difference > 1e-4:
            raise SystemExit(f"{name}: batch 1 and batch 16 differ by {difference}")
        accuracy, threshold = measure(path, sets)
        print("threshold", threshold, accuracy["demo_city"], flush=True)
        put(options.models, name, path, make_card(name, path, accuracy, threshold, training))


if __name__ == "__main__":
    main()
