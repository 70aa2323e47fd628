"""Imports of a video archive for the web pages: jobs in every state, their runs in Airflow, videos and events."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from tests.media.clips import Move, make_clip

from wayside.core.tables import LABELS, SEGMENTS, VIDEO_EVENTS, VIDEO_FILES, VIDEO_JOBS
from wayside.media.probe import hashes
from wayside.videos.shelf import Event, EventPicture, SegmentEvents, Shelf, event_id, picture_key
from wayside.vision.decode import encode_jpeg
from wayside.warehouse.parquet import ParquetWarehouse, Row, to_arrow
from wayside.warehouse.scope import Scope
from wayside_airflow.operators.common import tasks_name
from wayside_airflow.ranges import name_of

ARCHIVE = "Boats"
CAMERAS = ("C1_Deck", "C2_Hi")
PLANNED = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
IMPORT = "import_videos"


def add_job(
    lake: ParquetWarehouse,
    run: str,
    shards: Mapping[str, tuple[int, str]],
    *,
    archive: str = ARCHIVE,
    planned_at: datetime = PLANNED,
    updated_at: datetime = PLANNED + timedelta(minutes=30),
    span: tuple[str, str] = ("2016-10-09T12:02:37Z", "2016-10-09T13:22:36Z"),
    cameras: Sequence[str] = CAMERAS,
) -> None:
    """Publish a job with shards by id: how many files each has, and the state that was noted down."""
    items = sum(number for number, _ in shards.values())
    request = {
        "item_count": items,
        "item_average_size_bytes": 512,
        "cameras": [{"name": name, "plan": "PLUS"} for name in cameras],
        "earliest_date": span[0],
        "latest_date": span[1],
    }
    noted = {name: {"item_count": number, "status": status} for name, (number, status) in shards.items()}
    row = {
        "source": archive,
        "run": run,
        "request": json.dumps(request),
        "shards": json.dumps(noted),
        "status": "running",
        "items": items,
        "planned_at": planned_at,
        "updated_at": updated_at,
    }
    lake.publish(VIDEO_JOBS, Scope(archive, run=run), to_arrow(VIDEO_JOBS, [row]))


def add_plan(lake: ParquetWarehouse, run: str, tasks: Sequence[Sequence[str]]) -> None:
    """Keep the shards of each mapped task of a run, as the planning task does."""
    named = [[{"shard_id": shard} for shard in shards] for shards in tasks]
    lake.save_plan(tasks_name(run), {"tasks": named, "labels": [shards[0] for shards in tasks]})


def add_files(lake: ParquetWarehouse, files: Sequence[Row], archive: str = ARCHIVE) -> None:
    """Publish the files of an archive."""
    known = {"source": archive, "updated_at": PLANNED}
    lake.publish(VIDEO_FILES, Scope(archive), to_arrow(VIDEO_FILES, [{**known, **row} for row in files]))


def some_files(run: str, good: int = 3) -> list[Row]:
    """Files of a run: some that were worked on, a copy, and some of which each was put aside for another reason."""
    rows: list[Row] = [
        {
            "file": f"trip 1/C2_Hi-{number:03}-1476014557.mp4",
            "status": "labelled",
            "segment": f"{number:064x}",
            "bytes": 1_000_000 + number,
            "camera": "C2_Hi",
            "start_at": datetime(2016, 10, 9, 12, 2, 37, tzinfo=UTC) + timedelta(minutes=10 * number),
            "duration_s": 599.99,
            "events": number,
        }
        for number in range(good)
    ]
    rows.append({"file": "trip 1/copy.mp4", "status": "alias", "alias_of": rows[0]["file"]})
    for name, reason, detail in (
        ("notes.mp4", "not_a_video", "no container that FFmpeg knows"),
        ("trip 1/C2_Hi-cut.mp4", "truncated", "the file ends after 12.3 of 599.9 s"),
        ("trip 2/C2_Hi-cut.mp4", "truncated", "the file ends after 1.5 of 20.0 s"),
        ("trip 2/<b>.mp4", "no_match", "the pattern does not fit the name"),
    ):
        rows.append({"file": name, "status": "quarantined", "reason": reason, "detail": detail})
    return [{**row, "run": run} for row in rows]


def add_airflow_run(
    states: Mapping[str, Sequence[str | None]],
    *,
    state: str = "running",
    who: str | None = "ada",
    run_after: datetime = PLANNED,
    run: str = "manual__2026-05-04T09:00:00+00:00",
    started_at: datetime | None = PLANNED,
    ended_at: datetime | None = None,
) -> str:
    """Write a run of the DAG and its mapped tasks into Airflow's database; return the name of the job.

    `states` has those of each task by map index; one that is not mapped yet is named `task*`.
    """
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add(
            DagRun(
                dag_id=IMPORT,
                run_id=run,
                run_type="manual",
                run_after=run_after,
                state=state,
                triggering_user_name=who,
                start_date=started_at,
            )
        )
        session.flush()
        with DAG(IMPORT, schedule=None):
            tasks = {name: EmptyOperator(task_id=name.rstrip("*")) for name in states}
        for name, each in states.items():
            for index, one in enumerate(each):
                place = -1 if name.endswith("*") else index
                session.add(TaskInstance(tasks[name], None, run_id=run, state=one, map_index=place))
        if ended_at is not None:
            session.query(DagRun).filter_by(dag_id=IMPORT, run_id=run).update({"end_date": ended_at})
    return name_of(IMPORT, run, run_after)


def forget_airflow_runs() -> None:
    """Remove what `add_airflow_run` wrote."""
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        for kind in (TaskInstance, DagRun):
            session.query(kind).filter_by(dag_id=IMPORT).delete()


#: Begins in one hour and goes on in the next: its events are published under the first.
START = datetime(2026, 5, 4, 8, 59, 50, tzinfo=UTC)
HOUR = START.replace(minute=0, second=0)
#: Start and end of the events of the video, in seconds, with labels and their probabilities.
EVENTS = (
    (1.0, 3.0, {"boat": 0.91, "tuna": 0.42}),
    (4.0, 5.5, {"human": 0.77}),
    (10.5, 11.5, {}),
)


@dataclass(frozen=True)
class Filmed:
    """A video of one camera: the file, its hash, and the ids of its events in order."""

    file: Path
    sha256: str
    events: tuple[str, ...]


def add_video(
    state: Path, lake: ParquetWarehouse, folder: Path, camera: str = "C2_Hi", *, seed: int = 0, archive: str = ARCHIVE
) -> Filmed:
    """Film a video of twelve seconds, and publish its events as an import does, pictures beside them."""
    file = folder / f"{camera}-{START:%s}.mp4"
    folder.mkdir(parents=True, exist_ok=True)
    make_clip(file, seconds=12, fps=5, moves=[Move("red", (0.0, 0.5), (1.0, 0.5), 1.0, 3.0)], seed=seed)
    with file.open("rb") as stream:
        hashed = hashes(stream)
    shelf, key = Shelf(state, archive), {"source": archive, "camera": camera, "hour": HOUR}
    documents, events, labels = [], [], []
    for start, end, found in EVENTS:
        name = event_id(hashed.sha256, round(start * 1e6))
        times = (round((start + end) / 2 * 1e6), round(start * 1e6))
        for number in range(len(times)):
            shelf.save_picture(name, number, encode_jpeg(np.full((120, 160, 3), 60 + 40 * number, np.uint8)))
        pictures = tuple(
            EventPicture(at_us=at, kind=kind, width=160, height=120)
            for at, kind in zip(times, ("cover", "sample"), strict=True)
        )
        documents.append(
            Event(
                event=name, start_us=round(start * 1e6), end_us=round(end * 1e6), score=0.05, cover_us=times[0],
                colours=("red",), direction="right", pictures=pictures,
            )
        )  # fmt: skip
        at = [START + timedelta(microseconds=time) for time in times]
        events.append(
            {
                **key, "event": name, "segment": hashed.sha256, "sha1": hashed.sha1, "start_s": start, "end_s": end,
                "start_at": START + timedelta(seconds=start), "end_at": START + timedelta(seconds=end), "score": 0.05,
                "cover_at": at[0], "cover": picture_key(name, 0), "colours": '["red"]', "direction": "right",
                "state": "labelled", "labeller": "onnx:WaysideV1", "run": "import-1",
            }
        )  # fmt: skip
        labels += [
            {
                **key, "event": name, "image_at": at[0], "ordinal": ordinal, "label": label, "probability": probability,
                "x1": 0.1, "y1": 0.2, "x2": 0.5, "y2": 0.6, "labeller": "onnx:WaysideV1",
            }
            for ordinal, (label, probability) in enumerate(found.items())
        ]  # fmt: skip
    shelf.save_events(SegmentEvents(segment=hashed.sha256, cut="c", start_at=START, events=tuple(documents)))
    segment = {
        **key, "segment": hashed.sha256, "sha1": hashed.sha1, "uri": str(file), "start_at": START,
        "end_at": START + timedelta(seconds=12), "zone": "UTC", "duration_s": 12.0, "fps": 5.0, "variable_fps": False,
        "frames": 60, "width": 160, "height": 120, "rotation": 0, "codec": "h264", "audio": False,
        "bytes": hashed.bytes, "discontinuity": False, "run": "import-1",
    }  # fmt: skip
    scope = Scope(archive, camera=camera, hour=HOUR)
    for table, rows in ((SEGMENTS, [segment]), (VIDEO_EVENTS, events), (LABELS, labels)):
        lake.publish(table, scope, to_arrow(table, rows))
    return Filmed(file, hashed.sha256, tuple(row["event"] for row in events))


def add_imported_event(lake: ParquetWarehouse, event: str = "imported-1", camera: str = "C9") -> None:
    """Publish an event of which only labels are known."""
    key = {"source": ARCHIVE, "camera": camera, "hour": HOUR, "event": event}
    row = {**key, "start_at": START, "end_at": START, "score": 0.0, "colours": "[]", "state": "labelled", "run": "x"}
    label = {**key, "image_at": START, "ordinal": 0, "label": "<tuna>", "labeller": "import"}
    scope = Scope(ARCHIVE, camera=camera, hour=HOUR)
    lake.publish(VIDEO_EVENTS, scope, to_arrow(VIDEO_EVENTS, [row]))
    lake.publish(LABELS, scope, to_arrow(LABELS, [label]))
