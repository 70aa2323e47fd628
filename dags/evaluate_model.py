"""
### On request: how good is a model, and what does the anonymiser hide

**What it does.** Runs models over a labelled set in COCO's format and compares: average precision and recall of boxes
and masks by COCO's protocol, and under a profile the share of labelled objects that is hidden, by class and by size.
Figures have 95 % intervals. The page *Evaluations* shows them with the pictures in which most shows, which were
anonymised by masks and labels both. What the figures mean is in `docs/ROAD-PHOTOS.md`.

| task | one for each | makes |
|---|---|---|
| `choose` | run | the list of models, once the set and all weights are found to be there |
| `evaluate` | model | a folder below `.wayside/evaluations`: figures, a line for each picture, the worst pictures |
| `done` | run | nothing: it is red when something before it is |

**When it runs.** Only by hand: before a model or a profile is changed, and when a new labelled set is there.

**By hand.** Put the set below `.wayside/sets`, or below a folder of `WAYSIDE_PHOTOS_ROOTS`. *Trigger* asks for its
JSON file and the folder of its pictures, for models, a profile, and how many pictures. For example

    {"models": ["WaysideV1"], "set": "/data/sets/streets/instances.json", "profile": "planar", "limit": 500}

The profile's own detector gives its place to the model that is measured; an empty profile measures boxes and masks
alone.

**Again.** The same question has the same folder. A run that was stopped goes on where it was; one that is asked for
again looks at nothing twice and ends with the same figures. Pictures that changed are looked at anew.

**When something is red.** The end of its log says what is missing. Entries of the set that are wrong, and pictures that
cannot be read, make nothing red: they are left out, and the page says how many and why.
"""

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, TriggerRule

from wayside_airflow import params
from wayside_airflow.notifiers.notify import on_failure
from wayside_airflow.operators.evaluate import ChooseModelsOperator, EvaluateOperator

SET = "{{ params.set }}"
PICTURES = "{{ params.pictures or '' }}"
PROFILE = "{{ params.profile or '' }}"

with DAG(
    dag_id="evaluate_model",
    dag_display_name="Evaluate models",
    description="Measure models on a labelled set: boxes, masks, and what the anonymiser hides",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    allowed_run_types=["manual"],
    dagrun_timeout=timedelta(days=3),
    tags=["photos", "by hand"],
    on_failure_callback=on_failure(
        urgent=False,
        what_to_do="read the end of the first red task's log, clear it, and the run goes on where it stopped",
    ),
    params={
        "models": Param(
            ["WaysideV1"],
            type="array",
            items={"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"},
            minItems=1,
            title="Models",
            description="Names of model cards, one a line; their weights have to be on this machine.",
        ),
        "set": Param(
            None,
            type="string",
            maxLength=1024,
            pattern="^/.*[.]json$",
            title="Set",
            description="Absolute path of the JSON file of a set in COCO's format.",
        ),
        "pictures": Param(
            None,
            type=["string", "null"],
            maxLength=1024,
            pattern="^(/.*)?$",
            title="Pictures",
            description="Absolute path of the folder of its pictures. Empty: `pictures` beside the file.",
        ),
        "profile": Param(
            "planar",
            type=["string", "null"],
            pattern="^([A-Za-z0-9][A-Za-z0-9_-]{0,62})?$",
            examples=["planar", "360"],
            title="Profile",
            description="Profile by which pictures are masked, to measure what it hides. Empty: boxes and masks only.",
        ),
        "limit": Param(
            None,
            type=["integer", "null"],
            minimum=1,
            maximum=200_000,
            title="Pictures at most",
            description="Look only at the first so many. Empty: all.",
            section=params.HOW,
        ),
    },
    # A slot of `upkeep` is shared with what runs at night: a long set is cut here, and goes on when it is cleared.
    default_args=params.task_defaults(timedelta(hours=4), weight=5, delay=timedelta(minutes=2)),
):
    choose = ChooseModelsOperator(
        task_id="choose",
        models="{{ params.models | join(',') }}",
        coco=SET,
        pictures=PICTURES,
        profile=PROFILE,
        pool="fetch",
        execution_timeout=timedelta(minutes=10),
    )
    evaluate = EvaluateOperator.partial(
        task_id="evaluate",
        coco=SET,
        pictures=PICTURES,
        profile=PROFILE,
        limit="{{ params.limit or '' }}",
        pool="upkeep",
        map_index_template="{{ task.model }}",
    ).expand(model=choose.output)
    done = EmptyOperator(task_id="done", pool="publish", trigger_rule=TriggerRule.NONE_FAILED)
    [choose, evaluate] >> done
