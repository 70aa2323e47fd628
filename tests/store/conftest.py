"""The stores that keep the same promises."""

from pathlib import Path

import pytest

from wayside.store import LocalStore, Store


@pytest.fixture(params=["local"])
def store(tmp_path: Path) -> Store:
    """Each store in turn, empty."""
    return LocalStore(tmp_path / "pictures")
