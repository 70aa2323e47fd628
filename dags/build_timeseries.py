"""
### Each week: daily series of vehicles and people, gaps imputed, seasonally adjusted

**What it does.** Builds, for each source and class, the sum of each day over all cameras, from all published `counts`:
absent slots are put back as gaps, views of a touring camera share its weight, gaps are imputed from the same hours of
four weeks, and the series is adjusted for the pattern of the week, with outliers and shifts of the level found. The
method, and how it differs from the SEATS of chrono_lens, is in `docs/TIMESERIES.md`.

| task | one for each | makes |
|---|---|---|
| `sources` | run | the list of sources that have counts |
| `build` | source | `timeseries`: original, adjusted, trend, imputed share and outlier of each day and class |
| `deliver` | run | the same table in BigQuery or Oracle, where `WAYSIDE_WAREHOUSE` names one |
| `done` | run | nothing: it is red when something before it is |

**When it runs.** On Mondays at 06:00 UTC, up to the Sunday before. The page *Counts*, under *Daily series*, shows the
result and offers it as CSV, in the columns of chrono_lens, and as Parquet; so does `wayside timeseries export`.

**By hand.** *Trigger* asks for sources and a pipeline; each may stay empty.

**Again.** The series are a function of the counts alone: run it as often as you like, after late pictures say.

**When something is red.** The end of the log of `build` says what is missing; the series that were there stay.
"""

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, CronTriggerTimetable, TriggerRule

from wayside_airflow import params
from wayside_airflow.notifiers.notify import on_failure
from wayside_airflow.operators.deliver import DeliverOperator
from wayside_airflow.operators.series import BuildSeriesOperator, ChooseSourcesOperator

PIPELINE = "{{ params.pipeline or '' }}"

with DAG(
    dag_id="build_timeseries",
    dag_display_name="Build time series",
    description="Daily series of each class and source: gaps imputed, seasonally adjusted, with trend",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("0 6 * * 1", timezone="UTC"),
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    allowed_run_types=["scheduled", "manual"],
    dagrun_timeout=timedelta(hours=6),
    tags=["stills", "weekly"],
    on_failure_callback=on_failure(
        urgent=False,
        what_to_do="the series of the week before stay: read the end of the log of `build`, and clear it when mended",
    ),
    params={
        "sources": params.sources(),
        "pipeline": params.pipeline("Whose counts. Empty: the default of include/config/pipelines.yaml."),
    },
    default_args=params.task_defaults(timedelta(hours=2), weight=10, delay=timedelta(minutes=5)),
):
    sources = ChooseSourcesOperator(
        task_id="sources",
        sources="{{ (params.sources or []) | join(',') }}",
        pipeline=PIPELINE,
        counted=True,
        pool="upkeep",
    )
    build = BuildSeriesOperator.partial(
        task_id="build", pipeline=PIPELINE, pool="upkeep", map_index_template="{{ task.source }}"
    ).expand(source=sources.output)
    deliver = DeliverOperator(task_id="deliver", pool="deliver", trigger_rule=TriggerRule.ALL_DONE)
    # A leaf of its own: delivery goes on after a failure, and must not make the run look green.
    done = EmptyOperator(task_id="done", pool="publish", trigger_rule=TriggerRule.NONE_FAILED)
    build >> deliver
    [sources, build] >> done
