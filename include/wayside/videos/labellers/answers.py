"""The documented answer of a label service, read with suspicion.

    {"status": "success", "labels": {"<time of the image>": {"<label>": {"probability": 0.9, "polygon": [[x, y], …]}}}}
    {"status": "error", "message": "…"}

Polygons come as fractions with the origin at the bottom left; here they are turned to the top left, and the box around
each is told beside it. Names, numbers and sizes are bounded, and whatever breaks a bound is named in the error, so that
the service's log says what to mend.
"""

import hashlib
import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from wayside.videos.labellers.base import LABEL_LETTERS, AnswerError, Box, LabelOf, Point

MAX_ANSWER_BYTES: Final = 4 * 2**20
"""Largest answer that is read."""

_MOST_IMAGES: Final = 200
_MOST_LABELS: Final = 200
_MOST_POINTS: Final = 500
_MESSAGE: Final = 300
# What rounding may put outside of the picture; it is cut off.
_SLACK: Final = 0.01
_TIME: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


def label_name(text: str) -> str:
    """Return the name of a label, in NFC and without blanks around it.

    Raises:
        ValueError: it is empty, too long, or has characters that control or that nobody can see.
    """
    name = unicodedata.normalize("NFC", text).strip()
    if not 0 < len(name) <= LABEL_LETTERS:
        raise ValueError(f"a label has 1 to {LABEL_LETTERS} letters")
    if any(unicodedata.category(letter).startswith("C") for letter in name):
        raise ValueError("a label has no control characters")
    return name


def _fraction(value: float) -> float:
    if not -_SLACK <= value <= 1 + _SLACK:
        raise ValueError("is a fraction of the picture, 0 to 1")
    return min(max(value, 0.0), 1.0)


_Fraction = Annotated[float, Field(allow_inf_nan=False), AfterValidator(_fraction)]
_Name = Annotated[str, AfterValidator(label_name)]


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Said(_Form):
    probability: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    polygon: Annotated[list[tuple[_Fraction, _Fraction]], Field(max_length=_MOST_POINTS)] | None = None


class _Answer(_Form):
    status: Literal["success", "error"]
    message: str | None = None
    labels: Annotated[
        dict[str, Annotated[dict[_Name, _Said], Field(max_length=_MOST_LABELS)]], Field(max_length=_MOST_IMAGES)
    ] = Field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """An answer that was understood.

    Attributes:
        labels: by image and name; empty after an error.
        error: what the service says went wrong; None for a success.
        sha256: hash of what it says, however it was written down.
    """

    labels: tuple[LabelOf, ...]
    error: str | None
    sha256: str


def image_time(at: datetime) -> str:
    """Write the time of an image, which is its name towards a service: `2016-10-09T12:02:37.500000Z`."""
    return at.astimezone(UTC).strftime(_TIME)


def read_answer(body: bytes, pictures: Sequence[datetime]) -> Answer:
    """Read an answer about the pictures of one event.

    Args:
        body: JSON, at most `MAX_ANSWER_BYTES`.
        pictures: the times of the pictures that the service was given.

    Raises:
        AnswerError: it is not of the documented form, or speaks of an image that was not sent.
    """
    if len(body) > MAX_ANSWER_BYTES:
        raise AnswerError("not_the_form", f"the answer has more than {MAX_ANSWER_BYTES} bytes")
    try:
        said = _Answer.model_validate_json(body)
    except ValidationError as error:
        raise _told(error) from None
    except RecursionError:
        raise AnswerError("not_json", "the answer is nested too deeply") from None
    names = _names(pictures)
    labels: list[LabelOf] = []
    for image, found in said.labels.items():
        at = _image(image, names, pictures)
        labels += [_label(at, name, one) for name, one in found.items()]
    labels.sort(key=lambda label: (label.at, -(label.probability or 0.0), label.name))
    canonical = json.dumps(said.model_dump(), sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(canonical).hexdigest()
    if said.status == "error":
        return Answer((), _printable(said.message or "it does not say why"), digest)
    return Answer(tuple(labels), None, digest)


def _names(pictures: Sequence[datetime]) -> dict[str, datetime]:
    return {image_time(at): at for at in pictures}


def _image(name: str, names: Mapping[str, datetime], pictures: Sequence[datetime]) -> datetime:
    """Find the picture that is meant, also where its time is written in another way, or to the millisecond."""
    if name in names:
        return names[name]
    found = []
    try:
        when = datetime.fromisoformat(name)
        when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, OverflowError):
        when = None
    if when is not None:
        found = [at for at in pictures if at == when] or [
            at for at in pictures if at.replace(microsecond=at.microsecond // 1000 * 1000) == when
        ]
    if len(found) != 1:
        raise AnswerError(
            "unknown_image", f"labels: {_printable(name)!r} is not the timestamp of an image of the event"
        )
    return found[0]


def _label(at: datetime, name: str, said: _Said) -> LabelOf:
    if not said.polygon:
        return LabelOf(at, name, said.probability)
    polygon = tuple((x, 1.0 - y) for x, y in said.polygon)
    return LabelOf(at, name, said.probability, _around(polygon, name), polygon)


def _around(polygon: tuple[Point, ...], name: str) -> Box:
    across, down = [x for x, _ in polygon], [y for _, y in polygon]
    box = min(across), min(down), max(across), max(down)
    if len(polygon) < 3 or math.isclose(box[0], box[2]) or math.isclose(box[1], box[3]):
        raise AnswerError("not_the_form", f"labels: the polygon of {name!r} has no area")
    return box


def _told(error: ValidationError) -> AnswerError:
    """Say the first thing that is wrong, and where."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return AnswerError("not_json", f"the answer is not JSON: {_printable(first['msg'])}")
    where = ".".join(str(part) for part in first["loc"])
    return AnswerError("not_the_form", _printable(f"{where or 'the answer'}: {first['msg']}"))


def _printable(text: str) -> str:
    kept = "".join(letter if letter.isprintable() else "?" for letter in text[: _MESSAGE + 1])
    return kept if len(kept) <= _MESSAGE else f"{kept[:_MESSAGE]}…"
