"""`wayside register`: layouts, statements, rows, deliveries and imports, from the shell."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.warehouse.oracle.database import Database, peer
from tests.warehouse.oracle.road_photos import publish, record, seen
from typer.testing import CliRunner, Result

from wayside.cli import main, register
from wayside.core.errors import ConfigError, WaysideError
from wayside.core.settings import Settings
from wayside.warehouse.parquet import open_lake


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main._commands, ["register", *arguments], env={"COLUMNS": "200"})


def told(*arguments: str) -> str:
    answer = run(*arguments)
    assert answer.exit_code == 0, answer.output + repr(answer.exception)
    return answer.stdout


def refused(*arguments: str) -> str:
    answer = run(*arguments)
    assert isinstance(answer.exception, WaysideError), answer.output + repr(answer.exception)
    return f"{answer.exception}\n{answer.output}"


@pytest.fixture
def vegbilder(state: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings of a machine whose road photos go into the table VEGBILDER."""
    monkeypatch.setenv("WAYSIDE_PHOTO_TABLE", "vegbilder")
    return state


def test_layouts_are_listed(state: Path):
    assert "vegbilder_v1" in told("layouts")


def test_a_definition_of_the_replaced_system_is_converted(state: Path, tmp_path: Path):
    old = tmp_path / "MINE.yml"
    old.write_text("pk_column: ID\ncolumns:\n- {name: ID, dtype: VARCHAR(9), formatter: ID, extra: PRIMARY KEY}\n")
    new = tmp_path / "mine.yaml"
    new.write_text(told("convert-layout", str(old)))
    assert 'CREATE TABLE "MINE" (\n    "ID" VARCHAR2(9 CHAR) NOT NULL,' in told(
        "create-table", "--sql", "--layout", str(new)
    )


def test_a_row_is_shown(vegbilder: Path, tmp_path: Path):
    file = tmp_path / "a.json"
    file.write_text(json.dumps(record("a", exif_meter="0,5", exif_roll="x")))
    row = json.loads(run("row", str(file), "--flip-wkt").stdout)
    assert (row["ID"], row["Meter"], row["Tidspunkt"]) == ("a", 0.5, "2020-06-02 09:42:46+00:00")
    assert row["Posisjon"] == {"gtype": 2001, "srid": 4326, "point": [59.763178062499996, 9.898914575000001]}
    assert "Roll: 'x' is no number" in run("row", str(file)).stderr
    file.write_text(json.dumps(record("a")))
    assert "Meter may not be null" in refused("row", str(file), "--compat")
    file.write_text("{")
    assert "no JSON" in refused("row", str(file))


def test_statements_are_printed_for_whoever_may_run_them(vegbilder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WAYSIDE_ORACLE_SCHEMA", "roads")
    sql = told("create-table", "--sql")
    assert sql.startswith('CREATE TABLE "ROADS"."VEGBILDER" (\n    "ID" VARCHAR2(256 CHAR) NOT NULL,\n')
    assert sql.count("INSERT INTO USER_SDO_GEOM_METADATA") == sql.count("SPATIAL_INDEX_V2") == 2
    metadata = told("geometry-metadata", "--sql")
    assert metadata.count("INSERT") == 2
    assert metadata in sql.replace("CREATE INDEX", "\0").split("\0")[0] + "COMMIT;\n"


@pytest.mark.parametrize("command", ["create-table", "geometry-metadata", "deliver", "refused"])
def test_without_an_address_it_says_what_to_give(vegbilder: Path, monkeypatch: pytest.MonkeyPatch, command: str):
    for name in ("DSN", "USER", "PASSWORD"):
        monkeypatch.delenv(f"WAYSIDE_ORACLE_{name}", raising=False)
    assert "Give --dsn and --user" in refused(command)


def test_without_a_table_it_says_what_to_give(state: Path):
    for command in ("create-table", "resend", "deliver"):
        assert "give --layout" in refused(command)


def test_the_password_is_asked_for_once(monkeypatch: pytest.MonkeyPatch):
    given: list[dict[str, Any]] = []
    asked: list[str] = []
    monkeypatch.delenv("WAYSIDE_ORACLE_PASSWORD", raising=False)
    monkeypatch.setattr("oracledb.connect", lambda **named: given.append(named))
    monkeypatch.setattr("typer.prompt", lambda text, **_: asked.append(text) or "secret")
    connect = register.connector("host:1521/service", "roads")
    connect()
    connect()
    assert given == [{"user": "roads", "password": "secret", "dsn": "host:1521/service"}] * 2
    assert asked == ["Password"]
    monkeypatch.setenv("WAYSIDE_ORACLE_PASSWORD", "from the environment")
    register.connector("d", "u")()
    assert given[-1]["password"] == "from the environment"
    with pytest.raises(ConfigError, match="which database"):
        register.connector("", "u")


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> Database:
    database = peer()
    monkeypatch.setattr(register, "connector", lambda dsn, user: database.connect)
    return database


def test_a_table_is_made_filled_and_looked_at(vegbilder: Path, oracle: Database, tmp_path: Path):
    assert "create-table" in refused("geometry-metadata")
    assert told("create-table").count("made: ") == 5
    assert told("create-table") == told("geometry-metadata") == "all of it is there already\n"
    lake = open_lake(Settings(_env_file=None))
    publish(lake, "f", {"a": record("a"), "b": record("b", exif_fylke=None), "c": record("c", exif_roll="x")})
    answer = refused("deliver")
    assert "1 are not registered" in answer
    assert "VEGBILDER: 3 pictures, 2 inserted, 0 updated, 1 refused" in answer
    assert "City/f/c.jpg: Roll: 'x' is no number" in answer
    assert told("refused") == "City/f/b.jpg: FylkeNummer may not be null: no value in exif_fylke\n"
    assert told("resend") == "VEGBILDER: 1 folders wait to be registered\n"
    assert "0 inserted, 2 updated" in refused("deliver")
    assert told("deliver") == "VEGBILDER: 0 pictures, 0 inserted, 0 updated, 0 refused\n"
    folder = tmp_path / "json"
    folder.mkdir()
    (folder / "d.json").write_text(json.dumps(record("d", exif_moh="1,5")))
    (folder / "e.json").write_text("{")
    answer = refused("import-json", str(folder), "--archive", str(tmp_path / "archive"))
    assert "2 files: 1 registered (1 inserted, 0 updated), 0 before, 1 wrong, 1 put right, 1 archived" in answer
    assert "e.json: not_json: no JSON" in answer
    (folder / "e.json").unlink()
    assert told("import-json", str(folder)).startswith("0 files: ")
    assert set(seen(oracle)) == {"a", "c", "d"}
