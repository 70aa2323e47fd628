"""
### Every ten minutes: fetch the cameras' pictures, count what is on those of the slot before

**What it does.** A run is about one *slot*, a ten-minute step in UTC. It lists the cameras of every enabled source,
fetches one picture of each for its slot, and publishes one row a camera in `frames`, also where there was no
picture, with the reason. It then analyses the slot *before*, whose neighbours on both sides are now there: faulty
pictures are told apart, vehicles and people are found, parked ones are left out, and what remains is published in
`counts` and `detections`. A run that comes late, when the next slot has its pictures already, analyses its own slot and
the next one as well, which lacked these pictures: so the order of runs changes no count.

| task | one for each | makes |
|---|---|---|
| `sources` | run | the list of sources; refuses parameters that do not hold |
| `plan` | source | the list of cameras, divided into shards |
| `shards` | run | the shards of all sources |
| `fetch` | shard | pictures of slot S, staged frames |
| `publish_frames` | source | `frames` of slot S |
| `analyse` | shard | staged counts and detections of slot S-1; when late, of S and S+1 too |
| `publish_counts` | source | `counts`, `detections` and `slot_runs` of those slots, an event of `wayside_counts` |
| `deliver` | run | the same tables in BigQuery or Oracle, where `WAYSIDE_WAREHOUSE` names one; else nothing |
| `done` | run | nothing: it is red when something before it is |

**When it runs.** By schedule every ten minutes; the run of the interval from 00:00 to 00:10 is about slot 00:10. Slots
that were missed while Airflow was down are not caught up: live cameras show the present only.

**By hand.** *Trigger* asks for sources, slot, pipeline and shard size; each may stay empty. For example

    {"sources": ["TfL-images"], "slot": "2026-11-20T08:10:00Z"}

**Again.** Clear a task, or trigger the same slot: pictures are created once, and publishing replaces exactly the rows
of its source, slot and pipeline, so that running anything twice gives the same tables. A range of slots:

    airflow backfill create --dag-id ingest_cameras --from-date 2026-11-20 --to-date 2026-11-21

Its runs may go on side by side: each waits for the pictures that its neighbours are fetching, and all of them let live
runs pass. `--run-backwards` ends with the same counts, and analyses most slots twice. `--reprocess-behavior completed`
repeats runs that there were already.

**When something is red.** A source that fails stops no other source, and a failed analysis leaves the frames published.
What is published is what this run fetched and analysed: parts that an earlier run left behind never stand in.
`publish_counts` is red for every source that has something wrong in this run; its log, or the one of the first red task
of that name, ends with what to do. What may pass by itself is tried again; a wrong setting or model fails at once.
A failed run is told by mail or webhook, and so is one that has not ended eight minutes after its slot began: see the
connections `wayside_smtp` and `wayside_webhook` in the README. What could not be delivered goes with the next run.
"""

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, CronDataIntervalTimetable, Param, TriggerRule

from wayside_airflow import params
from wayside_airflow.assets import COUNTS
from wayside_airflow.notifiers.notify import deadline, on_failure
from wayside_airflow.operators.deliver import DeliverOperator
from wayside_airflow.operators.stills import (
    AnalyseShardOperator,
    CollectShardsOperator,
    FetchShardOperator,
    ListSourcesOperator,
    PlanSlotOperator,
    PublishCountsOperator,
    PublishFramesOperator,
)

SHARD_NAME = "{{ task.shard.source }} {{ task.shard.part + 1 }}/{{ task.shard.parts }}"
SOURCE_NAME = "{{ task.source }}"
PIPELINE = "{{ params.pipeline or '' }}"

with DAG(
    dag_id="ingest_cameras",
    dag_display_name="Ingest cameras",
    description="Fetch one picture of every camera, and count vehicles and people on those of the slot before",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("*/10 * * * *", timezone="UTC"),
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    # Shorter than two slots: with two active runs, a slow slot never keeps the next one waiting.
    dagrun_timeout=timedelta(minutes=15),
    tags=["stills", "live"],
    deadline=deadline(minutes=8),
    on_failure_callback=on_failure(
        urgent=True,
        what_to_do="open the first red task and read the end of its log; the next slot is tried by itself, and what is "
        "missing now is fetched at night where the source keeps a history",
    ),
    params={
        "sources": params.sources(),
        "slot": Param(
            None,
            type=["string", "null"],
            format="date-time",
            title="Slot",
            description="Any moment within the ten minutes to look at. Empty: the slot of the run.",
        ),
        "pipeline": params.pipeline(
            "How pictures are analysed; include/config/pipelines.yaml lists the names. Empty: its default."
        ),
        "shard_cameras": Param(
            None,
            type=["integer", "null"],
            minimum=1,
            maximum=5000,
            title="Cameras in one shard",
            description="How many cameras one task works on. Empty: the setting WAYSIDE_SHARD_CAMERAS.",
            section=params.HOW,
        ),
    },
    default_args=params.task_defaults(timedelta(minutes=2)),
):
    sources = ListSourcesOperator(
        task_id="sources",
        sources="{{ (params.sources or []) | join(',') }}",
        pipeline=PIPELINE,
        pool="fetch",
    )
    plan = PlanSlotOperator.partial(
        task_id="plan",
        shard_cameras="{{ params.shard_cameras or '' }}",
        pool="fetch",
        map_index_template=SOURCE_NAME,
    ).expand(source=sources.output)
    # From here on tasks run when all before them are done, failed ones included, and look at what is there for their
    # own source: so one source never stops another.
    shards = CollectShardsOperator(
        task_id="shards",
        plans=plan.output,
        pool="fetch",
        trigger_rule=TriggerRule.ALL_DONE,
    )
    fetch = FetchShardOperator.partial(
        task_id="fetch",
        pool="fetch",
        execution_timeout=timedelta(minutes=5),
        map_index_template=SHARD_NAME,
    ).expand(shard=shards.output)
    publish_frames = PublishFramesOperator.partial(
        task_id="publish_frames",
        shards=shards.output,
        fetched=fetch.output,
        pool="publish",
        trigger_rule=TriggerRule.ALL_DONE,
        map_index_template=SOURCE_NAME,
    ).expand(source=sources.output)
    analyse = AnalyseShardOperator.partial(
        task_id="analyse",
        pipeline=PIPELINE,
        pool="analyse",
        execution_timeout=timedelta(minutes=8),
        trigger_rule=TriggerRule.ALL_DONE,
        map_index_template=SHARD_NAME,
    ).expand(shard=shards.output)
    publish_counts = PublishCountsOperator.partial(
        task_id="publish_counts",
        outlets=[COUNTS],
        shards=shards.output,
        frames=publish_frames.output,
        analysed=analyse.output,
        pipeline=PIPELINE,
        pool="publish",
        trigger_rule=TriggerRule.ALL_DONE,
        map_index_template=SOURCE_NAME,
    ).expand(source=sources.output)

    deliver = DeliverOperator(
        task_id="deliver",
        pool="deliver",
        execution_timeout=timedelta(minutes=5),
        trigger_rule=TriggerRule.ALL_DONE,
    )
    # A leaf of its own: delivery goes on after a failure, and must not make the run look green.
    done = EmptyOperator(task_id="done", pool="publish", trigger_rule=TriggerRule.NONE_FAILED)

    # Frames first: of two neighbouring runs that go on side by side, one then always sees the frames of the other.
    fetch >> publish_frames >> analyse >> publish_counts >> deliver
    [sources, plan, shards, fetch, publish_frames, analyse, publish_counts] >> done
