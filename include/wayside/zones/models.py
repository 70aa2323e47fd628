"""Which models a processor of a kind may use, and whether they are on this machine."""

from functools import lru_cache
from pathlib import Path
from typing import Final

from wayside.core.errors import ConfigError, ModelError
from wayside.core.settings import Settings
from wayside.vision.cards import ModelCard, read_cards
from wayside.vision.registry import expected_sha256, find
from wayside.zones.options import LEAST_SCORE
from wayside.zones.processor import Kind, Pipeline

LEAST_OF_FACES: Final = 0.1
"""What `LEAST_SCORE` is for faces: there are few, and the preview hides whatever may be one."""


def least_score(model: str, settings: Settings) -> float:
    """Return the least score of a model's detections that is stored; raise `ConfigError` if it is not known."""
    return LEAST_OF_FACES if _card(model, settings).task == "face" else LEAST_SCORE


def check_model(kind: Kind, pipeline: Pipeline, settings: Settings) -> None:
    """Raise `ConfigError` unless the model of a pipeline is known, fits the kind and lies on this machine."""
    model = _card(pipeline.model, settings)
    wanted = "face" if kind == "faces" else "detect"
    if model.task != wanted:
        what = "faces" if wanted == "face" else "road users"
        raise ConfigError(f"{model.name} does not find {what}: a processor of kind {kind} needs a model that does")
    if find(model, settings) is None:
        pull = f"run `wayside models pull {model.name}`"
        raise ConfigError(f"the weights of {model.name} are not on this machine: {pull}")


def model_sha256(pipeline: Pipeline, settings: Settings) -> str:
    """Return the hash that the weights of a pipeline's model have to have; raise `ConfigError` if it is not known."""
    known = expected_sha256(_card(pipeline.model, settings), settings)
    if known is None:
        raise ConfigError(f"the hash of {pipeline.model} is not known: run `wayside models pull {pipeline.model}`")
    return known


def _card(name: str, settings: Settings) -> ModelCard:
    files = sorted(settings.models.glob("*.yaml"))
    try:
        cards = _read(settings.models, tuple((path.name, path.stat().st_mtime_ns) for path in files))
    except ModelError as error:
        raise ConfigError(str(error)) from error
    if name not in cards:
        raise ConfigError(f"there is no model {name!r} in {settings.models}; there are: {', '.join(cards) or 'none'}")
    return cards[name]


@lru_cache(maxsize=4)
def _read(folder: Path, _changed: tuple[tuple[str, int], ...]) -> dict[str, ModelCard]:
    """Read all cards of a folder, once as long as no file changes: it takes a fifth of a second."""
    return read_cards(folder)
