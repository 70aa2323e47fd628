"""Types and values between BigQuery's REST form, DuckDB and Arrow: schemas, cells of rows, query parameters."""

import base64
import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
from tests.peers.bigquery.errors import ApiError

Field = dict[str, Any]

LEGACY = {
    "INT64": "INTEGER",
    "FLOAT64": "FLOAT",
    "BOOL": "BOOLEAN",
    "STRUCT": "RECORD",
    "DECIMAL": "NUMERIC",
    "BIGDECIMAL": "BIGNUMERIC",
}
DUCK = {
    "STRING": "VARCHAR",
    "BYTES": "BLOB",
    "INTEGER": "BIGINT",
    "FLOAT": "DOUBLE",
    "BOOLEAN": "BOOLEAN",
    "TIMESTAMP": "TIMESTAMPTZ",
    "DATETIME": "TIMESTAMP",
    "DATE": "DATE",
    "TIME": "TIME",
    "NUMERIC": "DECIMAL(38, 9)",
    "JSON": "JSON",
}
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def normal(field: Field) -> Field:
    """A field with the names of types and modes that the service answers with.

    Raises:
        ApiError: a type that the service or the peer does not know.
    """
    kind = LEGACY.get(field["type"].upper(), field["type"].upper())
    if kind != "RECORD" and kind not in DUCK:
        raise ApiError("invalid", f"The peer has no type {field['type']} (field {field['name']})")
    out = {**field, "type": kind, "mode": field.get("mode", "NULLABLE").upper()}
    if kind == "RECORD":
        out["fields"] = [normal(child) for child in field.get("fields", [])]
    return out


def duck_type(field: Field) -> str:
    """DuckDB's type for a normal field."""
    kind = DUCK.get(field["type"])
    if kind is None:
        inner = ", ".join(f"{quoted(child['name'])} {duck_type(child)}" for child in field["fields"])
        kind = f"STRUCT({inner})"
    return kind + ("[]" if field["mode"] == "REPEATED" else "")


def quoted(name: str) -> str:
    """A name between double quotes, for DuckDB."""
    return '"' + name.replace('"', '""') + '"'


def fields_of(schema: pa.Schema, modes: bool = True) -> list[Field]:
    """The BigQuery schema that a Parquet file (with `modes`) or the result of a query (all nullable) has."""
    return [_field_of(field, modes) for field in schema]


def _field_of(field: pa.Field, modes: bool) -> Field:
    kind, mode = field.type, "NULLABLE" if field.nullable or not modes else "REQUIRED"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind, mode = kind.value_type, "REPEATED"
    out: Field = {"name": field.name, "type": _type_of(kind, field.name), "mode": mode}
    if out["type"] == "RECORD":
        out["fields"] = [_field_of(kind.field(place), modes) for place in range(kind.num_fields)]
    return out


_TESTS = (
    (pa.types.is_boolean, "BOOLEAN"),
    (pa.types.is_integer, "INTEGER"),
    (pa.types.is_floating, "FLOAT"),
    (lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind), "STRING"),
    (lambda kind: pa.types.is_binary(kind) or pa.types.is_large_binary(kind), "BYTES"),
    (pa.types.is_date, "DATE"),
    (pa.types.is_time, "TIME"),
    (pa.types.is_struct, "RECORD"),
    (pa.types.is_null, "INTEGER"),
    (lambda kind: pa.types.is_decimal(kind) and kind.scale == 0, "INTEGER"),
    (pa.types.is_decimal, "NUMERIC"),
)


def _type_of(kind: pa.DataType, name: str) -> str:
    if isinstance(kind, pa.BaseExtensionType):
        return "JSON" if kind.extension_name == "arrow.json" else _type_of(kind.storage_type, name)
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP" if kind.tz else "DATETIME"
    if pa.types.is_dictionary(kind):
        return _type_of(kind.value_type, name)
    for test, answer in _TESTS:
        if test(kind):
            return answer
    raise ApiError("invalid", f"The peer cannot give field {name} of type {kind} a BigQuery type")


def cell(value: Any, field: Field, micros: bool, iso: bool = False) -> dict[str, Any]:
    """One cell in the form {"v": ...}; a missing array is an empty one, as in the service."""
    if field["mode"] == "REPEATED":
        single = {**field, "mode": "NULLABLE"}
        return {"v": [cell(item, single, micros, iso) for item in value or []]}
    if value is None:
        return {"v": None}
    if field["type"] == "RECORD":
        return {"v": {"f": [cell(value[child["name"]], child, micros, iso) for child in field["fields"]]}}
    return {"v": _text(value, field["type"], micros, iso)}


def _text(value: Any, kind: str, micros: bool, iso: bool) -> str:
    if kind == "TIMESTAMP":
        return _timestamp(value, micros, iso)
    if kind == "BOOLEAN":
        return "true" if value else "false"
    if kind == "BYTES":
        return base64.b64encode(value).decode()
    if kind in {"DATE", "TIME", "DATETIME"}:
        return value.isoformat()
    if kind == "FLOAT":
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(repr(value), repr(value))
    if kind == "NUMERIC":
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)


def _timestamp(value: dt.datetime, micros: bool, iso: bool) -> str:
    if iso:
        return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    count = (value - EPOCH) // dt.timedelta(microseconds=1)
    return str(count) if micros else repr(count / 1e6)


def value_of(text: Any, field: Field) -> Any:
    """The Python value of a JSON value: a cell of a newline JSON file, or a parameter.

    Raises:
        ApiError: the value is not of the field's type.
    """
    if field["mode"] == "REPEATED":
        single = {**field, "mode": "NULLABLE"}
        return [value_of(item, single) for item in text or []]
    if text is None:
        return None
    try:
        if field["type"] == "RECORD":
            return {child["name"]: value_of(text.get(child["name"]), child) for child in field["fields"]}
        return _READERS[field["type"]](text)
    except (ValueError, TypeError, ArithmeticError, AttributeError) as error:
        message = f"Could not convert value {text!r} to {field['type']}. Field: {field['name']}"
        raise ApiError("invalid", message) from error


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() not in {"true", "false"}:
        raise ValueError(value)
    return str(value).lower() == "true"


def _instant(value: Any) -> dt.datetime:
    if isinstance(value, int | float):
        return EPOCH + dt.timedelta(microseconds=round(value * 1e6))
    moment = dt.datetime.fromisoformat(str(value).removesuffix(" UTC").removesuffix("Z"))
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


_READERS = {
    "STRING": _string,
    "BYTES": base64.b64decode,
    "INTEGER": lambda value: int(str(value)),
    "FLOAT": float,
    "BOOLEAN": _bool,
    "TIMESTAMP": _instant,
    "DATETIME": lambda value: dt.datetime.fromisoformat(value).replace(tzinfo=None),
    "DATE": dt.date.fromisoformat,
    "TIME": dt.time.fromisoformat,
    "NUMERIC": lambda value: Decimal(str(value)),
    "JSON": json.dumps,
}


def parameter(body: dict[str, Any]) -> tuple[Any, str]:
    """The value of a query parameter, and its type in DuckDB."""
    field = _parameter_field(body.get("name", "?"), body["parameterType"])
    return value_of(_parameter_json(body["parameterType"], body.get("parameterValue", {})), field), duck_type(field)


def _parameter_field(name: str, kind: dict[str, Any]) -> Field:
    if kind["type"] == "ARRAY":
        return {**_parameter_field(name, kind["arrayType"]), "mode": "REPEATED"}
    inner = [_parameter_field(child["name"], child["type"]) for child in kind.get("structTypes", [])]
    return normal({"name": name, "type": kind["type"], "fields": inner})


def _parameter_json(kind: dict[str, Any], value: dict[str, Any]) -> Any:
    if kind["type"] == "ARRAY":
        return [_parameter_json(kind["arrayType"], item) for item in value.get("arrayValues", [])]
    if kind["type"] == "STRUCT":
        members = value.get("structValues", {})
        return {child["name"]: _parameter_json(child["type"], members[child["name"]]) for child in kind["structTypes"]}
    return value.get("value")
