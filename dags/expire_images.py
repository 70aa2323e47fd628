"""
### Each morning: delete pictures that have expired, and keep everything tidy

**What it does.** Pictures are deleted `keep_days` days after they were taken, source by source, as
`include/config/sources.yaml` says; a source without `keep_days` keeps its pictures. A picture goes only when what was
to be learnt of it is published: its frame, its counts, and those of the slots before and after that look at it too. All
others stay, with the reason. First each folder is decided on and noted in the table `expiries`; then exactly that is
deleted, after a second look. Rows of tables are never deleted.

| task | one for each | makes |
|---|---|---|
| `plan` | run | what would be deleted, in its log and in `expiries` |
| `expire` | source | deletes that, unless it is a dry run |
| `expire_covers` | run | deletes pictures of video events and of zones whose time is over, unless it is dry |
| `compact` | run | one file for each table and day of what was published slot by slot |
| `tidy` | run | removes old staged parts, plans and logs of tasks |
| `clean_airflow` | run | removes old runs from Airflow's own tables |
| `deliver` | run | `expiries` in BigQuery or Oracle, where `WAYSIDE_WAREHOUSE` names one |
| `done` | run | nothing: it is red when something before it is |

**Pictures of video.** Pictures and cuts of events go after `WAYSIDE_COVERS_DAYS` days, stills of cameras after a day,
and pictures of faces when their processor says so.

**When it runs.** At 05:00 UTC, after the back-fill of late pictures. Scheduled runs delete.

**By hand.** *Trigger* makes a **dry run** unless you switch that off: read the log of `plan`, or the table `expiries`,
and trigger again. It cannot be back-filled: what has expired today is decided today.

**In a bucket.** `wayside expire --lifecycle` prints the same rule as a lifecycle of Cloud Storage. A bucket cannot know
what is analysed, so give it more days than here, as a last resort.

**Airflow's own tables** are reached through the connection `wayside_airflow_db`, whose password is the address of the
database; `make up` and Docker Compose set it. Where it is absent, `clean_airflow` says so and does nothing.

**When something is red.** Nothing is lost. A day that was deleted by half is finished by the next run.
"""

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, CronTriggerTimetable, Param, TriggerRule

from wayside_airflow import params
from wayside_airflow.notifiers.notify import on_failure
from wayside_airflow.operators.deliver import DeliverOperator
from wayside_airflow.operators.retention import (
    CompactOperator,
    ExpireCoversOperator,
    ExpireOperator,
    PlanExpiryOperator,
    TidyOperator,
)
from wayside_airflow.operators.upkeep import CleanAirflowOperator

# Scheduled runs delete; any other only says what it would, unless the form says otherwise.
DRY = "{{ dag_run.run_type != 'scheduled' and params.dry_run }}"

with DAG(
    dag_id="expire_images",
    dag_display_name="Expire images",
    description="Delete pictures that have expired and are analysed, compact tables, tidy up",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("0 5 * * *", timezone="UTC"),
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    allowed_run_types=["scheduled", "manual"],
    dagrun_timeout=timedelta(hours=8),
    tags=["upkeep", "nightly"],
    on_failure_callback=on_failure(
        urgent=False,
        what_to_do="nothing is lost: read the log of the first red task and clear it; today, if the disk is filling up",
    ),
    params={
        "sources": params.sources("Names of sources, one a line. Empty: all that say `keep_days`."),
        "dry_run": Param(
            True,
            type="boolean",
            title="Dry run",
            description="Only say what would be deleted. Scheduled runs delete whatever stands here.",
        ),
        "log_days": Param(
            30,
            type="integer",
            minimum=15,  # more than the longest run may take, which is 14 days: its own records must outlive it
            maximum=3650,
            title="Days of logs",
            description="Days for which logs of tasks and Airflow's own records of runs are kept, 15 at least.",
            section=params.HOW,
        ),
    },
    default_args=params.task_defaults(timedelta(hours=2), weight=10, delay=timedelta(minutes=5)),
):
    plan = PlanExpiryOperator(task_id="plan", sources="{{ (params.sources or []) | join(',') }}", pool="upkeep")
    expire = ExpireOperator.partial(
        task_id="expire", dry=DRY, pool="upkeep", map_index_template="{{ task.source }}"
    ).expand(source=plan.output)
    expire_covers = ExpireCoversOperator(
        task_id="expire_covers", dry=DRY, pool="upkeep", trigger_rule=TriggerRule.ALL_DONE
    )
    compact = CompactOperator(task_id="compact", pool="upkeep", trigger_rule=TriggerRule.ALL_DONE)
    tidy = TidyOperator(
        task_id="tidy", log_days="{{ params.log_days }}", pool="upkeep", trigger_rule=TriggerRule.ALL_DONE
    )
    clean_airflow = CleanAirflowOperator(
        task_id="clean_airflow",
        keep_days="{{ params.log_days }}",
        dry=DRY,
        pool="upkeep",
        trigger_rule=TriggerRule.ALL_DONE,
    )
    deliver = DeliverOperator(task_id="deliver", pool="deliver", trigger_rule=TriggerRule.ALL_DONE)
    # A leaf of its own: the rest goes on after a failure, and must not make the run look green.
    done = EmptyOperator(task_id="done", pool="publish", trigger_rule=TriggerRule.NONE_FAILED)
    expire >> expire_covers >> compact >> tidy >> clean_airflow
    [plan, expire, expire_covers, compact, tidy, clean_airflow] >> done
    [expire, expire_covers, compact, tidy, clean_airflow] >> deliver
