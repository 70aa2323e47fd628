"""The data behind the pages: numbers against the ground truth they were made of, and files."""

import csv
import io

import pytest
from fastapi.testclient import TestClient
from tests.web.factory import LAST, PIPELINE, TFL, Filled

from wayside.core.tables import COUNT_CLASSES, COUNTS
from wayside.store import picture_key
from wayside.warehouse.scope import Scope


def test_health_names_sources_and_their_newest_slot(program: TestClient) -> None:
    answer = program.get("health").json()
    assert answer["status"] == "ok"
    assert {"source": TFL, "cameras": 8, "newest": str(LAST)}.items() <= answer["sources"][1].items()


def test_counts_add_up_to_the_table(program: TestClient, filled: Filled) -> None:
    answer = program.get("api/counts", params={"source": TFL}).json()
    rows = filled.warehouse.read(COUNTS, Scope(TFL, LAST, PIPELINE)).to_pylist()
    assert answer["times"][-1] == "2026-05-04T09:40Z"
    assert len(answer["times"]) == 144
    assert answer["step_minutes"] == 10
    assert answer["counted"][-1] == sum(not row["faulty"] and not row["missing"] for row in rows)
    for name in answer["classes"]:
        assert answer["classes"][name][-1] == sum(row[name] or 0 for row in rows)
        assert answer["classes"][name][0] is None


def test_counts_of_one_camera(program: TestClient, filled: Filled) -> None:
    name = filled.cameras[TFL][0]
    answer = program.get("api/counts", params={"source": TFL, "camera": name}).json()
    assert max(number for number in answer["cameras"] if number) == 1


def test_a_week_is_given_by_the_hour(program: TestClient) -> None:
    answer = program.get("api/counts", params={"source": TFL, "range": "7d"}).json()
    assert answer["step_minutes"] == 60
    assert len(answer["times"]) == len(answer["counted"]) == 169
    assert answer["times"][1].endswith(":00Z")
    slots = program.get("api/counts", params={"source": TFL}).json()
    cars = [number for number in slots["classes"]["car"] if number is not None]
    assert len(cars) == 3
    assert answer["classes"]["car"][-1] == round(sum(cars) / 3, 1)
    # The span begins at 09:50: the first hour is what is left of it, and nothing is known of it.
    assert answer["times"][0].endswith("T09:50Z")
    assert answer["classes"]["car"][0] is None


def test_csv_has_every_slot(program: TestClient) -> None:
    answer = program.get("api/counts.csv", params={"source": TFL})
    assert answer.headers["content-type"].startswith("text/csv")
    assert "counts_TfL-images_20260503_20260504.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["slot"] for row in rows] == ["2026-05-04T09:20Z", "2026-05-04T09:30Z", "2026-05-04T09:40Z"]
    assert set(COUNT_CLASSES) < set(rows[0])


def test_coverage_gives_each_camera_a_letter_a_slot(program: TestClient, filled: Filled) -> None:
    answer = program.get("api/coverage", params={"source": TFL}).json()
    assert answer["due"] == 59
    assert [row[0] for row in answer["cameras"]] == filled.cameras[TFL]
    letters = [row[2] for row in answer["cameras"]]
    assert {len(text) for text in letters} == {144}
    newest = sorted(tuple(answer["meanings"][text[58]]) for text in letters)
    assert newest == [
        ("counted", ""),
        ("counted", ""),
        ("failed", "timeout"),
        ("faulty", "frozen"),
        ("faulty", "placeholder"),
        ("missing", "unavailable"),
        ("not_run", ""),
        ("waiting", ""),
    ]
    assert sum(answer["totals"].values()) == 8 * 59


def test_coverage_of_a_day_without_runs(program: TestClient) -> None:
    answer = program.get("api/coverage", params={"source": TFL, "day": "2026-05-01"}).json()
    assert answer["due"] == 144
    assert answer["totals"]["not_run"] == 8 * 144
    later = program.get("api/coverage", params={"source": TFL, "day": "2026-06-01"}).json()
    assert later["due"] == 0


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_day_beyond_all_slots_is_refused(program: TestClient, day: str) -> None:
    assert program.get("api/coverage", params={"source": TFL, "day": day}).status_code == 400
    for name in ("api/counts", "api/counts.csv"):
        params = {"source": TFL, "range": "custom", "first": day, "last": day}
        assert program.get(name, params=params).status_code == 400


def test_cameras_lists_names(program: TestClient, filled: Filled) -> None:
    answer = program.get("api/cameras", params={"source": TFL}).json()
    assert [row["camera"] for row in answer["cameras"]] == filled.cameras[TFL]


def test_a_picture_comes_as_it_lies_in_the_store(program: TestClient, filled: Filled) -> None:
    name = filled.cameras[TFL][0]
    stored = filled.store.read(picture_key(TFL, LAST, name))
    assert stored is not None
    path = f"pictures/{TFL}/{LAST.day}/{LAST.hhmm}/{name}.jpg"
    answer = program.get(path)
    assert answer.content == stored.data
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"].startswith("private")
    again = program.get(path, headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    assert not again.content


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"pictures/{TFL}/20260504/0940/nobody.jpg", 404),
        (f"pictures/{TFL}/20260504/0941/nobody.jpg", 400),
        (f"pictures/{TFL}/notaday/0940/nobody.jpg", 400),
        (f"pictures/{TFL}/20260504/0940/..%2f..%2f..%2fsecret.jpg", 404),
        ("pictures/..%2f..%2fetc/20260504/0940/x.jpg", 404),
        ("pictures/%2e%2e/20260504/0940/x.jpg", 400),
        (f"pictures/{TFL}/20260504/0940/.meta.jpg", 400),
        (f"pictures/{TFL}/20260504/0940/a..b.jpg", 400),
        ("pictures/a%00b/20260504/0940/x.jpg", 400),
        ("static/..%2fapp.py", 404),
        ("static/%2e%2e/app.py", 404),
    ],
)
def test_no_name_leaves_the_store(program: TestClient, path: str, status: int) -> None:
    answer = program.get(path)
    assert answer.status_code == status
    assert "detail" in answer.json()
