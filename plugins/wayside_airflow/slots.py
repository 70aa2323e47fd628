"""From a DAG run to the slot that it is about: decided here and nowhere else.

The picture fetched at the end of a data interval is the slot that this moment names: the run of the interval from 00:00
to 00:10 fetches slot 00:10. A run that somebody starts by hand may name a slot; without one, and without a data
interval, the slot is the one in which the run was asked for. A slot of the future is refused: pictures that are stored
stay, so those taken too early would stand for that slot for good.
"""

from datetime import UTC, datetime

from airflow.sdk import Context

from wayside.core.clock import Clock, utc_now
from wayside.core.errors import ConfigError
from wayside.core.slots import CLOCK_SKEW, Slot


def slot_of_run(context: Context, clock: Clock = utc_now) -> Slot:
    """Return the slot of a run: `params.slot`, else the end of the data interval, else when the run was asked for.

    Raises:
        ConfigError: `params.slot` is not a time with a zone, or the slot is one of the future.
    """
    slot, now = _named_slot(context), clock()
    if slot.start > now + CLOCK_SKEW:
        raise ConfigError(
            f"slot {slot} lies in the future, it is {now:%Y-%m-%d %H:%M} UTC: no picture of it can be taken yet; "
            f"start the run at {slot.start:%H:%M} or later, or name an earlier slot"
        )
    return slot


def _named_slot(context: Context) -> Slot:
    if given := context["params"].get("slot"):
        return slot_of_text(str(given))
    # Runs that are triggered without a logical date have no data interval at all: the keys are absent.
    moment = context.get("data_interval_end") or context["dag_run"].run_after
    return Slot.floor(datetime.fromtimestamp(moment.timestamp(), UTC))


def slot_of_text(text: str) -> Slot:
    """Return the slot that `text` names: written as a slot, or as any moment within it (`2026-05-01T00:53:00Z`)."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return Slot.parse(text)
    if moment.tzinfo is None:
        raise ConfigError(f"slot {text!r} has no time zone: write {text}Z for UTC")
    return Slot.floor(moment)
