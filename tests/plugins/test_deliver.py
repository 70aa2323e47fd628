"""Delivery by the operator: through Airflow's hooks and the real clients, with its waits in the triggerer."""

import asyncio
import json
from collections.abc import Iterator
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from tests.peers.bigquery import serving
from tests.tables import count_rows, frame_rows

from wayside.core.errors import ConfigError, TransientError
from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.core.tables import COUNTS, FRAMES
from wayside.warehouse.parquet import ParquetWarehouse, open_lake, to_arrow
from wayside.warehouse.scope import Scope
from wayside_airflow.operators.deliver import DeliverOperator
from wayside_airflow.triggers.jobs import JobsTrigger

SLOT = Slot.parse("20260501T0800Z")
PIPELINE = "StubV1"


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch, state: Path) -> Iterator[Any]:
    """BigQuery on this machine, to which an Airflow connection leads."""
    connection = {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True, "project": "p"}}
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("WAYSIDE_WAREHOUSE", "bigquery")
    monkeypatch.setenv("WAYSIDE_BIGQUERY_PROJECT", "p")
    with serving() as served:
        for name, value in served.env().items():
            monkeypatch.setenv(name, value)
        yield served


def publish(car: int = 1) -> ParquetWarehouse:
    lake = open_lake(Settings())
    scope = Scope("City", SLOT, PIPELINE)
    lake.publish(FRAMES, Scope("City", SLOT), to_arrow(FRAMES, frame_rows(scope, ["a", "b"])))
    lake.publish(COUNTS, scope, to_arrow(COUNTS, count_rows(scope, ["a", "b"], car=car)))
    return lake


def cars(peer: Any) -> list[int]:
    return [row["car"] for row in sorted(peer.rows("wayside.counts"), key=lambda row: row["camera"])]


def deferred(operator: DeliverOperator, method: str, **kwargs: Any) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as raised:
        getattr(operator, method)({}, **kwargs)
    return raised.value


def fired(wait: TaskDeferred) -> dict[str, Any]:
    """Make the trigger again as the triggerer does, and return what it fires with."""
    path, kwargs = wait.trigger.serialize()
    assert path == "wayside_airflow.triggers.jobs.JobsTrigger"

    async def first() -> Any:
        return (await anext(aiter(JobsTrigger(**{**kwargs, "poll": 0.001}).run()))).payload

    return asyncio.run(first())


def whole(operator: DeliverOperator) -> dict[str, int]:
    """Go the way of a task from its start over both waits to its end."""
    wait = deferred(operator, "execute")
    wait = deferred(operator, wait.method_name, event=fired(wait), **wait.kwargs)
    done: dict[str, int] = getattr(operator, wait.method_name)({}, event=fired(wait), **wait.kwargs)
    return done


def test_two_waits_bring_every_table_to_bigquery(peer: Any):
    lake, operator = publish(car=3), DeliverOperator(task_id="deliver")
    assert whole(operator) == {"frames": 2, "counts": 2}
    assert cars(peer) == [3, 3]
    assert lake.outbox.pending(COUNTS) == 0
    assert "console.cloud.google.com" in operator.job_url
    (link,) = operator.operator_extra_links
    assert link.get_link(operator, ti_key=None) == operator.job_url  # type: ignore[arg-type]


@pytest.mark.parametrize("deferrable", [True, False])
def test_users_of_chrono_lens_find_their_view(peer: Any, deferrable: bool):
    publish(car=2)
    operator = DeliverOperator(task_id="deliver", deferrable=deferrable)
    assert (whole(operator) if deferrable else operator.execute({})) == {"frames": 2, "counts": 2}
    asked = f"SELECT camera_id, time, car, van, faulty FROM detected_objects.{PIPELINE} WHERE date = '2026-05-01'"
    rows = [tuple(row.values()) for row in peer.client().query_and_wait(asked)]
    assert sorted(rows) == [("a", time(8, 0), 2, 0, False), ("b", time(8, 0), 2, 0, False)]


def test_no_wait_is_longer_than_the_task_may_take(peer: Any):
    publish()
    operator = DeliverOperator(task_id="deliver", execution_timeout=timedelta(minutes=5))
    wait = deferred(operator, "execute")
    assert wait.timeout == timedelta(minutes=5)
    assert deferred(operator, wait.method_name, event=fired(wait), **wait.kwargs).timeout == timedelta(minutes=5)


def test_a_view_that_cannot_be_made_costs_no_delivery(peer: Any):
    lake = publish()
    peer.fail("accessDenied", 403, method="POST", path="detected_objects", times=99)
    assert whole(DeliverOperator(task_id="deliver")) == {"frames": 2, "counts": 2}
    assert lake.outbox.pending(COUNTS) == 0


def test_nothing_to_deliver_waits_for_nothing(peer: Any):
    assert DeliverOperator(task_id="deliver").execute({}) == {}


def test_the_trigger_looks_until_the_jobs_are_done(peer: Any):
    publish()
    peer.hold("load")
    wait = deferred(DeliverOperator(task_id="deliver"), "execute")
    trigger = JobsTrigger(wait.trigger.jobs, poll=0.001)

    async def watch() -> tuple[bool, Any]:
        task = asyncio.ensure_future(anext(aiter(trigger.run())))
        calls = len(peer.calls)
        while len(peer.calls) < calls + 6:
            await asyncio.sleep(0)
        waiting = not task.done()
        peer.release()
        return waiting, (await task).payload

    assert asyncio.run(watch()) == (True, {})


def test_a_task_that_is_killed_between_the_waits_goes_on_with_the_same_jobs(peer: Any):
    publish(car=7)
    wait = deferred(DeliverOperator(task_id="deliver"), "execute")
    fired(wait)
    assert whole(DeliverOperator(task_id="deliver")) == {"frames": 2, "counts": 2}
    assert cars(peer) == [7, 7]
    assert len(peer.jobs("load")) == 2


def test_one_table_that_fails_stops_no_other(peer: Any):
    lake, operator = publish(car=4), DeliverOperator(task_id="deliver")
    wait = deferred(operator, "execute")
    event = fired(wait)
    peer.fail_job("invalid", kind="MERGE")
    wait = deferred(operator, wait.method_name, event=event, **wait.kwargs)
    event = fired(wait)
    with pytest.raises(Exception, match=r"frames|counts"):
        operator.finish({}, event=event, **wait.kwargs)
    assert lake.outbox.pending(COUNTS) + lake.outbox.pending(FRAMES) == 1
    assert whole(DeliverOperator(task_id="deliver"))
    assert cars(peer) == [4, 4]


def test_a_table_that_cannot_be_loaded_stops_no_other(peer: Any):
    lake = publish(car=6)
    peer.fail("accessDenied", 403, path="tables/frames", times=99)
    with pytest.raises(ConfigError, match="frames"):
        whole(DeliverOperator(task_id="deliver"))
    assert cars(peer) == [6, 6]
    assert (lake.outbox.pending(COUNTS), lake.outbox.pending(FRAMES)) == (0, 1)


def test_an_error_of_the_triggerer_is_tried_again(peer: Any):
    publish()
    operator = DeliverOperator(task_id="deliver")
    wait = deferred(operator, "execute")
    with pytest.raises(TransientError, match="no network"):
        operator.merge({}, event={"error": "OSError: no network"}, **wait.kwargs)


def test_without_waits_in_the_triggerer(peer: Any):
    publish(car=5)
    operator = DeliverOperator(task_id="deliver", deferrable=False)
    assert operator.execute({}) == {"frames": 2, "counts": 2}
    assert cars(peer) == [5, 5]


def test_some_tables_only(peer: Any):
    lake = publish()
    assert whole(DeliverOperator(task_id="deliver", tables="counts")) == {"counts": 2}
    assert lake.outbox.pending(FRAMES) == 1
    with pytest.raises(ConfigError, match="tram"):
        DeliverOperator(task_id="deliver", tables="tram").execute({})


def test_a_project_is_needed(peer: Any, monkeypatch: pytest.MonkeyPatch):
    publish()
    connection = {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True}}
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("WAYSIDE_BIGQUERY_PROJECT", "")
    with pytest.raises(ConfigError, match="WAYSIDE_BIGQUERY_PROJECT"):
        DeliverOperator(task_id="deliver").execute({})


def test_with_duckdb_there_is_nothing_to_do(state: Path):
    publish()
    assert DeliverOperator(task_id="deliver").execute({}) == {}


def test_oracle_gets_the_same_tables(state: Path, monkeypatch: pytest.MonkeyPatch):
    from airflow.providers.oracle.hooks.oracle import OracleHook
    from tests.peers import h2

    if h2.missing():
        pytest.skip(h2.missing())
    database = h2.H2()
    monkeypatch.setenv("WAYSIDE_WAREHOUSE", "oracle")
    monkeypatch.setattr(OracleHook, "get_conn", lambda self: database.connect())
    lake = publish(car=6)
    assert DeliverOperator(task_id="deliver").execute({}) == {"frames": 2, "counts": 2}
    assert lake.outbox.pending(COUNTS) == 0
    cursor = database.connect().cursor()
    cursor.execute('SELECT "CAR" FROM "COUNTS"')
    assert [int(row[0]) for row in cursor.fetchall()] == [6, 6]


def test_its_tables_are_a_template():
    operator = DeliverOperator(task_id="deliver", tables="{{ 'counts' }}")
    operator.render_template_fields(context={})  # type: ignore[typeddict-item]
    assert operator.tables == "counts"
