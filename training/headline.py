"""Put the figures of the product's own scorer at the head of our cards, so that all cards are measured alike.

    PYTHONPATH=include .venv/bin/python training/headline.py

It runs in the environment of Wayside itself, after `card.py`. The figures that `card.py` took while the model was made
stay under `training`; their scorer counts both two-wheelers of the motorway set as one class.
"""

import os
from itertools import chain
from pathlib import Path

import yaml

from wayside.core.settings import settings
from wayside.vision.detector import load_detector
from wayside.vision.evaluate import evaluate, read_set
from wayside.vision.stream import Detected, detect_stream

SETS = Path(os.environ.get("WAYSIDE_TEST_DATA", "../shared/data")) / "detection"
NAMES = ("eval_highway", "eval_atl")
CARDS = ("wayside_v1", "wayside_v1_int8")
LEAST_SCORE = 0.01


def measure(model: str, name: str) -> float:
    """Return the mAP50 of a model on one set, 0..100."""
    detector = load_detector(model, settings(), score=LEAST_SCORE, riders=False)
    looked = detect_stream(read_set(SETS / f"{name}.parquet"), lambda truth: truth.image, detector)
    answers = [(seen.item, seen.detections if isinstance(seen, Detected) else None) for seen in looked]
    return round(100 * evaluate(answers, LEAST_SCORE).map50, 1)


def main() -> None:
    """Measure both forms of our detector and rewrite the head of their cards."""
    for path in (settings().models / f"{card}.yaml" for card in CARDS):
        card = yaml.safe_load(path.read_text(encoding="utf-8"))
        figures = {name: measure(card["name"], name) for name in NAMES}
        ours = [
            {"dataset": name, "metric": "mAP50", "value": value, "measured": True} for name, value in figures.items()
        ]
        others = (figure for figure in card["accuracy"] if figure["dataset"] not in NAMES)
        card["accuracy"] = list(chain(ours, others))
        path.write_text(yaml.safe_dump(card, sort_keys=False, width=120, allow_unicode=True), encoding="utf-8")
        print(card["name"], figures)


if __name__ == "__main__":
    main()
