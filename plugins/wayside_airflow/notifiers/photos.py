"""The end of a run over road photos that failed, told unless the run's profile says not to (`tell.crash`)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from wayside_airflow.notifiers.message import Message
from wayside_airflow.notifiers.notify import Notify

if TYPE_CHECKING:
    from airflow.sdk import Context


class PhotosStopped(Notify):
    """Tell people that a run stopped before its end; what is no wish to hear nothing counts as one to hear of it."""

    def _message(self, context: "Context") -> Message | None:
        if not _wanted(dict(context)):
            self.log.info("the profile of this run says that nobody is to be told (`tell.crash`)")
            return None
        return super()._message(context)


def _wanted(context: Mapping[str, Any]) -> bool:
    """Ask the profile of a run; after a crash little may be known of it, and a run that stopped early has none."""
    from wayside.core.errors import ConfigError, StoreError
    from wayside.core.settings import Settings
    from wayside.photos.batch import load_job
    from wayside.warehouse.parquet import open_lake
    from wayside_airflow.ranges import run_name

    try:
        settings = Settings()  # type: ignore[call-arg]
        return load_job(open_lake(settings), run_name(context)).profile.tell.crash  # type: ignore[arg-type]
    except (StoreError, ConfigError, ValidationError, KeyError, AttributeError, TypeError):
        return True
