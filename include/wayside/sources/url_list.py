"""A flat list of picture addresses: a way to add a source without code, and chrono_lens' `ingest` file as it is."""

import asyncio
import logging
from collections.abc import Iterable

from wayside.core.errors import InvalidIdentifierError
from wayside.sources.http import HttpClient
from wayside.sources.lists import chosen, name_of, read_texts
from wayside.sources.source import Camera, WebSource

log = logging.getLogger(__name__)


class UrlListSource(WebSource):
    """The addresses in the JSON file at `spec.url`, a path relative to the configuration folder."""

    async def cameras(self, http: HttpClient) -> list[Camera]:
        """Read the file; raise `ConfigError` if it is not a flat list of texts."""
        path = http.settings.config / self.spec.url
        addresses = await asyncio.to_thread(read_texts, path, http.settings.max_list_bytes)
        return chosen(self.spec, http.settings, self._read(addresses))

    def _read(self, addresses: Iterable[str]) -> Iterable[Camera]:
        for url in addresses:
            try:
                name = name_of(url)
                yield Camera(source=self.spec.id, id=name, name=name, attribution=self.spec.attribution, url=url)
            except (InvalidIdentifierError, ValueError) as error:
                log.warning("%s: an address is skipped: %s", self.spec.id, " ".join(str(error).split())[:300])
