"""The first minutes of a new installation: counts to look at before two scheduled slots have gone by.

A run counts on the slot before its own, so a fresh start would show the first counts after the second slot. Sources
that keep a history do better: the slot before the present one is fetched from it, and the present one is run again.
"""

from collections.abc import Callable
from typing import Final, Protocol

from wayside.core.clock import utc_now
from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside_airflow.api import Api

DAG_ID: Final = "ingest_cameras"
RUN_TIMEOUT: Final = 600.0


class Wait(Protocol):
    """Waits until `ready`, looking after the processes meanwhile."""

    def __call__(self, what: str, ready: Callable[[], bool], timeout: float) -> None:
        """Return when `ready` does; raise if it takes too long."""


def first_look(api: Api, settings: Settings, wait: Wait, say: Callable[[str], None]) -> None:
    """Wait for the first scheduled run; on a day without counts, start two more that give some at once."""
    sources = _with_history(settings)
    if _counted_today(settings, sources):
        return
    say("the first run fetches the pictures of this slot")
    wait("the first run", lambda: _idle(api), RUN_TIMEOUT)
    slot = Slot.floor(utc_now())
    if not sources:
        say(f"pictures are there; the first counts come with the next slot, after {slot.end:%H:%M} UTC")
        return
    say(f"two more runs fetch slot {slot.previous} from the history of {', '.join(sources)}, and count on it")
    for each in (slot.previous, slot):
        api.trigger(DAG_ID, {"sources": sources, "slot": each.start.isoformat()})
        wait(f"the run of {each}", lambda: _idle(api), RUN_TIMEOUT)
    say(f"the first counts are there; the next slot starts at {slot.end:%H:%M} UTC")


def _idle(api: Api) -> bool:
    """Tell whether there has been a run and none is going on."""
    runs = api.runs(DAG_ID)
    return bool(runs) and all(run["state"] in {"success", "failed"} for run in runs)


def _counted_today(settings: Settings, sources: list[str]) -> bool:
    """Tell whether one of `sources` has counts of today; any source if none is named.

    Counts of the others do not matter: the live part of `wayside demo` may have left some.
    """
    from wayside.core.tables import COUNTS
    from wayside.warehouse.parquet import ParquetWarehouse

    return bool(ParquetWarehouse(settings.lake).files(COUNTS, sources or None, [Slot.floor(utc_now()).day]))


def _with_history(settings: Settings) -> list[str]:
    from wayside.sources.registry import load_sources, open_source
    from wayside.sources.source import WebSource

    def keeps(name: str) -> bool:
        history: object = type(open_source(specs[name])).history
        return history is not WebSource.history

    specs = load_sources(settings)
    return [name for name, spec in specs.items() if spec.enabled and keeps(name)]
