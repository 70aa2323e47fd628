"""What several operators need."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from wayside.core.errors import AuditError, ConfigError, SourceError
from wayside.stills.ingest import Ingest
from wayside.stills.late import LateShard
from wayside_airflow.operators import common
from wayside_airflow.operators.common import MOST_TASKS, ShardsOperator, load_tasks, save_tasks
from wayside_airflow.operators.late import _label

DAY = date(2026, 5, 1)


def shards(sources: list[str], days: int, parts: int) -> list[dict[str, object]]:
    return [
        LateShard(source=source, day=DAY + timedelta(days=day), plan="0" * 12, part=part, parts=parts).model_dump(
            mode="json"
        )
        for source in sources
        for day in range(days)
        for part in range(parts)
    ]


@pytest.mark.parametrize(
    ("sources", "days", "parts"),
    [
        (["NETravelData-images"], 30, 4),
        ([f"{number:02}-{'long-name-' * 6}"[:63] for number in range(30)], 1, 40),
        ([f"{number:02}-{'long-name-' * 6}"[:63] for number in range(30)], 366, 1),
    ],
)
def test_what_is_handed_on_stays_small_whatever_there_is_to_do(state: Path, sources: list[str], days: int, parts: int):
    from wayside.core.settings import Settings

    work, all_shards = Ingest(Settings()), shards(sources, days, parts)
    tasks = save_tasks(work, "a-run", all_shards, _label)
    assert len(tasks) == MOST_TASKS
    assert len(json.dumps(tasks)) < 2000
    assert [shard for task in load_tasks(work, "a-run") for shard in task] == all_shards


def test_a_label_says_where_a_task_begins_and_ends(state: Path):
    from wayside.core.settings import Settings

    work = Ingest(Settings())
    few = save_tasks(work, "few", shards(["TfL-images"], 2, 1), _label)
    assert [task["label"] for task in few] == ["TfL-images 2026-05-01", "TfL-images 2026-05-02"]
    many = save_tasks(work, "many", shards(["NETravelData-images"], 12, 4), _label)
    assert many[0]["label"] == "NETravelData-images 2026-05-01 1/4 to 2026-05-01 2/4"


def test_a_run_without_a_plan_says_so_at_once(state: Path):
    from wayside.core.settings import Settings

    with pytest.raises(AuditError, match="log of the task plan"):
        load_tasks(Ingest(Settings()), "a-run")


class Tried(ShardsOperator):
    """Fails at some shards, and keeps which it tried."""

    totals = ("part",)
    errors: ClassVar = {1: ConfigError("no such pipeline"), 3: SourceError("no answer")}

    def run_shard(self, work: Ingest, shard: Mapping[str, Any]) -> Mapping[str, Any]:
        self.begun = [*getattr(self, "begun", []), shard["part"]]
        if error := self.errors.get(shard["part"]):
            raise error
        return shard


def test_a_shard_that_fails_stops_no_other_and_what_may_pass_is_raised(monkeypatch: pytest.MonkeyPatch, state: Path):
    shards = [{"part": part} for part in range(5)]
    monkeypatch.setattr(common, "run_name", lambda _: "a-run")
    monkeypatch.setattr(common, "load_tasks", lambda *_: [[{"part": 0}, {"part": 2}], shards])
    operator = Tried(task_id="tried", task={"task": 1, "label": "all"})
    with pytest.raises(SourceError, match="no answer"):
        operator.execute({})
    assert operator.begun == [0, 1, 2, 3, 4]
    assert Tried(task_id="tried", task={"task": 0, "label": "some"}).execute({}) == {"task": 0, "part": 2}
