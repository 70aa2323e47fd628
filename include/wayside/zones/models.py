"""Which models a processor of a kind may use, and whether they are on this machine."""

from wayside.core.errors import ConfigError, ModelError
from wayside.core.settings import Settings
from wayside.vision.registry import card, expected_sha256, find
from wayside.zones.processor import Kind, Pipeline


def check_model(kind: Kind, pipeline: Pipeline, settings: Settings) -> None:
    """Raise `ConfigError` unless the model of a pipeline is known, fits the kind and lies on this machine."""
    try:
        model = card(pipeline.model, settings)
    except ModelError as error:
        raise ConfigError(str(error)) from error
    wanted = "face" if kind == "faces" else "detect"
    if model.task != wanted:
        what = "faces" if wanted == "face" else "road users"
        raise ConfigError(f"{model.name} does not find {what}: a processor of kind {kind} needs a model that does")
    if find(model, settings) is None:
        raise ConfigError(
            f"the weights of {model.name} are not on this machine: run `wayside models pull {model.name}`"
        )


def model_sha256(pipeline: Pipeline, settings: Settings) -> str:
    """Return the hash that the weights of a pipeline's model have to have; raise `ConfigError` if it is not known."""
    try:
        known = expected_sha256(card(pipeline.model, settings), settings)
    except ModelError as error:
        raise ConfigError(str(error)) from error
    if known is None:
        raise ConfigError(f"the hash of {pipeline.model} is not known: run `wayside models pull {pipeline.model}`")
    return known
