"""Every statement below `sql/` runs on DuckDB and on BigQuery, and gives the same rows."""

import re
from pathlib import Path

import pytest

from wayside.core import settings as core_settings
from wayside.core.errors import ConfigError
from wayside.warehouse import sql

# What the translator passes on although DuckDB means something else by it, or cannot do.
FORBIDDEN = {
    r"\bDAYOFWEEK\b": "BigQuery counts Sunday as 1, DuckDB as 0",
    r"\bWEEK\b": "BigQuery's weeks begin on Sunday, DuckDB's on Monday; ISOWEEK is the same on both",
    r"\bCURRENT_(DATE|TIME|TIMESTAMP|DATETIME)\b": "a statement has its times as parameters",
    r"\bINSERT\s+ROW\b": "not known to DuckDB",
    r"\bST_\w+": "not known to DuckDB without an extension",
    r"\bGEOGRAPHY\b": "not known to DuckDB",
    r"\bDECLARE\b": "scripts are not statements",
    r"\bINFORMATION_SCHEMA\b": "other names on each",
    r"\bFARM_FINGERPRINT\b": "not known to DuckDB",
    r"\bTIMESTAMP_BUCKET\b": "not known to DuckDB",
    r"\bARRAY_AGG\s*\([^)]*\bLIMIT\b": "not known to DuckDB",
    r"\bRAND\s*\(": "two runs would differ",
}


def body(name: str) -> str:
    return "\n".join(line.partition("--")[0] for line in sql.load(name).splitlines())


@pytest.mark.parametrize("name", sql.names())
def test_no_statement_uses_what_the_engines_read_differently(name: str):
    found = [why for pattern, why in FORBIDDEN.items() if re.search(pattern, body(name), re.IGNORECASE)]
    assert not found


def test_the_list_of_what_is_forbidden_catches_something():
    text = "SELECT EXTRACT(DAYOFWEEK FROM slot), ST_GEOGPOINT(lon, lat) FROM cameras"
    assert sum(1 for pattern in FORBIDDEN if re.search(pattern, text)) == 2


@pytest.mark.parametrize("name", sql.names())
def test_every_statement_says_what_it_answers(name: str):
    assert sql.load(name).startswith("-- ")


def test_parameters_become_those_of_duckdb():
    assert sql.parameters("web/frame_cameras") == {"source", "slot"}
    told = sql.for_duckdb("web/frame_cameras")
    assert "$source" in told
    assert "@" not in told


def test_an_array_is_asked_by_any():
    assert sql.translated("SELECT 1 FROM t WHERE a IN UNNEST(@b)") == "SELECT 1 FROM t WHERE a = ANY($b)"


def statements(folder: Path, monkeypatch: pytest.MonkeyPatch, **texts: str) -> None:
    (folder / "sql" / "web").mkdir(parents=True)
    for name, text in texts.items():
        (folder / "sql" / "web" / f"{name}.sql").write_text(text)
    monkeypatch.setenv("WAYSIDE_HOME", str(folder))
    core_settings.settings.cache_clear()
    for cached in (sql.load, sql.parameters, sql.tables, sql.for_duckdb):
        cached.cache_clear()


@pytest.fixture(autouse=True)
def _no_cache():
    yield
    for cached in (sql.load, sql.parameters, sql.tables, sql.for_duckdb):
        cached.cache_clear()


def test_a_shared_part_becomes_a_table_expression(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    statements(
        tmp_path,
        monkeypatch,
        part="-- A part, @not a parameter.\nSELECT a FROM t WHERE a = @a\n",
        plain="-- with part\n-- Plain.\nSELECT * FROM part\n",
        more="-- with part\n-- More.\nWITH b AS (SELECT 1 AS x)\nSELECT * FROM part, b\n",
    )
    assert sql.names() == ["web/more", "web/part", "web/plain"]
    assert sql.load("web/plain") == ("-- Plain.\nWITH part AS (\nSELECT a FROM t WHERE a = @a\n)\nSELECT * FROM part")
    assert sql.load("web/more") == (
        "-- More.\nWITH part AS (\nSELECT a FROM t WHERE a = @a\n), b AS (SELECT 1 AS x)\nSELECT * FROM part, b"
    )
    assert sql.parameters("web/plain") == {"a"}
    assert sql.tables("web/plain") == sql.tables("web/more") == {"t"}
    assert sql.for_duckdb("web/more") == (
        "WITH part AS (SELECT a FROM t WHERE a = $a), b AS (SELECT 1 AS x) SELECT * FROM part CROSS JOIN b"
    )


@pytest.mark.parametrize("name", ["web/nothing", "../pyproject", "/etc/passwd", "web/../web/series"])
def test_what_is_no_statement_is_refused(name: str):
    with pytest.raises(ConfigError, match="there is no statement"):
        sql.load(name)
