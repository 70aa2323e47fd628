"""Streams of looks at made-up objects, for the tests of counting."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from wayside.counting.events import Look, ZoneEvent

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
Seen = tuple[float, float] | tuple[float, float, float, float] | None


def look(
    seconds: float,
    centres: Iterable[Seen] = (),
    *,
    segment: str = "a",
    label: str = "person",
    score: float = 0.9,
    size: tuple[float, float] = (0.04, 0.1),
) -> Look:
    """One look at objects: each a centre, or a whole box, or None for one that is not seen."""
    boxes = []
    for seen in centres:
        if seen is not None and len(seen) == 2:
            boxes.append((seen[0] - size[0] / 2, seen[1] - size[1] / 2, seen[0] + size[0] / 2, seen[1] + size[1] / 2))
        elif seen is not None:
            boxes.append(seen)
    array = np.array(boxes, np.float32).reshape(-1, 4)
    at = START + timedelta(seconds=seconds)
    return Look(at, segment, array, (label,) * len(boxes), np.full(len(boxes), score, np.float32))


def walk(xs: Sequence[float | None], *, y: float = 0.5, fps: float = 1.0, **options: Any) -> list[Look]:
    """One object that is at these places, one look after the other."""
    return [look(at / fps, [None if x is None else (x, y)], **options) for at, x in enumerate(xs)]


def fed(counter: Any, looks: Iterable[Look]) -> Iterator[list[ZoneEvent]]:
    """The events of each look."""
    for one in looks:
        yield counter.feed(one)


def values(counter: Any, looks: Iterable[Look]) -> list[int]:
    """How many each look counts."""
    return [sum(event.value for event in events) for events in fed(counter, looks)]


def street(seed: int, *, looks: int = 60, fps: float = 5.0, objects: int = 5) -> list[Look]:
    """A made-up street: objects come and go, tremble, are missed, are seen badly, and one pause without any look."""
    generator = np.random.default_rng(seed)
    starts = generator.uniform(0, looks / fps, objects)
    places = generator.uniform(0, 1, (objects, 2))
    speeds = generator.uniform(-0.25, 0.25, (objects, 2))
    sizes = generator.uniform(0.03, 0.15, (objects, 2))
    found = []
    for at in range(looks):
        seconds = at / fps + (8.0 if at > looks * 2 // 3 else 0.0)
        boxes, labels, scores = [], [], []
        for start, place, speed, size in zip(starts, places, speeds, sizes, strict=True):
            centre = place + speed * (at / fps - start) + generator.normal(0, 0.004, 2)
            if at / fps < start or not (0 < centre[0] < 1 and 0 < centre[1] < 1) or generator.random() < 0.1:
                continue
            boxes.append(np.clip([*(centre - size / 2), *(centre + size / 2)], 0, 1))
            labels.append(str(generator.choice(["car", "truck"])))
            scores.append(generator.uniform(0.25, 0.95))
        found.append(
            Look(
                START + timedelta(seconds=seconds),
                f"segment {at // 20}",
                np.array(boxes, np.float32).reshape(-1, 4),
                tuple(labels),
                np.array(scores, np.float32),
            )
        )
    return found
