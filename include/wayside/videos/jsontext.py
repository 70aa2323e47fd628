"""JSON that people wrote or that came from elsewhere: read within limits, and every error says where it is.

Stricter than the standard library where a value would be lost or made up: a key that comes twice is refused, and so
are `NaN` and `Infinity`, which are no JSON.
"""

import json
from collections import Counter
from typing import Any, Final

from wayside.core.errors import ConfigError

_BLANKS: Final = " \t\r\n"


def load_json(text: str, what: str) -> Any:
    """Return what a JSON text says.

    Args:
        text: the text.
        what: what it is, for the message: `hook data`.

    Raises:
        ConfigError: it is no JSON, with line and column; a key comes twice in one object; it is nested too deeply.
    """
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _once(pairs, what), parse_constant=_no_number)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ConfigError(f"{what}: no JSON at {where}: {_fault(text, error)}") from None
    except RecursionError:
        raise ConfigError(f"{what}: nested too deeply") from None
    except ValueError as error:  # a number with thousands of digits, or one that is none
        raise ConfigError(f"{what}: {error}") from None


def _fault(text: str, error: json.JSONDecodeError) -> str:
    before = text[: error.pos].rstrip(_BLANKS)
    if before.endswith(",") and text[error.pos : error.pos + 1] in {"]", "}"}:
        return "a comma that nothing follows"
    return error.msg[:1].lower() + error.msg[1:]


def _once(pairs: list[tuple[str, Any]], what: str) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise ConfigError(f"{what}: the key {twice[:100]!r} comes twice in one object, so one would be lost")
    return found


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
