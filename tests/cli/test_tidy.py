"""`wayside expire`, `wayside compact`, `wayside tidy` and `wayside warehouse resend`."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.tables import count_rows, frame_rows
from typer.testing import CliRunner

from wayside.cli import main
from wayside.core.errors import ConfigError, StoreError, WaysideError
from wayside.core.slots import Slot
from wayside.core.tables import COUNTS, EXPIRIES, FRAMES
from wayside.store import LocalStore, PictureMeta, picture_key
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope

OLD = Slot.floor(datetime.now(UTC) - timedelta(days=40))
SOURCE = "TfL-images"
runner = CliRunner()


def told(*arguments: str) -> str:
    answer = runner.invoke(main._commands, list(arguments))
    assert answer.exit_code == 0, answer.output + repr(answer.exception)
    return answer.stdout


def refused(*arguments: str) -> Exception:
    answer = runner.invoke(main._commands, list(arguments))
    assert isinstance(answer.exception, WaysideError), answer.output
    return answer.exception


@pytest.fixture
def lake(state: Path) -> ParquetWarehouse:
    return ParquetWarehouse(state / "warehouse")


@pytest.fixture
def store(state: Path, lake: ParquetWarehouse) -> LocalStore:
    """One picture that may go."""
    made = LocalStore(state / "pictures")
    made.create(picture_key(SOURCE, OLD, "a"), b"0123456789", PictureMeta(fetched_at=OLD.start))
    lake.publish(FRAMES, Scope(SOURCE, OLD), to_arrow(FRAMES, frame_rows(Scope(SOURCE, OLD), ["a"])))
    scope = Scope(SOURCE, OLD, "StubV1")
    lake.publish(COUNTS, scope, to_arrow(COUNTS, count_rows(scope, ["a"])))
    return made


def action(lake: ParquetWarehouse) -> str:
    (row,) = lake.read(EXPIRIES, Scope(SOURCE, day=OLD.start.date())).to_pylist()
    return str(row["action"])


def test_expire_says_first_and_deletes_when_told_to(store: LocalStore, lake: ParquetWarehouse):
    assert told("expire") == f"would delete: {SOURCE}/{OLD.day}: 1 pictures (0.0 MB) go\n"
    assert (list(store.keys(SOURCE)) != [], action(lake)) == (True, "would_delete")
    assert told("expire", "--apply").startswith(f"deleted: {SOURCE}/{OLD.day}")
    assert (list(store.keys(SOURCE)), action(lake)) == ([], "deleted")
    assert told("expire", "--apply") == ""


def test_days_and_sources_can_be_chosen(store: LocalStore):
    assert told("expire", "--days", "60") == ""
    assert told("expire", "--source", "NETravelData-images") == ""
    assert told("expire", "--source", SOURCE, "--days", "30").startswith("would delete")
    assert isinstance(refused("expire", "--source", "Demo-city"), ConfigError)
    assert told("expire", "--source", "Demo-city", "--days", "1") == ""


def test_a_source_that_fails_stops_no_other(
    store: LocalStore, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    real = LocalStore.delete_many

    def fails(self: LocalStore, keys: list[str]) -> int:
        if any(key.startswith("NE") for key in keys):
            raise StoreError("the disk is gone")
        return real(self, keys)

    lake = ParquetWarehouse(state / "warehouse")
    other = "NETravelData-images"
    store.create(picture_key(other, OLD, "a"), b"x", PictureMeta(fetched_at=OLD.start))
    lake.publish(FRAMES, Scope(other, OLD), to_arrow(FRAMES, frame_rows(Scope(other, OLD), ["a"])))
    scope = Scope(other, OLD, "StubV1")
    lake.publish(COUNTS, scope, to_arrow(COUNTS, count_rows(scope, ["a"])))
    monkeypatch.setattr(LocalStore, "delete_many", fails)
    assert str(refused("expire", "--apply", "--source", other, "--source", SOURCE)) == "the disk is gone"
    assert (list(store.keys(SOURCE)), len(list(store.keys(other)))) == ([], 1)


@pytest.mark.usefixtures("state")
def test_the_rule_as_a_lifecycle(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WAYSIDE_PICTURES_URL", "gs://bucket/pictures")
    (tfl, observatory) = json.loads(told("expire", "--lifecycle"))["lifecycle"]["rule"]
    assert tfl["condition"] == {"age": 29, "matchesPrefix": ["pictures/TfL-images/"]}
    assert observatory["condition"] == {"age": 29, "matchesPrefix": ["pictures/NETravelData-images/"]}


def test_compact_and_tidy(store: LocalStore, lake: ParquetWarehouse, tmp_path: Path):
    assert "0 files of slots" in told("compact", "--older-than", "90")
    assert told("compact").startswith("2 files of slots went into 2 files of days")
    assert lake.slots(COUNTS, SOURCE) == [OLD]
    (tmp_path / "logs").mkdir()
    lines = told("tidy", "--logs", str(tmp_path / "logs")).splitlines()
    assert lines == [f"{what}: 0 files, 0.0 MB" for what in ("staging", "published", "outbox", "logs")]


def test_everything_is_sent_again(store: LocalStore, lake: ParquetWarehouse, monkeypatch: pytest.MonkeyPatch):
    assert "there is no other warehouse" in str(refused("warehouse", "resend"))
    monkeypatch.setenv("WAYSIDE_WAREHOUSE", "bigquery")
    main.tidy.settings.cache_clear()
    assert "there is no table typo" in str(refused("warehouse", "resend", "counts", "typo"))
    assert told("warehouse", "resend", "counts") == "counts: 1 scopes wait for delivery\n"
    assert lake.outbox.pending(COUNTS) == 1
    assert "frames: 1 scopes wait" in told("warehouse", "resend")
