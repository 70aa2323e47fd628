"""Writing a load's or a query's rows into a table, by the service's rules of create and write disposition."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from tests.peers.bigquery.catalog import PARTITION_FORMATS, Catalog, Ref, shown
from tests.peers.bigquery.errors import ApiError
from tests.peers.bigquery.wire import Field, duck_type, quoted

_SPEC = ("timePartitioning", "rangePartitioning", "clustering")


def destination(body: dict[str, str]) -> tuple[Ref, str | None]:
    """The table that a job writes to, and the partition where the name ends in `$20260616`."""
    table, _, partition = body["tableId"].partition("$")
    return (body["projectId"], body["datasetId"], table), partition or None


def write(catalog: Catalog, config: dict[str, Any], data: pa.Table, fields: list[Field], default: str) -> Ref:
    """Write rows where a job's configuration wants them; `default` is the write disposition without one.

    Raises:
        ApiError: the table is not there or not empty against the dispositions, or its schema does not fit.
    """
    ref, partition = destination(config["destinationTable"])
    disposition = config.get("writeDisposition") or default
    if ref not in catalog.tables:
        _create(catalog, ref, config, fields)
    elif catalog.table(ref)["type"] == "VIEW":
        raise ApiError("invalid", f"{shown(ref)} is not allowed for this operation because it is a VIEW.")
    elif disposition == "WRITE_EMPTY" and catalog.count(ref):
        raise ApiError("duplicate", f"Already Exists: Table {shown(ref)}")
    elif disposition == "WRITE_TRUNCATE" and partition is None:
        catalog.replace_rows(ref, _described(config, fields))
    else:
        _fit(catalog, ref, config, fields)
    if partition is not None:
        _check_partition(catalog, ref, partition, data)
        if disposition == "WRITE_TRUNCATE":
            column, form = _partitioning(catalog, ref)
            catalog.rows.execute(
                f"DELETE FROM {catalog.name(ref)} WHERE strftime(CAST({quoted(column)} AS TIMESTAMP), '{form}') = ?",
                [partition],
            )
    _insert(catalog, ref, data, fields)
    catalog.touch(ref)
    return ref


def _create(catalog: Catalog, ref: Ref, config: dict[str, Any], fields: list[Field]) -> None:
    catalog.dataset(ref[0], ref[1])
    if config.get("createDisposition") == "CREATE_NEVER":
        raise ApiError("notFound", f"Not found: Table {shown(ref)}")
    spec = {key: config[key] for key in _SPEC if config.get(key)}
    properties = config.get("destinationTableProperties") or {}
    catalog.create(ref, {"schema": {"fields": _described(config, fields)}, **spec, **properties})


def _described(config: dict[str, Any], fields: list[Field]) -> list[Field]:
    given = {field["name"]: field for field in (config.get("schema") or {}).get("fields") or []}
    return [{**field, **_text(given.get(field["name"], {}))} for field in fields]


def _text(field: Field) -> Field:
    return {"description": field["description"]} if field.get("description") else {}


def _fit(catalog: Catalog, ref: Ref, config: dict[str, Any], fields: list[Field]) -> None:
    """Check the incoming columns against those of the table, and change the table where the job allows it."""
    there = {field["name"]: field for field in catalog.fields(ref)}
    options = config.get("schemaUpdateOptions") or []
    start = f"Provided Schema does not match Table {shown(ref)}."
    new = []
    for field in fields:
        old = there.get(field["name"])
        if old is None:
            if there and "ALLOW_FIELD_ADDITION" not in options:
                raise ApiError("invalid", f"{start} Cannot add fields (field: {field['name']})")
            new.append({**field, "mode": "NULLABLE" if field["mode"] == "REQUIRED" else field["mode"]})
        else:
            _fit_field(start, old, field, options)
    missing = {name for name, old in there.items() if old["mode"] == "REQUIRED"} - {field["name"] for field in fields}
    if missing:
        raise ApiError("invalid", f"{start} Field {min(missing)} is missing in new schema")
    relaxed = {field["name"] for field in fields if field["mode"] == "NULLABLE"}
    whole = [{**old, "mode": _relaxed(old, relaxed)} for old in there.values()] + new
    if whole != list(there.values()):
        catalog.patch(ref, {"schema": {"fields": whole}})


def _relaxed(field: Field, nullable: set[str]) -> str:
    return "NULLABLE" if field["mode"] == "REQUIRED" and field["name"] in nullable else field["mode"]


def _fit_field(start: str, old: Field, new: Field, options: list[str]) -> None:
    name = old["name"]
    if duck_type({**old, "mode": "NULLABLE"}) != duck_type({**new, "mode": "NULLABLE"}):
        raise ApiError("invalid", f"{start} Field {name} has changed type from {old['type']} to {new['type']}")
    if old["mode"] == new["mode"] or (old["mode"], new["mode"]) == ("NULLABLE", "REQUIRED"):
        return
    if old["mode"] == "REQUIRED" and new["mode"] == "NULLABLE" and "ALLOW_FIELD_RELAXATION" in options:
        return
    raise ApiError("invalid", f"{start} Field {name} has changed mode from {old['mode']} to {new['mode']}")


def _partitioning(catalog: Catalog, ref: Ref) -> tuple[str, str]:
    spec = catalog.table(ref).get("timePartitioning")
    if not spec:
        raise ApiError("invalid", f"Cannot write into a partition: {shown(ref)} is not partitioned")
    return spec["field"], PARTITION_FORMATS[spec["type"]]


def _check_partition(catalog: Catalog, ref: Ref, partition: str, data: pa.Table) -> None:
    column, form = _partitioning(catalog, ref)
    days = pc.strftime(data[column].cast(pa.timestamp("us")), format=form)
    if any(day != partition for day in days.to_pylist()):
        message = f"Some rows belong to different partitions rather than destination partition {ref[2]}${partition}"
        raise ApiError("invalid", message)


def _insert(catalog: Catalog, ref: Ref, data: pa.Table, fields: list[Field]) -> None:
    if not fields:
        return
    names = ", ".join(quoted(field["name"]) for field in fields)
    casts = ", ".join(f"CAST({quoted(field['name'])} AS {duck_type(field)})" for field in fields)
    catalog.rows.register("incoming", data)
    try:
        catalog.rows.execute(f"INSERT INTO {catalog.name(ref)} ({names}) SELECT {casts} FROM incoming")
    finally:
        catalog.rows.unregister("incoming")
