"""The stores that keep the same promises."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.peers.storage import BUCKET, StoragePeer, serving_storage

from wayside.store import GcsStore, LocalStore, Store


def gcs_store(peer: StoragePeer, prefix: str = "cameras", bucket: str = BUCKET, patience: float = 30.0) -> GcsStore:
    """The store of a bucket of the peer, which does not wait between tries."""
    return GcsStore(peer.client(), bucket, prefix, timeout=10, backoff=0.001, patience=patience)


@pytest.fixture
def peer() -> Iterator[StoragePeer]:
    """A bucket service with an empty bucket."""
    with serving_storage() as running:
        yield running


@pytest.fixture(params=["local", "gcs"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Each store in turn, empty."""
    return LocalStore(tmp_path / "pictures") if request.param == "local" else gcs_store(request.getfixturevalue("peer"))
