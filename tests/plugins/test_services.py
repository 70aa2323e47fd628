"""What lies behind an Airflow connection: the picture store in a bucket, through the hook of the provider."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.peers.storage import serving_storage

from wayside.core.settings import Settings
from wayside.store import LocalStore, PictureMeta
from wayside_airflow.hooks import services
from wayside_airflow.operators.common import ingest_stages
from wayside_airflow.web.context import open_store

META = PictureMeta(fetched_at=datetime(2026, 5, 1, tzinfo=UTC))
KEY = "City/20260501/0800/a.jpg"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, state: Path) -> Iterator[Any]:
    connection = {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True, "project": "p"}}
    monkeypatch.setenv("AIRFLOW_CONN_PICTURES", json.dumps(connection))
    monkeypatch.setenv("WAYSIDE_GOOGLE_CONNECTION", "pictures")
    monkeypatch.setenv("WAYSIDE_PICTURES_URL", "gs://cameras/live")
    services._storage.cache_clear()
    with serving_storage() as peer:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", peer.url)
        peer.bucket("cameras")
        yield peer.client().bucket("cameras")
    services._storage.cache_clear()


def test_pictures_go_to_the_bucket_that_the_connection_opens(bucket: Any):
    work = ingest_stages()
    assert work.store.create(KEY, b"jpeg", META)
    assert [blob.name for blob in bucket.list_blobs()] == [f"live/{KEY}"]
    stored = open_store().read(KEY)
    assert stored is not None
    assert stored.data == b"jpeg"
    assert stored.uri == f"gs://cameras/live/{KEY}"


def test_without_a_bucket_they_lie_in_a_folder(state: Path):
    store = services.open_pictures(Settings())
    assert isinstance(store, LocalStore)
    assert store.root == state / "pictures"
