"""How the files are read that a person edits: plain YAML, in which a key written twice is a slip and not a choice."""

from collections.abc import Hashable
from pathlib import Path

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


# Read by the C library: each task and command reads these files anew, and the parser in Python takes ten times as long.
class _Loader(yaml.CSafeLoader):
    """A YAML loader that refuses a key written twice, where YAML itself would let the last one win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        """Build one mapping."""
        keys = [key.value for key, _ in node.value]
        if doubled := sorted({str(key) for key in keys if keys.count(key) > 1}):
            raise yaml.constructor.ConstructorError(None, None, f"key {doubled[0]!r} is written twice", node.start_mark)
        return super().construct_mapping(node, deep)
