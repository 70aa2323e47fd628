"""
### On request: import an archive of videos, cut it into events, label and export them

**What it does.** Walks a folder or a part of a bucket, tells camera and time of each video from its name, leaves out
what was imported before (by the hash of the content, wherever it lies and whatever it is called), cuts the rest into
events where something moves, labels a cover and some samples of each event, publishes `segments`, `video_events` and
`labels`, and writes the labels as bookmarks. Every file ends as one row of `video_files`: imported, an alias of another
file, or quarantined with a reason. One bad file stops no other.

| task | one for each | makes |
|---|---|---|
| `scan` | run | the ledger of all files: hashes, cameras, times; what is of no use and why |
| `plan` | run | shards of what is new, as a job (page *Jobs*, `GET /wayside/jobs`) |
| `process` | shard | events with cover, samples, colours and direction |
| `label` | shard | labels; where a service gives them it waits for the answers without taking a worker |
| `publish` | run | `video_files`, `segments`, `video_events`, `labels`, `video_jobs` |
| `export` | run | files of labels in the output: JSON `v1` and `v2`, CSV, XML |
| `deliver` | run | the tables in BigQuery or Oracle, where `WAYSIDE_WAREHOUSE` names one |
| `done` | run | nothing: it is red when something before it is |

**When it runs.** Only by hand. *Trigger* asks for the place, which has to lie below `WAYSIDE_VIDEOS_ROOTS`, and for a
pattern: a regular expression with the groups `camera` and `epoch`, or the parts of a date. For example

    {"input": "/data/boats/2026", "pattern": ".*/(?P<camera>[A-Z]+)-.*-(?P<epoch>[0-9]+)[.]mp4$", "labeller": "onnx",
     "output": "/data/boats/labels"}

**Labellers.** `onnx`: our detector, or `onnx:` and the name of a model. `http:` and the id of an Airflow connection: a
label service, as documented in `docs/LABELLERS.md`. `hook:` and a file of `include/config/hooks`: a hook of the video
importer. `none`: events without labels.

**Review.** The page *Events* plays each event; what is rejected there does not go into later exports.

**Again.** Trigger it again over the same place, or clear a task: each content is processed once. A run may be killed
anywhere.

**When something is red.** Files that are of no use do not make a run red, unless all are: see the page *Jobs*. A place
that was out of reach fails its shard; clear it, and the run goes on.
"""

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, TriggerRule

from wayside_airflow import params
from wayside_airflow.notifiers.notify import on_failure
from wayside_airflow.operators.deliver import DeliverOperator
from wayside_airflow.operators.videos import (
    DEFAULT_PATTERN,
    FORMATS,
    ExportVideosOperator,
    LabelVideosOperator,
    PlanVideosOperator,
    ProcessVideosOperator,
    PublishVideosOperator,
    ScanVideosOperator,
)

NAMES = "How names are read"
LABELS = "How events are labelled"

with DAG(
    dag_id="import_videos",
    dag_display_name="Import videos",
    description="Cut an archive of videos into events, label them, export the labels",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    allowed_run_types=["manual"],
    dagrun_timeout=timedelta(days=14),
    tags=["videos", "by hand"],
    on_failure_callback=on_failure(
        urgent=False,
        what_to_do="nothing is lost: read the end of the first red task's log, clear it, and the run goes on",
    ),
    params={
        "input": params.place("Input", "The archive."),
        "output": params.place("Output", "Where files of labels are written. Empty: nowhere; the page Jobs has them."),
        "pattern": Param(
            DEFAULT_PATTERN,
            type="string",
            minLength=1,
            maxLength=500,
            title="Pattern",
            description="Regular expression for the path, with groups camera and epoch, or parts of a date; lat, lng.",
            section=NAMES,
        ),
        "zone": Param(
            "UTC",
            type="string",
            pattern="^[A-Za-z0-9_+/-]{1,64}$",
            title="Time zone",
            description="Of dates in names, such as Europe/Oslo. An epoch is UTC by nature.",
            section=NAMES,
        ),
        "suffix": Param(
            None,
            type=["string", "null"],
            pattern="^[A-Za-z0-9._-]{0,63}$",
            title="Camera suffix",
            description="Put behind the name of each camera, so that repeated imports stay apart.",
            section=NAMES,
        ),
        "labeller": Param(
            "onnx",
            type="string",
            pattern="^(onnx|none|(onnx|http|hook):[^\\s]{1,200})$",
            examples=["onnx", "onnx:YoloxNano", "http:label_service", "hook:camio.py", "none"],
            title="Labeller",
            description="onnx, onnx:MODEL, http:CONNECTION, hook:FILE or none.",
            section=LABELS,
        ),
        "whitelist": Param(
            [],
            type=["array", "null"],
            items={"type": "string", "maxLength": 100},
            title="Labels",
            description="Labels that are exported, one a line. Empty: all.",
            section=LABELS,
        ),
        "formats": Param(
            list(FORMATS),
            type="array",
            items={"type": "string", "enum": list(FORMATS)},
            title="Formats",
            description="In which the labels are written: v1, v2 (JSON), csv, xml.",
            section=LABELS,
        ),
        "hook_data": Param(
            None,
            type=["string", "null"],
            format="multiline",
            maxLength=100_000,
            title="Hook data",
            description="JSON: plan and sizes of pictures, also by camera.",
            section=LABELS,
        ),
        "source": Param(
            None,
            type=["string", "null"],
            pattern="^([A-Za-z0-9][A-Za-z0-9_-]{0,62})?$",
            title="Name",
            description="Name of the archive in tables. Empty: made of the folder's name.",
            section=params.HOW,
        ),
        "max_items": Param(
            2048,
            type="integer",
            minimum=1,
            maximum=10_000,
            title="Files in a shard",
            description="At most.",
            section=params.HOW,
        ),
        "max_bytes": Param(
            2**20,
            type="integer",
            minimum=1024,
            maximum=2**24,
            title="Bytes of a shard's list",
            description="At most: the label services that are known take a mebibyte.",
            section=params.HOW,
        ),
        "redo": Param(
            False,
            type="boolean",
            title="Do again",
            description="Also cut and label what was imported before. Verdicts of people stay.",
            section=params.HOW,
        ),
    },
    default_args=params.task_defaults(timedelta(hours=7), weight=10, delay=timedelta(minutes=2)),
):
    scan = ScanVideosOperator(
        task_id="scan",
        place="{{ params.input or '' }}",
        export="{{ params.output or '' }}",
        pattern="{{ params.pattern }}",
        zone="{{ params.zone }}",
        suffix="{{ params.suffix or '' }}",
        labeller="{{ params.labeller }}",
        whitelist="{{ (params.whitelist or []) | join('\n') }}",
        formats="{{ params.formats | join(',') }}",
        hook_data="{{ params.hook_data or '' }}",
        source="{{ params.source or '' }}",
        max_items="{{ params.max_items }}",
        max_bytes="{{ params.max_bytes }}",
        redo="{{ params.redo }}",
        pool="videos",
    )
    plan = PlanVideosOperator(task_id="plan", pool="fetch", execution_timeout=timedelta(hours=1))
    process = ProcessVideosOperator.partial(
        task_id="process", pool="videos", map_index_template="{{ task.task.label }}"
    ).expand(task=plan.output)
    label = LabelVideosOperator.partial(
        task_id="label",
        pool="videos",
        map_index_template="{{ task.task.label }}",
        # What could be cut is labelled, also where a shard failed.
        trigger_rule=TriggerRule.ALL_DONE,
    ).expand(task=plan.output)
    publish = PublishVideosOperator(
        task_id="publish", pool="publish", execution_timeout=timedelta(hours=2), trigger_rule=TriggerRule.ALL_DONE
    )
    export = ExportVideosOperator(task_id="export", pool="publish", execution_timeout=timedelta(hours=1))
    deliver = DeliverOperator(
        task_id="deliver", pool="deliver", execution_timeout=timedelta(hours=1), trigger_rule=TriggerRule.ALL_DONE
    )
    # A leaf of its own: the rest goes on after a failure, and must not make the run look green.
    done = EmptyOperator(task_id="done", pool="publish", trigger_rule=TriggerRule.NONE_FAILED)
    scan >> plan >> process >> label >> publish >> export >> deliver
    [scan, plan, process, label, publish, export] >> done
