"""The operator at the end of every DAG also registers road photos, where the settings name a table for them."""

import logging
from pathlib import Path

import pytest
from tests.warehouse.oracle.database import Database, peer
from tests.warehouse.oracle.road_photos import publish, record, seen, target_of

from wayside.core.errors import ConfigError, TransientError
from wayside.core.settings import Settings
from wayside.core.tables import ROAD_PHOTOS
from wayside.warehouse.parquet import ParquetWarehouse, open_lake
from wayside_airflow.operators.deliver import DeliverOperator


@pytest.fixture
def oracle(state: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database with the table, to which an Airflow connection leads."""
    from airflow.providers.oracle.hooks.oracle import OracleHook

    database = peer()
    target_of(database)
    monkeypatch.setenv("WAYSIDE_PHOTO_TABLE", "vegbilder")
    monkeypatch.setattr(OracleHook, "get_conn", lambda self: database.connect())
    return database


def published() -> ParquetWarehouse:
    lake = open_lake(Settings())
    publish(lake, "f", {"a": record("a"), "b": record("b", exif_dataeier=None)})
    return lake


@pytest.mark.parametrize("warehouse", ["duckdb", "oracle"])
def test_road_photos_go_into_the_table_beside_our_own(
    oracle: Database, monkeypatch: pytest.MonkeyPatch, warehouse: str, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("WAYSIDE_WAREHOUSE", warehouse)
    published()
    expected = {"vegbilder": 1} | ({"road_photos": 2} if warehouse == "oracle" else {})
    operator = DeliverOperator(task_id="deliver")
    with caplog.at_level(logging.WARNING):
        assert operator.execute({}) == expected
    assert seen(oracle) == {"a": 2692}
    assert operator.execute({}) == {}


def test_other_tables_go_though_this_one_fails_and_the_task_fails(oracle: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WAYSIDE_WAREHOUSE", "oracle")
    lake = published()
    oracle.ask('DROP TABLE "VEGBILDER"')
    with pytest.raises(ConfigError, match="there is no table"):
        DeliverOperator(task_id="deliver").execute({})
    assert lake.outbox.pending(ROAD_PHOTOS) == 0
    assert oracle.count("ROAD_PHOTOS") == 2
    target_of(oracle)
    assert DeliverOperator(task_id="deliver").execute({}) == {"vegbilder": 1}


def test_a_lost_session_is_worth_another_try(oracle: Database):
    published()
    oracle.connect.at(4, 3113)
    with pytest.raises(TransientError):
        DeliverOperator(task_id="deliver").execute({})
    oracle.connect.at(0, 0)
    assert DeliverOperator(task_id="deliver").execute({}) == {"vegbilder": 1}


def test_it_is_left_alone_where_other_tables_are_asked_for(oracle: Database):
    published()
    assert DeliverOperator(task_id="deliver", tables="counts").execute({}) == {}
    assert DeliverOperator(task_id="deliver", tables="road_photos").execute({}) == {"vegbilder": 1}
