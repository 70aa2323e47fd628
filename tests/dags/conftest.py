"""The DAGs as Airflow reads them, and a metadata database for those tests that run one."""

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

ROOT = Path(__file__).resolve().parents[2]
DAGS = ROOT / "dags"


@pytest.fixture(scope="session")
def bag() -> DagBag:
    return DagBag(DAGS)


@pytest.fixture(scope="session")
def airflow_db() -> None:
    """A fresh metadata database."""
    from airflow.utils.db import initdb

    initdb()
