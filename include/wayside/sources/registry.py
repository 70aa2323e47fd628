"""The sources that a person has configured: `include/config/sources.yaml`, read and opened.

Texts in the file may hold `${NAME:-default}`: the value of the environment variable NAME, or `default` where it is
not set or empty. There is no other form of it, and no nesting.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from wayside.core.errors import ConfigError
from wayside.core.settings import Settings
from wayside.core.yamlfile import read_yaml
from wayside.sources.folder import FolderSource
from wayside.sources.source import Source
from wayside.sources.spec import SourceSpec
from wayside.sources.tfl import TflSource
from wayside.sources.urban_observatory import UrbanObservatorySource
from wayside.sources.url_list import UrlListSource

FILE_NAME: Final = "sources.yaml"
_VARIABLE: Final = re.compile(r"\$\{([A-Z][A-Z0-9_]*):-([^{}]*)\}")


def load_sources(settings: Settings) -> dict[str, SourceSpec]:
    """Read every source of `sources.yaml`, in the order of the file.

    Raises:
        ConfigError: the file or a key in it is wrong; the message names both, and all that is wrong at once.
    """
    path = settings.config / FILE_NAME
    entries = _entries(path)
    found: dict[str, SourceSpec] = {}
    wrong: list[str] = []
    for name, entry in entries.items():
        try:
            found[name] = SourceSpec.model_validate({"id": name, **_mapping(path, f"sources.{name}", entry)})
        except ValidationError as error:
            wrong += [_told(name, mistake) for mistake in error.errors()]
    if wrong:
        raise ConfigError(f"{path}: {'; '.join(wrong)}")
    return found


def open_source(spec: SourceSpec) -> Source:
    """Return the source of the spec's kind."""
    match spec.kind:
        case "tfl":
            return TflSource(spec)
        case "urban_observatory":
            return UrbanObservatorySource(spec)
        case "url_list":
            return UrlListSource(spec)
        case "folder":
            return FolderSource(spec)


def find_source(settings: Settings, name: str) -> SourceSpec:
    """Return one configured source by name; raise `ConfigError` that lists the others if there is none."""
    found = load_sources(settings)
    if name not in found:
        raise ConfigError(
            f"there is no source {name!r}; {settings.config / FILE_NAME} has {', '.join(found) or 'none'}"
        )
    return found[name]


def _told(name: str, mistake: ErrorDetails) -> str:
    key = ".".join(map(str, ("sources", name, *mistake["loc"])))
    return f"{key}: {mistake['msg'].removeprefix('Value error, ')}"


def _entries(path: Path) -> Mapping[str, object]:
    top = _mapping(path, "the file", read_yaml(path))
    if set(top) != {"sources"}:
        raise ConfigError(f"{path}: the one key at the top is `sources`, here are {sorted(map(str, top))}")
    return _mapping(path, "sources", _expanded(top["sources"]))


def _mapping(path: Path, where: str, value: object) -> dict[str, object]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ConfigError(f"{path}: {where} must map names to values")
    return value


def _expanded(value: object) -> object:
    """Replace `${NAME:-default}` in every text below `value`."""
    match value:
        case str():
            return _VARIABLE.sub(lambda found: os.environ.get(found[1]) or found[2], value)
        case list():
            return [_expanded(item) for item in value]
        case dict():
            return {key: _expanded(item) for key, item in value.items()}
    return value
