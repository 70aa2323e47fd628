"""Tables: what every schema must have."""

import pyarrow as pa
import pytest

from wayside.core.tables import CAMERAS, COUNT_CLASSES, COUNTS, FRAMES, TABLES, Table

EVERY = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)


@EVERY
def test_key_and_scope_are_columns_that_are_never_null(table: Table):
    for column in (*table.key, *table.scope):
        assert not table.schema.field(column).nullable
    assert set(table.scope) <= set(table.key), "a scope is part of the key, or publications could collide"


@EVERY
def test_every_column_is_described(table: Table):
    for field in table.schema:
        assert field.metadata[b"description"].strip(), field.name


@EVERY
def test_every_row_says_which_schema_it_has(table: Table):
    assert table.schema.names[-1] == "schema_version"
    assert not table.schema.field("schema_version").nullable


@EVERY
def test_times_are_utc_and_names_are_unique(table: Table):
    assert len(set(table.schema.names)) == len(table.schema.names)
    for field in table.schema:
        if pa.types.is_timestamp(field.type):
            assert field.type == pa.timestamp("us", tz="UTC"), field.name


def test_tables_are_known_by_their_names():
    assert all(table.name == name for name, table in TABLES.items())


def test_counts_may_be_unknown_but_the_flags_may_not():
    assert all(COUNTS.schema.field(name).nullable for name in COUNT_CLASSES)
    assert not any(COUNTS.schema.field(name).nullable for name in ("faulty", "missing", "neighbours"))
    assert sorted(COUNT_CLASSES) == list(COUNT_CLASSES)


def test_scopes_are_what_one_publication_replaces():
    assert CAMERAS.scope == ("source",)
    assert FRAMES.scope == ("source", "slot")
    assert COUNTS.scope == ("source", "slot", "pipeline")
