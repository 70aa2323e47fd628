"""How the files are read that a person edits: plain YAML, in which a key written twice is a slip and not a choice."""

import codecs
from collections.abc import Hashable
from pathlib import Path
from typing import Final

import yaml

from wayside.core.errors import ConfigError


def read_yaml(path: Path) -> object:
    """Return what a YAML file holds; raise `ConfigError` that names the file if it cannot be read."""
    try:
        # A SafeLoader by inheritance; the check looks for the name alone.
        return yaml.load(path.read_text("utf-8"), Loader=_Loader)  # noqa: S506
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}") from error


MAX_BYTES: Final = 256 * 2**10
_MAX_DEPTH: Final = 16
_STARTS: Final = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_ENDS: Final = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
_MARKED: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def read_text(path: Path) -> str:
    """Return the text of a file that may come from anywhere: at most 256 KiB, UTF-8, or UTF-16 that says so.

    Raises:
        ConfigError: it cannot be read, is larger, or is in another encoding.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    # A NUL in the path is a ValueError.
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{str(path)!r} cannot be read: {why}") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path} is no configuration: it is larger than {MAX_BYTES // 2**10} KiB")
    encoding = next((name for mark, name in _MARKED if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from error


def parse_yaml(text: str, where: str) -> object:
    """Return what a YAML text from anywhere holds. Small texts can name large things, so anchors are refused.

    Raises:
        ConfigError: naming `where`; it is too large, nested deeper than 16, has anchors or aliases, or is no YAML.
    """
    try:
        if len(text.encode()) > MAX_BYTES:
            raise ConfigError(f"{where} is no configuration: it is larger than {MAX_BYTES // 2**10} KiB")
        _check_events(text, where)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - as above
    # A number of 5000 digits, a 30th of February and a lone surrogate are ValueErrors.
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{where} is not YAML: {' '.join(str(error).split())}") from error


def _check_events(text: str, where: str) -> None:
    depth = 0
    # Events come one by one from the C library, without a stack of ours, however deep the text goes.
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ConfigError(f"{where} has an anchor or alias (& or *): write out what it stands for")
        depth += isinstance(event, _STARTS) - isinstance(event, _ENDS)
        if depth > _MAX_DEPTH:
            raise ConfigError(f"{where} is nested deeper than {_MAX_DEPTH}")


# Read by the C library: each task and command reads these files anew, and the parser in Python takes ten times as long.
class _Loader(yaml.CSafeLoader):
    """A YAML loader that refuses a key written twice, where YAML itself would let the last one win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        """Build one mapping."""
        keys = [key.value for key, _ in node.value]
        if doubled := sorted({str(key) for key in keys if keys.count(key) > 1}):
            raise yaml.constructor.ConstructorError(None, None, f"key {doubled[0]!r} is written twice", node.start_mark)
        return super().construct_mapping(node, deep)
