"""A BigQuery peer for each test, and a client with an empty dataset."""

from collections.abc import Iterator

import pytest
from google.cloud import bigquery as bq
from tests.peers.bigquery import Peer, serving


@pytest.fixture
def peer() -> Iterator[Peer]:
    with serving() as peer:
        yield peer


@pytest.fixture
def client(peer: Peer) -> bq.Client:
    client = peer.client()
    client.create_dataset("d")
    return client
