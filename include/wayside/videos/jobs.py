"""The table `video_jobs`: what each run asked for, and how far its shards are.

Under Airflow the states of shards are those of its tasks; what stands here is what the work itself notes down, which is
all there is of a run that was started from the command line.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from wayside.core.tables import VIDEO_JOBS
from wayside.videos.job import ImportJob
from wayside.videos.plan import VideoShard, request
from wayside.videos.records import Content
from wayside.warehouse.layout import locked
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope

Row = dict[str, Any]
ShardState = Literal["failed", "missing", "running", "complete"]

_WORST_FIRST: Final[tuple[ShardState, ...]] = ("failed", "missing", "running", "complete")


def job_state(shards: Iterable[str]) -> str:
    """Return the state of a job: that of its worst shard, in the documented words; `complete` if it has none."""
    states = set(shards)
    worst = next((state for state in _WORST_FIRST if state in states), "complete")
    return "shards_missing" if worst == "missing" else worst


def open_job(
    lake: ParquetWarehouse, job: ImportJob, shards: Sequence[VideoShard], contents: Sequence[Content], now: datetime
) -> None:
    """Write the row of a run that was planned; of one that is planned again the states and the time stay."""
    with locked(lake.root / "locks" / job.source):
        before = _row(lake, job.source, job.run)
        known = json.loads(before["shards"]) if before else {}
        states = {
            shard.shard_id: {
                "item_count": shard.items,
                "job_id": job.run,
                "shard_id": shard.shard_id,
                "status": known.get(shard.shard_id, {}).get("status", "missing"),
            }
            for shard in shards
        }
        row = {
            "source": job.source,
            "run": job.run,
            "request": json.dumps(request(job, contents)),
            "items": len(contents),
            "planned_at": before["planned_at"] if before else now,
        }
        _write(lake, row, states, now)


def note(lake: ParquetWarehouse, source: str, run: str, states: Mapping[str, ShardState], now: datetime) -> None:
    """Write down how far shards are; a run that has no row any more is left alone."""
    with locked(lake.root / "locks" / source):
        row = _row(lake, source, run)
        if row is not None:
            known = json.loads(row["shards"])
            for shard_id, state in states.items():
                if shard_id in known:  # it may have been planned anew meanwhile, into fewer
                    known[shard_id]["status"] = state
            _write(lake, row, known, now)


def listed(lake: ParquetWarehouse, run: str = "") -> list[Row]:
    """Return the rows of all jobs, or of those of one name, the newest first."""
    scopes = (scope for scope in lake.scopes(VIDEO_JOBS) if run in {"", scope.run})
    rows = [row for scope in scopes for row in lake.read(VIDEO_JOBS, scope).to_pylist()]
    return sorted(rows, key=lambda row: (row["planned_at"], row["run"]), reverse=True)


def documented(row: Row) -> dict[str, Any]:
    """Return a job in the documented shape."""
    asked, shards = json.loads(row["request"]), json.loads(row["shards"])
    return {"job_id": row["run"], "request": asked, "shard_map": shards, "status": row["status"]}


def _row(lake: ParquetWarehouse, source: str, run: str) -> Row | None:
    rows = lake.read(VIDEO_JOBS, Scope(source, run=run)).to_pylist()
    return rows[0] if rows else None


def _write(lake: ParquetWarehouse, row: Row, shards: Mapping[str, Any], now: datetime) -> None:
    status = job_state(str(shard["status"]) for shard in shards.values())
    new = {**row, "shards": json.dumps(shards), "status": status, "updated_at": now}
    lake.publish(VIDEO_JOBS, Scope(row["source"], run=row["run"]), to_arrow(VIDEO_JOBS, [new]))
