"""
### Every ten minutes: look at new segments of video and count in zones

**What it does.** Looks for segments of cameras that have an enabled processor (page *Zones*) and were not looked at:
runs the detector over their frames, publishes what it found, and counts: who enters, leaves and crosses, and who is
inside. Counts follow from stored detections alone; see `recount_zones`. A segment that comes late is put in its place,
and one that comes twice changes nothing.

| task | one for each | makes |
|---|---|---|
| `plan` | run | shards of segments that nobody looked at |
| `scan` | shard | `segment_detections`, `scans` |
| `due` | run | days of processors whose segments changed |
| `count` | some of these | `zone_events`, `occupancy`, `tracks`, `zone_minutes` |
| `deliver` | run | the tables in BigQuery or Oracle, where `WAYSIDE_WAREHOUSE` names one |
| `done` | run | nothing: it is red when something before it is |

**When it runs.** Every ten minutes. Without processors, and without new segments, it does nothing. Segments come from
`import_videos`; an import can be counted at once by *Trigger*.

**By hand.** *Trigger* may name processors; then only these are counted.

**Again.** Start it again, or clear a task: what is to be done follows from the tables, so a run that was killed
anywhere goes on.

**When something is red.** The end of the log of `scan` or `count` says what to do; clear it, and the run goes on. A
segment that cannot be read is a row in `scans` with a reason, and a gap in the counts.
"""

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, CronTriggerTimetable, TriggerRule

from wayside_airflow import params
from wayside_airflow.notifiers.notify import on_failure
from wayside_airflow.operators.deliver import DeliverOperator
from wayside_airflow.operators.zones import (
    CountZonesOperator,
    DueZonesOperator,
    PlanSegmentsOperator,
    ScanSegmentsOperator,
)

with DAG(
    dag_id="count_zones",
    dag_display_name="Count in zones",
    description="Look at new segments of video, and count who enters, leaves, crosses and is inside",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("3-59/10 * * * *", timezone="UTC"),
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    catchup=False,
    # A count goes on from the one before.
    max_active_runs=1,
    allowed_run_types=["scheduled", "manual"],
    dagrun_timeout=timedelta(days=7),
    tags=["zones"],
    on_failure_callback=on_failure(
        urgent=False,
        what_to_do="nothing is lost: read the end of the first red task's log, clear it, and the run goes on",
    ),
    params={"processors": params.processors("Empty: all that are enabled.")},
    default_args=params.task_defaults(timedelta(hours=7), weight=30, delay=timedelta(minutes=1)),
):
    chosen = "{{ (params.processors or []) | join(',') }}"
    plan = PlanSegmentsOperator(
        task_id="plan", processors=chosen, pool="fetch", execution_timeout=timedelta(minutes=30)
    )
    scan = ScanSegmentsOperator.partial(
        task_id="scan", pool="zones", map_index_template="{{ task.task.label }}"
    ).expand(task=plan.output)
    due = DueZonesOperator(
        task_id="due",
        processors=chosen,
        pool="fetch",
        execution_timeout=timedelta(minutes=30),
        # Without new segments `scan` is skipped; counts may be due all the same, of zones that were drawn since.
        trigger_rule=TriggerRule.ALL_DONE,
    )
    count = CountZonesOperator.partial(
        task_id="count", pool="zones", map_index_template="{{ task.task.label }}"
    ).expand(task=due.output)
    deliver = DeliverOperator(
        task_id="deliver", pool="deliver", execution_timeout=timedelta(minutes=30), trigger_rule=TriggerRule.ALL_DONE
    )
    # A leaf of its own: the rest goes on after a failure, and must not make the run look green.
    done = EmptyOperator(task_id="done", pool="publish", trigger_rule=TriggerRule.NONE_FAILED)
    plan >> scan >> due >> count >> deliver
    [plan, scan, due, count] >> done
