"""Daily series, raw and seasonally adjusted, and the downloads of counts and series as CSV and Parquet."""

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Response

from wayside.core.ids import camera_id
from wayside.core.slots import Slot
from wayside_airflow.web import queries
from wayside_airflow.web.choice import Chosen, span_of
from wayside_airflow.web.context import Warehouse
from wayside_airflow.web.queries import Row

if TYPE_CHECKING:
    import pyarrow as pa

router = APIRouter()

#: Class whose series is shown first, and the one that people ask for most.
FIRST_SHOWN = "car"
_COLUMNS = ("cameras", "counted")
_NO_SERIES = "there is no daily series yet: trigger the DAG build_timeseries, which also runs every Monday"


def chosen_counts(
    warehouse: Warehouse,
    choice: Chosen,
    range: str = "24h",  # noqa: A002 - the name in the address
    first: str | None = None,
    last: str | None = None,
    camera: str | None = None,
) -> tuple[Slot, Slot, list[Row]]:
    """Read the series of slots that a query string asks for: its bounds and its rows."""
    lens, latest = choice.need()
    begin, end = span_of(latest, range, first, last)
    return begin, end, queries.series(warehouse, lens, begin, end, camera_id(camera) if camera else None)


Counts = Annotated[tuple[Slot, Slot, list[Row]], Depends(chosen_counts)]


@router.get("/api/counts.csv")
def counts_csv(series: Counts, choice: Chosen, camera: str | None = None) -> Response:
    """Give the counts of a range as CSV: one line for each slot, never averaged."""
    first, last, rows = series
    lens, _ = choice.need()
    names = _count_columns()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["slot", "source", "pipeline", "camera", *names])
    for row in rows:
        slot = Slot(row["slot"]).start.strftime("%Y-%m-%dT%H:%MZ")
        writer.writerow([slot, lens.source, lens.pipeline, camera, *(row[name] for name in names)])
    return _file(text.getvalue().encode(), "csv", "counts", lens.source, camera, first.day, last.day)


@router.get("/api/counts.parquet")
def counts_parquet(series: Counts, choice: Chosen, camera: str | None = None) -> Response:
    """Give the counts of a range as Parquet, with the columns of the CSV file."""
    import pyarrow as pa

    first, last, rows = series
    lens, _ = choice.need()
    fields = [pa.field(name, pa.string()) for name in ("source", "pipeline", "camera")]
    schema = pa.schema(
        [
            pa.field("slot", pa.timestamp("us", tz="UTC")),
            *fields,
            *(pa.field(name, pa.int64()) for name in _count_columns()),
        ]
    )
    fixed = {"source": lens.source, "pipeline": lens.pipeline, "camera": camera}
    table = pa.Table.from_pylist([{**row, **fixed} for row in rows], schema=schema)
    return _file(_parquet(table), "parquet", "counts", lens.source, camera, first.day, last.day)


@router.get("/api/timeseries")
def timeseries(warehouse: Warehouse, choice: Chosen, series: str = FIRST_SHOWN) -> dict[str, Any]:
    """Give the daily series of one class in the form that the chart reads: original, adjusted and trend."""
    from wayside.core.tables import SERIES_CLASSES

    lens, _ = choice.need()
    if series not in SERIES_CLASSES:
        raise HTTPException(404, f"there is no series {series!r}; there are {', '.join(SERIES_CLASSES)}")
    rows = queries.timeseries(warehouse, lens, series)
    if not rows:
        raise HTTPException(404, _NO_SERIES)
    cameras = [row["cameras"] for row in rows]
    return {
        "series": series,
        "step_minutes": 24 * 60,
        "times": [f"{row['day']}T00:00Z" for row in rows],
        "cameras": cameras,
        "counted": [round(number * (1 - row["imputed_share"]), 1) for number, row in zip(cameras, rows, strict=True)],
        "classes": {
            "original": [row["original"] for row in rows],
            "adjusted": [row["sa"] for row in rows],
            "trend": [row["trend"] for row in rows],
        },
        "imputed_share": [round(row["imputed_share"], 4) for row in rows],
        "outliers": [row["outlier"] for row in rows],
    }


@router.get("/api/timeseries.csv")
def timeseries_csv(warehouse: Warehouse, choice: Chosen) -> Response:
    """Give all daily series of a source as CSV, in the columns of chrono_lens and with the imputed share."""
    lens, _ = choice.need()
    rows = _all(warehouse, choice)
    from wayside.counting.export import csv_text

    return _file(csv_text(rows.to_pylist()).encode(), "csv", "timeseries", lens.source, _last_day(rows))


@router.get("/api/timeseries.parquet")
def timeseries_parquet(warehouse: Warehouse, choice: Chosen) -> Response:
    """Give all daily series of a source as Parquet."""
    lens, _ = choice.need()
    rows = _all(warehouse, choice)
    return _file(_parquet(rows), "parquet", "timeseries", lens.source, _last_day(rows))


def _all(warehouse: Any, choice: Chosen) -> "pa.Table":
    lens, _ = choice.need()
    rows = queries.all_timeseries(warehouse, lens)
    if not rows.num_rows:
        raise HTTPException(404, _NO_SERIES)
    return rows


def _last_day(rows: "pa.Table") -> str:
    import pyarrow.compute as pc

    return f"{pc.max(rows['day']).as_py():%Y%m%d}"


def _count_columns() -> Sequence[str]:
    from wayside.core.tables import COUNT_CLASSES

    return (*_COLUMNS, *COUNT_CLASSES)


def _parquet(table: "pa.Table") -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _file(data: bytes, kind: str, *parts: str | None) -> Response:
    """Answer with a file to be saved, named by those of `parts` that are there."""
    name = "_".join(part for part in parts if part)
    media = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}[kind]
    headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"'}
    return Response(data, media_type=media, headers=headers)
