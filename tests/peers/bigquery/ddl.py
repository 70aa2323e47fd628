"""Statements that define things: CREATE, DROP and ALTER, from sqlglot's trees into the catalogue's REST bodies."""

from typing import Any

from sqlglot import exp
from tests.peers.bigquery import store
from tests.peers.bigquery.catalog import Catalog, Ref, result_fields
from tests.peers.bigquery.errors import ApiError
from tests.peers.bigquery.sql import Translator
from tests.peers.bigquery.strict import SQL_TYPES
from tests.peers.bigquery.wire import Field, normal

_DAY_MS = 86_400_000


def run(catalog: Catalog, translator: Translator, tree: exp.Expression) -> tuple[str, Ref | None]:
    """Run a statement: the operation in the service's words (CREATE, REPLACE, SKIP, DROP ...), and its target."""
    if isinstance(tree, exp.Create):
        return _create(catalog, translator, tree)
    if isinstance(tree, exp.Drop):
        return _drop(catalog, translator, tree)
    return _alter(catalog, translator, tree)


def _create(catalog: Catalog, translator: Translator, tree: exp.Create) -> tuple[str, Ref | None]:
    if tree.kind == "SCHEMA":
        return _create_dataset(catalog, translator, tree), None
    if tree.kind not in {"TABLE", "VIEW"} or tree.find(exp.TemporaryProperty) or tree.args.get("clone"):
        raise ApiError("invalidQuery", f"Not supported by this peer: {tree.sql('bigquery')[:60]}")
    target = tree.find(exp.Table)
    ref = translator.ref(target)
    catalog.dataset(ref[0], ref[1], translator.location)
    there = ref in catalog.tables
    if there and tree.args.get("exists"):
        return "SKIP", ref
    body = _body(tree)
    if there and tree.args.get("replace"):
        catalog.delete(ref)
    if tree.kind == "VIEW":
        _create_view(catalog, translator, tree, ref, body)
    elif tree.expression is not None:
        _create_as(catalog, translator, tree, ref, body)
    else:
        catalog.create(ref, body)
    return ("REPLACE" if there else "CREATE"), ref


def _create_dataset(catalog: Catalog, translator: Translator, tree: exp.Create) -> str:
    target = tree.this
    project = target.catalog or translator.project
    if (project, target.db) in catalog.datasets and tree.args.get("exists"):
        return "SKIP"
    body = {"datasetReference": {"datasetId": target.db}, "location": translator.location, **_options(tree)}
    catalog.create_dataset(project, body)
    return "CREATE"


def _create_view(catalog: Catalog, translator: Translator, tree: exp.Create, ref: Ref, body: dict[str, Any]) -> None:
    """A view keeps its query; its schema is what the query gives now."""
    query, values = translator.translate(tree.expression, check=False)
    fields = result_fields(catalog.select(f"SELECT * FROM ({query}) LIMIT 0", values))
    if body["schema"]["fields"]:
        raise ApiError("invalidQuery", "Not supported by this peer: a list of columns in CREATE VIEW")
    view = {"query": tree.expression.sql("bigquery"), "useLegacySql": False}
    catalog.create(ref, {**body, "schema": {"fields": fields}, "view": view})


def _create_as(catalog: Catalog, translator: Translator, tree: exp.Create, ref: Ref, body: dict[str, Any]) -> None:
    query, values = translator.translate(tree.expression)
    data = catalog.select(query, values)
    fields = body["schema"]["fields"] or [normal(field) for field in result_fields(data)]
    catalog.create(ref, {**body, "schema": {"fields": fields}})
    target = dict(zip(("projectId", "datasetId", "tableId"), ref, strict=True))
    store.write(catalog, {"destinationTable": target}, data, [normal(field) for field in fields], "WRITE_APPEND")


def _drop(catalog: Catalog, translator: Translator, tree: exp.Drop) -> tuple[str, Ref | None]:
    target = tree.find(exp.Table)
    kind = tree.args["kind"]
    if kind == "SCHEMA":
        project = target.catalog or translator.project
        if (project, target.db) not in catalog.datasets and tree.args.get("exists"):
            return "SKIP", None
        catalog.delete_dataset(project, target.db, bool(tree.args.get("cascade")))
        return "DROP", None
    ref = translator.ref(target)
    if ref not in catalog.tables and tree.args.get("exists"):
        return "SKIP", ref
    found = catalog.table(ref)["type"]
    if found != kind:
        raise ApiError("invalidQuery", f"{target.sql('bigquery')} is a {found}, not a {kind}")
    catalog.delete(ref)
    return "DROP", ref


def _alter(catalog: Catalog, translator: Translator, tree: exp.Alter) -> tuple[str, Ref | None]:
    ref = translator.ref(tree.this)
    if ref not in catalog.tables and tree.args.get("exists"):
        return "SKIP", ref
    fields = list(catalog.fields(ref))
    for action in tree.args["actions"]:
        if isinstance(action, exp.ColumnDef):
            if not (action.args.get("exists") and action.name in {field["name"] for field in fields}):
                fields.append(_column(action))
        elif isinstance(action, exp.AlterSet):
            catalog.patch(ref, _table_options(catalog.table(ref), _options(action)))
        else:
            raise ApiError("invalidQuery", f"Not supported by this peer: {tree.sql('bigquery')[:60]}")
    if fields != catalog.fields(ref):
        catalog.patch(ref, {"schema": {"fields": fields}})
    return "ALTER", ref


def _body(tree: exp.Create) -> dict[str, Any]:
    columns = tree.this.expressions if isinstance(tree.this, exp.Schema) else []
    if tree.kind == "VIEW":
        body: dict[str, Any] = {"schema": {"fields": [{"name": column.name} for column in columns]}}
    else:
        body = {"schema": {"fields": [_column(column) for column in columns]}}
    partitioned, clustered = tree.find(exp.PartitionedByProperty), tree.find(exp.ClusterProperty)
    if partitioned is not None:
        body["timePartitioning"] = _partitioning(partitioned.this)
    if clustered is not None:
        body["clustering"] = {"fields": [column.name for column in clustered.expressions]}
    return _table_options(body, _options(tree))


def _partitioning(by: exp.Expression) -> dict[str, str]:
    column = by if isinstance(by, exp.Identifier) else by.find(exp.Column, exp.Identifier)
    plain = isinstance(by, exp.Column | exp.Identifier | exp.Date | exp.TsOrDsToDate)
    truncated = isinstance(by, exp.TimestampTrunc | exp.DateTrunc | exp.DatetimeTrunc)
    if column is None or not (plain or truncated):
        raise ApiError("invalidQuery", f"Not supported by this peer: PARTITION BY {by.sql('bigquery')}")
    return {"type": by.text("unit").upper() if truncated else "DAY", "field": column.name}


def _options(tree: exp.Expression) -> dict[str, Any]:
    """The OPTIONS of a table, view or dataset (those of its columns stand elsewhere)."""
    holder = tree.args.get("properties") if isinstance(tree, exp.Create) else tree.find(exp.Properties)
    found = [item for item in holder.expressions if type(item) is exp.Property] if holder else []
    return {item.name: _literal(item.args["value"]) for item in found}


def _literal(value: exp.Expression) -> Any:
    if isinstance(value, exp.Array):
        return [_literal(item) for item in value.expressions]
    if isinstance(value, exp.Tuple):
        return tuple(_literal(item) for item in value.expressions)
    if isinstance(value, exp.Boolean | exp.Literal):
        return value.to_py()
    if isinstance(value, exp.Null):
        return None
    raise ApiError("invalidQuery", f"Not supported by this peer: the option {value.sql('bigquery')}")


def _table_options(body: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    body = dict(body)
    for name, value in options.items():
        if name == "description":
            body["description"] = value
        elif name == "friendly_name":
            body["friendlyName"] = value
        elif name == "labels":
            body["labels"] = dict(value)
        elif name == "require_partition_filter":
            body["requirePartitionFilter"] = value
        elif name == "partition_expiration_days":
            milliseconds = {"expirationMs": str(int(value * _DAY_MS))} if value is not None else {}
            kept = {key: item for key, item in body.get("timePartitioning", {}).items() if key != "expirationMs"}
            body["timePartitioning"] = {**kept, **milliseconds}
        else:
            raise ApiError("invalidQuery", f"Unknown option (or not known to this peer): {name}")
    return body


def _column(column: exp.ColumnDef) -> Field:
    field = _typed(column.name, column.args["kind"])
    for constraint in column.args.get("constraints") or []:
        kind = constraint.args["kind"]
        if isinstance(kind, exp.NotNullColumnConstraint):
            field["mode"] = "REQUIRED"
        elif isinstance(kind, exp.Properties):
            field["description"] = {item.name: _literal(item.args["value"]) for item in kind.expressions}["description"]
        else:
            raise ApiError("invalidQuery", f"Not supported by this peer: {constraint.sql('bigquery')}")
    return normal(field)


def _typed(name: str, kind: exp.DataType) -> Field:
    if kind.this == exp.DataType.Type.ARRAY:
        return {**_typed(name, kind.expressions[0]), "mode": "REPEATED"}
    if kind.this == exp.DataType.Type.STRUCT:
        inner = [_typed(child.name, child.args["kind"]) for child in kind.expressions]
        return {"name": name, "type": "RECORD", "fields": inner, "mode": "NULLABLE"}
    found = SQL_TYPES.get(kind.this.name)
    if found is None or kind.expressions:
        raise ApiError("invalidQuery", f"Not supported by this peer: the type {kind.sql('bigquery')}")
    return {"name": name, "type": found, "mode": "NULLABLE"}
