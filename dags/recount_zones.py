"""
### On request: count days in zones once more

**What it does.** Counts stored detections again, day by day, in the zones that a processor has now or in an older
version of them: what if the zone were here? No video is read and no model runs, so a day takes seconds. Counts of other
versions stay beside it.

| task | one for each | makes |
|---|---|---|
| `plan` | run | the days of the processors that have detections |
| `count` | some of these | `zone_events`, `occupancy`, `tracks`, `zone_minutes` of these days |
| `deliver` | run | the tables in BigQuery or Oracle, where `WAYSIDE_WAREHOUSE` names one |
| `done` | run | nothing: it is red when something before it is |

**When it runs.** By hand; the page of a zone leads here after an edit. Each night at 02:00 UTC it counts what of the
day before is not counted yet, and nothing once more. It is daily so that Airflow's back-fill knows days.

**By hand.** *Trigger* asks for days, processors and a version. For example

    {"start": "2026-05-01", "end": "2026-05-07", "processors": [12], "version": 3}

Or, for each day of a range by itself, with Airflow's own back-fill, from the form (*Backfill*) or the command line:

    airflow backfill create --dag-id recount_zones --from-date 2026-05-01 --to-date 2026-05-07

**Again.** Start it again: the same detections and zones give the same counts.

**When something is red.** The end of the log of `count` says what to do; clear it, and the run goes on.
"""

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, TriggerRule

from wayside_airflow import params
from wayside_airflow.nightly import AfterEachDay
from wayside_airflow.notifiers.notify import on_failure
from wayside_airflow.operators.deliver import DeliverOperator
from wayside_airflow.operators.zones import CountZonesOperator, PlanRecountOperator

with DAG(
    dag_id="recount_zones",
    dag_display_name="Recount in zones",
    description="Count days once more from stored detections, in other zones say; no video is read",
    doc_md=__doc__,
    schedule=AfterEachDay(hours=2),
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    dagrun_timeout=timedelta(days=2),
    tags=["zones", "by hand"],
    on_failure_callback=on_failure(
        urgent=False,
        what_to_do="read the end of the first red task's log, clear it, and the run goes on",
    ),
    params={
        "start": params.day("First day", "UTC. Empty: the day of the run, which by hand is yesterday."),
        "end": params.day("Last day", "UTC, included. Empty: the first day."),
        "processors": params.processors("Empty: all that are enabled."),
        "version": Param(
            None,
            type=["integer", "null"],
            minimum=1,
            title="Version",
            description="Of the zones, for one processor. Empty: the one that counts now.",
        ),
    },
    default_args=params.task_defaults(timedelta(hours=4), weight=10, delay=timedelta(minutes=1)),
):
    plan = PlanRecountOperator(
        task_id="plan",
        processors="{{ (params.processors or []) | join(',') }}",
        version="{{ params.version or '' }}",
        pool="fetch",
        execution_timeout=timedelta(minutes=30),
    )
    count = CountZonesOperator.partial(
        task_id="count", pool="zones", map_index_template="{{ task.task.label }}"
    ).expand(task=plan.output)
    deliver = DeliverOperator(
        task_id="deliver", pool="deliver", execution_timeout=timedelta(minutes=30), trigger_rule=TriggerRule.ALL_DONE
    )
    # A leaf of its own: delivery goes on after a failure, and must not make the run look green.
    done = EmptyOperator(task_id="done", pool="publish", trigger_rule=TriggerRule.NONE_FAILED)
    plan >> count >> deliver
    [plan, count] >> done
