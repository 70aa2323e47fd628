"""What several operators need: the stages with their store opened, a pipeline or sources by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wayside.core.errors import ConfigError

if TYPE_CHECKING:
    from wayside.core.settings import Settings
    from wayside.stills.ingest import Ingest


def ingest_stages(**changes: Any) -> Ingest:
    """Return the stages, with `changes` to the settings of this machine and the store of its connection."""
    from wayside.core.settings import Settings
    from wayside.stills.ingest import Ingest
    from wayside_airflow.hooks.services import open_pictures

    settings = Settings(**changes)
    return Ingest(settings, pictures=open_pictures(settings))


def pipeline_name(settings: Settings, given: str) -> str:
    """Return the pipeline that is asked for, the default one if `given` is empty; raise `ConfigError` if unknown."""
    from wayside.stills.pipelines import load_pipelines

    pipelines = load_pipelines(settings.config / "pipelines.yaml")
    pipelines.stages_of(given or pipelines.default)
    return given or pipelines.default


def names(text: str) -> list[str]:
    """Read names that are separated by commas, each once."""
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def chosen_sources(settings: Settings, text: str) -> list[str]:
    """Return the sources that `text` names, all that are enabled if it names none.

    Raises:
        ConfigError: a source is not configured, or none is enabled.
    """
    from wayside.sources.registry import find_source, load_sources

    if named := names(text):
        return [find_source(settings, name).id for name in named]
    enabled = [spec.id for spec in load_sources(settings).values() if spec.enabled]
    if not enabled:
        raise ConfigError("no source is enabled: set `enabled: true` for one in include/config/sources.yaml")
    return enabled
