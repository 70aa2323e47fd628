"""`wayside metadata`: what a road photo says about itself, or whether a record keeps to its layout."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer
from rich.console import Console
from rich.table import Table

from wayside.core.errors import ConfigError, ImageError, WaysideError
from wayside.core.settings import settings

if TYPE_CHECKING:
    from wayside.metadata.record import PhotoRecord, RecordOptions


def metadata(
    image: Path | None = typer.Argument(None, help="The picture."),
    as_path: str | None = typer.Option(None, help="Read folders and name of this path instead; nothing is opened."),
    as_json: bool = typer.Option(False, "--json", help="Print the record as it is written beside a picture."),
    layout: Literal["v2", "v1", "old"] | None = typer.Option(None, help="Keys and rules; by default v2."),
    compat: bool = typer.Option(False, "--compat", help="Repeat the defects of the replaced system's records."),
    profile: str | None = typer.Option(None, help="Take owner, county and so on from this profile: planar, 360, file."),
    owner: str | None = typer.Option(None, help="Who owns the picture."),
    county: int | None = typer.Option(None, min=1, max=99, help="County of pictures that do not tell theirs."),
    image_type: Literal["Planar", "360"] | None = typer.Option(None, help="Kind of picture."),
    top_dir: str | None = typer.Option(None, help="Folder below which the record's folder begins."),
    standard: bool = typer.Option(False, "--standard", help="Also print the standard EXIF tags."),
    check: Path | None = typer.Option(None, exists=True, dir_okay=False, help="Check this record instead."),
) -> None:
    """Print the record of a road photo; drivers, registration numbers and remarks are hidden in it.

    Warnings go to the error stream. With --check a record's JSON is checked; the command exits with 1 on a fault.
    """
    if check is not None:
        _check(check)
        return
    if image is None:
        raise typer.BadParameter("give a picture, or --check with a record")
    options = _options(
        profile,
        {
            "layout": layout,
            "compat": compat or None,
            "data_owner": owner,
            "county": county,
            "image_type": image_type,
            "top_dir": top_dir,
        },
    )
    data = _read(image)
    record = _record(data, image, as_path, options)
    for warning in record.warnings:
        typer.echo(f"warning: {warning}", err=True)
    if as_json:
        typer.echo(record.to_json())
        return
    rows = {key: _shown(value) for key, value in record.values.items() if value is not None}
    _print(rows)
    if standard:
        from wayside.metadata.exif import read_exif

        _print(dict(read_exif(data).standard()))


def _options(profile: str | None, given: dict[str, object]) -> "RecordOptions":
    """Return the options of a profile, or the usual ones, with what the command line gives."""
    from wayside.metadata.record import RecordOptions

    base: dict[str, object] = {}
    if profile is not None:
        from wayside.photos.profile import load_profile

        base = load_profile(profile, settings()).record.model_dump()
    return RecordOptions.model_validate(base | {key: value for key, value in given.items() if value is not None})


def _read(image: Path) -> bytes:
    """Read the picture, unless it has more bytes than a profile allows where it says nothing else."""
    from wayside.photos.profile import PhotoLimits

    most = PhotoLimits().max_bytes
    with image.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ImageError("too_many_bytes", f"{image} has more than {most} bytes")
    return data


def _record(data: bytes, image: Path, as_path: str | None, options: "RecordOptions") -> "PhotoRecord":
    from wayside.metadata.record import extract

    changed = datetime.fromtimestamp(image.stat().st_mtime, UTC)
    try:
        return extract(data, as_path or str(image.absolute()), options, changed)
    except ImageError as error:
        raise ImageError(error.reason, f"{image}: {error}") from error


def _check(path: Path) -> None:
    from wayside.metadata.check import MAX_BYTES, check_text, usable

    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8: {error}") from error
    faults = check_text(text)
    for fault in faults:
        typer.echo(f"{'notice' if fault.notice else fault.kind}: {fault.key} {fault.message}".replace(":  ", ": "))
    if not usable(faults):
        number = sum(not fault.notice for fault in faults)
        raise WaysideError(f"{path}: {number} {'fault' if number == 1 else 'faults'}")
    typer.echo(f"{path}: the record keeps to its layout")


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _print(rows: dict[str, str]) -> None:
    table = Table(show_header=False, box=None)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in rows.items():
        table.add_row(key, value if len(value) <= 200 else f"{value[:200]} … ({len(value)} characters)")
    Console(highlight=False, markup=False).print(table)
