"""The clock, and the files that a person edits."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wayside.core.clock import utc_now
from wayside.core.errors import ConfigError
from wayside.core.yamlfile import read_yaml


def test_the_clock_knows_its_zone():
    before = datetime.now(UTC)
    now = utc_now()
    assert now.utcoffset() == timedelta(0)
    assert before <= now <= datetime.now(UTC)


def test_yaml_is_read(tmp_path: Path):
    (tmp_path / "a.yaml").write_text("a: {b: [1, ü]}", encoding="utf-8")
    assert read_yaml(tmp_path / "a.yaml") == {"a": {"b": [1, "ü"]}}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"a: 1\nb: 2\na: 3\n", "key 'a' is written twice"),
        (b"top:\n  x: {y: 1, y: 2}\n", "key 'y' is written twice"),
        (b"a: [1", "is not YAML"),
        (b"a: !!python/object/apply:os.system [ls]", "is not YAML"),
        (b"a: \xff", "is not YAML"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused(tmp_path: Path, content: bytes, complaint: str):
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=complaint) as caught:
        read_yaml(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"no\.yaml cannot be read: No such file"):
        read_yaml(tmp_path / "no.yaml")
