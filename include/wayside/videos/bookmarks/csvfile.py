"""Bookmarks as CSV (RFC 4180, UTF-8, lines end with LF): one row a label, so that a spreadsheet can sort and count.

A text that a spreadsheet would run as a formula gets an apostrophe in front, and so does one that begins with an
apostrophe, so that taking one away gives the text again. An image without labels has one row without a label; an empty
label is an apostrophe alone. A file without images has one row that has nothing but its job.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from wayside.core.errors import ConfigError
from wayside.videos.bookmarks.jsonfile import event_of
from wayside.videos.bookmarks.model import (
    BookmarkImage,
    BookmarkLabel,
    Bookmarks,
    Box,
    Polygon,
    text_of,
    time_of,
)
from wayside.videos.jsontext import load_json

COLUMNS: Final = (
    *("timestamp", "camera_name", "camera_id", "label", "probability", "source_file", "source_sha256", "event_id"),
    *("source_sha1", "x1", "y1", "x2", "y2", "polygon", "event_start", "event_end"),
    *("job_id", "earliest_date", "latest_date"),
)
NEEDED: Final = ("timestamp", "camera_name", "label")
_JOB: Final = ("job_id", "earliest_date", "latest_date")
_BOX: Final = ("x1", "y1", "x2", "y2")
_GUARDED: Final = ("camera_name", "camera_id", "label", "source_file", "event_id", "job_id")
_FORMULA: Final = ("=", "+", "-", "@", "'")
Made = TypeVar("Made")


def write_csv(bookmarks: Bookmarks) -> bytes:
    """Return the bookmarks as CSV."""
    earliest, latest = bookmarks.earliest, bookmarks.latest
    job = {
        "job_id": _guarded(bookmarks.job),
        "earliest_date": text_of(earliest) if earliest else None,
        "latest_date": text_of(latest) if latest else None,
    }
    target = io.StringIO(newline="")
    writer = csv.DictWriter(target, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, **job} for row in _rows(bookmarks))
    return target.getvalue().encode()


def read_csv(text: str) -> Bookmarks:
    """Return the bookmarks of a CSV text; rows of one image need not be together.

    Raises:
        ConfigError: there is no header as ours, or a row is wrong; its line is named.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = _header(next(reader, []))
        file = _File()
        for cells in reader:
            if cells:
                _read_row(file, columns, cells, reader.line_num)
    except csv.Error as error:
        raise ConfigError(f"bookmarks: line {reader.line_num}: {error}") from None
    job, earliest, latest = (file.job or {}).get("job_id"), *_span(file.job or {})
    return Bookmarks(job, earliest, latest, tuple(one.made() for one in file.images.values()))


@dataclass
class _Image:
    """An image whose rows are being gathered."""

    said: dict[str, str]
    line: int
    labels: list[BookmarkLabel] = field(default_factory=list)

    def made(self) -> BookmarkImage:
        said = self.said
        return _at(
            self.line,
            lambda: BookmarkImage(
                time_of(said["timestamp"], "timestamp"),
                said["camera_name"],
                said["camera_id"] or None,
                tuple(self.labels),
                event_of(said["event_id"], said["event_start"], said["event_end"], said["timestamp"]),
                said["source_file"] or None,
                said["source_sha256"] or None,
                tuple(said["source_sha1"].split()),
            ),
        )


@dataclass
class _File:
    images: dict[tuple[str, ...], _Image] = field(default_factory=dict)
    job: dict[str, str] | None = None


def _rows(bookmarks: Bookmarks) -> Iterator[dict[str, Any]]:
    for image in bookmarks.images:
        event = image.event
        common = {
            "timestamp": text_of(image.at),
            "camera_name": _guarded(image.camera),
            "camera_id": _guarded(image.camera_id),
            "source_file": _guarded(image.source_file),
            "source_sha256": image.source_sha256,
            "event_id": _guarded(image.event_id),
            "source_sha1": " ".join(image.sha1),
            "event_start": text_of(event.start) if event else None,
            "event_end": text_of(event.end) if event else None,
        }
        yield from ({**common, **_label_cells(label)} for label in image.labels)
        if not image.labels:
            yield common
    if not bookmarks.images:
        yield {}


def _label_cells(label: BookmarkLabel) -> dict[str, Any]:
    return {
        "label": _guarded(label.name) or "'",
        "probability": label.probability,
        **dict(zip(_BOX, label.box or (), strict=False)),
        "polygon": json.dumps(label.polygon) if label.polygon is not None else None,
    }


def _guarded(text: str | None) -> str | None:
    return f"'{text}" if text is not None and text.startswith(_FORMULA) else text


def _header(names: list[str]) -> list[str]:
    if missing := [name for name in NEEDED if name not in names]:
        raise ConfigError(f"bookmarks: neither JSON nor XML, and as CSV its first line lacks {', '.join(missing)}")
    if strange := sorted(set(names) - set(COLUMNS)):
        raise ConfigError(f"bookmarks: columns that are not known: {', '.join(map(repr, strange[:5]))}")
    if len(set(names)) < len(names):
        raise ConfigError("bookmarks: a column comes twice")
    return names


def _read_row(file: _File, columns: list[str], cells: list[str], line: int) -> None:
    if len(cells) != len(columns):
        raise ConfigError(f"bookmarks: line {line}: {len(cells)} cells where the first line has {len(columns)}")
    row = dict.fromkeys(COLUMNS, "") | dict(zip(columns, cells, strict=True))
    labelled = row["label"] != ""
    row |= {name: row[name].removeprefix("'") for name in _GUARDED}
    job = {name: row.pop(name) for name in _JOB}
    if file.job is None:
        file.job = job
    elif file.job != job:
        raise ConfigError(f"bookmarks: line {line}: {', '.join(_JOB)} differ from the lines above")
    label = {name: row.pop(name) for name in ("label", "probability", *_BOX, "polygon")}
    if not any(row.values()) and not labelled:
        return
    key = row["timestamp"], row["camera_name"], row["event_id"]
    image = file.images.setdefault(key, _Image(row, line))
    if image.said != row:
        raise ConfigError(f"bookmarks: line {line}: another row of the same image, line {image.line}, says otherwise")
    if labelled:
        image.labels.append(_at(line, lambda: _label(label)))


def _label(cells: dict[str, str]) -> BookmarkLabel:
    probability = _number(cells["probability"], "probability") if cells["probability"] else None
    edges = [cells[name] for name in _BOX]
    box: Box | None = None
    if any(edges):
        x1, y1, x2, y2 = (_number(cells[name], name) for name in _BOX)
        box = x1, y1, x2, y2
    return BookmarkLabel(cells["label"], probability, box, _corners(cells["polygon"]) if cells["polygon"] else None)


def _corners(text: str) -> Polygon:
    said = load_json(text, "polygon")
    try:
        return tuple((float(x), float(y)) for x, y in said)
    except (TypeError, ValueError):
        raise ConfigError("the polygon is no list of corners: write [[x, y], ...]") from None


def _number(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{what} is {text[:40]!r}, which is no number") from None


def _span(job: dict[str, str]) -> tuple[Any, Any]:
    earliest, latest = job.get("earliest_date"), job.get("latest_date")
    return (
        time_of(earliest, "earliest_date") if earliest else None,
        time_of(latest, "latest_date") if latest else None,
    )


def _at(line: int, make: Callable[[], Made]) -> Made:
    """Make something out of a row; what is wrong is said with its line."""
    try:
        return make()
    except ConfigError as error:
        raise ConfigError(f"bookmarks: line {line}: {error}") from None
