"""A list of labels that are wanted: a filter of labels. Compared exactly, but for how Unicode composes characters."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from wayside.core.errors import ConfigError
from wayside.videos.jsontext import load_json

MAX_LABELS: Final = 10_000
MAX_CHARACTERS: Final = 2**22


@dataclass(frozen=True, slots=True)
class Whitelist:
    """Labels that are wanted; an empty list wants all."""

    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.labels) > MAX_LABELS:
            raise ConfigError(f"a label whitelist has at most {MAX_LABELS} labels; this one has {len(self.labels)}")
        unique = tuple(dict.fromkeys(_nfc(label) for label in self.labels))
        object.__setattr__(self, "labels", unique)

    @classmethod
    def parse(cls, text: str) -> "Whitelist":
        """Read a JSON list of texts, as in the video importer's `label_whitelist.json`; no text at all wants all.

        Raises:
            ConfigError: it is something else; line and column where it is no JSON.
        """
        if len(text) > MAX_CHARACTERS:
            raise ConfigError(f"label whitelist: longer than {MAX_CHARACTERS} characters")
        if not text.strip():
            return cls()
        said = load_json(text.removeprefix("\ufeff"), "label whitelist")
        if not isinstance(said, list) or not all(isinstance(label, str) for label in said):
            raise ConfigError('label whitelist: write a JSON list of texts, ["tuna", "bluefin tuna"]')
        return cls(tuple(said))

    def __bool__(self) -> bool:
        """Tell whether anything is filtered out."""
        return bool(self.labels)

    def wants(self, label: str) -> bool:
        """Tell whether a label passes."""
        return not self.labels or _nfc(label) in self.labels

    def keep(self, labels: Iterable[str]) -> list[str]:
        """Return the labels that pass, in their order."""
        return [label for label in labels if self.wants(label)]


def _nfc(label: str) -> str:
    return unicodedata.normalize("NFC", label)
