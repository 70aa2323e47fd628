"""Model cards: everything about a model that a person, a program or an auditor has to know, in one YAML file.

The cards lie in `models/`. Code never names a file of weights; it names a card, and `wayside.vision.registry` finds
the file, checks its hash and its licence. `docs/MODELS.md` is written from the cards by `catalogue_markdown`.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from wayside.core.errors import ModelError
from wayside.vision.labels import COCO_TO_WAYSIDE, LABEL_SETS, with_riders

Fraction = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Triple = tuple[float, float, float]
Side = Annotated[int, Field(gt=0, le=4096)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputSpec(_Part):
    """What a model wants to be fed.

    Attributes:
        width: width of the input, in pixels.
        height: height of the input, in pixels.
        layout: order of the axes.
        dtype: type of the numbers; `uint8` models normalise inside the graph.
        colour: order of the channels.
        mean: subtracted from each channel (values 0..255), in the order of `colour`.
        std: divides each channel afterwards.
        resize: `stretch` ignores the aspect; `letterbox` keeps it, top left, and pads with grey 114.
    """

    width: Side = 416
    height: Side = 416
    layout: Literal["NCHW"] = "NCHW"
    dtype: Literal["uint8", "float32"] = "float32"
    colour: Literal["rgb", "bgr"] = "rgb"
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)
    resize: Literal["stretch", "letterbox"] = "stretch"


class Thresholds(_Part):
    """Least score of a detection, and the overlap above which the lesser of two boxes goes (null: no suppression)."""

    score: Fraction
    nms_iou: Fraction | None = None


class Accuracy(_Part):
    """One figure of accuracy: `metric` on `dataset`, 0..100, and whether we `measured` it or somebody published it."""

    dataset: str
    metric: str
    value: Annotated[float, Field(ge=0, le=100)]
    measured: bool


class ModelCard(_Part):
    """One model. Fields without a default are what a loader and an auditor cannot do without.

    Attributes:
        name: CamelCase, as it appears in the name of a pipeline: `WaysideV1`.
        task: `detect` (road users), `face` or `plate` (licence plates).
        family: the adapter that prepares pictures and reads the outputs.
        file: name of the weights' file.
        sha256: hash of that file; null where it was never seen, and then recorded at the first pull.
        size_bytes: size of that file.
        licence: SPDX identifier of the weights' licence.
        classes: raw classes in the order of the score columns; also `coco80`, `coco91` or `wayside`.
        export: only for `detr`, which of its export contracts (`wayside.vision.adapters.detr`) the graph follows.
        masks: the model also gives a mask for each object; without it, masks among the outputs are not read.
        strides: input pixels between two cells of each level, for the families that work on grids.
        urls: where the file can be had, in order of preference; empty for what comes with Wayside.
        source: project or paper that the model comes from.
        accuracy: measured or published figures, the most telling first.
        training: facts of a model that we trained ourselves: data, licences, settings, figures by class.
        notes: what a user of the model should know, above all its limits.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]{0,62}$")]
    summary: str
    task: Literal["detect", "face", "plate"] = "detect"
    family: Literal["wayside", "yolox", "nanodet", "rtmdet", "detr", "yunet"]
    file: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.onnx$")]
    sha256: Sha256 | None = None
    size_bytes: Annotated[int, Field(gt=0)] | None = None
    licence: str
    classes: tuple[str, ...]
    input: InputSpec = InputSpec()
    thresholds: Thresholds
    export: Literal["dfine", "rfdetr", "transformers"] | None = None
    masks: bool = False
    strides: tuple[Annotated[int, Field(gt=0)], ...] = ()
    urls: tuple[str, ...] = ()
    source: str
    accuracy: tuple[Accuracy, ...] = ()
    training: dict[str, JsonValue] = {}
    notes: str = ""

    @field_validator("classes", mode="before")
    @classmethod
    def _expand(cls, value: object) -> object:
        if isinstance(value, str):
            if value not in LABEL_SETS:
                raise ValueError(f"{value!r} is no set of classes: give a list or one of {', '.join(LABEL_SETS)}")
            return LABEL_SETS[value]
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.family == "detr") != (self.export is not None):
            raise ValueError("`export` belongs to the family detr, and only to it")
        if (self.family in {"yolox", "nanodet", "rtmdet", "yunet"}) != bool(self.strides):
            raise ValueError("`strides` belong to the families yolox, nanodet, rtmdet and yunet, and only to them")
        if self.masks and self.export != "rfdetr" and self.family != "rtmdet":
            raise ValueError("`masks` are read from the export rfdetr and from the family rtmdet only")
        return self

    @field_validator("urls")
    @classmethod
    def _only_https(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            if not url.startswith("https://"):
                raise ValueError(f"{url!r} does not begin with https://")
        return value

    @property
    def kept(self) -> tuple[tuple[int, str], ...]:
        """Score columns that are read, each with its label in Wayside; faces and plates stay what they are."""
        names: dict[str, str] = COCO_TO_WAYSIDE if self.task == "detect" else {self.task: self.task}
        return tuple((column, names[raw]) for column, raw in enumerate(self.classes) if raw in names)

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label that the detector can answer with, riders included, in alphabetical order."""
        return with_riders(tuple(dict.fromkeys(label for _, label in self.kept)))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read one card.

        Raises:
            ModelError: the file is no YAML or no card; says which field and why.
        """
        try:
            return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (yaml.YAMLError, ValidationError, UnicodeDecodeError) as error:
            raise ModelError(f"{path} is not a model card: {error}") from error


def read_cards(folder: Path) -> dict[str, ModelCard]:
    """Read every card (`*.yaml`) of a folder, by name.

    Raises:
        ModelError: a file is no card, or two cards share a name.
    """
    cards: dict[str, ModelCard] = {}
    for path in sorted(folder.glob("*.yaml")):
        card = ModelCard.read(path)
        if card.name in cards:
            raise ModelError(f"{path} gives the name {card.name} to a second model")
        cards[card.name] = card
    return cards
