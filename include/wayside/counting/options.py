"""What counting is told, in two modes: `match`, as the replaced system counted, and `improved`, our own way.

Lengths are fractions of the picture's width, in both directions. The defaults suit 2 to 10 looks a second at people
and vehicles that are 2 to 30 % of the picture wide; docs/ZONES.md says how they were chosen.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, ValidationInfo, field_validator

from wayside.core.errors import ConfigError

Anchor = Literal["bottom", "centre"]
Score = Annotated[float, Field(ge=0, le=1)]
Length = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MatchOptions(_Options):
    """Count as the replaced system did: nearest centre, no classes, no direction; docs/ZONES.md tells what follows.

    Attributes:
        score: least score of what counts as detected; stands for the threshold of the detector that it asked.
    """

    mode: Literal["match"] = "match"
    score: Score = 0.5


class ImprovedOptions(_Options):
    """Count tracks that enter and leave zones and cross lines.

    Attributes:
        classes: what is counted; empty: everything that the detector knows.
        score: least score with which a track starts.
        low_score: least score with which it goes on; not more than `score`.
        lost_s: seconds without a box after which a track has ended; a later box starts another one.
        confirm_boxes: boxes that a track needs to count at all, the first two of them in looks that follow each other.
        reach: how far an object may be from where it is expected, in sizes of its own box for each second that passed
            since the look before; 0: it has to overlap.
        overlap: two boxes that overlap by more than this, of whatever classes, show the same object.
        anchor: which point of a box stands for the object: the middle of its lower edge, where it touches the ground,
            or its centre.
        settle_looks: looks that an anchor needs on the other side of an edge or line, one after the other.
        settle_depth: distance from it that one of them has to reach.
        travel: distance from its first box that a track has to reach before anything counts.
        rearm: distance from the place of the last event of a track at an edge or line that it has to reach before
            the next one counts there.
        occupancy_looks: looks for which a change of the number inside has to hold.
        gap_s: seconds without a look after which the number inside is not known.
    """

    mode: Literal["improved"] = "improved"
    classes: tuple[str, ...] = ()
    score: Score = 0.35
    low_score: Annotated[Score, Field(validate_default=True)] = 0.3
    lost_s: Seconds = 2.0
    confirm_boxes: Annotated[int, Field(ge=2, le=20)] = 3
    reach: Annotated[float, Field(ge=0, le=10)] = 1.5
    overlap: Annotated[float, Field(gt=0, lt=1)] = 0.45
    anchor: Anchor = "bottom"
    settle_looks: Annotated[int, Field(ge=1, le=20)] = 2
    settle_depth: Length = 0.01
    travel: Length = 0.03
    rearm: Length = 0.1
    occupancy_looks: Annotated[int, Field(ge=1, le=20)] = 2
    gap_s: Seconds = 5.0

    @field_validator("classes")
    @classmethod
    def _in_order(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if len(classes) > 100 or any(not name or len(name) > 64 for name in classes):
            raise ValueError("at most 100 names of classes, of 64 characters each")
        return tuple(sorted(set(classes)))

    @field_validator("low_score")
    @classmethod
    def _at_most_score(cls, low: float, info: ValidationInfo) -> float:
        score: float = info.data.get("score", low)
        return min(low, score)


CountOptions = Annotated[MatchOptions | ImprovedOptions, Field(discriminator="mode")]
_ADAPTER: Final[TypeAdapter[MatchOptions | ImprovedOptions]] = TypeAdapter(CountOptions)


def parse_count_options(value: str | dict[str, Any]) -> MatchOptions | ImprovedOptions:
    """Read options from JSON text or a dict; without `mode` they are those of `improved`.

    Raises:
        ConfigError: a field is not known or not valid; the text names it.
    """
    try:
        record = _ADAPTER_ANY.validate_json(value) if isinstance(value, str) else value
        return _ADAPTER.validate_python({"mode": "improved", **record})
    except ValidationError as error:
        told = "; ".join(
            f"{'.'.join(str(part) for part in one['loc'][1:]) or 'options'}: {one['msg']}" for one in error.errors()
        )
        raise ConfigError(f"options of counting: {told}") from None


_ADAPTER_ANY: Final[TypeAdapter[dict[str, Any]]] = TypeAdapter(dict[str, Any])
