"""A stand-in of BigQuery and a warehouse with an outbox, new for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.peers.bigquery import Peer, serving

from wayside.warehouse.parquet import ParquetWarehouse


@pytest.fixture
def peer() -> Iterator[Peer]:
    with serving() as running:
        yield running


@pytest.fixture
def lake(tmp_path: Path) -> ParquetWarehouse:
    return ParquetWarehouse(tmp_path / "lake", outbox=True)
