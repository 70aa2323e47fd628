"""Counts as files: CSV for people and spreadsheets, Parquet for programs."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from wayside.warehouse.parquet import ParquetWarehouse
from wayside.zones.errors import QuestionError
from wayside.zones.processor import Processor
from wayside.zones.rollup import Period, What, counts_over

Form = Literal["csv", "parquet"]

FORMS: Final[tuple[str, ...]] = Form.__args__  # type: ignore[attr-defined]
MOST_ROWS: Final = 2_000_000
_KINDS: Final = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
# A spreadsheet takes text that begins like this for a formula; a person may have called a zone so.
_FORMULA: Final = r"^[=+\-@\t\r]"


@dataclass(frozen=True)
class Download:
    """A file: its name, its media type and its bytes."""

    name: str
    kind: str
    data: bytes


def download(
    lake: ParquetWarehouse,
    processor: Processor,
    what: What,
    period: Period,
    form: Form = "csv",
    *,
    version: int | None = None,
) -> Download:
    """Return counts of a time as a file; arguments and errors are those of `counts_over`.

    Times in CSV are UTC with Z. A text that a spreadsheet would take for a formula gets an apostrophe in front there.

    Raises:
        QuestionError: bad_range; too_much: there are more than 2 million rows.
    """
    if form not in FORMS:
        raise QuestionError("bad_range", f"there is no form {form!r}: {', '.join(FORMS)}")
    table = counts_over(lake, processor, what, period, version=version)
    if table.num_rows > MOST_ROWS:
        raise QuestionError("too_much", f"there are {table.num_rows:,} rows, more than {MOST_ROWS:,}: choose less time")
    sink = pa.BufferOutputStream()
    if form == "parquet":
        pq.write_table(table, sink, compression="zstd")
    else:
        pa_csv.write_csv(_for_people(table), sink, pa_csv.WriteOptions(quoting_style="needed"))
    label = re.sub(r"[^A-Za-z0-9]+", "-", processor.name).strip("-")[:40] or "processor"
    dates = f"{period.start:%Y%m%d}-{period.stop - timedelta(microseconds=1):%Y%m%d}"
    name = f"{label}-{processor.number}-{what}-{dates}.{form}"
    return Download(name, _KINDS[form], sink.getvalue().to_pybytes())


def _for_people(table: pa.Table) -> pa.Table:
    """Return a table with times as ISO 8601 text in UTC, and without formulas."""
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_timestamp(column.type):
            text = pc.strftime(column, format="%Y-%m-%dT%H:%M:%SZ")
        elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            formula = pc.fill_null(pc.match_substring_regex(column, _FORMULA), False)
            text = pc.if_else(formula, pc.binary_join_element_wise("'", column, ""), column)
        else:
            text = column
        columns[name] = text
    return pa.table(columns)
