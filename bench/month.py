"""Days of 1,000 cameras as production leaves them, to measure the pages on.

The last day is published slot by slot, as runs do. Days before it are compacted, by the function that writes the files
of days, and rolled up; the files have the bytes that publishing and compacting leave, only sooner. There are two years
of daily series and some hundred runs. What befalls cameras comes in spells, as it does outside: a camera is out of
order for hours or days, a source for a few slots, and the streets are emptier at night.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa

from wayside.core.slots import SLOTS_PER_DAY, Slot
from wayside.core.tables import (
    CAMERAS,
    COUNT_CLASSES,
    COUNTS,
    DETECTIONS,
    EXPIRIES,
    FRAMES,
    RUNS,
    SCHEMA_VERSION,
    SERIES_CLASSES,
    SLOT_RUNS,
    TIMESERIES,
    Table,
)
from wayside.counting.adjust import adjust
from wayside.stills.days import roll_up
from wayside.warehouse.audit import audit
from wayside.warehouse.dayfile import write_day
from wayside.warehouse.layout import Day, locked, put
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope

SOURCE = "bench"
PIPELINE = "FaultyImageFilterV1_YoloxV1_StaticObjectFilterV1"
MODEL = "0" * 64
COUNTED, FAULTY, MISSING, FAILED, NOT_RUN = range(5)
REASONS = {
    FAULTY: ("placeholder", "frozen", "too_dark", "too_uniform"),
    MISSING: ("not_offered", "unavailable"),
    FAILED: ("timeout", "http_503"),
}
# Shares of what is seen, in the order of the classes.
SEEN = np.array([0.03, 0.6, 0.05, 0.02, 0.2, 0.05, 0.05])
SERIES_DAYS = 730
RUN_ROWS = 300

# What is published together: each table and scope with its rows.
Published = dict[tuple[Table, Scope], pa.Table]


@dataclass(frozen=True)
class Month:
    """The cameras, the slots, what befell each camera at each slot, and how much is to be seen on it at noon."""

    cameras: np.ndarray
    slots: Sequence[Slot]
    fates: np.ndarray
    level: np.ndarray


def table(kind: Table, rows: int, columns: dict[str, object]) -> pa.Table:
    """Build a table from columns; scalars are repeated, absent columns are null."""
    arrays = []
    for field in kind.schema:
        value = {"schema_version": SCHEMA_VERSION, "source": SOURCE, **columns}.get(field.name)
        listed = value if isinstance(value, (np.ndarray, list, pa.Array)) else [value] * rows
        arrays.append(pa.array(listed, field.type))
    return pa.Table.from_arrays(arrays, schema=kind.schema)


def drawn(cameras: int, days: Sequence[date], seed: int = 3) -> Month:
    """Draw what befalls each camera: single slots that are lost, spells, and slots at which nothing ran."""
    dice = np.random.default_rng(seed)
    slots = [slot for day in days for slot in Slot.of_day(day)]
    fates = dice.choice(5, (cameras, len(slots)), p=[0.975, 0.012, 0.008, 0.004, 0.001])
    for row in fates:
        for _ in range(dice.poisson(len(days) / 6)):
            start, length = dice.integers(len(slots)), 1 + int(dice.exponential(40 if dice.random() < 0.9 else 600))
            row[start : start + length] = dice.choice([FAULTY, MISSING, FAILED], p=[0.5, 0.35, 0.15])
    for _ in range(max(1, len(days) // 10)):
        start = dice.integers(len(slots) - 9)
        fates[:, start : start + 3 + dice.integers(6)] = dice.choice([FAILED, NOT_RUN])
    ids = np.array([f"{number:05}.{number % 97:05}" for number in range(cameras)])
    return Month(ids, slots, fates, dice.lognormal(1.6, 0.7, cameras))


def busy(slot: Slot) -> float:
    """Say how much is on the streets, 0 to about 1.2: two peaks on working days, one on others."""
    hour = slot.start.hour + slot.start.minute / 60
    peaks = ((8.5, 1.8, 0.9), (13.0, 4.0, 0.55), (17.5, 2.2, 1.0)) if slot.start.weekday() < 5 else ((14.0, 4.5, 0.8),)
    return 0.06 + sum(height * float(np.exp(-(((hour - at) / width) ** 2))) for at, width, height in peaks)


def fill(warehouse: ParquetWarehouse, cameras: int, days: Sequence[date]) -> None:
    """Publish everything; days before the last are compacted and rolled up."""
    month = drawn(cameras, days)
    names = [f"Street {number % 83} / Square {number % 31}" for number in range(cameras)]
    listed = table(CAMERAS, cameras, {"camera": month.cameras, "name": names, "lat": 51.5, "lon": -0.1})
    warehouse.publish(CAMERAS, Scope(SOURCE), listed)
    for number, day in enumerate(days):
        made = [_slot(month, slot) for slot in range(number * SLOTS_PER_DAY, (number + 1) * SLOTS_PER_DAY)]
        if day == days[-1]:
            for rows in made:
                for (kind, scope), found in rows.items():
                    warehouse.publish(kind, scope, found)
        else:
            _compacted(warehouse, {key: rows for slot in made for key, rows in slot.items()})
            _night(warehouse, day)
    _series(warehouse, days[-1])
    for row in _runs(days[-1]):
        warehouse.publish(RUNS, Scope(SOURCE, run=row["run"]), to_arrow(RUNS, [row]))


def _compacted(warehouse: ParquetWarehouse, made: Published) -> None:
    """Put the files of one day in place."""
    for kind in (FRAMES, DETECTIONS, COUNTS, SLOT_RUNS):
        slots = [(scope, rows) for (one, scope), rows in made.items() if one is kind]
        for scope, rows in slots:
            audit(kind, scope, rows)
        day = Day(warehouse.layout.path(kind, slots[0][0]).parent)
        with locked(day.folder.parent):
            put(day.file, write_day(kind, [(scope.slot.hhmm, rows) for scope, rows in slots if scope.slot]))


def _slot(month: Month, number: int) -> Published:
    """Return what a run publishes of one slot; nothing where nothing ran."""
    slot, fate = month.slots[number], month.fates[:, number]
    ran = fate != NOT_RUN
    if not ran.any():
        return {}
    dice = np.random.default_rng(number)
    rows, got = int(ran.sum()), np.isin(fate, [COUNTED, FAULTY])[ran]
    # The reason stays the same for as long as the spell does.
    place = np.arange(len(fate)) + number // SLOTS_PER_DAY
    why = [_reason(kind, number) for kind, number in zip(fate[ran], place[ran], strict=True)]
    minutes = np.where(dice.random(rows) < 0.004, 25 + dice.integers(300, size=rows), dice.integers(1, 9, size=rows))
    frames = {
        "camera": month.cameras[ran],
        "slot": slot.start,
        "status": np.select([got, fate[ran] == MISSING], ["ok", "missing"], "failed"),
        "reason": [None if ok else reason for ok, reason in zip(got, why, strict=True)],
        "http_status": 200,
        "sha256": [f"{slot.start.timestamp() * 1000 + one:064.0f}" for one in range(rows)],
        "bytes": 20_000 + dice.integers(9000, size=rows),
        "width": 352,
        "height": 288,
        "captured_at": slot.start,
        "fetched_at": [slot.start + timedelta(minutes=int(late)) for late in minutes],
        "uri": [f"file:///pictures/{SOURCE}/{slot.day}/{slot.hhmm}/{camera}.jpg" for camera in month.cameras[ran]],
    }

    seen = np.where(fate == COUNTED, np.minimum(dice.poisson(month.level * busy(slot)), 24), 0)
    owner = np.repeat(np.arange(len(fate)), seen)
    ordinal = np.arange(len(owner)) - np.repeat(np.cumsum(seen) - seen, seen)
    label, static = dice.choice(len(COUNT_CLASSES), len(owner), p=SEEN), ordinal % 5 == 4
    scope = Scope(SOURCE, slot, PIPELINE)
    counts: dict[str, object] = {
        "camera": month.cameras[ran],
        "slot": slot.start,
        "pipeline": PIPELINE,
        "faulty": fate[ran] == FAULTY,
        "missing": ~got,
        "reason": why,
        "neighbours": "both",
        "model_sha256": MODEL,
    }
    for index, name in enumerate(COUNT_CLASSES):
        sums = np.bincount(owner[(label == index) & ~static], minlength=len(fate))
        counts[name] = pa.array(sums[ran], pa.int32(), mask=fate[ran] != COUNTED)
    corner = dice.random((2, len(owner))) * 0.8
    detections = {
        "camera": month.cameras[owner],
        "slot": slot.start,
        "pipeline": PIPELINE,
        "ordinal": ordinal,
        "label": np.array(COUNT_CLASSES)[label],
        "score": dice.random(len(owner)) * 0.6 + 0.4,
        "x1": corner[0],
        "y1": corner[1],
        "x2": corner[0] + 0.15,
        "y2": corner[1] + 0.15,
        "moving_share": dice.random(len(owner)),
        "static": static,
        "model": "yolox",
        "model_sha256": MODEL,
    }
    numbers = {
        "slot": slot.start,
        "pipeline": PIPELINE,
        "cameras": rows,
        "fetched": int(got.sum()),
        "missing": int((fate == MISSING).sum()),
        "failed": int((fate == FAILED).sum()),
        "analysed_slot": slot.previous.start,
        "analysed": int((fate == COUNTED).sum()),
        "faulty": int((fate == FAULTY).sum()),
        "detections": int((~static).sum()),
        "model_sha256": MODEL,
    }
    return {
        (FRAMES, Scope(SOURCE, slot)): table(FRAMES, rows, frames),
        (DETECTIONS, scope): table(DETECTIONS, len(owner), detections),
        (COUNTS, scope): table(COUNTS, rows, counts),
        (SLOT_RUNS, scope): table(SLOT_RUNS, 1, numbers),
    }


def _reason(fate: int, number: int) -> str | None:
    return None if fate == COUNTED else REASONS[fate][number % len(REASONS[fate])]


def _night(warehouse: ParquetWarehouse, day: date) -> None:
    """Publish what the nightly DAGs do about a day that is over."""
    roll_up(warehouse, SOURCE, day)
    row = {
        "source": SOURCE,
        "day": day,
        "prefix": f"{SOURCE}/{day:%Y%m%d}",
        "action": "deleted",
        "pictures": 140_000,
        "bytes": 3_000_000_000,
        "kept": 0,
        "run": f"expire_images-{day:%Y%m%d}T040000Z-0000",
        "decided_at": datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1, hours=4),
    }
    warehouse.publish(EXPIRIES, Scope(SOURCE, day=day), to_arrow(EXPIRIES, [row]))


def _series(warehouse: ParquetWarehouse, last: date) -> None:
    """Publish two years of daily series up to `last`, with a holiday, a lockdown and the real adjustment."""
    dice = np.random.default_rng(11)
    days = [last - timedelta(days=back) for back in reversed(range(SERIES_DAYS))]
    week = np.array([1.0, 1.04, 1.05, 1.06, 1.08, 0.86, 0.72])[[day.weekday() for day in days]]
    year = 1 + 0.07 * np.sin(2 * np.pi * np.arange(SERIES_DAYS) / 365)
    level = np.where(np.arange(SERIES_DAYS) < 480, 1.0, 0.9)
    shape = week * year * level * (1 + 0.02 * dice.standard_normal(SERIES_DAYS))
    shape[[day.month == 12 and day.day in {25, 26} for day in days]] *= 0.35
    share = np.clip(0.03 + 0.02 * dice.standard_normal(SERIES_DAYS), 0, 1)
    share[200:206] = 1.0
    rows = []
    for name in SERIES_CLASSES:
        original = 420_000 * float(SEEN[COUNT_CLASSES.index(name)] if name in COUNT_CLASSES else 0.25) * shape
        original[200:206] = np.nan
        found = adjust(original)
        rows += [
            {
                "source": SOURCE,
                "pipeline": PIPELINE,
                "series": name,
                "day": day,
                "original": _known(original[step]),
                "sa": _known(found.sa[step]),
                "trend": _known(found.trend[step]),
                "imputed_share": round(float(share[step]), 6),
                "cameras": 1000,
                "outlier": found.outliers.get(step),
            }
            for step, day in enumerate(days)
        ]
    warehouse.publish(TIMESERIES, Scope(SOURCE, pipeline=PIPELINE), to_arrow(TIMESERIES, rows))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 3)


def _runs(last: date) -> Iterator[dict[str, object]]:
    """Yield rows of runs, in every state; nightly back-fills and now and then a reprocessing."""
    end = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1, hours=3)
    for back in range(RUN_ROWS):
        kind = "reprocess_range" if back % 7 == 0 else "backfill_late_images"
        state = {0: "running", 3: "failed", 7: "planned", 14: "running"}.get(back, "done")
        started = end - timedelta(days=back)
        day = started.replace(hour=0) - timedelta(days=1)
        days = 7 if kind == "reprocess_range" else 1
        slots = 144 * days
        done = {"planned": 0, "running": slots * 2 // 5, "failed": slots // 3}.get(state, slots)
        images = slots * 1000 if state == "planned" else done * (1000 if days > 1 else 9)
        yield {
            "source": SOURCE,
            "run": f"{kind}-{started:%Y%m%dT%H%M%SZ}-{back:08x}",
            "kind": kind,
            "state": state,
            "first": day - timedelta(days=days - 1),
            "last": day + timedelta(hours=23, minutes=50),
            "pipeline": PIPELINE if days > 1 else None,
            "model_sha256": f"{back:064x}",
            "mode": "only_missing" if days > 1 else "changed",
            "cameras": ",".join(f"{one:05}.{one:05}" for one in range(50)) if back == 21 else None,
            "who": "ada@statistics.example" if days > 1 else "scheduled",
            "why": "the detector of March counts vans as well" if days > 1 else None,
            "slots": slots,
            "slots_done": done,
            "fetched": 0 if days > 1 else done * 9,
            "images": images,
            "changed": 0 if state == "planned" else images // 40,
            "seconds": 0.0 if state == "planned" else images / 105,
            "inference_seconds": 0.0 if state == "planned" else images / 140,
            "started_at": started,
            # The newest is at work; another says nothing any more, since it was killed.
            "updated_at": started + timedelta(minutes=7 + back % 50),
            "note": _note(state, images),
        }


def _note(state: str, images: int) -> str | None:
    return {
        "running": None,
        "planned": f"{images:,} pictures, some 2 h 40 min on this machine",
        "failed": "StoreFullError: no space left to write .wayside/warehouse/published: free some",
    }.get(state, f"{images:,} pictures analysed")
