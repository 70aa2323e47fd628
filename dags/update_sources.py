"""
### Each night: refresh the lists of cameras, and say what changed

**What it does.** Asks every enabled source for its cameras, publishes the list as the table `cameras`, and compares it
with the one of the last update: which cameras appeared, vanished, returned, moved by more than 50 m or were renamed.
Each change is a row in `camera_changes`. When a camera that had counts in the last week is gone, people are told by
mail or webhook. A source that suddenly lists less than half of its cameras is not believed: the old list serves on.

| task | one for each | makes |
|---|---|---|
| `sources` | run | the list of sources |
| `update` | source | `cameras` and `camera_changes`; a message if an analysed camera is gone |
| `deliver` | run | the same tables in BigQuery or Oracle, where `WAYSIDE_WAREHOUSE` names one |
| `done` | run | nothing: it is red when something before it is |

**When it runs.** At 02:30 UTC. `ingest_cameras` asks for the list at each slot as well, so a new camera is counted at
once; this DAG is about what changed.

**By hand.** Switch on `believe` when half of the cameras of a source are really gone.

**Again.** Any number of times: changes of a day are added up, each once.

**When something is red.** The source did not answer, or was not believed: the end of the log of `update` says which.
"""

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, CronTriggerTimetable, Param, TriggerRule

from wayside_airflow import params
from wayside_airflow.notifiers.notify import on_failure
from wayside_airflow.operators.deliver import DeliverOperator
from wayside_airflow.operators.series import ChooseSourcesOperator, UpdateSourceOperator

with DAG(
    dag_id="update_sources",
    dag_display_name="Update sources",
    description="Refresh the lists of cameras, and say which appeared, vanished or moved",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("30 2 * * *", timezone="UTC"),
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    allowed_run_types=["scheduled", "manual"],
    dagrun_timeout=timedelta(hours=2),
    tags=["upkeep", "nightly"],
    on_failure_callback=on_failure(
        urgent=False,
        what_to_do="nothing is lost, the old list serves: see the log of `update`, and `wayside sources check NAME`",
    ),
    params={
        "sources": params.sources(),
        "believe": Param(
            False,
            type="boolean",
            title="Believe",
            description="Take a list for true that has less than half of the cameras of the one before.",
        ),
    },
    default_args=params.task_defaults(timedelta(minutes=15), weight=20, delay=timedelta(minutes=5)),
):
    sources = ChooseSourcesOperator(
        task_id="sources", sources="{{ (params.sources or []) | join(',') }}", pool="upkeep"
    )
    update = UpdateSourceOperator.partial(
        task_id="update", believe="{{ params.believe }}", pool="upkeep", map_index_template="{{ task.source }}"
    ).expand(source=sources.output)
    deliver = DeliverOperator(task_id="deliver", pool="deliver", trigger_rule=TriggerRule.ALL_DONE)
    # A leaf of its own: delivery goes on after a failure, and must not make the run look green.
    done = EmptyOperator(task_id="done", pool="publish", trigger_rule=TriggerRule.NONE_FAILED)
    update >> deliver
    [sources, update] >> done
