"""`wayside receipts`: check the chain of receipts, read one, and print the head that is noted elsewhere."""

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wayside.core.errors import ConfigError, WaysideError
from wayside.core.settings import settings

if TYPE_CHECKING:
    from wayside.privacy.receipts import Row
    from wayside.warehouse.parquet import ParquetWarehouse

app = typer.Typer(no_args_is_help=True)
_MOST_BREAKS = 20  # of one source that are listed
_SOURCE = typer.Option(None, help="Sources; by default all that have receipts.")
_HEX = 64


@app.command()
def verify(
    source: list[str] = _SOURCE,
    head: str | None = typer.Option(None, help="A head that was noted earlier: it has to be in the chain still."),
) -> None:
    """Check every receipt of the chain of each source; exit 1 and name the first place where one does not hold.

    The chain itself does not show that its end was cut off, or that all of it was made anew: give a `--head` that
    `wayside receipts head` printed earlier and that was kept where nobody who writes here can write.
    """
    from wayside.photos.receipts import chain
    from wayside.privacy.receipts import START, verify_chain

    if head is not None and (len(head) != _HEX or head.strip("0123456789abcdef")):
        raise ConfigError(f"--head {head!r} is not a head: it has 64 hexadecimal digits in lower case")
    lake = _lake()
    table, faults, found = Table("source", "receipts", "from", "to", "head", "chain"), [], head in {None, START}
    for name in _sources(lake, source):
        seen = _Seen(head)
        breaks = verify_chain(seen.watch(chain(lake, name)))
        faults += [f"{name}: {one}" for one in breaks[:_MOST_BREAKS]]
        found |= seen.found
        verdict = Text(f"{len(breaks)} breaks", "red") if breaks else Text("holds", "green")
        table.add_row(name, str(seen.rows), seen.first, seen.last, seen.head[:16], verdict)
    if table.row_count:
        Console().print(table)
    else:
        typer.echo("No receipts there yet: `wayside anonymise` writes them.")
    for fault in faults[1:]:
        typer.echo(fault)
    if faults:
        raise WaysideError(faults[0])
    if not found:
        raise WaysideError(f"no chain has the head {head}: its end was cut off, or it was made anew")


@app.command()
def head(source: list[str] = _SOURCE) -> None:
    """Print source, day, receipts and head of each chain, to be noted elsewhere."""
    from wayside.photos.receipts import chain

    lake = _lake()
    for name in _sources(lake, source):
        seen = _Seen(None)
        for _ in seen.watch(chain(lake, name)):
            pass
        typer.echo(f"{name} {seen.last} {seen.rows} {seen.head}")


@app.command()
def show(
    photo: str = typer.Argument(help="Path of the picture below its source, or the SHA-256 of its anonymised file."),
    source: list[str] = _SOURCE,
    everything: bool = typer.Option(False, "--all", help="Every receipt of the picture, not only the newest."),
    text: bool = typer.Option(False, "--json", help="The receipt's text as it is chained, nothing else."),
) -> None:
    """Print the receipt of a picture."""
    from wayside.photos.receipts import find_receipts

    lake = _lake()
    rows = [row for name in _sources(lake, source) for row in find_receipts(lake, name, photo)]
    if not rows:
        raise WaysideError(f"there is no receipt of {photo}")
    rows.sort(key=lambda row: row["written_at"])
    for row in rows if everything else rows[-1:]:
        if text:
            typer.echo(row["receipt"])
        else:
            _print(row)


class _Seen:
    """What a walk along a chain saw."""

    def __init__(self, wanted: str | None) -> None:
        self.rows = 0
        self.first = self.last = "-"
        self.head = "0" * _HEX
        self.found = False
        self._wanted = wanted

    def watch(self, rows: "Iterable[Row]") -> "Iterator[Row]":
        """Hand rows on, and take down what they say."""
        for row in rows:
            self.rows += 1
            self.first = str(row["day"]) if self.first == "-" else self.first
            self.last, self.head = str(row["day"]), str(row["link_sha256"])
            self.found |= self.head == self._wanted
            yield row


def _lake() -> "ParquetWarehouse":
    from wayside.warehouse.parquet import open_lake

    return open_lake(settings())


def _sources(lake: "ParquetWarehouse", names: list[str] | None) -> list[str]:
    from wayside.photos.receipts import chained_sources

    known = chained_sources(lake)
    if unknown := sorted(set(names or []) - set(known)):
        raise ConfigError(f"there are no receipts of {', '.join(unknown)}; there are of: {', '.join(known) or 'none'}")
    return names or known


def _print(row: "Row") -> None:
    try:
        said: Any = json.loads(row["receipt"])
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise WaysideError(f"the receipt of {row['photo']} is no JSON: see `wayside receipts verify`")
    objects = said.pop("objects", [])
    table = Table(title=Text(f"{row['photo']}, receipt {row['ordinal']} of {row['day']}"), show_header=False)
    for name, value in said.items():
        table.add_row(name, Text(value if isinstance(value, str) else json.dumps(value, indent=1)))
    table.add_section()
    for name in ("receipt_sha256", "previous_sha256", "link_sha256", "written_at"):
        table.add_row(name, str(row[name]))
    Console().print(table)
    if objects:
        Console().print(_objects(objects))


def _objects(objects: list[Any]) -> Table:
    columns = ("label", "score", "box", "area", "action", "model")
    table = Table(*columns, title=f"{len(objects)} objects")
    for one in objects:
        table.add_row(*(Text(str(one.get(name, "")) if isinstance(one, dict) else "") for name in columns))
    return table
