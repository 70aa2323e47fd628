"""Bookmarks as JSON: version 1, the file that the video importer really wrote, and version 2, which loses nothing.

    v1  {"job_id": ..., "earliest_date": ..., "latest_date": ...,
         "labels": {"2016-10-09T06:17:36.923Z": {"labels": ["tuna"], "camera": {"name": "C2_Hi"}}}}
    v2  {"version": 2, "job_id": ..., "earliest_date": ..., "latest_date": ...,
         "images": [{"timestamp": ..., "camera": {"name": ..., "camera_id": ...}, "labels": [{"label": ...}], ...}]}

Version 1 has one image a moment and no more than names of labels. Among these it has the SHA-1 of the video.
"""

import json
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from wayside.core.errors import ConfigError
from wayside.videos.bookmarks.model import (
    SHA1,
    BookmarkEvent,
    BookmarkImage,
    BookmarkLabel,
    Bookmarks,
    text_of,
    time_of,
)

VERSION: Final = 2


class _Read(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _Camera(_Read):
    name: str
    camera_id: str | None = None


class _Job(_Read):
    job_id: str | None = None
    earliest_date: str | None = None
    latest_date: str | None = None


class _Image1(_Read):
    labels: list[str]
    camera: _Camera


class _File1(_Job):
    labels: dict[str, _Image1]


class _Label2(_Read):
    label: str
    probability: float | None = None
    box: list[float] | None = None
    polygon: list[list[float]] | None = None


class _Image2(_Read):
    timestamp: str
    camera: _Camera
    labels: list[_Label2 | str]
    source_file: str | None = None
    source_sha256: str | None = None
    source_sha1: list[str] = []
    event_id: str | None = None
    event_start: str | None = None
    event_end: str | None = None


class _File2(_Job):
    version: int = VERSION
    images: list[_Image2]


def read_json(said: Any) -> Bookmarks:
    """Return the bookmarks of a JSON document of version 1 or 2; a list alone is the images of version 2.

    Raises:
        ConfigError: it is neither; the place is named.
    """
    try:
        if isinstance(said, list):
            return _read_2(_File2.model_validate({"images": said}))
        if isinstance(said, dict) and "images" in said:
            return _read_2(_File2.model_validate(said))
        return _read_1(_File1.model_validate(said))
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "the whole"
        raise ConfigError(f"bookmarks: {where}: {fault['msg'].lower()}") from None


def write_v1(bookmarks: Bookmarks) -> bytes:
    """Return version 1. Names of labels come once each, in their order, and the SHA-1s of the video behind them.

    Raises:
        ConfigError: two images have the same moment, and one would take the other's place; both are named.
    """
    labels: dict[str, Any] = {}
    for image, before in zip(bookmarks.images, (None, *bookmarks.images), strict=False):
        if before is not None and before.at == image.at:
            raise ConfigError(
                f"version 1 has one image a moment, and at {text_of(image.at)} there are two: {_named(before)} and "
                f"{_named(image)}; export another format, or one camera at a time"
            )
        names = dict.fromkeys((*(label.name for label in image.labels), *image.sha1))
        labels[text_of(image.at)] = {"labels": list(names), "camera": {"name": image.camera}}
    return _written({**_job(bookmarks), "labels": labels})


def write_v2(bookmarks: Bookmarks) -> bytes:
    """Return version 2."""
    images = [_image_2(image) for image in bookmarks.images]
    return _written({"version": VERSION, **_job(bookmarks), "images": images})


def _read_1(file: _File1) -> Bookmarks:
    images = [
        BookmarkImage(
            time_of(moment, "the time of an image"),
            image.camera.name,
            image.camera.camera_id,
            tuple(BookmarkLabel(label) for label in image.labels if not SHA1.fullmatch(label)),
            sha1=tuple(label for label in image.labels if SHA1.fullmatch(label)),
        )
        for moment, image in file.labels.items()
    ]
    return _bookmarks(file, images)


def _read_2(file: _File2) -> Bookmarks:
    if file.version != VERSION:
        raise ConfigError(f"bookmarks: version {file.version} is not known; versions 1 and 2 are")
    return _bookmarks(file, [_read_image(image) for image in file.images])


def _read_image(image: _Image2) -> BookmarkImage:
    return BookmarkImage(
        time_of(image.timestamp, "the time of an image"),
        image.camera.name,
        image.camera.camera_id,
        tuple(_read_label(label) for label in image.labels),
        event_of(image.event_id, image.event_start, image.event_end, image.timestamp),
        image.source_file,
        image.source_sha256,
        tuple(image.source_sha1),
    )


def _read_label(label: _Label2 | str) -> BookmarkLabel:
    if isinstance(label, str):
        return BookmarkLabel(label)
    box = tuple(map(float, label.box)) if label.box is not None else None
    polygon = tuple(tuple(map(float, point)) for point in label.polygon) if label.polygon is not None else None
    probability = None if label.probability is None else float(label.probability)
    return BookmarkLabel(label.label, probability, box, polygon)  # type: ignore[arg-type]


def event_of(name: str | None, start: str | None, end: str | None, at: str) -> BookmarkEvent | None:
    """Return the event of an image; one without start or end is as long as this image is a moment."""
    if not name:
        return None
    return BookmarkEvent(name, time_of(start or at, "the start of an event"), time_of(end or at, "the end of an event"))


def _bookmarks(file: _Job, images: list[BookmarkImage]) -> Bookmarks:
    earliest, latest = (
        time_of(text, what) if text else None
        for text, what in ((file.earliest_date, "earliest_date"), (file.latest_date, "latest_date"))
    )
    return Bookmarks(file.job_id, earliest, latest, tuple(images))


def _image_2(image: BookmarkImage) -> dict[str, Any]:
    event = image.event
    said = {
        "timestamp": text_of(image.at),
        "camera": _set({"name": image.camera, "camera_id": image.camera_id}),
        "labels": [
            _set({"label": label.name, "probability": label.probability, "box": label.box, "polygon": label.polygon})
            for label in image.labels
        ],
        "source_file": image.source_file,
        "source_sha256": image.source_sha256,
        "source_sha1": list(image.sha1) or None,
        "event_id": image.event_id,
        "event_start": text_of(event.start) if event else None,
        "event_end": text_of(event.end) if event else None,
    }
    return _set(said)


def _set(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _job(bookmarks: Bookmarks) -> dict[str, str | None]:
    earliest, latest = bookmarks.earliest, bookmarks.latest
    return {
        "job_id": bookmarks.job,
        "earliest_date": text_of(earliest) if earliest else None,
        "latest_date": text_of(latest) if latest else None,
    }


def _named(image: BookmarkImage) -> str:
    return f"camera {image.camera!r}" + (f", event {image.event_id}" if image.event else "")


def _written(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
