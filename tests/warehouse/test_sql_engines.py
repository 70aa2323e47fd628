"""Every statement below `sql/`, run by DuckDB over published files and by BigQuery's client over delivered tables."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.cloud import bigquery
from tests.peers.bigquery import Peer, serving
from tests.web.factory import LAST, PIPELINE, TFL, fill
from tests.zones.lakes import PIPELINE as VIDEO_PIPELINE
from tests.zones.lakes import publish_examples

from wayside.core.tables import (
    CAMERA_CHANGES,
    CAMERA_DAYS,
    EVENT_REVIEWS,
    EXPIRIES,
    LABELS,
    RECEIPTS,
    ROAD_PHOTOS,
    RUNS,
    TABLES,
    TIMESERIES,
    VIDEO_EVENTS,
    VIDEO_FILES,
    Table,
)
from wayside.warehouse import sql
from wayside.warehouse.bigquery import BigQueryTarget
from wayside.warehouse.outbox import deliver
from wayside.warehouse.parquet import ParquetWarehouse, Row, to_arrow
from wayside.warehouse.scope import Scope

DAY = LAST.start.date()
FIRST = LAST.shift(-2)
# What the tests ask for, by the name of the parameter; a statement with another meaning of a name has its own below.
VALUES: dict[str, Any] = {
    "source": TFL,
    "pipeline": PIPELINE,
    "slot": LAST.start,
    "slots": [LAST.start, LAST.previous.start],
    "since": FIRST.start,
    "first": FIRST.start,
    "last": LAST.start,
    "series": "car",
    "every_camera": False,
    "before": FIRST.start,
    "after": LAST.start,
    "first_day": DAY,
    "start": FIRST.start,
    "stop": LAST.end,
    "status": "done",
    "run": "photos-1",
    "folder": None,
    "text": "fv0",
    "skip": 1,
    "until": 3,
    "processor": 1,
    "last_day": DAY,
}
OWN: dict[str, dict[str, Any]] = {
    "web/cameras_at_slot": {"first": LAST.start},
    "web/photo_receipts": {"first_day": DAY - timedelta(days=1)},
    "web/camera_weeks": {"first": DAY - timedelta(days=1), "last": DAY},
    "zones/traffic": {"zone": None, "direction": None, "label": None, "version": 1},
    "zones/objects": {"zone": "*"},
    **{f"zones/{name}": {"version": 1} for name in ("minutes", "hours", "days", "events_of", "journeys", "stays")},
    "zones/segments_of": {"first": FIRST.start - timedelta(hours=1)},
    "zones/newest_segments": {"first": FIRST.start - timedelta(hours=1)},
    "zones/unscanned": {"pipeline": VIDEO_PIPELINE, "model_sha256": "1" * 64},
}
# An event begins in the hour after the one under which it is published, as long videos have them.
EVENTS_OF: dict[str, Any] = {
    "since": LAST.start.replace(minute=0), "first": LAST.start.replace(minute=0), "stop": LAST.end + timedelta(hours=2),
    "label": None, "quoted": "null", "state": None, "verdict": None, "skip": 0, "until": 5,
}  # fmt: skip
OWN |= dict.fromkeys(("web/reviewed_events", "web/fitting_events", "web/event_hours", "web/event_order"), EVENTS_OF)
OWN |= {
    "web/events": {**EVENTS_OF, "label": "boat", "quoted": '"boat"', "state": "labelled"},
    "web/event_verdicts": EVENTS_OF,
    "web/event_labels": {**EVENTS_OF, "events": ["e-0", "e-1"]},
    "web/label_names": EVENTS_OF,
    "web/video_files": {"status": "quarantined", "reason": None, "run": "import-1", "skip": 0},
    "web/video_file_states": {"run": "import-1"},
    "videos/event_place": {"event": "e-1", "since": FIRST.start.replace(hour=0)},
}
TYPES = {str: "STRING", datetime: "TIMESTAMP", date: "DATE", int: "INT64", float: "FLOAT64", bool: "BOOL"}


@dataclass(frozen=True)
class Engines:
    """The same rows in both: published files, and a dataset `d` of the peer."""

    lake: ParquetWarehouse
    peer: Peer
    cameras: list[str]
    pictures: pa.Table

    def duckdb(self, name: str, values: dict[str, Any]) -> list[Row]:
        with self.lake.connect(tables=sql.tables(name)) as connection:
            connection.register("pictures", self.pictures)
            return connection.sql(sql.for_duckdb(name), params=values).to_arrow_table().to_pylist()

    def bigquery(self, name: str, values: dict[str, Any]) -> list[Row]:
        config = bigquery.QueryJobConfig(
            default_dataset="p.d", query_parameters=[parameter(key, value) for key, value in values.items()]
        )
        text = sql.load(name)
        if name == "views/detected_objects":  # a view; whoever asks it has to name days
            text = f"SELECT * FROM ({text}) WHERE date = '{DAY}'"
        return [dict(row.items()) for row in self.peer.client().query(text, job_config=config).result()]


def parameter(name: str, value: Any) -> bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter:
    if isinstance(value, list):
        return bigquery.ArrayQueryParameter(name, TYPES[type(value[0])], value)
    return bigquery.ScalarQueryParameter(name, TYPES.get(type(value), "STRING"), value)


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    folder = tmp_path_factory.mktemp("engines")
    filled = fill(folder, cameras=8, slots=4)
    cameras = filled.cameras[TFL]
    lake = ParquetWarehouse(filled.warehouse.root, outbox=True)
    publish_days(lake, cameras)
    publish_series(lake)
    publish_upkeep(lake)
    publish_photos(lake)
    publish_videos(lake, cameras)
    publish_examples(lake, TFL, cameras[0], FIRST.start)
    for table in TABLES.values():
        lake.resend(table)
    with serving() as peer:
        deliver(lake.outbox, lake, BigQueryTarget(peer.client(), "p", "d", "EU"))
        pictures = some_pictures(cameras)
        config = bigquery.LoadJobConfig(source_format="PARQUET")
        data = io.BytesIO()
        pq.write_table(pictures, data)
        data.seek(0)
        peer.client().load_table_from_file(data, "p.d.pictures", job_config=config).result()
        yield Engines(lake, peer, cameras, pictures)


def publish_days(lake: ParquetWarehouse, cameras: list[str]) -> None:
    states = ("counted", "faulty", "missing", "failed", "waiting", "not_run", "late")
    for back in range(3):
        day = DAY - timedelta(days=back)
        rows = [
            {"source": TFL, "camera": name, "pipeline": PIPELINE, "day": day}
            | {state: place + back * ordinal for ordinal, state in enumerate(states)}
            for place, name in enumerate(cameras)
        ]
        publish(lake, CAMERA_DAYS, rows)


def publish_series(lake: ParquetWarehouse) -> None:
    rows = [
        {"source": TFL, "pipeline": PIPELINE, "series": series, "day": DAY - timedelta(days=back)}
        | {"original": None if back == 1 else back * 1.5, "sa": 2.25, "trend": 1 / 3, "imputed_share": 0.1}
        | {"cameras": 8, "outlier": "AO" if back == 2 else None}
        for series in ("car", "bus")
        for back in range(4)
    ]
    publish(lake, TIMESERIES, rows)


def publish_upkeep(lake: ParquetWarehouse) -> None:
    """A run at work, a day of pictures that was promised, and a camera that vanished."""
    numbers = dict.fromkeys(("slots", "slots_done", "fetched", "images", "changed"), 1)
    times = {"first": FIRST.start, "last": LAST.start, "started_at": LAST.start, "updated_at": LAST.end}
    run = {
        "source": TFL,
        "run": "r-1",
        "kind": "k",
        "state": "running",
        "mode": "all",
        "who": "ada",
        **numbers,
        **times,
    }
    publish(lake, RUNS, [{**run, "seconds": 1.0, "inference_seconds": 0.5}])
    told = {"prefix": f"{TFL}/x", "action": "would_delete", "pictures": 1, "bytes": 2, "kept": 0, "run": "r-1"}
    publish(lake, EXPIRIES, [{"source": TFL, "day": DAY, **told, "decided_at": LAST.start}])
    change = {"camera": "gone", "change": "vanished", "analysed": True, "seen_at": LAST.start}
    publish(lake, CAMERA_CHANGES, [{"source": TFL, "day": DAY, **change}])


def publish_photos(lake: ParquetWarehouse) -> None:
    """Road photos of two folders and two runs, one of them failed, and a receipt of each day."""
    for folder in range(2):
        rows = [
            {"source": TFL, "folder": f"{folder:016x}", "photo": f"{folder}/FV0{number}.jpg", "input_version": "1"}
            | {"status": "failed" if number == 3 else "done", "hidden_share": 0.25, "objects": '{"car": 2}'}
            | {"profile": "planar", "profile_sha256": "0" * 64, "run": f"photos-{1 + number // 3}"}
            | {"processed_at": LAST.start + timedelta(seconds=10 * number + folder)}
            for number in range(4)
        ]
        publish(lake, ROAD_PHOTOS, rows)
        hashes = dict.fromkeys(("output_sha256", "receipt_sha256", "previous_sha256", "link_sha256"), "0" * 64)
        receipt = {"source": TFL, "day": DAY - timedelta(days=folder), "ordinal": 0, "photo": rows[0]["photo"]}
        written = {"receipt": "{}", "run": "photos-1", "written_at": LAST.start}
        publish(lake, RECEIPTS, [receipt | hashes | written])


def publish_videos(lake: ParquetWarehouse, cameras: list[str]) -> None:
    """Files of an archive, and events of two cameras: labelled, relabelled, rejected, and of the hour after."""
    hour = LAST.start.replace(minute=0)
    for camera in cameras[:2]:
        key = {"source": TFL, "camera": camera, "hour": hour}
        run = {"colours": "[]", "state": "labelled", "run": "import-1"}
        times = [hour + timedelta(minutes=25 * number) for number in range(4)]
        rows = [
            {**key, **run, "event": f"e-{number}", "start_at": at, "end_at": at, "score": number / 8}
            for number, at in enumerate(times)
        ]
        publish(lake, VIDEO_EVENTS, rows)
        said = {"labeller": "x", "ordinal": 0}
        publish(
            lake,
            LABELS,
            [
                {**key, **said, "event": f"e-{number}", "image_at": at, "label": label, "probability": probability}
                for number, at in enumerate(times)
                for label, probability, at in (("boat", 0.5, at), ("tuna", None, at + timedelta(seconds=1)))
            ],
        )
        verdict = {**key, "author": "ada", "reviewed_at": LAST.end}
        relabelled = {**verdict, "event": "e-1", "verdict": "relabelled", "labels": '["small boat", "boat"]'}
        publish(lake, EVENT_REVIEWS, [relabelled, {**verdict, "event": "e-2", "verdict": "rejected"}])
    file = {"source": TFL, "run": "import-1", "updated_at": LAST.start}
    reasons = ("no_match", "truncated", "truncated")
    files = [{**file, "file": f"{n}.mp4", "status": "quarantined", "reason": name} for n, name in enumerate(reasons)]
    publish(lake, VIDEO_FILES, [*files, {**file, "file": "good.mp4", "status": "exported", "bytes": 7, "events": 2}])


def publish(lake: ParquetWarehouse, table: Table, rows: list[Row]) -> None:
    lake.publish(table, Scope.of(table, rows[0]), to_arrow(table, rows))


def some_pictures(cameras: list[str]) -> pa.Table:
    """Pictures in the store, as whoever deletes them lists them: most of them, and some of an unknown camera."""
    rows = [
        {"key": f"{TFL}/{slot.day}/{slot.hhmm}/{name}.jpg", "camera": name, "slot": slot.start, "bytes": 1000 + place}
        for place, name in enumerate([*cameras[1:], "unknown"])
        for slot in (FIRST, LAST.previous, LAST)
    ]
    kind = pa.timestamp("us", tz="UTC")
    fields = [("key", pa.string()), ("camera", pa.string()), ("slot", kind), ("bytes", pa.int64())]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


def asked(name: str, cameras: list[str]) -> Iterator[dict[str, Any]]:
    """The values with which a statement is asked: of all cameras and of each, where it takes one."""
    known = {**VALUES, "cameras": cameras, "camera": None, **OWN.get(name, {})}
    wanted = sql.parameters(name)
    unknown = wanted - set(known)
    assert not unknown, f"say in VALUES with what {name} is to be asked: {sorted(unknown)}"
    values = {key: value for key, value in known.items() if key in wanted}
    yield values
    if "camera" in wanted:
        yield from ({**values, "camera": camera} for camera in cameras[:3])


@pytest.mark.parametrize("name", sql.names())
def test_a_statement_gives_the_same_rows_on_both_engines(engines: Engines, name: str):
    total = 0
    for values in asked(name, engines.cameras):
        here, there = engines.duckdb(name, values), engines.bigquery(name, values)
        if "\nORDER BY" not in sql.load(name):
            here, there = (sorted(rows, key=str) for rows in (plain(here), plain(there)))
        assert plain(there) == plain(here)
        assert [list(row) for row in there] == [list(row) for row in here]
        total += len(here)
    assert total, f"{name} was asked for nothing"


def plain(rows: list[Row]) -> list[Row]:
    """The rows with whole numbers as such: DuckDB's sums of integers are decimals in Arrow."""
    return [{key: int(value) if type(value).__name__ == "Decimal" else value for key, value in row.items()}
            for row in rows]  # fmt: skip


def test_the_tables_are_the_same_to_begin_with(engines: Engines):
    with engines.lake.connect() as connection:
        found = {name: connection.sql(f"SELECT * FROM {name}").to_arrow_table().to_pylist() for name in TABLES}
    for table in TABLES.values():
        here = found[table.name]
        assert sorted(map(str, engines.peer.rows(f"d.{table.name}") if here else [])) == sorted(map(str, here))
