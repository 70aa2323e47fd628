"""Time series out of the lake: read the counts of a source, build its daily series, publish them, write them to files.

The series are a pure function of the published counts up to a day. So they are always built as a whole, and a rerun,
or two at once, publish the same file.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wayside.core.clock import Clock, utc_now
from wayside.core.errors import ConfigError
from wayside.core.ids import pipeline_id
from wayside.core.settings import Settings
from wayside.core.tables import COUNT_CLASSES, COUNTS, SERIES_CLASSES, TIMESERIES, Table
from wayside.counting.export import as_page, csv_text, file_name
from wayside.counting.regrid import Rows
from wayside.counting.timeseries import CameraDays, daily
from wayside.store.files import replace_file
from wayside.warehouse import sql
from wayside.warehouse.parquet import ParquetWarehouse, open_lake, to_arrow
from wayside.warehouse.scope import Scope

_LOG = logging.getLogger(__name__)
_DAY = timedelta(days=1)
_BLOCK = 14  # days read at once: 1,000 cameras then take some 200 MB
_TOLD = 8  # warnings in a summary, which travels between tasks


@dataclass(frozen=True)
class Summary:
    """What a build came to.

    Attributes:
        source: the source.
        pipeline: the pipeline.
        series: names of the series.
        first: first day, ISO; empty if nothing was published.
        last: last day.
        days: number of days.
        cameras: cameras with counts; views of one camera are counted each.
        touring: cameras with several views.
        rows: rows published.
        imputed_share: share of the camera slots that was imputed, mean over series and days.
        warnings: what a reader has to know, the first few.
        more_warnings: how many there are beyond these; all are in the log.
    """

    source: str
    pipeline: str
    series: tuple[str, ...] = ()
    first: str = ""
    last: str = ""
    days: int = 0
    cameras: int = 0
    touring: int = 0
    rows: int = 0
    imputed_share: float = 0.0
    warnings: tuple[str, ...] = ()
    more_warnings: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the fields, lists for tuples."""
        return {name: list(one) if isinstance(one, tuple) else one for name, one in asdict(self).items()}


def build(
    settings: Settings, source: str, pipeline: str, through: date | None = None, clock: Clock = utc_now
) -> Summary:
    """Build and publish the daily series of a source from all its counts of a pipeline.

    Args:
        settings: where the tables lie.
        source: the source.
        pipeline: the pipeline.
        through: last day; never later than yesterday (UTC), since a day that is not over has no sum.
        clock: says which day it is.

    Raises:
        ConfigError: there are no counts of this source and pipeline.
        AuditError: the rows are not fit to be seen; what was published before stays.
    """
    lake, scope = open_lake(settings), Scope(source, pipeline=pipeline)
    yesterday = clock().date() - _DAY
    last = min(through, yesterday) if through else yesterday
    present = _days(lake, source, pipeline)
    if not present:
        raise ConfigError(f"there are no counts of {source} with {pipeline} yet: run ingest_cameras first")
    present = [day for day in present if day <= last]
    if not present:
        return Summary(source, pipeline, warnings=(f"no whole day of counts up to {last}",))
    gathered = CameraDays(present[0])
    for first, days in _blocks(present[0], present[-1]):
        gathered.add(_read(lake, scope, first, days), days)
    result = daily(gathered)
    rows = to_arrow(TIMESERIES, result.rows(source, pipeline))
    lake.publish(TIMESERIES, scope, rows)
    for warning in result.warnings:
        _LOG.warning("%s %s: %s", source, pipeline, warning)
    shares = [float(one.imputed_share.mean()) for one in result.series]
    return Summary(
        source,
        pipeline,
        tuple(one.name for one in result.series),
        present[0].isoformat(),
        present[-1].isoformat(),
        (present[-1] - present[0]).days + 1,
        len(gathered.cameras),
        len(result.touring),
        rows.num_rows,
        round(float(np.mean(shares)), 4) if shares else 0.0,
        tuple(result.warnings[:_TOLD]),
        max(0, len(result.warnings) - _TOLD),
    )


def _days(lake: ParquetWarehouse, source: str, pipeline: str) -> list[date]:
    """Return the days of which there are published counts, oldest first."""
    return [date.fromisoformat(name) for name in lake.days(COUNTS, [source], [pipeline])]


def _blocks(first: date, last: date) -> Iterator[tuple[date, int]]:
    """Divide the days from `first` to `last` into blocks: first day and number of days."""
    while first <= last:
        days = min(_BLOCK, (last - first).days + 1)
        yield first, days
        first += timedelta(days=days)


def _read(lake: ParquetWarehouse, scope: Scope, first: date, days: int) -> Rows:
    """Read the counts of some days as columns."""
    names = [f"{first + step * _DAY:%Y%m%d}" for step in range(days)]
    pipelines = [scope.pipeline] if scope.pipeline else None
    with lake.connect([scope.source], names, pipelines) as database:
        found = _columns(database, scope, first, days)
    cameras = found["camera"].combine_chunks().dictionary_encode()
    named = np.array(cameras.dictionary.to_pylist(), dtype=object)
    order = np.argsort(named)
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    return Rows(
        tuple(named[order].tolist()),
        ranks[cameras.indices.to_numpy()] if len(order) else np.empty(0, np.int64),
        found["day"].to_numpy(),
        found["step"].to_numpy(),
        {name: found[name].to_numpy().astype(np.float32) for name in COUNT_CLASSES},
    )


def _columns(database: duckdb.DuckDBPyConnection, scope: Scope, first: date, days: int) -> pa.Table:
    start = datetime.combine(first, datetime.min.time(), UTC)
    values = {"first_day": first, "start": start, "stop": start + days * _DAY}
    asked = {"source": scope.source, "pipeline": scope.pipeline, **values}
    return database.sql(sql.for_duckdb("stills/day_counts"), params=asked).to_arrow_table()


@dataclass(frozen=True)
class Exported:
    """The files of an export."""

    csv: Path
    parquet: Path
    page: Path


def export(settings: Settings, folder: Path, pipeline: str, sources: Sequence[str] | None = None) -> Exported:
    """Write the published series of a pipeline to `folder`: one CSV, one Parquet file and one page for all sources.

    The names hold the last day of the series, so that a rerun writes the same files again.

    Args:
        settings: where the tables lie.
        folder: where the files go; made if absent.
        pipeline: the pipeline.
        sources: sources to write; by default all that have series.

    Raises:
        ConfigError: a source that was asked for has no series, or none has.
        StoreError: a file cannot be written.
    """
    lake = open_lake(settings)
    names = list(sources) if sources else _sources(lake, TIMESERIES, pipeline)
    parts = {name: lake.read(TIMESERIES, Scope(name, pipeline=pipeline)) for name in names}
    empty = [name for name, rows in parts.items() if not rows.num_rows]
    if empty or not parts:
        raise ConfigError(f"no series of {', '.join(empty) or 'any source'} with {pipeline}: build them first")
    rows = pa.concat_tables(parts.values())
    last = pc.max(rows["day"]).as_py()
    notes = {name: _notes(part) for name, part in parts.items()}
    written = Exported(*(folder / file_name(last, suffix) for suffix in ("csv", "parquet", "html")))
    listed = rows.to_pylist()
    replace_file(written.csv, csv_text(listed).encode())
    replace_file(written.parquet, _parquet(rows))
    replace_file(written.page, as_page(listed, notes).encode())
    return written


def _parquet(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="zstd")
    return bytes(sink.getvalue())


def with_counts(settings: Settings, pipeline: str) -> list[str]:
    """Return the sources that have published counts of a pipeline."""
    return _sources(open_lake(settings), COUNTS, pipeline)


def _sources(lake: ParquetWarehouse, table: Table, pipeline: str) -> list[str]:
    """Return the sources of which rows of a pipeline were published, by the names of their folders."""
    folders = (lake.root / "published" / table.name).glob(f"source=*/pipeline={pipeline_id(pipeline)}")
    return sorted(folder.parent.name.removeprefix("source=") for folder in folders)


def _notes(rows: pa.Table) -> list[str]:
    """Say of which days a source's series have no value, and which are not adjusted."""
    unknown = sorted({day.isoformat() for day in rows.filter(pc.is_null(rows["original"]))["day"].to_pylist()})
    adjusted = set(rows.filter(pc.is_valid(rows["sa"]))["series"].to_pylist())
    bare = [name for name in SERIES_CLASSES if name in set(rows["series"].to_pylist()) - adjusted]
    said = []
    if unknown:
        said.append(f"{len(unknown)} days have no value in some series, the first {unknown[0]}")
    if bare:
        said.append(f"too short to adjust: {', '.join(bare)}")
    return said
