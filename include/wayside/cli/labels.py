"""`wayside labels`: bookmarks out of the tables, into them, and from one format to another."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wayside.cli.user import user_name
from wayside.core.errors import ConfigError
from wayside.core.settings import settings

if TYPE_CHECKING:
    from datetime import datetime

    from wayside.videos.bookmarks import Bookmarks
    from wayside.videos.whitelist import Whitelist

app = typer.Typer(no_args_is_help=True)

Kind = Annotated[
    str, typer.Option("--format", "-t", help="v1, v2, csv or xml; by default as the output's name ends, else v1.")
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write; by default standard output.")]
Wanted = Annotated[
    Path | None,
    typer.Option("--whitelist", "-f", help="JSON list of labels; others, and images that have none left, are dropped."),
]
Renamed = Annotated[
    list[str] | None,
    typer.Option("--camera", metavar="NAME=ID", help="Id of a camera whose name cannot be one; may be repeated."),
]
Zone = Annotated[
    str,
    typer.Option(
        "--local-in",
        metavar="ZONE",
        help="The times of the file are local times of this zone, such as America/Los_Angeles, whatever it says.",
    ),
]


@app.command("export")
def export(
    source: str = typer.Argument(help="Name of the archive."),
    kind: Kind = "",
    output: Output = None,
    camera: list[str] | None = typer.Option(None, help="Id of a camera; may be repeated. By default all."),
    first: str = typer.Option("", help="Images from then on, 2016-10-09T12:00:00Z; without a zone it is UTC."),
    last: str = typer.Option("", help="Images before then."),
    whitelist: Wanted = None,
    unreviewed: bool = typer.Option(
        False, "--unreviewed", help="As machines labelled it: what people rejected or relabelled does not count."
    ),
) -> None:
    """Write the bookmarks of an archive to a file."""
    from wayside.videos.bookmarks.tables import bookmarks_of
    from wayside.warehouse.parquet import open_lake

    found = bookmarks_of(
        open_lake(settings()),
        source,
        cameras=camera or None,
        first=_moment(first, "--first"),
        last=_moment(last, "--last"),
        verdicts=not unreviewed,
        whitelist=_whitelist(whitelist),
    )
    if not found.images:
        typer.echo(f"{source} has no labels that fit; `wayside labels import` and `import_videos` bring some", err=True)
    _write(found, kind, output)


@app.command("import")
def take(
    source: str = typer.Argument(help="Name of the archive that they are put into."),
    file: Path = typer.Argument(help="Bookmarks: JSON of the video importer or of Wayside, CSV or XML."),
    camera: Renamed = None,
    local_in: Zone = "",
) -> None:
    """Put bookmarks into the tables; importing the same again changes nothing."""
    from wayside.videos.bookmarks.tables import import_bookmarks
    from wayside.warehouse.parquet import open_lake

    done = import_bookmarks(open_lake(settings()), source, _read(file, camera, local_in), user_name())
    said = f"{done.images} images, {done.labels} labels, {done.events} events"
    typer.echo(f"{source}: {said}" + ("" if done.changed else "; all of it was there"))
    if done.cameras:
        typer.echo(f"new cameras: {', '.join(done.cameras)}")
    if done.kept:
        typer.echo(f"{done.kept} events were cut here and stay as they are: labels of these are not imported", err=True)


@app.command("convert")
def convert(
    file: Path = typer.Argument(help="Bookmarks in any format."),
    kind: Kind = "",
    output: Output = None,
    camera: Renamed = None,
    whitelist: Wanted = None,
    local_in: Zone = "",
) -> None:
    """Write bookmarks in another format."""
    from wayside.videos.bookmarks.edit import filtered

    _write(filtered(_read(file, camera, local_in), _whitelist(whitelist)), kind, output)


def _read(file: Path, cameras: list[str] | None, zone: str) -> "Bookmarks":
    from wayside.videos.bookmarks import read_bookmarks
    from wayside.videos.bookmarks.edit import relocated, renamed
    from wayside.videos.bookmarks.model import MAX_BYTES

    ids: dict[str, str] = {}
    for one in cameras or []:
        name, equals, wanted = one.rpartition("=")
        if not equals or not name:
            raise ConfigError(f"--camera {one!r}: write NAME=ID")
        ids[name] = wanted
    with file.open("rb") as stream:
        found = renamed(read_bookmarks(stream.read(MAX_BYTES + 1)), ids)
    return relocated(found, zone) if zone else found


def _write(found: "Bookmarks", kind: str, output: Path | None) -> None:
    from wayside.store.files import replace_file
    from wayside.videos.bookmarks import SUFFIXES, write_bookmarks

    if not kind:
        suffix = output.suffix.lower() if output else ""
        kind = next((name for name, ending in SUFFIXES.items() if ending == suffix), "v1")
    data = write_bookmarks(found, kind)
    if output is None:
        typer.echo(data, nl=False)
    else:
        replace_file(output, data)
        typer.echo(f"{output}: {len(found.images)} images, {found.labels} labels", err=True)


def _whitelist(file: Path | None) -> "Whitelist":
    from wayside.videos.whitelist import MAX_CHARACTERS, Whitelist

    if file is None:
        return Whitelist()
    with file.open(encoding="utf-8", errors="replace") as stream:
        return Whitelist.parse(stream.read(MAX_CHARACTERS + 1))


def _moment(text: str, what: str) -> "datetime | None":
    from wayside.videos.bookmarks.model import time_of

    return time_of(text, what) if text else None
