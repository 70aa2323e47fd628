"""The form of a processor's options, made of the options' own models.

Types, bounds and defaults are those of their fields, and what each means is what their docstring says about it. So a
new option appears on the page by itself.
"""

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from wayside.core.errors import ModelError
from wayside.core.settings import Settings

if TYPE_CHECKING:
    from pydantic import BaseModel

    from wayside.zones.processor import Pipeline

FieldType = Literal["number", "choice", "boolean", "list"]

#: What people change first; the rest is folded away.
_COARSE: Final = frozenset({"classes", "score", "keep_crops", "crops_days"})
_TITLES: Final = {
    "classes": "Count only",
    "score": "Least score",
    "low_score": "Least score to go on",
    "lost_s": "Lost after, seconds",
    "confirm_boxes": "Boxes before it counts",
    "anchor": "Point of the box",
    "settle_looks": "Frames on the other side",
    "settle_depth": "Depth on the other side",
    "travel": "Least way travelled",
    "rearm": "Way before it counts again",
    "occupancy_looks": "Frames before the number inside changes",
    "gap_s": "Not watched after, seconds",
    "keep_crops": "Keep pictures of faces",
    "crops_days": "Days that pictures of faces are kept",
}
#: Of the options of improved mode, those that a processor of objects looks at.
_OF_OBJECTS: Final = frozenset({"classes", "score", "anchor", "overlap", "occupancy_looks", "gap_s"})
_MODES: Final = {
    "improved": "Tracks what enters and leaves zones and crosses lines, by class and direction. Choose this.",
    "match": "Counts as the replaced system did, without classes and directions: for series that go on as they began.",
}
_ATTRIBUTE: Final = re.compile(r"^ {4}(\w+): (.*(?:\n {6,}\S.*)*)", re.MULTILINE)


@dataclass(frozen=True)
class Field:
    """One field of the form. `value` is what it shows; `fine` fields are folded away."""

    name: str
    title: str
    type: FieldType
    value: Any
    default: str | None
    help: str
    fine: bool
    low: float | None = None
    high: float | None = None
    step: str = "any"
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mode:
    """The fields of one mode; a kind without modes has one that is called by its kind."""

    name: str
    help: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Form:
    """The whole form: the modes on offer, the one that is chosen, and which detections are counted."""

    mode: str
    modes: tuple[Mode, ...]
    fps: float
    model: str
    models: tuple[str, ...]


def form_of(kind: str, options: "BaseModel", pipeline: "Pipeline", chosen: Settings) -> Form:
    """Make the form of a processor's options as they are now."""
    from wayside.counting.options import ImprovedOptions, MatchOptions

    now = options.model_dump()
    mode = now.get("mode", kind)
    known = _labels(pipeline.model, chosen)
    modes: tuple[Mode, ...]
    if kind == "faces":
        modes = (Mode(kind, "", _fields(type(options), now, known)),)
    elif kind == "objects":
        shown = tuple(one for one in _fields(ImprovedOptions, now, known) if one.name in _OF_OBJECTS)
        modes = (Mode("improved", "", shown),)
    else:
        models: tuple[type[BaseModel], ...] = (ImprovedOptions, MatchOptions)
        modes = tuple(_mode(model, now, mode, known) for model in models)
    return Form(mode, modes, pipeline.fps, pipeline.model, _models(kind, pipeline.model, chosen))


def _mode(model: "type[BaseModel]", now: dict[str, Any], mode: str, known: Sequence[str]) -> Mode:
    name = model.model_fields["mode"].default
    return Mode(name, _MODES[name], _fields(model, now if name == mode else {}, known))


def _fields(model: "type[BaseModel]", now: dict[str, Any], known: Sequence[str]) -> tuple[Field, ...]:
    texts = dict(_ATTRIBUTE.findall(inspect.getdoc(model) or ""))
    schema = model.model_json_schema()["properties"]
    return tuple(_field(name, part, texts, now, known) for name, part in schema.items() if name != "mode")


def _field(name: str, part: dict[str, Any], texts: dict[str, str], now: dict[str, Any], known: Sequence[str]) -> Field:
    default = part.get("default")
    value: Any = now.get(name, default)
    kind, choices = _type_of(part)
    if kind == "list":
        choices = tuple(dict.fromkeys((*known, *(value or ()))))
        default = None
    told = " ".join(texts.get(name, "").split())
    return Field(
        name=name,
        title=_TITLES.get(name, name.replace("_", " ").capitalize()),
        type=kind,
        value=value,
        default=None if default is None or kind == "boolean" else f"{default}",
        help=f"{told[:1].upper()}{told[1:]}",
        fine=name not in _COARSE,
        low=part.get("minimum", part.get("exclusiveMinimum")),
        high=part.get("maximum", part.get("exclusiveMaximum")),
        step="1" if part.get("type") == "integer" else "any",
        choices=choices,
    )


def _type_of(part: dict[str, Any]) -> tuple[FieldType, tuple[str, ...]]:
    if "enum" in part:
        return "choice", tuple(part["enum"])
    kinds: dict[str, FieldType] = {"array": "list", "boolean": "boolean", "number": "number", "integer": "number"}
    return kinds[part["type"]], ()


def _labels(model: str, chosen: Settings) -> tuple[str, ...]:
    """Return the classes that a detector knows; none where it is not known."""
    from wayside.vision.registry import card

    try:
        return tuple(sorted(set(card(model, chosen).labels)))
    except ModelError:
        return ()


def _models(kind: str, current: str, chosen: Settings) -> tuple[str, ...]:
    """List the detectors of a kind of processor that are on this machine, and the one that is chosen."""
    from wayside.vision.registry import cards, find

    wanted = "face" if kind == "faces" else "detect"
    try:
        there = [name for name, one in cards(chosen).items() if one.task == wanted and find(one, chosen)]
    except ModelError:
        there = []
    return tuple(dict.fromkeys((current, *sorted(there))))
