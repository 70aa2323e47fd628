"""The answers of the Urban Observatory's API, as much of them as is read, with limits; the rest is ignored.

An entity is a pole, a feed is one view from it, a time series holds the addresses of its pictures, and a brokerage
says what the camera is called by those who own it. Any of these may be absent, and each item is read on its own: one
that is malformed costs one camera, not the list.
"""

import logging
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final, TypeVar

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, Field, ValidationError, model_validator

from wayside.core.errors import InvalidIdentifierError
from wayside.core.ids import camera_id

log = logging.getLogger(__name__)

_FIRST_YEAR, _LAST_YEAR = 1990, 2200
_METRIC: Final = "Camera image"
_VIEW: Final = re.compile(r"(?P<camera>.+):V(?P<view>\d{1,3})")
_NAMED_VIEW: Final = re.compile(r"Camera image: View (?P<view>\d{1,3})")

Some = Annotated[list[object], BeforeValidator(lambda value: value or [])]
Text = Annotated[str, Field(max_length=2000)]
Model = TypeVar("Model", bound=BaseModel)


def _in_utc(moment: datetime) -> datetime:
    """Times come with a zone; one without is in UTC, as the addresses of the pictures are."""
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(f"no picture was taken in the year {moment.year}")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(_in_utc)]


class Value(BaseModel):
    """One picture: when it was taken, and its address."""

    time: Moment
    value: Text


class Link(BaseModel):
    """Where to ask on."""

    rel: Text
    href: Text


class Timeseries(BaseModel):
    """The pictures of one view; `latest` is absent when there was none for a week."""

    latest: Value | None = None
    links: Annotated[list[Link], Field(max_length=50)] = Field(default_factory=list)


class Brokerage(BaseModel):
    """What the owner calls the view: `GH_A167M1`, or `GH_A167M1:V01` for one of several."""

    source_id: Text = Field(alias="sourceId")


class Feed(BaseModel):
    """One view of a camera."""

    metric: Text
    brokerage: Annotated[list[Brokerage], Field(max_length=50)] = Field(default_factory=list)
    timeseries: Annotated[list[Timeseries], Field(max_length=50)] = Field(default_factory=list)

    @property
    def camera(self) -> str | None:
        """The camera's id with Wayside, `X` or `X-View_01`; None if the feed does not say."""
        if not self.brokerage:
            return None
        named = self.brokerage[0].source_id
        if found := _VIEW.fullmatch(named):
            named = f"{found['camera']}-View_{found['view']}"
        elif found := _NAMED_VIEW.fullmatch(self.metric):
            named = f"{named}-View_{found['view']}"
        try:
            return camera_id(named)
        except InvalidIdentifierError:
            return None

    @property
    def latest(self) -> Value | None:
        """The newest picture of all time series of the feed."""
        return max((series.latest for series in self.timeseries if series.latest), key=lambda v: v.time, default=None)

    @property
    def archives(self) -> list[str]:
        """The addresses of the feed's archives."""
        found = [link.href for series in self.timeseries for link in series.links if link.rel == "archives.friendly"]
        return found or [link.href for series in self.timeseries for link in series.links if link.rel == "archives"]


class Point(BaseModel):
    """Where an entity stands, as in GeoJSON: longitude, latitude, and perhaps a height."""

    coordinates: Annotated[list[float], Field(min_length=2, max_length=3)]


class Position(BaseModel):
    """A point, alone or within a GeoJSON feature."""

    point: Annotated[Point, Field(validation_alias=AliasChoices("geometry", "point"))]

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: object) -> object:
        return {"point": value} if isinstance(value, dict) and "coordinates" in value else value


class Entity(BaseModel):
    """A pole with its feeds; feeds and positions are read one by one, so that a bad one does not cost the rest."""

    name: Annotated[str, Field(max_length=500)] = ""
    meta: Annotated[dict[str, object], BeforeValidator(lambda value: value or {})] = Field(default_factory=dict)
    position: Some = Field(default_factory=list, max_length=50)
    feed: Some = Field(default_factory=list, max_length=500)
    links: Annotated[list[Link], Field(max_length=50)] = Field(default_factory=list)

    def cameras(self) -> list[tuple[str, Feed]]:
        """Return the feeds that show pictures and say whose, with the camera's id; others are logged."""
        found = []
        for feed in items(Feed, self.feed, f"feed of {self.name!r}"):
            if not feed.metric.startswith(_METRIC):
                continue
            if feed.camera is None:
                log.warning("a feed of %r is skipped: no brokerage names its camera", self.name)
                continue
            found.append((feed.camera, feed))
        return found

    @property
    def place(self) -> tuple[float, float] | None:
        """Latitude and longitude in degrees, if both are given and make sense."""
        for position in items(Position, self.position, f"position of {self.name!r}"):
            lon, lat = position.point.coordinates[:2]
            if abs(lat) <= 90 and abs(lon) <= 180:
                return lat, lon
        return None

    @property
    def view(self) -> str | None:
        """Where the camera looks, in the owner's words."""
        looking = self.meta.get("lookingAt")
        words = [str(word) for word in looking] if isinstance(looking, list) else [str(looking)] if looking else []
        return ", ".join(words)[:500] or None

    @property
    def friendly(self) -> str | None:
        """The address of the entity itself."""
        return next((link.href for link in self.links if link.rel == "self.friendly"), None)


class Page(BaseModel):
    """One page of entities."""

    class Pagination(BaseModel):
        """How many pages there are."""

        page_count: int = Field(1, alias="pageCount", ge=0, le=1000)

    pagination: Pagination = Field(default_factory=lambda: Page.Pagination.model_validate({}))
    items: list[object] = Field(max_length=1000)


class Archive(BaseModel):
    """The pictures of one view in a stretch of time, in any order."""

    class Historic(BaseModel):
        """The values."""

        values: list[object] = Field(max_length=100_000)

    historic: Historic


def items(model: type[Model], raw: Sequence[object], what: str) -> Iterable[Model]:
    """Yield those of `raw` that are valid; the others are logged as `what` and skipped."""
    for item in raw:
        try:
            yield model.model_validate(item)
        except ValidationError as error:
            log.warning("a %s is skipped: %s", what, " ".join(str(error).split())[:300])
