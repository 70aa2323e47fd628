"""What a processor is told, by its kind.

* `traffic`: the options of counting, `wayside.counting.options`, of mode match or improved.
* `objects`: the same; what belongs to tracks alone is not looked at.
* `faces`: below. Crops of faces are kept only where somebody asks for them in so many words.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wayside.core.errors import ConfigError
from wayside.counting.options import ImprovedOptions, MatchOptions, Score, Seconds, parse_count_options
from wayside.counting.zones import ZoneSet

MOST_TEXT: Final = 64 * 2**10
LEAST_SCORE: Final = 0.2
"""Least score of a detection that is stored: trackers go on with boxes too uncertain to begin with. At 0.1 our own
detector has four times as many, and what these would add was not seen in any count."""


class FaceOptions(BaseModel):
    """Count faces inside of zones.

    Attributes:
        score: least score of a face that counts.
        occupancy_looks: looks for which a change of the number inside has to hold.
        gap_s: seconds without a look after which the number inside is not known.
        keep_crops: keep a picture of each face that counts, as evidence; without, faces leave the machine's memory
            only as a number.
        crops_days: days after which these pictures are removed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    score: Score = 0.6
    occupancy_looks: Annotated[int, Field(ge=1, le=20)] = 2
    gap_s: Seconds = 5.0
    keep_crops: bool = False
    crops_days: Annotated[int, Field(ge=1, le=366)] = 7

    @property
    def counting(self) -> ImprovedOptions:
        """The same as options of counting: a face stands for itself with its centre."""
        return ImprovedOptions(
            score=self.score, low_score=self.score, anchor="centre", occupancy_looks=self.occupancy_looks,
            gap_s=self.gap_s,
        )  # fmt: skip


def parse_options(
    kind: Literal["traffic", "objects", "faces"], value: BaseModel | Mapping[str, Any] | str
) -> MatchOptions | ImprovedOptions | FaceOptions:
    """Read options of a kind from JSON text, a document, or options.

    Raises:
        ConfigError: a field is not known or not valid, or the kind has no such options; the text names it.
    """
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, str) and len(value) > MOST_TEXT:
        raise ConfigError(f"options have {MOST_TEXT} characters at most, not {len(value)}")
    if kind == "faces":
        return _faces(value)
    return parse_count_options(value if isinstance(value, str) else dict(value))


def check_options(kind: str, options: BaseModel, zones: ZoneSet) -> None:
    """Raise `ConfigError` where options and shapes do not go together, or ask for what is not stored."""
    if kind != "faces" and _least(options) < LEAST_SCORE:
        raise ConfigError(f"score: detections below {LEAST_SCORE} are not stored: ask for {LEAST_SCORE} or more")
    if kind == "traffic" and isinstance(options, ImprovedOptions) and not zones:
        raise ConfigError("traffic needs a zone to enter or a line to cross: draw one")
    if zones.lines and (kind != "traffic" or isinstance(options, MatchOptions)):
        what = "mode `match`" if kind == "traffic" else f"a processor of kind {kind}"
        raise ConfigError(f"{what} does not look at lines: take {zones.lines[0].name!r} away")


def _least(options: BaseModel) -> float:
    """Return the least score that counts."""
    return float(getattr(options, "low_score", getattr(options, "score", 1.0)))


def _faces(value: Mapping[str, Any] | str) -> FaceOptions:
    try:
        return FaceOptions.model_validate_json(value) if isinstance(value, str) else FaceOptions.model_validate(value)
    except ValidationError as error:
        told = "; ".join(
            f"{'.'.join(str(part) for part in one['loc']) or 'options'}: {one['msg']}" for one in error.errors()
        )
        raise ConfigError(f"options of faces: {told}") from None
