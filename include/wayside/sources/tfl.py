"""Transport for London's JamCams: one open list of about nine hundred cameras, each with a steady picture address.

The list is an array of places; the facts that matter hang below each as `additionalProperties`, key and value. A
camera's name is the last part of its picture's address without the suffix, as chrono_lens named it.
"""

import logging
from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from wayside.core.errors import InvalidIdentifierError, SourceError
from wayside.sources.http import HttpClient
from wayside.sources.lists import chosen, name_of
from wayside.sources.reasons import Reason
from wayside.sources.source import Camera, WebSource

log = logging.getLogger(__name__)


class _Property(BaseModel):
    key: str = Field(max_length=200)
    value: object = None


class _Place(BaseModel):
    id: str = Field("", max_length=200)
    common_name: str = Field("", alias="commonName", max_length=500)
    lat: float | None = None
    lon: float | None = None
    properties: Annotated[list[_Property], Field(max_length=100)] = Field(alias="additionalProperties")


class TflSource(WebSource):
    """The JamCam list at `spec.url`; whoever answers in the same form will do."""

    async def cameras(self, http: HttpClient) -> list[Camera]:
        """Read the list; raise `SourceError` if it cannot be had or is not a list."""
        listed = await http.get_json(self.spec.url)
        if not isinstance(listed, list):
            raise SourceError(f"source {self.spec.id}: {self.spec.url} does not answer a list of places")
        return chosen(self.spec, http.settings, self._read(listed))

    def _read(self, listed: Iterable[object]) -> Iterable[Camera]:
        for item in listed:
            try:
                place = _Place.model_validate(item)
                yield self._camera(place, {entry.key: str(entry.value or "") for entry in place.properties})
            except (ValidationError, InvalidIdentifierError) as error:
                log.warning("%s: a place is skipped: %s", self.spec.id, " ".join(str(error).split())[:300])

    def _camera(self, place: _Place, facts: dict[str, str]) -> Camera:
        url = facts.get("imageUrl") or None
        available = facts.get("available", "true").lower() != "false"
        return Camera(
            source=self.spec.id,
            id=name_of(url) if url else place.id.removeprefix("JamCams_"),
            name=place.common_name or place.id,
            lat=place.lat,
            lon=place.lon,
            view=facts.get("view") or None,
            attribution=self.spec.attribution,
            url=url,
            reason=None if url and available else Reason.UNAVAILABLE if url else Reason.NO_PICTURE,
        )
