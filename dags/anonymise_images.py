"""
### Every hour, and on request: anonymise the road photos of an inbox

**What it does.** Looks into an inbox, a folder or a part of a bucket, for pictures (`.jpg`, `.jpeg`) that are not
done, hides people, vehicles, faces and plates in each, and writes the anonymised picture, its record (JSON), a
preview where one is wanted, a copy of the original into the archive, a row in `road_photos`, and a receipt. Every
picture ends as one row: done, held for a person, skipped, or failed with a reason. One that fails stops no other.

| task | one for each | makes |
|---|---|---|
| `plan` | run | what there is to do, in its log; the shards |
| `anonymise` | shard | the files of its pictures, and a note for each |
| `review` | run | waits for a person, where the profile asks for it; else nothing |
| `publish` | run | `road_photos` and `receipts`; the files of a run that was held |
| `deliver` | run | the tables in BigQuery or Oracle (`WAYSIDE_WAREHOUSE`), rows in `WAYSIDE_PHOTO_TABLE`; or nothing |
| `done` | run | nothing: it is red when something before it is |

**When it runs.** By schedule every hour over the inbox that `WAYSIDE_PHOTOS_INBOX` names, into `WAYSIDE_PHOTOS_OUTPUT`,
under the profile of `WAYSIDE_PHOTOS_PROFILE`; without an inbox it does nothing. Scheduled runs are never dry.

**By hand.** *Trigger* asks for the places, the profile and what is written where. It makes a **dry run** unless you
switch that off. Places have to lie below `WAYSIDE_PHOTOS_ROOTS`, or be those of the schedule. For example

    {"input": "/data/2026/inbox", "output": "/data/2026/masked", "archive": "/data/2026/originals",
     "profile": "360", "previews": "output", "delete_input": "yes", "dry_run": false}

An original is deleted only after every file that is expected of it was read again and is as it was written.

**Review.** A profile with `review` holds all files of a run until a person has looked. The task `review` then waits
under *Required Actions*; the contact sheet that it links to shows anonymised pictures alone. *Publish* puts all in
place but those that you reject; *Throw away* removes them, and originals stay where they are.

**Again.** Trigger it again, or clear a task: only what is not done is done. A run may be killed anywhere.

**Messages.** The profile says what is told: that a run stopped (`tell.crash`), that pictures failed, once a run
(`tell.errors`), that it is at its end (`tell.finish`). An hour in which there was nothing to do tells nothing.

**When something is red.** Pictures that failed do not make a run red, unless all did: their reasons are on the page
*Photos* and in the log of `anonymise`. A share that was out of reach longer than the profile's patience fails its
shard; mount it again, and clear the task.
"""

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, CronTriggerTimetable, Param, TriggerRule

from wayside_airflow import params
from wayside_airflow.notifiers.photos import PhotosStopped
from wayside_airflow.operators.deliver import DeliverOperator
from wayside_airflow.operators.photos import (
    AnonymiseOperator,
    PlanPhotosOperator,
    PublishPhotosOperator,
    ReviewOperator,
)

# Scheduled runs do their work; any other only says what it would do, unless the form says otherwise.
DRY = "{{ dag_run.run_type != 'scheduled' and params.dry_run }}"

with DAG(
    dag_id="anonymise_images",
    dag_display_name="Anonymise road photos",
    description="Hide people and vehicles in the pictures of an inbox; records, previews, archive, receipts",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("20 * * * *", timezone="UTC"),
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    allowed_run_types=["scheduled", "manual"],
    dagrun_timeout=timedelta(days=14),
    tags=["photos"],
    on_failure_callback=PhotosStopped(
        what_to_do="nothing is lost: read the end of the first red task's log, clear it, and the run goes on",
    ),
    params={
        "input": params.place("Input", "Pictures to anonymise. Empty: WAYSIDE_PHOTOS_INBOX."),
        "output": params.place("Output", "Where the anonymised pictures go. Empty: that of the schedule."),
        "archive": params.place(
            "Archive", "Where the originals are copied to. Empty: that of the schedule, or nowhere."
        ),
        "profile": Param(
            None,
            type=["string", "null"],
            pattern="^([A-Za-z0-9][A-Za-z0-9_-]{0,62})?$",
            examples=["planar", "360"],
            title="Profile",
            description="A file of include/config/profiles, without its ending. Empty: WAYSIDE_PHOTOS_PROFILE.",
        ),
        "dry_run": Param(
            True, type="boolean", title="Dry run", description="Only say how many pictures there are to do."
        ),
        "records": params.written("Records", "output, input, archive"),
        "previews": params.written("Previews", "output, input, archive, separate"),
        "delete_input": params.yes_or_no("Delete originals", "Each once all that is expected of it was verified."),
        "redo": params.yes_or_no("Do again", "Also pictures that are done, unchanged, under the same profile."),
        "source": Param(
            None,
            type=["string", "null"],
            pattern="^([A-Za-z0-9][A-Za-z0-9_-]{0,62})?$",
            title="Name",
            description="Name of the inbox in tables and receipts. Empty: made of the folder's name.",
            section=params.HOW,
        ),
    },
    default_args=params.task_defaults(timedelta(hours=7), weight=10, delay=timedelta(minutes=2)),
):
    plan = PlanPhotosOperator(
        task_id="plan",
        inbox="{{ params.input or '' }}",
        outbox="{{ params.output or '' }}",
        archive="{{ params.archive or '' }}",
        profile="{{ params.profile or '' }}",
        source="{{ params.source or '' }}",
        records="{{ params.records or '' }}",
        previews="{{ params.previews or '' }}",
        delete_input="{{ params.delete_input }}",
        redo="{{ params.redo }}",
        dry=DRY,
        # Not the pool of the work: what there is to do is asked while another run goes on for hours.
        pool="fetch",
        execution_timeout=timedelta(hours=1),
    )
    anonymise = AnonymiseOperator.partial(
        task_id="anonymise", pool="photos", map_index_template="{{ task.task.label }}"
    ).expand(task=plan.output)
    review = ReviewOperator(
        task_id="review",
        params={"reject": params.reject()},
        pool="photos",
        execution_timeout=None,
        response_timeout=timedelta(days=10),
        trigger_rule=TriggerRule.ALL_DONE,
    )
    publish = PublishPhotosOperator(
        task_id="publish",
        verdict=review.output,
        pool="publish",
        execution_timeout=timedelta(hours=2),
        trigger_rule=TriggerRule.ALL_DONE,
    )
    deliver = DeliverOperator(
        task_id="deliver",
        pool="deliver",
        execution_timeout=timedelta(hours=1),
        trigger_rule=TriggerRule.ALL_DONE,
    )
    # A leaf of its own: the rest goes on after a failure, and must not make the run look green.
    done = EmptyOperator(task_id="done", pool="publish", trigger_rule=TriggerRule.NONE_FAILED)
    anonymise >> review >> publish >> deliver
    [plan, anonymise, review, publish] >> done
