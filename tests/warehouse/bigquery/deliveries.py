"""What tests of delivery do and look at."""

from typing import Any

from tests.peers.bigquery import Peer

from wayside.core.tables import COUNTS, Table
from wayside.warehouse.bigquery import BigQueryTarget
from wayside.warehouse.outbox import Batch
from wayside.warehouse.parquet import ParquetWarehouse


def target(peer: Peer, dataset: str = "d") -> BigQueryTarget:
    """As a process of its own would open it, without waits between two tries."""
    return BigQueryTarget(peer.client(), "p", dataset, "EU", {"team": "roads"}, retry=None, sleep=lambda _: None)


def opened(lake: ParquetWarehouse, table: Table = COUNTS) -> Batch:
    batch = lake.outbox.open(table, lake)
    assert batch is not None
    return batch


def published(lake: ParquetWarehouse, table: Table) -> list[dict[str, Any]]:
    with lake.connect(tables=[table.name]) as connection:
        return connection.sql(f"SELECT * FROM {table.name} ORDER BY ALL").to_arrow_table().to_pylist()


def keyed(table: Table, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: [str(row[name]) for name in table.key])


def assert_delivered(peer: Peer, lake: ParquetWarehouse, *tables: Table, dataset: str = "d") -> None:
    """The tables of the peer hold what is published, nothing waits, and no staging is left."""
    for table in tables or (COUNTS,):
        assert keyed(table, peer.rows(f"{dataset}.{table.name}")) == keyed(table, published(lake, table))
        assert lake.outbox.pending(table) == 0
    left = [table.table_id for table in peer.client().list_tables(f"p.{dataset}")]
    assert not [name for name in left if name.startswith("staging_")]


def ids(peer: Peer, kind: str) -> list[str]:
    return [job["jobReference"]["jobId"] for job in peer.jobs(kind)]
