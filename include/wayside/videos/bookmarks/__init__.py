"""Bookmarks of the video importer and of Wayside: read from and written to four formats, kept in tables."""

from collections.abc import Callable
from typing import Final, Literal

from wayside.core.errors import ConfigError
from wayside.videos.bookmarks.csvfile import read_csv, write_csv
from wayside.videos.bookmarks.jsonfile import read_json, write_v1, write_v2
from wayside.videos.bookmarks.model import MAX_BYTES, BookmarkEvent, BookmarkImage, BookmarkLabel, Bookmarks
from wayside.videos.bookmarks.xmlfile import read_xml, write_xml
from wayside.videos.jsontext import load_json

__all__ = [
    "FORMATS",
    "SUFFIXES",
    "BookmarkEvent",
    "BookmarkImage",
    "BookmarkLabel",
    "Bookmarks",
    "Format",
    "read_bookmarks",
    "write_bookmarks",
]

Format = Literal["v1", "v2", "csv", "xml"]
"""The formats."""

_WRITERS: Final[dict[str, Callable[[Bookmarks], bytes]]] = {
    "v1": write_v1,
    "v2": write_v2,
    "csv": write_csv,
    "xml": write_xml,
}
FORMATS: Final = tuple(_WRITERS)
SUFFIXES: Final = {"v1": ".json", "v2": ".json", "csv": ".csv", "xml": ".xml"}
"""How the names of files of each format end."""


def read_bookmarks(data: bytes) -> Bookmarks:
    """Read bookmarks; the format is told by the content: JSON version 1 or 2, XML, or else CSV.

    Raises:
        ConfigError: they are larger than `MAX_BYTES` or cannot be read; the place is named, by line and column where
            the text itself is broken.
    """
    if len(data) > MAX_BYTES:
        raise ConfigError(f"bookmarks: {len(data)} bytes; at most {MAX_BYTES} are read")
    if data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<":
        return read_xml(data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"bookmarks: line {line}: the text is not UTF-8") from None
    if text.lstrip()[:1] in {"{", "["}:
        return read_json(load_json(text, "bookmarks"))
    return read_csv(text)


def write_bookmarks(bookmarks: Bookmarks, kind: str) -> bytes:
    """Return bookmarks as a file of a format; equal bookmarks give equal bytes.

    Raises:
        ConfigError: there is no such format, or `v1` would lose an image; see `write_v1`.
    """
    if kind not in _WRITERS:
        raise ConfigError(f"there is no format {kind!r} of bookmarks: choose {', '.join(FORMATS)}")
    return _WRITERS[kind](bookmarks)
