"""Each operator by itself, on real stages: what it returns, how small that is, and what it refuses."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import AirflowRescheduleException
from tests.plugins.conftest import PIPELINE, SLOT, SOURCE

from wayside.core import errors
from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.core.tables import COUNTS as COUNTS_TABLE
from wayside.core.tables import FRAMES
from wayside.stills.ingest import Ingest
from wayside.warehouse.scope import Scope
from wayside_airflow.assets import COUNTS
from wayside_airflow.operators.stills import (
    AnalyseShardOperator,
    CollectShardsOperator,
    FetchShardOperator,
    ListSourcesOperator,
    PlanSlotOperator,
    PublishCountsOperator,
    PublishFramesOperator,
)
from wayside_airflow.priority import LiveFirst
from wayside_airflow.retries import RETRIES

pytestmark = pytest.mark.usefixtures("home")
OPERATORS = (
    AnalyseShardOperator,
    CollectShardsOperator,
    FetchShardOperator,
    ListSourcesOperator,
    PlanSlotOperator,
    PublishCountsOperator,
    PublishFramesOperator,
)
Shards = list[dict[str, Any]]


def context(slot: Slot = SLOT) -> Any:
    events = {COUNTS: SimpleNamespace(extra={})}
    return {"params": {"slot": slot.start.isoformat()}, "outlet_events": events}


def plan(slot: Slot = SLOT, per_shard: int = 2) -> Shards:
    return PlanSlotOperator(task_id="plan", source=SOURCE, shard_cameras=per_shard).execute(context(slot))


def fetch(shards: Shards) -> list[dict[str, Any]]:
    return [FetchShardOperator(task_id="fetch", shard=shard).execute(context()) for shard in shards]


def publish_frames(shards: Shards, fetched: list[dict[str, Any]]) -> dict[str, Any]:
    operator = PublishFramesOperator(task_id="publish", source=SOURCE, shards=shards, fetched=fetched)
    return operator.execute(context())


def analyse(shards: Shards) -> list[dict[str, Any]]:
    return [AnalyseShardOperator(task_id="analyse", shard=shard).execute(context()) for shard in shards]


def publish_counts(
    shards: Shards, frames: list[dict[str, Any]], analysed: list[dict[str, Any]], given: Any = None
) -> dict[str, Any]:
    operator = PublishCountsOperator(task_id="publish", source=SOURCE, shards=shards, frames=frames, analysed=analysed)
    return operator.execute(given or context())


def whole_slot(slot: Slot, given: Any = None) -> dict[str, Any]:
    shards = plan(slot)
    frames = publish_frames(shards, fetch(shards))
    return publish_counts(shards, [frames], analyse(shards), given)


class TestListSources:
    def test_all_that_are_enabled(self) -> None:
        assert ListSourcesOperator(task_id="sources").execute(context()) == [SOURCE]

    def test_those_that_are_named_once_each_even_if_not_enabled(self) -> None:
        named = ListSourcesOperator(task_id="sources", sources="Gone, Archive,Gone")
        assert named.execute(context()) == ["Gone", "Archive"]

    @pytest.mark.parametrize(
        ("wrong", "says"), [({"sources": "Nowhere"}, "Nowhere"), ({"pipeline": "NotListed"}, "NotListed")]
    )
    def test_what_does_not_hold_is_refused_before_any_work(self, wrong: dict[str, str], says: str) -> None:
        with pytest.raises(errors.ConfigError, match=says):
            ListSourcesOperator(task_id="sources", **wrong).execute(context())

    def test_so_is_a_slot_that_is_none(self) -> None:
        with pytest.raises(errors.ConfigError, match="tomorrow"):
            ListSourcesOperator(task_id="sources").execute({"params": {"slot": "tomorrow"}})

    def test_no_source_enabled_is_said(self, home: Path) -> None:
        path = home / "include" / "config" / "sources.yaml"
        path.write_text(path.read_text().replace("enabled: true", "enabled: false"))
        with pytest.raises(errors.ConfigError, match="enabled: true"):
            ListSourcesOperator(task_id="sources").execute(context())


class TestPlan:
    def test_shards_carry_the_slot_of_the_run(self) -> None:
        shards = plan()
        assert [(shard["part"], shard["parts"]) for shard in shards] == [(0, 3), (1, 3), (2, 3)]
        assert {shard["slot"] for shard in shards} == {"20260501T0800Z"}

    def test_the_setting_decides_where_the_run_does_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WAYSIDE_SHARD_CAMERAS", "4")
        assert len(PlanSlotOperator(task_id="plan", source=SOURCE).execute(context())) == 2
        assert len(PlanSlotOperator(task_id="plan", source=SOURCE, shard_cameras="1").execute(context())) == 5

    def test_a_source_without_cameras_fails_with_what_to_do(self, home: Path) -> None:
        (home / "gone").mkdir()
        with pytest.raises(errors.ConfigError, match="wayside sources check Gone"):
            PlanSlotOperator(task_id="plan", source="Gone").execute(context())


def test_shards_of_all_sources_are_put_in_one_list() -> None:
    assert CollectShardsOperator(task_id="shards", plans=[[{"part": 0}, {"part": 1}], [{"part": 2}]]).execute(
        context()
    ) == [{"part": 0}, {"part": 1}, {"part": 2}]
    with pytest.raises(errors.AuditError, match="no source could be planned"):
        CollectShardsOperator(task_id="shards", plans=[]).execute(context())


class TestStages:
    def test_a_slot_is_fetched_and_the_one_before_is_counted(self) -> None:
        assert whole_slot(SLOT)["analysed"] == 0
        summary = whole_slot(SLOT.next)
        assert (summary["cameras"], summary["fetched"], summary["missing"]) == (5, 4, 1)
        assert (summary["slot"], summary["analysed_slot"]) == ("20260501T0810Z", "20260501T0800Z")
        assert summary["analysed"] + summary["faulty"] == 5
        warehouse = Ingest(Settings()).warehouse
        assert warehouse.read(FRAMES, Scope(SOURCE, SLOT.next)).num_rows == 5
        assert warehouse.read(COUNTS_TABLE, Scope(SOURCE, SLOT, PIPELINE)).num_rows == 5

    def test_who_waits_for_counts_is_told(self) -> None:
        whole_slot(SLOT)
        given = context()
        summary = whole_slot(SLOT.next, given)
        assert given["outlet_events"][COUNTS].extra == {
            "source": SOURCE,
            "slot": "20260501T0800Z",
            "pipeline": PIPELINE,
            "rows": summary["analysed"],
            "slots": ["20260501T0800Z"],
        }

    def test_a_run_that_comes_late_tells_of_every_slot_that_it_counted(self) -> None:
        for step in (2, 1):
            whole_slot(SLOT.shift(step))
        given = context()
        assert whole_slot(SLOT, given)["analysed_slot"] == "20260501T0750Z"
        extra = given["outlet_events"][COUNTS].extra
        assert extra["slots"] == ["20260501T0800Z", "20260501T0810Z"]
        assert Ingest(Settings()).warehouse.slots(COUNTS_TABLE, SOURCE) == [SLOT, SLOT.next]

    def test_a_lost_shard_keeps_frames_from_being_published(self) -> None:
        shards = plan()
        with pytest.raises(errors.AuditError, match="not fetched in this run: Archive 3/3; see the logs"):
            publish_frames(shards, fetch(shards[:2]))

    def test_parts_of_an_earlier_run_do_not_stand_in_for_a_task_that_failed(self) -> None:
        whole_slot(SLOT)
        whole_slot(SLOT.next)
        shards = plan(SLOT.next)
        fetched = fetch(shards)
        other = {**fetched[1], "source": "Another"}
        with pytest.raises(errors.AuditError, match="not fetched in this run: Archive 2/3; see"):
            publish_frames(shards, [fetched[0], other, fetched[2]])
        frames = publish_frames(shards, fetched)
        with pytest.raises(errors.AuditError, match="not analysed in this run: Archive 1/3, Archive 3/3;"):
            publish_counts(shards, [frames], analyse(shards[1:2]))
        with pytest.raises(errors.AuditError, match="not analysed in this run: Archive 1/3, Archive 2/3, Archive 3/3;"):
            publish_counts(shards, [frames], [])

    def test_a_failed_analysis_leaves_the_frames(self) -> None:
        whole_slot(SLOT)
        shards = plan(SLOT.next)
        frames = publish_frames(shards, fetch(shards))
        with pytest.raises(errors.AuditError, match="not analysed in this run: Archive 3/3;"):
            publish_counts(shards, [frames], analyse(shards[:2]))
        assert Ingest(Settings()).warehouse.published(FRAMES, Scope(SOURCE, SLOT.next))

    def test_lost_frames_fail_the_run_but_not_the_counts_of_the_slot_before(self) -> None:
        whole_slot(SLOT)
        shards = plan(SLOT.next)
        fetch(shards)
        with pytest.raises(errors.AuditError, match="frames of Archive 20260501T0810Z were not published"):
            publish_counts(shards, [{"source": "Another"}], analyse(shards))
        assert Ingest(Settings()).warehouse.published(COUNTS_TABLE, Scope(SOURCE, SLOT, PIPELINE))

    def test_a_source_that_was_not_planned_fails_by_name(self) -> None:
        with pytest.raises(errors.AuditError, match="Archive was not planned"):
            PublishFramesOperator(task_id="publish", source=SOURCE, shards=None, fetched=[]).execute(context())

    def test_an_analysis_waits_for_pictures_that_another_run_fetches(self) -> None:
        plan(SLOT)
        shards = plan(SLOT.next)
        with pytest.raises(AirflowRescheduleException):
            analyse(shards)
        whole_slot(SLOT)
        analyse(shards)

    def test_what_tasks_hand_on_is_small(self) -> None:
        whole_slot(SLOT)
        shards = plan(SLOT.next, per_shard=1)
        fetched = fetch(shards)
        frames, analysed = publish_frames(shards, fetched), analyse(shards)
        summary = publish_counts(shards, [frames], analysed)
        sizes = [len(json.dumps(value)) for value in (shards, *fetched, frames, *analysed, summary)]
        assert max(sizes) < 1000
        # A thousand cameras, four shards for each of four sources.
        assert len(json.dumps(shards[:4] * 4)) < 2000


class TestLinks:
    @pytest.fixture
    def shard(self) -> dict[str, Any]:
        return {"source": SOURCE, "slot": str(SLOT), "plan": "abc", "part": 1, "parts": 4}

    def link(self, operator: Any) -> str:
        (link,) = operator.operator_extra_links
        return str(link.get_link(operator, ti_key=None))

    def test_a_shard_leads_to_its_pictures(self, shard: dict[str, Any]) -> None:
        fetched, analysed = (kind(task_id="x", shard=shard) for kind in (FetchShardOperator, AnalyseShardOperator))
        assert self.link(fetched) == "/plugin/wayside/wayside/shards?source=Archive&slot=20260501T0800Z&part=1&parts=4"
        assert self.link(analysed) == "/plugin/wayside/wayside/shards?source=Archive&slot=20260501T0750Z&part=1&parts=4"

    def test_a_publication_leads_to_the_cameras(self, shard: dict[str, Any]) -> None:
        frames = PublishFramesOperator(task_id="x", source=SOURCE, shards=[shard], fetched=[])
        counts = PublishCountsOperator(task_id="x", source=SOURCE, shards=[shard], frames=[], analysed=[])
        assert self.link(frames) == "/plugin/wayside/wayside/cameras?source=Archive&slot=20260501T0800Z"
        assert self.link(counts) == "/plugin/wayside/wayside/cameras?source=Archive&slot=20260501T0750Z"


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_templated_field_is_marked_as_such(operator: type[Any]) -> None:
    for field in operator.template_fields:
        line = next(line for line in operator.__doc__.splitlines() if line.strip().startswith(f"{field}:"))
        assert line.rstrip().endswith("(templated)"), field


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (errors.SourceError("x"), RetryAction.RETRY),
        (errors.StoreFullError("x"), RetryAction.RETRY),
        (errors.InvalidIdentifierError("x"), RetryAction.FAIL),
        (errors.ModelHashError("x"), RetryAction.FAIL),
        (errors.AuditError("x"), RetryAction.FAIL),
        (RuntimeError("x"), RetryAction.DEFAULT),
    ],
)
def test_the_error_decides_about_another_try(error: Exception, action: RetryAction) -> None:
    assert RETRIES.evaluate(error, 1, 2).action is action


@pytest.mark.parametrize(("run_id", "weight"), [("scheduled__x", 100), ("manual__x", 100), ("backfill__x", 10)])
def test_live_work_comes_before_a_backfill(run_id: str, weight: int) -> None:
    ti: Any = SimpleNamespace(run_id=run_id, task=SimpleNamespace(priority_weight=100))
    assert LiveFirst().get_weight(ti) == weight
