"""Labels of a source as files for review tools, one for each format, at a place of the user's."""

import logging
from dataclasses import dataclass, replace
from typing import Final

from wayside.core.errors import ConfigError
from wayside.store.places import Place
from wayside.videos.bookmarks import SUFFIXES, Bookmarks, Format, write_bookmarks
from wayside.videos.bookmarks.tables import bookmarks_of
from wayside.videos.job import ImportJob
from wayside.videos.whitelist import Whitelist
from wayside.warehouse.parquet import ParquetWarehouse

_log = logging.getLogger(__name__)

_VERSIONED: Final = frozenset({"v1", "v2"})


@dataclass(frozen=True, slots=True)
class Exported:
    """A file of labels: its format, and its address; or why it was not written."""

    format: Format
    uri: str | None
    reason: str | None = None

    def __str__(self) -> str:
        """Write it for people."""
        return self.uri or f"{self.format} was not written: {self.reason}"


def export_labels(lake: ParquetWarehouse, job: ImportJob, place: Place) -> list[Exported]:
    """Write the published labels of a source, as people have reviewed them, in each format of a job.

    Raises:
        StoreUnavailableError: the place is out of reach.
    """
    found = bookmarks_of(lake, job.source, whitelist=Whitelist(job.whitelist))
    found = replace(found, job=job.run)
    return [_write(found, job.source, kind, place) for kind in job.formats]


def file_name(source: str, kind: Format) -> str:
    """Return the name of a file of labels."""
    version = f".{kind}" if kind in _VERSIONED else ""
    return f"{source}-labels{version}{SUFFIXES[kind]}"


def _write(found: Bookmarks, source: str, kind: Format, place: Place) -> Exported:
    key = file_name(source, kind)
    try:
        data = write_bookmarks(found, kind)
    except ConfigError as error:
        _log.warning("labels of %s are not written as %s: %s", source, kind, error)
        # One of an earlier run would pass for this one's.
        place.remove(key)
        return Exported(kind, None, str(error))
    place.save(key, data)
    return Exported(kind, place.uri(key))
