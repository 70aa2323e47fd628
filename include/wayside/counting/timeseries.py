"""Daily series of one source: what its cameras add up to, class by class, and the same seasonally adjusted.

`CameraDays` takes the rows of counts block by block, oldest first, so that years of them fit in memory: it keeps the
last five weeks, which the imputation looks back upon, and of everything older only the sums of each camera and day.
Because a day is filled from these five weeks alone, the division into blocks does not show in the result.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Final

import numpy as np

from wayside.core.slots import SLOTS_PER_DAY
from wayside.core.tables import COUNT_CLASSES, SERIES_CLASSES
from wayside.counting.adjust import Adjusted, adjust
from wayside.counting.impute import LEAD, impute
from wayside.counting.regrid import Bools, Doubles, Floats, Ints, Rows, regrid, seen, toured

TOGETHER: Final = {"person_cyclist": ("person", "cyclist")}
_DECIMALS = 3  # what is kept in the table; finer is noise of the arithmetic
_NAMED = 5  # cameras that a warning names


@dataclass(frozen=True)
class Totals:
    """One class: what each camera adds to each day.

    Attributes:
        sums: array [camera, day], the sum of the day's slots; NaN where the camera adds nothing.
        imputed: array [camera, day], how many of these slots were imputed.
    """

    sums: Doubles
    imputed: Ints


@dataclass(frozen=True)
class Series:
    """One daily series of a source; arrays over its days.

    Attributes:
        name: class, or the name of a sum of classes.
        original: sum over the cameras, NaN where no camera adds anything.
        imputed_share: share of the camera slots behind `original` that were imputed; 1 where it is NaN.
        cameras: cameras that add to the day; the views of one camera are one.
        adjusted: what the seasonal adjustment says.
    """

    name: str
    original: Doubles
    imputed_share: Doubles
    cameras: Ints
    adjusted: Adjusted


class CameraDays:
    """Sums of each camera and day, gathered from `first` on.

    Attributes:
        first: the first day.
        cameras: names of the cameras, in the order in which they came up.
    """

    def __init__(self, first: date) -> None:
        self.first = first
        self.cameras: dict[str, int] = {}
        self._tail: dict[str, Floats] = {}
        self._sums: dict[str, list[Doubles]] = {name: [] for name in COUNT_CLASSES}
        self._imputed: dict[str, list[Ints]] = {name: [] for name in COUNT_CLASSES}
        self._seen: list[Bools] = []

    def add(self, rows: Rows, days: int) -> None:
        """Take the rows of the next `days` days; their `day` counts from the first of these."""
        places = np.array([self.cameras.setdefault(name, len(self.cameras)) for name in rows.cameras], np.int64)
        shape = (len(self.cameras), days)
        self._seen.append(seen(rows, places, shape))
        for name in COUNT_CLASSES:
            before = _grown(self._tail.get(name, np.empty((0, 0, SLOTS_PER_DAY), np.float32)), shape[0])
            block = regrid(rows, name, places, shape)
            grid = np.concatenate([before, block], axis=1)
            filled = impute(grid, before.shape[1])
            self._sums[name].append(filled.sum(-1, dtype=float))
            self._imputed[name].append((np.isnan(block) & ~np.isnan(filled)).sum(-1))
            self._tail[name] = grid[:, -LEAD:].copy()

    @property
    def listed(self) -> Bools:
        """Array [camera, day], cameras by name: the days from a camera's first row to its last."""
        there = self._gathered(self._seen, False)
        since = np.logical_or.accumulate(there, axis=1)
        until = np.logical_or.accumulate(there[:, ::-1], axis=1)[:, ::-1]
        return np.asarray(since & until)

    def totals(self, name: str) -> Totals:
        """Return what the cameras, ordered by name, add in class `name`, each from its first row to its last."""
        outside = ~self.listed
        sums = self._gathered(self._sums[name], np.nan)
        sums[outside] = np.nan
        imputed = self._gathered(self._imputed[name], 0)
        imputed[np.isnan(sums)] = 0
        return Totals(sums, imputed)

    def _gathered(self, blocks: list[Any], empty: float) -> Any:
        """Join blocks of days, the older of which may lack cameras; order the cameras by name."""
        if not blocks:
            return np.empty((0, 0))
        joined = np.concatenate([_grown(block, len(self.cameras), empty) for block in blocks], axis=1)
        return joined[[self.cameras[name] for name in sorted(self.cameras)]]


def _grown(block: Any, cameras: int, empty: float = np.nan) -> Any:
    """Add rows for cameras that were not known yet."""
    more = np.full((cameras - len(block), *block.shape[1:]), empty, block.dtype)
    return np.concatenate([block, more]) if len(more) else block


@dataclass(frozen=True)
class Result:
    """All series of a source, what has to be said about them, and of which days they are.

    Attributes:
        first: day of the first value.
        series: those classes that were counted at all, in the order of `SERIES_CLASSES`.
        warnings: sentences for the reader.
        touring: number of views of each camera that has several.
    """

    first: date
    series: list[Series]
    warnings: list[str]
    touring: dict[str, int]

    def rows(self, source: str, pipeline: str) -> list[dict[str, Any]]:
        """Return the rows of table `timeseries`."""
        return [row | {"source": source, "pipeline": pipeline} for one in self.series for row in self._rows(one)]

    def _rows(self, one: Series) -> Iterator[dict[str, Any]]:
        for step in range(len(one.original)):
            yield {
                "series": one.name,
                "day": self.first + timedelta(days=step),
                "original": _rounded(one.original[step]),
                "sa": _rounded(one.adjusted.sa[step]),
                "trend": _rounded(one.adjusted.trend[step]),
                "imputed_share": round(float(one.imputed_share[step]), 6),
                "cameras": int(one.cameras[step]),
                "outlier": one.adjusted.outliers.get(step),
            }


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), _DECIMALS)


def daily(gathered: CameraDays) -> Result:
    """Add the cameras up and adjust each series."""
    names = sorted(gathered.cameras)
    views = Counter(filter(None, map(toured, names)))
    whole = {name: gathered.totals(name) for name in COUNT_CLASSES}
    known = {name: one for name, one in whole.items() if np.isfinite(one.sums).any()}
    series = {name: _series(name, one, names) for name, one in known.items()}
    for name, parts in TOGETHER.items():
        if all(part in series for part in parts):
            series[name] = _sum(name, [series[part] for part in parts])
    ordered = [series[name] for name in SERIES_CLASSES if name in series]
    warnings = [*_never_counted(known), *_silent(known, gathered.listed, names), *_remarks(ordered, gathered.first)]
    touring = {name: number for name, number in views.items() if number > 1}
    return Result(gathered.first, ordered, warnings, touring)


def _series(name: str, totals: Totals, cameras: list[str]) -> Series:
    """Add up one class. The views of a touring camera share it: each counts by one over those that add to the day."""
    adds = np.isfinite(totals.sums)
    # No camera's name holds a slash, so views share with each other alone.
    owners = [f"{whole}/" if (whole := toured(camera)) else camera for camera in cameras]
    _, owner = np.unique(owners, return_inverse=True)
    members = np.zeros((int(owner.max()) + 1, adds.shape[1]))
    np.add.at(members, owner, adds)
    weights = adds / np.maximum(members, 1)[owner]
    number = np.count_nonzero(members, axis=0)
    original = np.where(number > 0, (np.nan_to_num(totals.sums) * weights).sum(0), np.nan)
    slots = np.maximum(number, 1) * SLOTS_PER_DAY
    share = np.where(number > 0, (totals.imputed * weights).sum(0) / slots, 1.0)
    return Series(name, original, share, number, adjust(original))


def _sum(name: str, parts: list[Series]) -> Series:
    """Add series up: a day is known where all are."""
    original = np.sum([part.original for part in parts], axis=0)
    share = np.where(np.isnan(original), 1.0, np.mean([part.imputed_share for part in parts], axis=0))
    cameras = np.min([part.cameras for part in parts], axis=0)
    return Series(name, original, share, cameras, adjust(original))


def _never_counted(known: dict[str, Totals]) -> Iterator[str]:
    if missing := [name for name in COUNT_CLASSES if name not in known]:
        yield f"no series for {', '.join(missing)}: never counted, or too little known of them"


def _silent(known: dict[str, Totals], listed: Bools, names: list[str]) -> Iterator[str]:
    """Say which cameras add nothing, for good or for a time."""
    if not known:
        return
    adds = np.logical_or.reduce([np.isfinite(one.sums) for one in known.values()])
    never = [name for name, any_day in zip(names, adds.any(1), strict=True) if not any_day]
    if never:
        told = ", ".join(never[:_NAMED]) + (", …" if len(never) > _NAMED else "")
        yield f"{len(never)} of {len(names)} cameras add nothing, too little is known of them: {told}"
    dark = int((listed & ~adds & adds.any(1)[:, None]).sum())
    if dark:
        yield f"{dark} of {int(listed.sum())} camera days add nothing: dark for over four weeks, or too little known"


def _remarks(series: list[Series], first: date) -> Iterator[str]:
    for reason, names in _grouped((one.adjusted.reason, one.name) for one in series if one.adjusted.reason):
        yield f"not adjusted: {names}: {reason}"
    for days, names in _grouped((_days(np.isnan(one.original), first), one.name) for one in series):
        if days:
            yield f"no value on {days}: {names}"
    for days, names in _grouped((_days(one.imputed_share > 0.5, first, one.original), one.name) for one in series):
        if days:
            yield f"mostly imputed on {days}: {names}"


def _grouped(pairs: Any) -> Iterator[tuple[str, str]]:
    """Join the second parts of pairs that have the same first."""
    groups: dict[str, list[str]] = {}
    for key, name in pairs:
        groups.setdefault(key, []).append(name)
    return ((key, ", ".join(names)) for key, names in groups.items())


def _days(marked: Bools, first: date, known: Doubles | None = None) -> str:
    """Write days as ranges, `2026-05-01 to 2026-05-03, 2026-05-09`, at most `_NAMED` of them."""
    places = np.flatnonzero(marked if known is None else marked & np.isfinite(known)).tolist()
    breaks = [place for place, (one, other) in enumerate(pairwise(places), start=1) if other - one > 1]
    runs = [places[start:end] for start, end in pairwise([0, *breaks, len(places)])] if places else []
    told = [
        f"{first + timedelta(days=run[0])}" + (f" to {first + timedelta(days=run[-1])}" if len(run) > 1 else "")
        for run in runs
    ]
    return ", ".join(told[:_NAMED]) + (f" and {len(told) - _NAMED} more times" if len(told) > _NAMED else "")
