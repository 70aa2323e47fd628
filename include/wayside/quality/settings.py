"""The settings of the filters: names and defaults of the old system, checked, and never changed once made.

A pipeline file names them under a stage; `FaultyImageFilterV0(row_similarity_threshold=0.9)` takes them by name. A
name that does not exist or a value out of range raises `ConfigError`, so that a slip in a file never runs unnoticed.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wayside.core.errors import ConfigError

Share = Annotated[float, Field(ge=0, le=1)]
Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Build settings from values by name; raise `ConfigError` for a wrong name or value."""
        try:
            return cls(**values)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
            raise ConfigError(f"{cls.__name__}: {faults}") from None


class FaultyImageSettings(_Settings):
    """What makes a picture faulty, as in the old system."""

    identical_area_proportion_threshold: Share = Field(
        0.33, description="share of the picture above which one colour makes it faulty"
    )
    row_similarity_threshold: Share = Field(
        0.8, description="share of a row's components above which it equals the row below"
    )
    consecutive_matching_rows_threshold: Share = Field(
        0.2, description="share of the height above which a run of equal rows makes a picture faulty"
    )


class FaultyImageSettingsV1(FaultyImageSettings):
    """What makes a picture faulty in version 1: three settings more, and one default that real nights survive."""

    identical_area_proportion_threshold: Share = Field(
        0.6, description="share of the picture above which one colour (of 32×32×32) makes it faulty"
    )
    stale_tolerance: float = Field(
        1.0, ge=0, description="grey levels by which no 8×8 block differs when a picture is an old one, re-encoded"
    )
    dark_level: int = Field(32, ge=0, le=255, description="grey below which 99.5 % of a dark picture lies")
    placeholders: tuple[Fingerprint, ...] = Field(
        (), description="cards that a source serves instead of a picture: `wayside.quality.signs.fingerprint` of each"
    )


class StaticObjectSettings(_Settings):
    """What makes an object static, as in the old system."""

    scenecut_threshold: float = Field(
        0.4, ge=-1, le=1, description="mean SSIM at or below which two pictures do not show the same scene"
    )
    minimum_mask_proportion: Share = Field(0.25, description="share of a box that has to move")
    minimum_mask_proportion_person: Share = Field(0.10, description="the same for a person above `confidence_person`")
    confidence_person: Share = Field(0.80, description="score above which a person needs the smaller share")
    contour_area_threshold: float = Field(50, ge=0, description="moving patches smaller than this are noise, in px²")


class StaticObjectSettingsV1(StaticObjectSettings):
    """What makes an object static in version 1."""

    overlap_threshold: Share = Field(0.90, description="IoU above which two boxes show the same object")
    camera_shift_threshold: float = Field(
        3.0, gt=0, description="pixels by which two pictures are displaced when the camera has moved between them"
    )
    neighbours_rule: Literal["all", "any"] = Field(
        "all", description="a pixel moves if it differs from all trusted neighbours, or from any one of them"
    )
