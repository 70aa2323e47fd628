"""Figures of the page of counts: totals, journeys between zones, lengths of stays, and the newest events in words."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
ALL: Final = "*"
#: Bounds of the bars of stays, in seconds.
_BARS: Final = (0, 5, 15, 30, 60, 120, 300, 900, 3600)
_SHOWN: Final = 100
_KINDS: Final = {"enter": "entered", "exit": "left", "finish": "counted"}


def totals(rows: Iterable[Row], ways: Mapping[str, str]) -> list[tuple[str, str]]:
    """Add up days of one place: how much was watched, each way, and the most inside."""
    listed = list(rows)
    watched = sum(row["watched_s"] for row in listed)
    most = max((row["inside_max"] for row in listed if row["inside_max"] is not None), default=None)
    told = [("watched", span(watched))]
    told += [(word, f"{sum(row[name] for row in listed):,}") for name, word in ways.items()]
    return told if most is None else [*told, ("at most inside", f"{most:,}")]


def span(seconds: float) -> str:
    """Write a length of time for people: `45 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 and seconds % 1 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:,.1f} h"


def matrix(journeys: Iterable[Row], zone: str) -> Row:
    """Lay journeys out as a table: a row for each origin, None for outside, a column for each destination.

    With a `zone` only those that begin or end there are told. `heat` is 0..4, by the largest number.
    """
    numbers: dict[tuple[str | None, str], int] = {}
    for row in journeys:
        origin, destination = row["origin"], row["destination"]
        if zone in {ALL, origin, destination} and destination is not None:
            numbers[origin, destination] = numbers.get((origin, destination), 0) + row["objects"]
    columns = sorted({destination for _, destination in numbers})
    origins = sorted({origin for origin, _ in numbers}, key=lambda name: (name is not None, name or ""))
    most = max(numbers.values(), default=1)

    def cell(origin: str | None, destination: str) -> Row:
        number = numbers.get((origin, destination), 0)
        return {"number": number, "heat": -(-4 * number // most)}

    rows = [{"name": origin, "cells": [cell(origin, name) for name in columns]} for origin in origins]
    return {"columns": columns, "rows": rows}


def dwell(events: "pa.Table", zone: str) -> Row:
    """Count stays by their length, from the exits among the events."""
    import pyarrow.compute as pc

    exits = (pc.field("kind") == "exit") & pc.field("dwell_s").is_valid()
    chosen = exits if zone == ALL else exits & (pc.field("zone") == zone)
    stays: Sequence[float] = sorted(events.filter(chosen)["dwell_s"].to_pylist())
    if not stays:
        return {"bars": []}
    bounds = [*_BARS, float("inf")]
    bars: list[Row] = [
        {"text": _between(low, high), "number": sum(low <= stay < high for stay in stays)}
        for low, high in pairwise(bounds)
    ]
    used = [place for place, bar in enumerate(bars) if bar["number"]]
    shown = bars[: used[-1] + 1]
    most = max(int(bar["number"]) for bar in shown)
    return {"bars": shown, "most": most, "number": len(stays), "median": span(stays[len(stays) // 2])}


def _between(low: float, high: float) -> str:
    if high == float("inf"):
        return f"over {span(low)}"
    return f"under {span(high)}" if low == 0 else f"{span(low)} to {span(high)}"


def newest_events(events: "pa.Table", zone: str) -> list[Row]:
    """Return the newest events, the newest first, in words."""
    import pyarrow.compute as pc

    chosen = events if zone == ALL else events.filter(pc.field("zone") == zone)
    rows = chosen.slice(max(chosen.num_rows - _SHOWN, 0)).to_pylist()
    return [_told(row) for row in reversed(rows)]


def _told(row: Row) -> Row:
    what = f"crossed {row['direction']}" if row["kind"] == "cross" else _KINDS[row["kind"]]
    if row["value"] != 1:
        what += f" ({row['value']})"
    return {
        "when": f"{row['happened_at']:%Y-%m-%d %H:%M:%S}",
        "at": f"{row['happened_at']:%Y-%m-%dT%H:%M:%S}",
        "what": what,
        "zone": row["zone"],
        "label": row["label"],
        "stayed": "" if row["dwell_s"] is None else span(row["dwell_s"]),
        "origin": row["origin"],
    }
