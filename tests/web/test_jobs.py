"""Jobs: the documented shape for programs, the page for people, and shards as Airflow's tasks stand."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from tests.web.video_factory import (
    ARCHIVE,
    PLANNED,
    add_airflow_run,
    add_files,
    add_job,
    add_plan,
    add_video,
    forget_airflow_runs,
    some_files,
)

from wayside.core import settings as core_settings
from wayside.core.clock import utc_now
from wayside.media.probe import Probe
from wayside.store import LocalStore
from wayside.videos.bookmarks import read_bookmarks
from wayside.videos.job import new_job
from wayside.videos.ledger import Ledger
from wayside.videos.records import NEVER, Assigned, Content, FileRow
from wayside.videos.shelf import Shelf
from wayside.warehouse.parquet import ParquetWarehouse
from wayside_airflow.web.app import create_app, get_access
from wayside_airflow.web.job_states import shard_state

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def lake(tmp_path: Path) -> ParquetWarehouse:
    return ParquetWarehouse(tmp_path / "warehouse")


@pytest.fixture
def browser(lake: ParquetWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("WAYSIDE_STATE", str(tmp_path))
    core_settings.settings.cache_clear()
    app = create_app(warehouse=lambda: lake, store=lambda: LocalStore(tmp_path / "pictures"))
    app.dependency_overrides[get_access] = lambda: None
    with TestClient(app, headers=HTML) as client:
        yield client


@pytest.fixture
def program(browser: TestClient) -> TestClient:
    return TestClient(browser.app, headers={"accept": "*/*"})


@pytest.fixture
def airflow(airflow_db: None) -> Iterator[None]:
    yield
    forget_airflow_runs()


@pytest.mark.parametrize(
    ("tasks", "shard"),
    [
        ((None, None), "missing"),
        (("queued", None), "missing"),
        (("scheduled", "scheduled"), "missing"),
        (("running", None), "running"),
        (("deferred", None), "running"),
        (("up_for_retry", None), "running"),
        (("success", None), "running"),
        (("success", "deferred"), "running"),
        (("failed", "upstream_failed"), "failed"),
        (("success", "failed"), "failed"),
        (("success", "success"), "complete"),
        (("success", "skipped"), "complete"),
    ],
)
def test_a_shard_is_as_far_as_its_tasks(tasks: tuple[str | None, ...], shard: str):
    assert shard_state(tasks) == shard


def test_a_job_of_the_command_line_in_the_documented_shape(program: TestClient, lake: ParquetWarehouse):
    add_job(lake, "import-1", {"0": (2048, "complete"), "1": (2048, "running"), "2": (3, "missing")})
    answer = program.get("jobs/import-1")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["vary"] == "Accept"
    told = answer.json()
    assert told == {
        "job_id": "import-1",
        "request": {
            "item_count": 4099,
            "item_average_size_bytes": 512,
            "cameras": [{"name": "C1_Deck", "plan": "PLUS"}, {"name": "C2_Hi", "plan": "PLUS"}],
            "earliest_date": "2016-10-09T12:02:37Z",
            "latest_date": "2016-10-09T13:22:36Z",
        },
        "shard_map": {
            "0": {"item_count": 2048, "job_id": "import-1", "shard_id": "0", "status": "complete"},
            "1": {"item_count": 2048, "job_id": "import-1", "shard_id": "1", "status": "running"},
            "2": {"item_count": 3, "job_id": "import-1", "shard_id": "2", "status": "missing"},
        },
        "status": "shards_missing",
    }
    assert program.get("jobs").json() == [told]


def test_the_states_are_those_of_the_tasks_of_the_run(program: TestClient, lake: ParquetWarehouse, airflow: None):
    name = add_airflow_run(
        {"process": ["success", "success", "running", None], "label": ["success", "failed", None, None]}
    )
    add_job(lake, name, {str(shard): (10, "missing") for shard in range(5)})
    add_plan(lake, name, [["0", "1"], ["2"], ["3"], ["4"]])
    told = program.get(f"jobs/{name}").json()
    states = {shard: one["status"] for shard, one in told["shard_map"].items()}
    assert states == {"0": "complete", "1": "complete", "2": "failed", "3": "running", "4": "missing"}
    assert told["status"] == "failed"


def test_tasks_that_are_not_mapped_yet(program: TestClient, lake: ParquetWarehouse, airflow: None):
    name = add_airflow_run({"process*": [None], "label*": [None]})
    add_job(lake, name, {"0": (10, "complete")})
    add_plan(lake, name, [["0"]])
    assert program.get(f"jobs/{name}").json()["status"] == "shards_missing"


def test_another_run_of_the_same_second_is_not_it(program: TestClient, lake: ParquetWarehouse, airflow: None):
    mine = add_airflow_run({"process": ["success"], "label": ["success"]}, run="mine")
    add_airflow_run({"process": ["failed"], "label": ["upstream_failed"]}, run="other", state="failed")
    add_job(lake, mine, {"0": (10, "running")})
    add_plan(lake, mine, [["0"]])
    assert program.get(f"jobs/{mine}").json()["status"] == "complete"


def test_what_was_noted_down_counts_once_the_plan_is_gone(program: TestClient, lake: ParquetWarehouse, airflow: None):
    name = add_airflow_run({"process": ["failed"], "label": ["upstream_failed"]}, state="failed")
    add_job(lake, name, {"0": (10, "complete")})
    assert program.get(f"jobs/{name}").json()["status"] == "complete"


def test_programs_get_the_newest_first(program: TestClient, lake: ParquetWarehouse):
    for number in range(3):
        add_job(lake, f"import-{number}", {}, planned_at=PLANNED + timedelta(days=number))
    add_job(lake, "import-x", {}, archive="Other", planned_at=PLANNED - timedelta(days=1))
    assert [job["job_id"] for job in program.get("jobs").json()] == ["import-2", "import-1", "import-0", "import-x"]
    assert [job["job_id"] for job in program.get("jobs", params={"archive": "Other"}).json()] == ["import-x"]


def test_unknown_jobs(program: TestClient, browser: TestClient):
    assert program.get("jobs").json() == []
    assert program.get("jobs/import-1").json() == {"detail": "there is no job import-1"}
    assert program.get("jobs/import-1").status_code == 404
    assert program.get("jobs/..%2Fx").status_code in {400, 404}
    assert program.get("jobs/import_videos-20269999T999999Z-00000000").status_code == 404
    assert "No archive has been imported yet" in browser.get("jobs").text


def test_the_page_of_jobs(browser: TestClient, lake: ParquetWarehouse, airflow: None):
    now = utc_now()
    name = add_airflow_run(
        {"process": ["success", "running"], "label": ["success", None]},
        run_after=now - timedelta(minutes=10),
        started_at=now - timedelta(minutes=10),
        run="manual__now",
    )
    add_job(lake, name, {"0": (25, "missing"), "1": (75, "missing")}, planned_at=now - timedelta(minutes=10))
    add_plan(lake, name, [["0"], ["1"]])
    add_job(lake, "import-done", {"0": (7, "complete")}, archive="Other")
    told = new_job(input="/videos", source="Other", run="import-done", pattern="(?P<camera>x)", who="grace")
    lake.save_plan("videos-import-done-job", told.model_dump(mode="json"))
    add_job(lake, "import-dead", {"0": (7, "complete"), "1": (7, "running")}, archive="Other")
    page = browser.get("jobs").text
    assert 'aria-valuemax="100" aria-valuenow="25"' in page
    assert "25 of 100 files done" in page
    assert "about <b>30 min</b> to go" in page
    assert "Started by ada" in page
    assert "Started by the command line" in page
    assert "Started by grace" in page
    assert "/dags/import_videos/runs/manual__now" in page
    assert "data-busy" in page
    assert "It has said nothing since Mon 4 May 2026, 09:30 UTC" in page
    assert "data-busy" not in browser.get("jobs", params={"archive": "Other"}).text
    done = browser.get("jobs", params={"state": "done"}).text
    assert "import-done" in done
    assert "import-dead" not in done
    assert "No job fits" in browser.get("jobs", params={"archive": "Nobody"}).text
    assert browser.get("jobs", params={"state": "odd"}).status_code == 422


def test_a_run_that_ended_before_its_shards_says_so(browser: TestClient, lake: ParquetWarehouse, airflow: None):
    ended = PLANNED + timedelta(hours=2)
    name = add_airflow_run({"process": ["failed"], "label": ["upstream_failed"]}, state="failed", ended_at=ended)
    add_job(lake, name, {"0": (9, "running")})
    add_plan(lake, name, [["0"]])
    page = browser.get(f"jobs/{name}").text
    assert "9 files could not be worked on" in page
    assert "took 2 h 00 min" in page
    assert "/tasks/process/mapped/0" in page
    assert "data-busy" not in page


def test_files_that_were_left_out_are_told_by_reason(browser: TestClient, lake: ParquetWarehouse):
    add_job(lake, "import-1", {"0": (3, "complete")})
    add_files(lake, [*some_files("import-1"), {**some_files("import-2")[0], "file": "other.mp4"}])
    page = browser.get("jobs/import-1").text
    assert "not a video <b>1</b>" in page
    assert "truncated <b>2</b>" in page
    assert "trip 2/&lt;b&gt;.mp4" in page
    assert "other.mp4" not in page
    narrow = browser.get("jobs/import-1", params={"status": "quarantined", "reason": "truncated"}).text
    assert "the file ends after 12.3 of 599.9 s" in narrow
    assert narrow.count("<code title") == 2


def test_files_come_in_pages(browser: TestClient, lake: ParquetWarehouse, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("wayside_airflow.web.jobs.PER_PAGE", 3)
    add_job(lake, "import-1", {"0": (3, "complete")})
    add_files(lake, some_files("import-1"))
    pages = [browser.get("jobs/import-1", params={"page": page}).text for page in (1, 2, 3, 99)]
    assert "Page 1 of 3" in pages[0]
    assert "Page 3 of 3" in pages[3]
    assert [page.count("<code title") for page in pages] == [3, 3, 2, 2]


def test_files_of_shards_at_work_count_as_far_as_they_are(browser: TestClient, lake: ParquetWarehouse, tmp_path: Path):
    now = utc_now()
    add_job(
        lake, "import-1", {"0000": (2, "running"), "0001": (1, "missing")}, planned_at=now - timedelta(minutes=9),
        updated_at=now,
    )  # fmt: skip
    ledger = Ledger(Shelf(tmp_path, ARCHIVE).root, utc_now)
    probe = Probe(60.0, 25.0, False, 1500, 640, 480, 0, "h264", False)
    rows = []
    for number in range(3):
        where = ("C1", now, "UTC", None, None)
        file = FileRow(f"{number}.mp4", "1", 10, f"{number:064x}", *where, None, None, "import-1", True, NEVER)
        rows.append((file, Content.of(file, "0" * 40, probe)))
    ledger.register(rows)
    plan = [Assigned(content, "planned", "c", "l", "import-1", place // 2) for place, (_, content) in enumerate(rows)]
    ledger.assign(plan)
    assert ledger.processed(ledger.contents("planned")[0], 4, None, None)
    ledger.close()
    page = browser.get("jobs").text
    assert "cut into events <b>1</b>" in page
    assert "at work <b>1</b>" in page
    assert "to come <b>1</b>" in page
    assert "about <b>45 min</b> to go" in page, "one of six steps took nine minutes"


def test_labels_of_a_job_are_downloads(browser: TestClient, lake: ParquetWarehouse, tmp_path: Path):
    add_video(tmp_path, lake, tmp_path / "archive")
    add_job(lake, "import-1", {"0000": (1, "complete")}, span=("2026-05-04T08:59:50.000Z", "2026-05-04T09:00:02.000Z"))
    for kind, media_type in (
        ("v1.json", "application/json"),
        ("v2.json", "application/json"),
        ("csv", "text/csv; charset=utf-8"),
        ("xml", "application/xml"),
    ):
        assert f"/jobs/import-1/labels.{kind}" in browser.get("jobs/import-1").text
        answer = browser.get(f"jobs/import-1/labels.{kind}")
        assert answer.headers["content-type"] == media_type
        assert "attachment; filename=" in answer.headers["content-disposition"]
        images = read_bookmarks(answer.content).images
        names = [label.name for image in images for label in image.labels]
        assert sorted(names) == ["boat", "human", "tuna"]
    assert browser.get("jobs/import-1/labels.pdf").status_code in {404, 422}
    assert browser.get("jobs/import-9/labels.csv").status_code == 404
    add_job(lake, "import-2", {}, cameras=())  # there was nothing new: the labels of others are not its own
    assert read_bookmarks(browser.get("jobs/import-2/labels.v2.json").content).images == ()


def test_a_ledger_that_cannot_be_read_hides_no_job(browser: TestClient, lake: ParquetWarehouse, tmp_path: Path):
    add_job(lake, "import-1", {"0000": (3, "running")})
    root = Shelf(tmp_path, ARCHIVE).root
    root.mkdir(parents=True)
    (root / "ledger.sqlite").write_bytes(b"SQLite format 3\0" + b"rubbish" * 1000)
    for address in ("jobs", "jobs/import-1"):
        answer = browser.get(address)
        assert answer.status_code == 200
        assert "import-1" in answer.text


def test_labels_that_one_format_cannot_hold_are_refused(browser: TestClient, lake: ParquetWarehouse, tmp_path: Path):
    for seed, camera in enumerate(("C1_Deck", "C2_Hi")):
        add_video(tmp_path, lake, tmp_path / "archive", camera, seed=seed)
    add_job(lake, "import-1", {"0000": (2, "complete")}, span=("2026-05-04T08:59:50Z", "2026-05-04T09:00:02Z"))
    assert browser.get("jobs/import-1/labels.v1.json").status_code == 409
    assert browser.get("jobs/import-1/labels.v2.json").status_code == 200
