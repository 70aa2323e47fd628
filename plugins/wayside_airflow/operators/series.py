"""Camera lists and time series as operators, one source each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator, Context

from wayside.core.errors import ConfigError
from wayside_airflow.notifiers.notify import Notify
from wayside_airflow.operators.common import chosen_sources, pipeline_name
from wayside_airflow.ranges import kind_of_run


class ChooseSourcesOperator(BaseOperator):
    """Say which sources a run is about.

    Args:
        sources: names of sources, separated by commas; all that are enabled if empty. (templated)
        pipeline: a pipeline that has to exist, if it is not empty. (templated)
        counted: whether sources without counts of the pipeline are left out, unless they are named.
    """

    template_fields: Sequence[str] = ("sources", "pipeline")

    def __init__(self, *, sources: str = "", pipeline: str = "", counted: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sources = sources
        self.pipeline = pipeline
        self.counted = counted

    def execute(self, context: Context) -> list[str]:
        """Return their names.

        Raises:
            ConfigError: a source or the pipeline is not configured, or a run by hand wants counts and there are none.
        """
        from wayside.core.settings import Settings

        settings = Settings()  # type: ignore[call-arg]
        pipeline = pipeline_name(settings, self.pipeline)
        chosen = chosen_sources(settings, self.sources)
        if not self.counted or self.sources:
            return chosen
        from wayside.stills.series import with_counts

        found = [name for name in with_counts(settings, pipeline) if name in chosen]
        if not found:
            said = f"no source has counts of {pipeline} yet: run ingest_cameras first"
            if kind_of_run(context) == "manual":
                raise ConfigError(said)
            # A new installation begins with a run of each DAG, before anything is counted.
            self.log.warning("%s", said)
        return found


class UpdateSourceOperator(BaseOperator):
    """Refresh the list of cameras of one source, publish what changed, and tell people if an analysed camera is gone.

    Args:
        source: name of the source. (templated)
        believe: whether a list with less than half of the cameras is taken for true. (templated)
    """

    template_fields: Sequence[str] = ("source", "believe")

    def __init__(self, *, source: str, believe: bool | str = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.believe = believe

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the number of cameras, of changes, and of analysed cameras that are gone."""
        from wayside.core.settings import Settings
        from wayside.stills.cameras import update

        believe = str(self.believe).lower() == "true"
        found = asyncio.run(update(Settings(), self.source, believe=believe))  # type: ignore[call-arg]
        self.log.info("%s", found)
        for change in found.changes:
            self.log.info("%(change)s: %(camera)s, %(detail)s", change)
        if found.gone:
            what_to_do = (
                "see the page Cameras whether they are missed; where the source renamed them, adapt `cameras` in "
                "include/config/sources.yaml"
            )
            Notify(kind="noticed", what_to_do=what_to_do, remark=str(found))(context)
        return {
            "source": self.source,
            "cameras": found.cameras,
            "changes": len(found.changes),
            "gone": len(found.gone),
        }


class BuildSeriesOperator(BaseOperator):
    """Build the daily series of one source, and publish them.

    Args:
        source: name of the source. (templated)
        pipeline: whose counts; the default pipeline if empty. (templated)
    """

    template_fields: Sequence[str] = ("source", "pipeline")

    def __init__(self, *, source: str, pipeline: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.pipeline = pipeline

    def execute(self, context: Context) -> dict[str, Any]:
        """Return how many series and days there are, and the share that is imputed."""
        from wayside.core.settings import Settings
        from wayside.stills.series import build

        settings = Settings()  # type: ignore[call-arg]
        made = build(settings, self.source, pipeline_name(settings, self.pipeline))
        self.log.info("%s with %s: %d series of %d days", made.source, made.pipeline, len(made.series), made.days)
        for warning in made.warnings:
            self.log.warning("%s", warning)
        return {
            "source": made.source,
            "series": len(made.series),
            "first": made.first,
            "last": made.last,
            "imputed_share": made.imputed_share,
        }
