"""
### On request: analyse a range of days once more, with another pipeline say

**What it does.** Analyses the pictures that lie in the store again, day by day, and publishes the counts slot by slot;
no source is asked. `only_missing` does stills that have no counts of the pipeline, `all` does every one. Counts of
other pipelines, and of cameras that were not chosen, stay as they are.

| task | one for each | makes |
|---|---|---|
| `plan` | run | how many pictures, how long and at what cost, in its log and in `runs`; the shards |
| `reprocess` | day or days of a source | `counts` and `detections` of its slots |
| `end` | run | the result in `runs` |
| `deliver` | run | the tables in BigQuery or Oracle, where `WAYSIDE_WAREHOUSE` names one |
| `done` | run | nothing: it is red when something before it is |

**When it runs.** Only by hand. It works in a pool of its own and lets live work go first.

**By hand.** *Trigger* asks for the range, sources, cameras, pipeline, mode and reason. It makes a **dry run** unless
you switch that off: the log of `plan`, and the page *Runs*, then say how many pictures there are, how long it takes on
this machine, and what it costs. For example

    {"start": "2026-05-01", "end": "2026-05-07", "pipeline": "WaysideV1", "mode": "all", "dry_run": false}

A range can also be done by Airflow's own back-fill, a run for each day: see `backfill_late_images`.

**Again.** A run that was killed, or whose tasks are cleared, goes on where it stopped: slots that are finished are not
done again, as long as pipeline and weights are the same. A new run of `all` does everything anew. The tables are the
same in any case.

**When something is red.** The end of the log of `reprocess` says what to do; clear it, and the run goes on.
"""

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, TriggerRule

from wayside_airflow import params
from wayside_airflow.notifiers.notify import on_failure
from wayside_airflow.operators.deliver import DeliverOperator
from wayside_airflow.operators.reprocess import MODES, EndRangeOperator, PlanRangeOperator, ReprocessOperator

with DAG(
    dag_id="reprocess_range",
    dag_display_name="Reprocess a range",
    description="Analyse a range of days once more, with another pipeline say",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    allowed_run_types=["manual"],
    dagrun_timeout=timedelta(days=14),
    tags=["stills", "by hand"],
    on_failure_callback=on_failure(
        urgent=False,
        what_to_do="read the end of the first red task's log, clear it, and the run goes on where it stopped",
    ),
    params={
        "start": params.day("First day", "UTC.", required=True),
        "end": params.day("Last day", "UTC, included. Empty: the first day."),
        "sources": params.sources(),
        "cameras": params.cameras(),
        "pipeline": params.pipeline("Empty: the default of include/config/pipelines.yaml."),
        "mode": Param(
            "only_missing",
            type="string",
            enum=list(MODES),
            title="Mode",
            description="only_missing: stills without counts of this pipeline. all: every still.",
            section=params.HOW,
        ),
        "dry_run": Param(
            True,
            type="boolean",
            title="Dry run",
            description="Only say how many pictures there are, how long it takes and what it costs.",
        ),
        "why": params.why(),
    },
    default_args=params.task_defaults(timedelta(hours=7), weight=10, delay=timedelta(minutes=2)),
):
    plan = PlanRangeOperator(
        task_id="plan",
        sources="{{ (params.sources or []) | join(',') }}",
        cameras="{{ (params.cameras or []) | join(',') }}",
        pipeline="{{ params.pipeline or '' }}",
        mode="{{ params.mode }}",
        dry="{{ params.dry_run }}",
        why="{{ params.why or '' }}",
        # Not the pool of the work: what a range would cost is asked while another one goes on for hours.
        pool="fetch",
        execution_timeout=timedelta(minutes=30),
    )
    reprocess = ReprocessOperator.partial(
        task_id="reprocess",
        pool="reprocess",
        map_index_template="{{ task.task.label }}",
    ).expand(task=plan.output)
    end = EndRangeOperator(
        task_id="end",
        outputs=reprocess.output,
        pool="publish",
        execution_timeout=timedelta(minutes=30),
        trigger_rule=TriggerRule.ALL_DONE,
    )
    deliver = DeliverOperator(
        task_id="deliver",
        pool="deliver",
        execution_timeout=timedelta(minutes=30),
        trigger_rule=TriggerRule.ALL_DONE,
    )
    # A leaf of its own: delivery goes on after a failure, and must not make the run look green.
    done = EmptyOperator(task_id="done", pool="publish", trigger_rule=TriggerRule.NONE_FAILED)
    reprocess >> end >> deliver
    [plan, reprocess, end] >> done
