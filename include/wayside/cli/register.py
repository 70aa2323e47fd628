"""`wayside register …`: a road authority's own table of photos in Oracle: make it, fill it, look at what it refused.

The commands that need a database take its address and user as options or from WAYSIDE_ORACLE_DSN and
WAYSIDE_ORACLE_USER, and the password from WAYSIDE_ORACLE_PASSWORD or from the keyboard, never as an option: those are
seen by everybody on the machine. In Airflow the connection of the settings is taken instead.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from wayside.core.errors import ConfigError, WaysideError
from wayside.core.settings import settings
from wayside.metadata.layouts import TableLayout, layout_names, load_layout, read_layout, to_yaml
from wayside.metadata.legacyjson import read_record
from wayside.metadata.rows import Position, row_of

if TYPE_CHECKING:
    from wayside.warehouse.photo_target import PhotoTarget, Refusal

app = typer.Typer(no_args_is_help=True)

_SHOWN = 20
Layout = Annotated[
    str, typer.Option("--layout", help="Name of a layout, or a YAML file; by default WAYSIDE_PHOTO_TABLE.")
]
Dsn = Annotated[str, typer.Option("--dsn", envvar="WAYSIDE_ORACLE_DSN", help="Address: host:1521/service.")]
User = Annotated[str, typer.Option("--user", envvar="WAYSIDE_ORACLE_USER", help="Who logs on.")]
AsSql = Annotated[bool, typer.Option("--sql", help="Print the statements instead, for whoever may run them.")]
Compat = Annotated[
    bool, typer.Option("--compat", help="Refuse 0 where a column may not be null, as the replaced system did.")
]


@app.command("layouts")
def layouts() -> None:
    """List the layouts of include/config/photo_tables."""
    folder = settings().config / "photo_tables"
    table = Table("layout", "table", "key", "columns")
    for name in layout_names(folder):
        layout = load_layout(name, folder)
        table.add_row(name, layout.name, layout.key, str(len(layout.columns)))
    Console().print(table)


@app.command("convert-layout")
def convert_layout(
    old: Path = typer.Argument(help="Table definition of the replaced system: config/db_tables/<table>.yml."),
) -> None:
    """Print a table definition of the replaced system as a layout; save it as <table>.yaml in photo_tables."""
    typer.echo(to_yaml(read_layout(old)), nl=False)


@app.command("row")
def show_row(
    record: Path = typer.Argument(help="A record: the JSON of one photo."),
    layout: Layout = "",
    compat: Compat = False,
    flip_wkt: bool = typer.Option(False, "--flip-wkt", help="Exchange longitude and latitude."),
) -> None:
    """Print the row that a record makes, as JSON, and what is wrong with it; needs no database."""
    row = row_of(read_record(record.read_bytes(), flip_wkt=flip_wkt).record, _layout(layout), compat=compat)
    typer.echo(json.dumps({name: _written(value) for name, value in row.values.items()}, indent=2, ensure_ascii=False))
    for warning in row.warnings:
        typer.echo(warning, err=True)
    if row.faults:
        raise WaysideError("; ".join(row.faults))


@app.command("create-table")
def create_table(layout: Layout = "", dsn: Dsn = "", user: User = "", sql: AsSql = False) -> None:
    """Create the table of a layout with its geometry's metadata and spatial indexes; what is there stays."""
    from wayside.warehouse.photo_ddl import geometry_statements, index_statements, table_statement

    found = _layout(layout)
    if sql:
        schema = settings().oracle_schema
        statements = [
            table_statement(found, schema),
            *geometry_statements(found).values(),
            *index_statements(found, schema).values(),
        ]
        typer.echo("".join(f"{statement};\n" for statement in [*statements, "COMMIT"]), nl=False)
        return
    made = _target(layout, dsn, user).create()
    typer.echo("\n".join(f"made: {one}" for one in made) or "all of it is there already")


@app.command("geometry-metadata")
def geometry_metadata(layout: Layout = "", dsn: Dsn = "", user: User = "", sql: AsSql = False) -> None:
    """Insert the rows of USER_SDO_GEOM_METADATA for a table that is there, as its owner."""
    from wayside.warehouse.photo_ddl import geometry_statements

    if sql:
        statements = [*geometry_statements(_layout(layout)).values(), "COMMIT"]
        typer.echo("".join(f"{statement};\n" for statement in statements), nl=False)
        return
    made = _target(layout, dsn, user).register()
    typer.echo("\n".join(f"inserted: {one}" for one in made) or "all of it is there already")


@app.command("deliver")
def deliver(layout: Layout = "", dsn: Dsn = "", user: User = "", compat: Compat = False) -> None:
    """Register the road photos that were published since the last time; exit with 1 if the table refuses some."""
    from wayside.warehouse.parquet import open_lake
    from wayside.warehouse.photo_table import deliver_photo_table

    done = deliver_photo_table(open_lake(settings()), _target(layout, dsn, user), compat=compat)
    typer.echo(str(done))
    for note in done.notes[:_SHOWN]:
        typer.echo(note, err=True)
    _tell(done.refused, len(done.refused))


@app.command("resend")
def resend(layout: Layout = "") -> None:
    """Note down all published road photos for the table, as when it is new or was altered."""
    from wayside.warehouse.parquet import open_lake
    from wayside.warehouse.photo_table import resend as again

    found = _layout(layout)
    typer.echo(f"{found.name}: {again(open_lake(settings()), found)} folders wait to be registered")


@app.command("refused")
def refused(
    layout: Layout = "",
    dsn: Dsn = "",
    user: User = "",
    limit: int = typer.Option(100, min=1, help="How many to show."),
) -> None:
    """List the pictures that the table refused and that have not been registered since."""
    for one in _target(layout, dsn, user).refused(limit):
        typer.echo(str(one))


@app.command("import-json")
def import_json(
    folder: Path = typer.Argument(help="Folder with the JSON files of the replaced system, at any depth."),
    layout: Layout = "",
    dsn: Dsn = "",
    user: User = "",
    flip_wkt: bool = typer.Option(False, "--flip-wkt", help="Exchange longitude and latitude of each position."),
    archive: Path | None = typer.Option(None, help="Move each file here once its row is committed."),
    compat: Compat = False,
    again: bool = typer.Option(False, "--again", help="Also those that an earlier run has registered."),
) -> None:
    """Register existing JSON records; start it again after a crash, and it goes on. Exit with 1 if some are wrong."""
    from wayside.warehouse.photo_import import import_folder

    target = _target(layout, dsn, user)
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=Console(stderr=True)) as progress:
        task = progress.add_task("reading")
        done = import_folder(
            folder,
            target,
            settings().lake / "imports",
            flip_wkt=flip_wkt,
            archive=archive,
            compat=compat,
            again=again,
            place=dsn,
            progress=lambda number: progress.update(task, description=f"{number} files"),
        )
    typer.echo(str(done))
    for note in done.notes[:_SHOWN]:
        typer.echo(note, err=True)
    for path, reason in done.bad[:_SHOWN]:
        typer.echo(f"{path}: {reason}", err=True)
    _tell(done.refused, done.wrong)


def _layout(which: str) -> TableLayout:
    name = which or settings().photo_table
    if not name:
        raise ConfigError("no table of photos is named: give --layout, such as vegbilder, or set WAYSIDE_PHOTO_TABLE")
    return load_layout(name, settings().config / "photo_tables")


def _target(which: str, dsn: str, user: str) -> "PhotoTarget":
    from wayside.warehouse.photo_table import open_photo_table

    _layout(which)  # what is wrong with it is said before anybody types a password
    return open_photo_table(settings(), connector(dsn, user), which)


def connector(dsn: str, user: str) -> Callable[[], Any]:
    """Return what opens a connection to Oracle; the password is asked for once, when it is used first.

    Raises:
        ConfigError: no address or no user is given.
    """
    if not dsn or not user:
        raise ConfigError(
            "which database? Give --dsn and --user, or set WAYSIDE_ORACLE_DSN and WAYSIDE_ORACLE_USER; the password is "
            "read from WAYSIDE_ORACLE_PASSWORD or asked for"
        )
    asked: list[str] = []

    def connect() -> Any:
        import oracledb

        if not asked:
            asked.append(os.environ.get("WAYSIDE_ORACLE_PASSWORD") or typer.prompt("Password", hide_input=True))
        return oracledb.connect(user=user, password=asked[0], dsn=dsn)

    return connect


def _written(value: object) -> object:
    if isinstance(value, Position):
        place = [value.x, value.y] if value.z is None else [value.x, value.y, value.z]
        return {"gtype": value.gtype, "srid": value.srid, "point": place}
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _tell(refusals: "list[Refusal]", wrong: int) -> None:
    for one in refusals[:_SHOWN]:
        typer.echo(str(one), err=True)
    if wrong:
        raise WaysideError(f"{wrong} are not registered")
