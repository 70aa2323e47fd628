"""Where evaluations lie: a folder each below `evaluations` in the state, with its result and its worst pictures.

    <state>/evaluations/<model>-<set>-<key>/result.json      all figures
                                           /pictures.jsonl   one line for each picture that was looked at
                                           /worst/<n>.jpg    the pictures in which most shows, anonymised

The key is a hash of model, set and settings: the same question has the same folder, and a run that was stopped goes on
in it. Nothing heavy is imported here, since web pages read these files.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from wayside.core.errors import ConfigError, StoreError
from wayside.core.settings import Settings

RESULT: Final = "result.json"
SCHEMA: Final = 1
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,160}-[0-9a-f]{12}")
_MOST: Final = 4 * 2**20


def root(settings: Settings) -> Path:
    """Return the folder of all evaluations."""
    return settings.state / "evaluations"


def folder_name(model: str, labelled: str, key: str) -> str:
    """Return the name of an evaluation: model and set as far as a path can carry them, and the start of the key."""
    plain = [re.sub(r"[^A-Za-z0-9]+", "_", part).strip("_")[:60] or "set" for part in (model, labelled)]
    return evaluation_id(f"{'-'.join(plain)}-{key[:12]}")


def evaluation_id(name: str) -> str:
    """Return a name that can be that of an evaluation; raise `ConfigError` otherwise."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise ConfigError(f"{name!r} is not the name of an evaluation")
    return name


def load(folder: Path, name: str) -> dict[str, Any] | None:
    """Return the result of one evaluation below the folder of all; None where there is none yet.

    Raises:
        StoreError: the file is there and is no result of this version.
    """
    path = folder / evaluation_id(name) / RESULT
    try:
        with path.open("rb") as stream:
            result = json.loads(stream.read(_MOST))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read: {error}; remove it and evaluate again") from error
    if not isinstance(result, dict) or result.get("schema") != SCHEMA:
        raise StoreError(f"{path} is no result that this version reads; remove it and evaluate again")
    return result


def listed(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the results of all evaluations, the last written first; one that cannot be read is left out."""
    found = []
    for path in folder.glob(f"*/{RESULT}"):
        if _NAME.fullmatch(path.parent.name):
            try:
                found.append((-path.stat().st_mtime, path.parent.name))
            except FileNotFoundError:
                continue
    for _, name in sorted(found):
        try:
            result = load(folder, name)
        except StoreError:
            continue
        if result is not None:
            yield result


def worst_picture(folder: Path, name: str, number: int) -> Path:
    """Return where a drawn picture of an evaluation lies; `number` counts from 1."""
    return folder / evaluation_id(name) / "worst" / f"{number:02}.jpg"
