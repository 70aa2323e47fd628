"""
### Each night: fetch what came late, and analyse again what it changes

**What it does.** A run is about one UTC *day*. It looks for stills that have no picture, or a faulty one, in the
published `frames` and `counts`, and asks each source's history for them once. A missing picture is stored; a faulty one
is replaced where the history has a better one, which decodes and passes the filter for faulty pictures between its
neighbours. Then exactly those stills are analysed again whose own or neighbouring picture changed, across midnight
too. Everything else stays as it is, to the byte; nothing is deleted before its replacement is published.

| task | one for each | makes |
|---|---|---|
| `plan` | run | shards of cameras for each source and day, a row in `runs` |
| `fetch_late` | shard | pictures, and with them `counts`, `detections` and `frames` of the stills that changed |
| `summarise` | run | `slot_runs` and `camera_days` of the days; the result in `runs` |
| `deliver` | run | the same tables in BigQuery or Oracle, where `WAYSIDE_WAREHOUSE` names one |
| `done` | run | nothing: it is red when something before it is |

**When it runs.** At 03:00 UTC, about the day before. Sources that keep no history, such as TfL, have nothing to offer
for the past: of these it only analyses what was fetched and never analysed. A new installation begins at once with the
day before, and so gets the pictures of one whole day from each source that keeps a history.

**By hand.** *Trigger* asks for a first and a last day. Or, for each day of a range by itself, with Airflow's own
back-fill, from the form (*Backfill*) or from the command line:

    airflow backfill create --dag-id backfill_late_images --from-date 2026-05-01 --to-date 2026-05-03

With `--dag-run-conf` it takes the parameters of the form, `{"analyse": "all", "pipeline": "WaysideV1"}` say.
Each of its runs is about one day, both ends included; `start` and `end` stay empty. `analyse` says what is analysed
beside what changed: nothing (`changed`), what has a picture and no counts (`only_missing`), or everything (`all`): with
the last two a back-fill does what `reprocess_range` does, a day at a time.

**Again.** Clear a task, or start the same day once more: what is to be done follows from the tables and the pictures,
so a run that was killed anywhere goes on, and a day that is complete costs one question to the tables.

**When something is red.** A shard that fails stops no other. `fetch_late` ends with what to do; clear it, and the run
goes on. The page *Runs* shows what each run fetched and changed.
"""

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, TriggerRule

from wayside_airflow import params
from wayside_airflow.nightly import AfterEachDay
from wayside_airflow.notifiers.notify import on_failure
from wayside_airflow.operators.deliver import DeliverOperator
from wayside_airflow.operators.late import MODES, FetchLateOperator, PlanLateOperator, SummariseLateOperator

with DAG(
    dag_id="backfill_late_images",
    dag_display_name="Back-fill late images",
    description="Fetch pictures that came late or were faulty, and analyse again what they change",
    doc_md=__doc__,
    schedule=AfterEachDay(hours=3),
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    dagrun_timeout=timedelta(hours=20),
    tags=["stills", "nightly"],
    on_failure_callback=on_failure(
        urgent=False,
        what_to_do="read the end of the first red task's log, clear it, and the run goes on where it stopped; "
        "until then the day lacks what came late",
    ),
    params={
        "start": params.day("First day", "UTC. Empty: the day of the run, which by hand is yesterday."),
        "end": params.day("Last day", "UTC, included. Empty: the first day."),
        "sources": params.sources(),
        "analyse": Param(
            "changed",
            type="string",
            enum=list(MODES),
            title="Analyse",
            description="What is analysed beside stills whose pictures changed: nothing, what has no counts, or all.",
        ),
        "pipeline": params.pipeline("Analyse with this pipeline too. Empty: with those that have counts of the day."),
        "why": params.why(),
    },
    default_args=params.task_defaults(timedelta(hours=6), weight=20, delay=timedelta(minutes=5)),
):
    plan = PlanLateOperator(
        task_id="plan",
        sources="{{ (params.sources or []) | join(',') }}",
        pipeline="{{ params.pipeline or '' }}",
        mode="{{ params.analyse }}",
        why="{{ params.why or '' }}",
        pool="fetch",
        execution_timeout=timedelta(minutes=20),
    )
    fetch_late = FetchLateOperator.partial(
        task_id="fetch_late",
        pool="reprocess",
        map_index_template="{{ task.task.label }}",
    ).expand(task=plan.output)
    summarise = SummariseLateOperator(
        task_id="summarise",
        outputs=fetch_late.output,
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
    fetch_late >> summarise >> deliver
    [plan, fetch_late, summarise] >> done
