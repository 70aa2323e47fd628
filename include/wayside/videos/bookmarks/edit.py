"""Changes to bookmarks as a whole: labels filtered, cameras renamed, times mended that were read in the wrong zone."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from wayside.core.errors import ConfigError
from wayside.core.ids import camera_id
from wayside.videos.bookmarks.model import BookmarkImage, Bookmarks
from wayside.videos.names import to_utc, zone_of
from wayside.videos.whitelist import Whitelist


def filtered(bookmarks: Bookmarks, whitelist: Whitelist) -> Bookmarks:
    """Return the bookmarks without labels that are not wanted, and without images that have none left.

    An empty whitelist changes nothing. SHA-1s of videos are no labels and stay.
    """
    if not whitelist:
        return bookmarks
    kept = (
        replace(image, labels=tuple(label for label in image.labels if whitelist.wants(label.name)))
        for image in bookmarks.images
    )
    return replace(bookmarks, images=tuple(image for image in kept if image.labels))


def renamed(bookmarks: Bookmarks, cameras: Mapping[str, str]) -> Bookmarks:
    """Give cameras ids, by their names; the names stay.

    Raises:
        ConfigError: no image is of a camera of such a name, or an id is not valid.
    """
    if unknown := sorted(set(cameras) - {image.camera for image in bookmarks.images}):
        raise ConfigError(f"the bookmarks have no camera {unknown[0]!r}")
    ids = {name: camera_id(wanted) for name, wanted in cameras.items()}
    images = (replace(image, camera_id=ids.get(image.camera, image.camera_id)) for image in bookmarks.images)
    return replace(bookmarks, images=tuple(images))


def relocated(bookmarks: Bookmarks, zone: str) -> Bookmarks:
    """Return the bookmarks with their times read as local times of a zone, which somebody had called UTC.

    That is what the video importer wrote wherever its machine was not set to UTC.

    Raises:
        ConfigError: there is no such zone; or two images of a camera fall on one moment, when a clock was put back.
    """
    here = zone_of(zone)

    def moved(moment: datetime) -> datetime:
        return to_utc(moment.astimezone(UTC).replace(tzinfo=None), here)[0]

    def image(one: BookmarkImage) -> BookmarkImage:
        event = one.event
        if event is not None:
            start, end = moved(event.start), moved(event.end)
            event = replace(event, start=start, end=max(start, end))
        return replace(one, at=moved(one.at), event=event)

    return Bookmarks(
        bookmarks.job,
        moved(bookmarks.earliest) if bookmarks.earliest else None,
        moved(bookmarks.latest) if bookmarks.latest else None,
        tuple(image(one) for one in bookmarks.images),
    )
