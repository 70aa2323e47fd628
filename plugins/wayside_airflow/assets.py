"""The assets that Wayside's DAGs write, for others to be scheduled on."""

from typing import Final

from airflow.sdk import Asset

# The scheme starts with "x-", which Airflow leaves alone: any other makes it import every provider to ask for a rule.
#: Counts of one source and slot were published. The event's `extra` holds source, slot, pipeline and rows, and in
#: `slots` every slot that was published, which in a run that comes late are more than the one.
COUNTS: Final = Asset(name="wayside_counts", uri="x-wayside://warehouse/counts")
