"""The tests of this folder run on the Oracle that WAYSIDE_ORACLE_DSN names, else on H2 in its place."""

from collections.abc import Iterator

import pytest
from tests.warehouse.oracle.database import Database, peer, server_of_environment


@pytest.fixture
def oracle() -> Iterator[Database]:
    database = server_of_environment() or peer()
    yield database
    database.close()
