"""Cameras that are watched, their processors and the versions of their zones, in the tables `processors` and `zones`.

Whoever changes something holds one lock for the installation meanwhile, so numbers are given once and two people who
edit the same zones cannot overwrite each other: the second is told. Nothing is ever deleted: an edit makes the next
version, and an old version can be counted again.

The zones are published before the processor that points at them. A version that no processor points at is the trace of
a writer who was killed in between: nobody sees it, and the next change takes it away.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from wayside.core.clock import Clock, utc_now
from wayside.core.errors import ConfigError
from wayside.core.ids import camera_id, source_id
from wayside.core.settings import Settings, settings
from wayside.core.tables import PROCESSOR_KINDS, PROCESSORS, ZONES, Table
from wayside.counting.zones import ZoneSet
from wayside.warehouse.layout import locked
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope
from wayside.zones.errors import StaleVersionError, UnknownProcessorError
from wayside.zones.models import check_model
from wayside.zones.options import check_options, parse_options
from wayside.zones.processor import Kind, Pipeline, Processor, WatchedCamera, ZoneVersion, options_text

Row = dict[str, Any]

MOST_NAME: Final = 100
MOST_NOTE: Final = 500
MOST_PROCESSORS: Final = 100_000


class Registry:
    """The registry of one installation.

    Args:
        lake: where its tables lie.
        chosen: says where model cards lie, which new processors are checked against; by default those of the process.
        clock: what time it is.
    """

    def __init__(self, lake: ParquetWarehouse, chosen: Settings | None = None, *, clock: Clock = utc_now) -> None:
        self.lake = lake
        self._chosen = chosen
        self._clock = clock

    # Reading

    def processors(self, source: str | None = None) -> list[Processor]:
        """List the processors, by number; only those of a source where one is given."""
        return [Processor.of_row(row) for row in self._rows(PROCESSORS, source)]

    def processor(self, number: int) -> Processor:
        """Return one processor; raise `UnknownProcessorError` if there is none of this number."""
        return Processor.of_row(self._row(number))

    def zones(self, number: int, version: int | None = None) -> ZoneVersion:
        """Return a version of a processor's zones, by default the current one.

        Raises:
            UnknownProcessorError: there is no such processor or version.
        """
        row = self._row(number)
        wanted = row["version"] if version is None else version
        found = next((one for one in self._versions(row) if one["version"] == wanted), None)
        if found is None:
            raise UnknownProcessorError(f"processor {number} has versions 1 to {row['version']}, and no {version}")
        return ZoneVersion.of_row(found, row["kind"])

    def versions(self, number: int) -> list[ZoneVersion]:
        """Return all versions of a processor's zones, oldest first."""
        row = self._row(number)
        return [ZoneVersion.of_row(one, row["kind"]) for one in self._versions(row)]

    def cameras(self) -> list[WatchedCamera]:
        """List the cameras that have processors, by number."""
        rows = self._rows(PROCESSORS)
        return sorted({WatchedCamera(row["camera_number"], row["source"], row["camera"]) for row in rows})

    # Writing

    def add(
        self,
        source: str,
        camera: str,
        kind: Kind,
        name: str,
        options: BaseModel | Mapping[str, Any],
        zones: ZoneSet,
        author: str,
        pipeline: Pipeline | str,
        *,
        enabled: bool | None = None,
        note: str | None = None,
    ) -> Processor:
        """Add a processor, with version 1 of its zones.

        Args:
            source: source of the camera.
            camera: the camera; one that has no processor yet gets a number.
            kind: traffic, objects or faces.
            name: for people, 1 to 100 characters.
            options: of the kind, see `wayside.zones.options`, as object or as document.
            zones: the shapes; without any, every object is inside.
            author: who says so.
            pipeline: which detections are counted, `Fps5_WaysideV1`.
            enabled: whether new segments are counted; by default yes, but for faces no.
            note: why, at most 500 characters.

        Raises:
            ConfigError: a name, an option or the pipeline is wrong, or the options do not go with the zones.
        """
        draft = self._draft(kind, options, zones, pipeline)
        on = kind != "faces" if enabled is None else enabled
        if on:
            check_model(kind, draft.pipeline, self._settings())
        place = {"source": source_id(source), "camera": camera_id(camera)}
        with self._changing():
            known = self._rows(PROCESSORS)
            if len(known) >= MOST_PROCESSORS:
                raise ConfigError(f"there are {len(known)} processors, and no more are allowed")
            row = {
                **place,
                "camera_number": _camera_number(known, source, camera),
                "processor": max((one["processor"] for one in known), default=0) + 1,
                "kind": kind,
                "name": _named(name),
                "enabled": on,
                "version": 1,
                **self._signed(author),
            }
            self._write(row, draft, note or None)
        return Processor.of_row(row | draft.as_row())

    def edit_zones(
        self,
        number: int,
        zones: ZoneSet,
        author: str,
        note: str | None = None,
        expected_version: int | None = None,
        *,
        options: BaseModel | Mapping[str, Any] | None = None,
        pipeline: Pipeline | str | None = None,
    ) -> int:
        """Make the next version of a processor's zones, unless they are those that it has; return its version now.

        Args:
            number: the processor.
            zones: the shapes.
            author: who drew them.
            note: why, at most 500 characters.
            expected_version: the version that was edited; None: whatever there is.
            options: what counting is told in the new version; None: what it is told now.
            pipeline: which detections the new version counts; None: those of now.

        Raises:
            StaleVersionError: the processor has another version by now.
            UnknownProcessorError: there is no such processor.
            ConfigError: the options do not go with the zones, or the model of a processor that is enabled is not on
                this machine.
        """
        with self._changing():
            row = self._row(number)
            self._expect(row, expected_version)
            now = parse_options(row["kind"], row["options"]) if options is None else options
            draft = self._draft(row["kind"], now, zones, pipeline or row["pipeline"])
            if row["enabled"] and draft.pipeline.id != row["pipeline"]:
                check_model(row["kind"], draft.pipeline, self._settings())
            return self._next(row, draft, author, note)

    def change(
        self,
        number: int,
        *,
        author: str,
        enabled: bool | None = None,
        name: str | None = None,
        options: BaseModel | Mapping[str, Any] | None = None,
        pipeline: Pipeline | str | None = None,
        expected_version: int | None = None,
    ) -> Processor:
        """Change what is given of a processor. Other options or another pipeline make the next version of its zones.

        Raises:
            StaleVersionError: the processor has another version by now than `expected_version`.
            UnknownProcessorError: there is no such processor.
            ConfigError: a value is wrong, or the model of a processor that is enabled is not on this machine.
        """
        with self._changing():
            row = self._row(number)
            self._expect(row, expected_version)
            now = self._draft_of(row)
            draft = self._draft(
                row["kind"], now.options if options is None else options, now.zones, pipeline or row["pipeline"]
            )
            changed = row | ({} if name is None else {"name": _named(name)})
            changed |= {} if enabled is None else {"enabled": enabled}
            if changed["enabled"] and (not row["enabled"] or draft.pipeline != now.pipeline):
                check_model(row["kind"], draft.pipeline, self._settings())
            if draft != now:
                self._next(changed, draft, author, "options changed")
            elif changed != row:
                self._put(PROCESSORS, changed | self._signed(author))
            return Processor.of_row(self._row(number))

    # Inside of the lock

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with locked(self.lake.root / "locks" / "registry"):
            yield

    def _draft(
        self, kind: Kind, options: BaseModel | Mapping[str, Any], zones: ZoneSet, pipeline: Pipeline | str
    ) -> "_Draft":
        if kind not in PROCESSOR_KINDS:
            raise ConfigError(f"there is no kind {kind!r}: {', '.join(PROCESSOR_KINDS)}")
        parsed = parse_options(kind, options)
        check_options(kind, parsed, zones)
        return _Draft(zones, pipeline if isinstance(pipeline, Pipeline) else Pipeline.parse(pipeline), parsed)

    def _draft_of(self, row: Row) -> "_Draft":
        current = ZoneVersion.of_row(self._versions(row)[-1], row["kind"])
        return _Draft(current.zones, current.pipeline, current.options)

    def _expect(self, row: Row, version: int | None) -> None:
        if version is not None and version != row["version"]:
            raise StaleVersionError(
                f"processor {row['processor']} was changed by {row['author']} at {row['updated_at']:%Y-%m-%d %H:%M} "
                f"UTC: it has version {row['version']}, not {version}; load it again"
            )

    def _next(self, row: Row, draft: "_Draft", author: str, note: str | None) -> int:
        """Write the next version, unless everything is as it is."""
        if self._draft_of(row) == draft:
            return int(row["version"])
        self._write(row | {"version": row["version"] + 1, **self._signed(author)}, draft, note)
        return int(row["version"]) + 1

    def _write(self, row: Row, draft: "_Draft", note: str | None) -> None:
        """Write a version, and then the processor that points at it."""
        if note is not None and len(note) > MOST_NOTE:
            raise ConfigError(f"a note has {MOST_NOTE} characters at most, not {len(note)}")
        shapes, lines = draft.zones.as_json()
        version = {
            "source": row["source"],
            "processor": row["processor"],
            "version": row["version"],
            "zones": shapes,
            "lines": lines,
            "note": note,
            "author": row["author"],
            "created_at": row["updated_at"],
            **draft.as_row(),
        }
        self._put(ZONES, version)
        self._put(PROCESSORS, row | draft.as_row())

    def _put(self, table: Table, row: Row) -> None:
        """Put a row into its table, in place of the one with its key; versions that nobody points at go."""
        kept = {tuple(one[name] for name in table.key): one for one in self._rows(table, row["source"])}
        kept[tuple(row[name] for name in table.key)] = row
        self.lake.publish(table, Scope(row["source"]), to_arrow(table, list(kept.values())))

    def _rows(self, table: Table, source: str | None = None) -> list[Row]:
        """Return the rows of a table, by number; of zones those that a processor points at, or did."""
        scopes = self.lake.scopes(table, None if source is None else [source])
        rows = [row for scope in scopes for row in self.lake.read(table, scope).to_pylist()]
        if table is ZONES:
            last = {row["processor"]: row["version"] for row in self._rows(PROCESSORS, source)}
            rows = [row for row in rows if row["version"] <= last.get(row["processor"], 0)]
        return sorted(rows, key=lambda row: (row["processor"], row["version"]))

    def _row(self, number: int) -> Row:
        found = next((row for row in self._rows(PROCESSORS) if row["processor"] == number), None)
        if found is None:
            raise UnknownProcessorError(f"there is no processor {number}")
        return found

    def _versions(self, row: Row) -> list[Row]:
        """Return the versions of a processor, oldest first."""
        return [one for one in self._rows(ZONES, row["source"]) if one["processor"] == row["processor"]]

    def _signed(self, author: str) -> Row:
        return {"author": author[:MOST_NAME] or "unknown", "updated_at": self._clock()}

    def _settings(self) -> Settings:
        return self._chosen or settings()


@dataclass(frozen=True)
class _Draft:
    """What a version is made of, checked."""

    zones: ZoneSet
    pipeline: Pipeline
    options: BaseModel

    def as_row(self) -> Row:
        return {"pipeline": self.pipeline.id, "options": options_text(self.options)}


def _camera_number(known: list[Row], source: str, camera: str) -> int:
    """Return the number of a camera, or the next that is free."""
    for row in known:
        if (row["source"], row["camera"]) == (source, camera):
            return int(row["camera_number"])
    return max((row["camera_number"] for row in known), default=0) + 1


def _named(name: str) -> str:
    text = " ".join(name.split())
    if not 1 <= len(text) <= MOST_NAME or not text.isprintable():
        raise ConfigError(f"a processor's name has 1 to {MOST_NAME} characters that can be seen")
    return text
