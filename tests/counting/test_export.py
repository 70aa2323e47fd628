"""Series as files: the columns of chrono_lens, and a page that needs no network."""

import csv
import io
from datetime import date, timedelta
from typing import Any

import pytest

from wayside.counting.export import as_page, csv_text, file_name

FIRST = date(2026, 4, 6)


def row(day: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "source": "TfL-images",
        "pipeline": "StubV1",
        "series": "car",
        "day": FIRST + timedelta(days=day),
        "original": 101.25,
        "sa": 99.6,
        "trend": 98.4,
        "imputed_share": 0.05,
        "cameras": 7,
        "outlier": None,
    } | changes


def test_the_columns_are_those_of_chrono_lens_and_the_imputed_share():
    lines = csv_text([row(), row(1, original=None, sa=None, trend=None, imputed_share=1.0)]).splitlines()
    assert lines == [
        "Location,Type,Date,SA,Trend,Original,Imputed",
        "TfL-images,car,2026-04-06,100,98,101.25,0.0500",
        "TfL-images,car,2026-04-07,,,,1.0000",
    ]


@pytest.mark.parametrize(
    ("original", "text"), [(0.0, "0"), (100.0, "100"), (2.5, "2.5"), (1234567.891, "1234567.891"), (0.0004, "0")]
)
def test_numbers_are_written_plainly(original: float, text: str):
    assert csv_text([row(original=original)]).splitlines()[1].split(",")[5] == text


def test_rows_stand_by_source_class_and_day():
    rows = [row(1), row(series="person_cyclist"), row(series="bus"), row(), row(source="A", series="van")]
    read = list(csv.DictReader(io.StringIO(csv_text(rows))))
    assert [(one["Location"], one["Type"], one["Date"][-1]) for one in read] == [
        ("A", "van", "6"), ("TfL-images", "bus", "6"), ("TfL-images", "car", "6"), ("TfL-images", "car", "7"),
        ("TfL-images", "person_cyclist", "6"),
    ]  # fmt: skip


def test_the_name_is_that_of_chrono_lens():
    assert file_name(date(2026, 5, 31)) == "Trafcam_data_20260531.csv"
    assert file_name(date(2026, 5, 31), "html") == "Trafcam_data_20260531.html"


def test_the_page_shows_each_class_and_needs_no_network():
    days = [row(day, outlier={10: "AO", 20: "LS"}.get(day)) for day in range(40)]
    people = [row(day, series="person_cyclist", sa=None, trend=None) for day in range(40)]
    page = as_page([*days, *people], {"TfL-images": ["a <remark>"]})
    assert page.count("plotly-graph-div") == 2
    assert "<h3>person and cyclist</h3>" in page
    assert "2026-04-06 to 2026-05-15, up to 7 cameras, 5.0 % imputed, 2 outliers" in page
    assert "a &lt;remark&gt;" in page
    assert page.count("day apart (AO)") == page.count("new level (LS)") == 1
    assert "week of 11 May" in page
    body = page[: page.index("<script>")] + page[page.index("<style>") :]
    assert "src=" not in body
    assert "href=" not in body


def test_a_page_of_one_day_is_drawn():
    assert as_page([row(original=None, sa=None, trend=None)], {}).count("plotly-graph-div") == 1
