"""Layouts: those that come with Wayside, those of the replaced system, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from wayside.core.errors import ConfigError
from wayside.core.settings import Settings
from wayside.metadata.layouts import ColumnLayout, TableLayout, layout_names, load_layout, read_layout, to_yaml

FOLDER = Settings(_env_file=None).config / "photo_tables"
OLD = """
pk_column: ID
columns:
  - {name: ID, dtype: VARCHAR(256), formatter: ID, extra: PRIMARY KEY}
  - {name: Tidspunkt, dtype: DATE, formatter: Tidspunkt, extra: NOT NULL}
  - {name: Meter, dtype: NUMBER, formatter: Meter, extra: not  null}
  - name: Posisjon
    dtype: SDO_GEOMETRY
    formatter: Posisjon_3d
    extra: null
    spatial_metadata:
      dimension: 3
      srid: 4979
      dim_elements:
        - {name: Longitude, min: -180, max: 180, tol: 0.5}
        - {name: Latitude, min: -90, max: 90, tol: 0.5}
        - {name: Height, min: -100, max: 3000, tol: 0.5}
  - {name: Hoyde, dtype: NUMBER, formatter: Hoyde, extra: null}
  - {name: JsonData, dtype: CLOB, formatter: JsonData, extra: NOT NULL}
"""


def test_the_layouts_that_come_with_wayside_are_the_tables_of_the_replaced_system():
    assert layout_names(FOLDER) == ["vegbilder", "vegbilder_v1"]
    tables = {name: load_layout(name, FOLDER) for name in layout_names(FOLDER)}
    assert [len(table.columns) for table in tables.values()] == [51, 29]
    left_out = {c.name for c in tables["vegbilder"].columns} - {c.name for c in tables["vegbilder_v1"].columns}
    assert len(left_out) == 22
    needed = {column.name for column in tables["vegbilder"].columns if not column.nullable}
    assert needed == {
        "ID", "Tidspunkt", "Dataeier", "Bildetype", "FylkeNummer", "Vegkategori", "Vegstatus", "Vegnummer", "Meter",
        "Mappenavn", "Filnavn", "JsonData", "Aar", "Feltkode",
    }  # fmt: skip
    for table in tables.values():
        spatial = {column.name: column.spatial.srid for column in table.columns if column.spatial}
        assert (table.key, spatial) == ("ID", {"Posisjon": 4326, "SenterlinjePosisjon": 25833})


def test_a_table_definition_of_the_replaced_system_is_read(tmp_path: Path):
    (tmp_path / "VEGBILDER_3D.yml").write_text(OLD)
    table = read_layout(tmp_path / "VEGBILDER_3D.yml")
    assert (table.name, table.key) == ("VEGBILDER_3D", "ID")
    assert [column.nullable for column in table.columns] == [False, False, False, True, True, False]
    assert [column.value for column in table.columns] == ["id", "time", "number", "point", "height", "record"]
    spatial = table.columns[3].spatial
    assert spatial is not None
    assert (spatial.dimension, spatial.srid, spatial.axes[2].high) == (3, 4979, 3000)


@pytest.mark.parametrize("name", ["vegbilder", "vegbilder_v1"])
def test_a_layout_is_written_as_it_is_read(tmp_path: Path, name: str):
    table = load_layout(name, FOLDER)
    (tmp_path / "again.yaml").write_text(to_yaml(table))
    assert read_layout(tmp_path / "again.yaml") == table
    assert load_layout(str(tmp_path / "again.yaml"), FOLDER) == table


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"formatter": "Unheard"}, "formatter 'Unheard' is not known"),
        ({"dtype": "BLOB"}, "give VARCHAR"),
        ({"dtype": "CLOB"}, "`as: time` makes no CLOB"),
        ({"name": "Tid; DROP TABLE x"}, "cannot name a column"),
        ({"name": "ID"}, "ID is there twice"),
        ({"spatial_metadata": {"dimension": 3, "srid": 1, "dim_elements": []}}, "3 dimensions and 0 elements"),
        ({"spatial_metadata": {"srid": 1}}, "dim_elements"),
        ({"spatial_metadata": 7}, "list of columns"),
    ],
)
def test_a_definition_that_is_wrong_is_refused(tmp_path: Path, change: dict[str, Any], says: str):
    document = yaml.safe_load(OLD)
    document["columns"][1] |= change
    (tmp_path / "T.yml").write_text(yaml.safe_dump(document))
    with pytest.raises(ConfigError, match=rf"T\.yml is wrong: .*{says}"):
        read_layout(tmp_path / "T.yml")


@pytest.mark.parametrize("lacking", ["columns", "dtype", "name"])
def test_what_a_definition_lacks_is_named(tmp_path: Path, lacking: str):
    document = yaml.safe_load(OLD)
    document.pop(lacking, None)
    document.get("columns", [{}])[0].pop(lacking, None)
    (tmp_path / "T.yml").write_text(yaml.safe_dump(document))
    with pytest.raises(ConfigError, match=f"the key '{lacking}' is missing"):
        read_layout(tmp_path / "T.yml")


BARE_POINT = {"name": "P", "type": "SDO_GEOMETRY", "from": "p", "as": "point"}
KEY = {"name": "ID", "type": "VARCHAR(99)", "from": "bildeid", "as": "id"}


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"name": "1T", "key": "ID", "columns": [KEY]}, "cannot name a table"),
        ({"name": "WAYSIDE_X", "key": "ID", "columns": [KEY]}, "call the table something else"),
        ({"name": "T", "key": "KEY", "columns": [KEY]}, "the key KEY is none of the columns"),
        ({"name": "T", "key": "ID", "columns": [{**KEY, "type": "VARCHAR(2000)"}]}, "at most 1000 characters"),
        ({"name": "T", "key": "ID", "columns": [{**KEY, "type": "VARCHAR(5000)"}]}, "n up to 4000"),
        ({"name": "T", "key": "ID", "columns": [{**KEY, "from": "a b"}]}, "no key of a record"),
        ({"name": "T", "key": "ID", "columns": [{**KEY, "as": "text", "from": []}]}, "`from` has to name a key"),
        ({"name": "T", "key": "ID", "columns": [KEY], "more": 1}, "more"),
        ({"name": "T", "key": "ID", "columns": []}, "columns"),
        ({"name": "T", "key": "ID", "columns": [KEY, BARE_POINT]}, "`spatial` belongs to"),
    ],
)  # fmt: skip
def test_a_layout_that_is_wrong_is_refused(tmp_path: Path, document: dict[str, Any], says: str):
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(ConfigError, match=says):
        read_layout(tmp_path / "t.yaml")


def test_the_numbers_of_a_point_need_names_of_their_own():
    axes = [{"name": name, "low": 0, "high": 1, "tolerance": 0.1} for name in "XY"]
    point = {**BARE_POINT, "spatial": {"srid": 25833, "axes": axes}}
    other = {"name": "p_x", "type": "NUMBER", "from": "x", "as": "number"}
    with pytest.raises(ValueError, match="column P_X is there twice"):
        TableLayout.model_validate({"name": "T", "key": "ID", "columns": [KEY, point, other]})


@pytest.mark.parametrize(("low", "high", "tolerance"), [(1, 1, 0.1), (2, 1, 0.1), (0, 1, 0)])
def test_an_axis_has_an_extent(low: float, high: float, tolerance: float):
    axis = {"name": "X", "low": low, "high": high, "tolerance": tolerance}
    with pytest.raises(ValueError, match=r"low|tolerance"):
        ColumnLayout.model_validate({**BARE_POINT, "spatial": {"srid": 1, "axes": [axis] * 2}})


@pytest.mark.parametrize("which", ["nothing", "../secrets", "no.such.yaml", ""])
def test_a_layout_that_is_not_there_is_said(which: str):
    with pytest.raises(ConfigError, match=r"there is no layout .* vegbilder, vegbilder_v1|cannot be read"):
        load_layout(which, FOLDER)


def test_the_file_has_the_name_of_its_table(tmp_path: Path):
    (tmp_path / "other.yaml").write_text(to_yaml(load_layout("vegbilder", FOLDER)))
    with pytest.raises(ConfigError, match=r"call the file vegbilder\.yaml"):
        load_layout("other", tmp_path)


@pytest.mark.parametrize("text", ["- 1", "", "{", "x: &a [*a]"])
def test_a_file_that_is_no_layout_is_refused(tmp_path: Path, text: str):
    (tmp_path / "t.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"t\.yaml"):
        read_layout(tmp_path / "t.yaml")
