"""What is masked and how, as one settings model; a profile of `include/config/profiles` is made of these parts.

Lengths are pixels of the full picture unless they say otherwise. Every field has the default of a planar profile.
"""

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0, le=1)]
Pixels = Annotated[int, Field(ge=0, le=1000)]
Colour = tuple[
    Annotated[int, Field(ge=0, le=255)], Annotated[int, Field(ge=0, le=255)], Annotated[int, Field(ge=0, le=255)]
]

CLASSES: Final = ("person", "bicycle", "car", "motorcycle", "bus", "truck", "face", "plate")
"""What can be masked, in the order in which records and reports list them."""

Class = Literal["person", "bicycle", "car", "motorcycle", "bus", "truck", "face", "plate"]

COLOURS: Final[dict[str, tuple[int, int, int]]] = {
    "person": (255, 255, 255),
    "bicycle": (0, 0, 255),
    "car": (255, 0, 0),
    "motorcycle": (255, 255, 0),
    "bus": (0, 255, 255),
    "truck": (0, 255, 0),
}
"""Colours by class, red green blue, as the replaced system draws them; (100, 100, 100) for anything else."""


class Part(BaseModel):
    """A part of a profile: what it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Tiling(Part):
    """How large pictures are looked at in pieces, beside the look at the whole.

    Attributes:
        enabled: `auto` tiles pictures whose longer side is more than `tile` pixels.
        tile: side of a square tile, in pixels.
        overlap: least overlap of neighbours, in pixels: the size of the largest object that must be seen whole.
        wrap: the left and right edges are neighbours (an equirectangular panorama).
    """

    enabled: Literal["auto", "always", "never"] = "auto"
    tile: Annotated[int, Field(ge=64, le=8192)] = 1024
    overlap: Annotated[int, Field(ge=0, le=4096)] = 256
    wrap: bool = False

    @model_validator(mode="after")
    def _overlap_below_tile(self) -> Self:
        if self.overlap * 2 > self.tile:
            raise ValueError("`overlap` may be half of `tile` at the most")
        return self


class Finding(Part):
    """What is looked for, and by which models.

    Attributes:
        classes: what is masked; what is not listed stays visible.
        detector: card of the model that finds road users, with masks or boxes.
        face_detector: card of the face detector; null: none. Where it is not on this machine, `missing_models` rules.
        plate_detector: card of the plate detector; null: none.
        missing_models: `fail` refuses to run; `warn` goes on without faces, and says so in every receipt.
        scores: least score by class, 0..1; what is not named takes `score`. At 0.25 YuNet sees a face in every second
            street, at 0.6 in every twentieth.
        score: least score of classes without one of their own; null: the card's.
        plates_inside_vehicles: a plate counts only inside a vehicle, or with a score of at least `plate_alone_score`.
        plate_alone_score: score from which a plate counts anywhere. At 0.5 road signs are taken for plates.
        grow: a box without an instance mask grows on each side by this fraction of its width and height.
        dilation: an object's mask grows by this many pixels in each direction: a square of 2 n + 1.
        tiling: how large pictures are divided.
    """

    classes: tuple[Class, ...] = CLASSES
    detector: str = "WaysideV1"
    face_detector: str | None = "YuNet"
    plate_detector: str | None = "WaysidePlatesV1"
    missing_models: Literal["fail", "warn"] = "warn"
    scores: dict[Class, Fraction] = {"face": 0.6, "plate": 0.4}
    score: Fraction | None = 0.25
    plates_inside_vehicles: bool = True
    plate_alone_score: Fraction = 0.7
    grow: Fraction = 0.1
    dilation: Pixels = 4
    tiling: Tiling = Tiling()


class Fill(Part):
    """What a masked pixel becomes.

    Attributes:
        style: `constant` is one colour, the mean of what surrounds the object unless `colour` or `by_class` says
            otherwise, and cannot be undone; `mosaic` is coarse cells with secret noise; `blur`, `grey_blur` and
            `normalised_grey_blur` are the formulas of the replaced system, cosmetic only: they can be undone.
        colour: red, green, blue of `constant`.
        by_class: `constant` takes a colour for each class, see `COLOURS`.
        blur: side of the box filter in thousandths of the picture's width; below 3 pixels it is refused.
        cell: side of a mosaic cell, in pixels; with 8 an attacker was right about a plate one time in six.
        noise: standard deviation of the noise of each cell, in grey levels.
    """

    style: Literal["constant", "mosaic", "blur", "grey_blur", "normalised_grey_blur"] = "constant"
    colour: Colour | None = None
    by_class: bool = False
    blur: Annotated[float, Field(gt=0, le=1000)] = 15
    cell: Annotated[int, Field(ge=16, le=256)] = 20
    noise: Annotated[float, Field(ge=40, le=255)] = 48

    @property
    def cosmetic(self) -> bool:
        """Whether what it covers can be made out again, as under every blur."""
        return self.style not in {"constant", "mosaic"}


class ExifPolicy(Part):
    """What becomes of each group of metadata in the anonymised picture. What no field names is dropped.

    Attributes:
        time: when the picture was taken: keep, round to the hour, or drop.
        position: GPS: keep, round to `position_decimals` of a degree, or drop.
        position_decimals: decimals of a rounded position; 3 are about 100 m.
        heading: direction, speed and altitude of the GPS block: keep or drop.
        camera: make, model, lens, exposure: keep or drop.
        road: the road authority's XML (40055 and 40056), without driver, vehicle and comments: keep or drop.
        icc: the colour profile: keep or drop.
    """

    time: Literal["keep", "round", "drop"] = "drop"
    position: Literal["keep", "round", "drop"] = "drop"
    position_decimals: Annotated[int, Field(ge=0, le=5)] = 3
    heading: Literal["keep", "drop"] = "drop"
    camera: Literal["keep", "drop"] = "drop"
    road: Literal["keep", "drop"] = "drop"
    icc: Literal["keep", "drop"] = "keep"


class Output(Part):
    """How the anonymised picture is written.

    Attributes:
        mode: `lossless` leaves every coefficient outside the masked blocks as it was, where the file allows it, and
            falls back to `reencode` with a reason where it does not.
        quality: JPEG quality of `reencode`, 1..100.
        subsampling: chroma subsampling of `reencode`; `keep` takes the picture's own.
        exif: what becomes of the metadata.
    """

    mode: Literal["lossless", "reencode"] = "lossless"
    quality: Annotated[int, Field(ge=1, le=100)] = 90
    subsampling: Literal["keep", "4:4:4", "4:2:2", "4:2:0"] = "keep"
    exif: ExifPolicy = ExifPolicy()


class Preview(Part):
    """A crop of the anonymised picture, not scaled; what lies outside is black.

    Attributes:
        width: pixels.
        height: pixels.
        centre_x: fraction of the picture's width at the crop's centre.
        centre_y: fraction of the picture's height at the crop's centre.
    """

    width: Annotated[int, Field(gt=0, le=20_000)] = 2520
    height: Annotated[int, Field(gt=0, le=20_000)] = 1400
    centre_x: Fraction = 0.5
    centre_y: Fraction = 0.45


class Masking(Part):
    """Everything that decides how one anonymised picture looks."""

    find: Finding = Finding()
    fill: Fill = Fill()
    output: Output = Output()
    preview: Preview = Preview()
