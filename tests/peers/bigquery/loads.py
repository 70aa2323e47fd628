"""Load jobs: Parquet and newline JSON, uploaded or from gs://, into rows with a BigQuery schema."""

import fnmatch
import io
import json
import os
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tests.peers.bigquery import store
from tests.peers.bigquery.catalog import Catalog
from tests.peers.bigquery.errors import ApiError
from tests.peers.bigquery.wire import Field, duck_type, fields_of, normal, value_of


def run(catalog: Catalog, config: dict[str, Any], payload: bytes | None) -> dict[str, Any]:
    """Run a load job: its statistics.

    Raises:
        ApiError: a file is not there or cannot be read, or the rows do not fit the table.
    """
    files = [payload] if payload is not None else _fetched(config.get("sourceUris") or [])
    parts = [_READERS[_form(config)](catalog, config, body) for body in files]
    fields = parts[0][1]
    data = pa.concat_tables([data for data, _ in parts], promote_options="permissive")
    ref = store.write(catalog, config, data, fields, "WRITE_APPEND")
    rows = str(data.num_rows)
    return {
        "ref": ref,
        "load": {
            "inputFiles": str(len(files)),
            "inputFileBytes": str(sum(map(len, files))),
            "outputRows": rows,
            "outputBytes": str(data.nbytes),
            "badRecords": "0",
        },
    }


def _form(config: dict[str, Any]) -> str:
    form = config.get("sourceFormat", "CSV")
    if form not in _READERS:
        raise ApiError("invalid", f"The peer loads {' and '.join(_READERS)}, not {form}")
    return form


def _given(config: dict[str, Any]) -> list[Field]:
    return [normal(field) for field in (config.get("schema") or {}).get("fields") or []]


def _parquet(_: Catalog, config: dict[str, Any], body: bytes) -> tuple[pa.Table, list[Field]]:
    try:
        data = pq.read_table(io.BytesIO(body))
    except (pa.ArrowInvalid, OSError) as error:
        message = f"Error while reading data, error message: Failed to read file as Parquet: {error}"
        raise ApiError("invalid", message) from error
    found, given = fields_of(data.schema), _given(config)
    if not given:
        return data, [normal(field) for field in found]
    types = {field["name"]: duck_type(field) for field in found}
    for field in given:
        there = types.get(field["name"])
        if there is not None and there != duck_type(field):
            message = f"Parquet column '{field['name']}' has type {there} which does not match the target cpp_type"
            raise ApiError("invalid", f"Error while reading data, error message: {message} {field['type']}")
        if there is None and field["mode"] == "REQUIRED":
            raise ApiError("invalid", f"Required field {field['name']} cannot be null")
    return data, [field for field in given if field["name"] in types]


def _json(catalog: Catalog, config: dict[str, Any], body: bytes) -> tuple[pa.Table, list[Field]]:
    ref, _ = store.destination(config["destinationTable"])
    fields = _given(config) or (catalog.fields(ref) if ref in catalog.tables else [])
    if not fields:
        raise ApiError("invalid", "No schema specified on job or table (the peer does not detect that of JSON)")
    rows = [_row(place, line, fields, config) for place, line in enumerate(body.splitlines()) if line.strip()]
    columns = {field["name"]: [row[field["name"]] for row in rows] for field in fields}
    return pa.table({name: pa.array(values) for name, values in columns.items()}), fields


def _row(place: int, line: bytes, fields: list[Field], config: dict[str, Any]) -> dict[str, Any]:
    start = f"Error while reading data, error message: JSON table encountered too many errors; row {place + 1}: "
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ApiError("invalid", f"{start}{error}") from error
    unknown = set(row) - {field["name"] for field in fields}
    if unknown and not config.get("ignoreUnknownValues"):
        raise ApiError("invalid", f"{start}No such field: {min(unknown)}.")
    for field in fields:
        if field["mode"] == "REQUIRED" and row.get(field["name"]) is None:
            raise ApiError("invalid", f"{start}Missing required field: {field['name']}.")
    return {field["name"]: value_of(row.get(field["name"]), field) for field in fields}


def _fetched(uris: list[str]) -> list[bytes]:
    """The objects that gs:// names mean, from the storage service of STORAGE_EMULATOR_HOST."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    if not os.environ.get("STORAGE_EMULATOR_HOST"):
        raise ApiError("invalid", "The peer reads gs:// only where STORAGE_EMULATOR_HOST names a storage service")
    client = storage.Client(project="peer", credentials=AnonymousCredentials())
    found: list[bytes] = []
    for uri in uris:
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        blobs = client.list_blobs(bucket, prefix=name.partition("*")[0])
        bodies = [blob.download_as_bytes() for blob in blobs if fnmatch.fnmatchcase(blob.name, name)]
        if not bodies:
            raise ApiError("notFound", f"Not found: URI {uri}")
        found += bodies
    if not found:
        raise ApiError("invalid", "Load configuration must specify at least one source URI")
    return found


_READERS = {"PARQUET": _parquet, "NEWLINE_DELIMITED_JSON": _json}
