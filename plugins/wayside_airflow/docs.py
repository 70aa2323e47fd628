"""The generated pages: DAGS.md from docstrings, MODELS.md from models' cards, PROFILES.md from settings of road photos.

python -m wayside_airflow.docs --write   write them
python -m wayside_airflow.docs --check   fail, and show the difference, where a page is not what would be written
"""

import difflib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from wayside.core.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk import DAG

_HEAD: Final = """\
# DAGs

Written from the docstrings in `dags/`; edit those, then run `make docs`. Airflow shows the same text with each DAG.

| DAG | schedule | what it does | parameters |
|---|---|---|---|"""


def dags_markdown(dags_folder: Path) -> str:
    """Return the page of all DAGs in a folder: a table, then the docstring of each."""
    dags = _dags(dags_folder)
    lines = [_HEAD, *(_row(dag) for dag in dags)]
    for dag in dags:
        lines += ["", f"## {dag.dag_id}", "", (dag.doc_md or "").strip()]
    return "\n".join(lines) + "\n"


def models_markdown(settings: Settings) -> str:
    """Return the page of all models."""
    from wayside.vision.catalogue import catalogue_markdown
    from wayside.vision.registry import cards

    return catalogue_markdown(cards(settings).values())


def profiles_page(settings: Settings) -> str:
    """Return the page of all that a profile of road photos sets."""
    from wayside.photos.profiledocs import profiles_markdown

    return profiles_markdown(settings)


def _dags(folder: Path) -> "list[DAG]":
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(folder)
    if bag.import_errors:
        raise typer.BadParameter(f"DAGs cannot be read: {bag.import_errors}")
    return [dag for _, dag in sorted(bag.dags.items())]


def _row(dag: "DAG") -> str:
    names = ", ".join(f"`{name}`" for name in dag.params) or "none"
    return f"| [{dag.dag_id}](#{dag.dag_id}) | {_schedule(dag)} | {dag.description} | {names} |"


def _schedule(dag: "DAG") -> str:
    timetable: Any = dag.timetable
    expression = getattr(timetable, "expression", None)
    return f"`{expression}`" if expression else "by hand"


def _differences(root: Path, pages: dict[Path, str]) -> Iterator[str]:
    for path, text in pages.items():
        there = path.read_text(encoding="utf-8") if path.exists() else ""
        name = str(path.relative_to(root))
        yield from difflib.unified_diff(
            there.splitlines(keepends=True), text.splitlines(keepends=True), name, f"{name} as it should be"
        )


def main(
    check: Annotated[bool, typer.Option("--check", help="Fail if a page is not what would be written.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Write the pages.")] = False,
) -> None:
    """Write or check the generated pages."""
    if check == write:
        raise typer.BadParameter("give one of --check and --write")
    settings = Settings()  # type: ignore[call-arg]
    root = settings.home
    # Importing Airflow makes its folder, wherever that is; here it belongs to the state of Wayside.
    os.environ |= {
        "AIRFLOW_HOME": str(settings.state.absolute() / "airflow"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(root / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }
    pages = {
        root / "docs" / "DAGS.md": dags_markdown(root / "dags"),
        root / "docs" / "MODELS.md": models_markdown(settings),
        root / "docs" / "PROFILES.md": profiles_page(settings),
    }
    differences = list(_differences(root, pages))
    if write:
        for path, text in pages.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    elif differences:
        sys.stdout.writelines(differences)
        typer.echo("generated pages are out of date: run `make docs`", err=True)
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
