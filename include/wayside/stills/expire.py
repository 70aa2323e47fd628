"""Expiry: pictures are deleted some days after they were taken, and only once what was to be learnt is published.

A picture may go when its day is older than the source keeps pictures, its frame is published as a success, some
pipeline has published what it saw on it, and each neighbouring slot of its camera is done with it too: the neighbour
has no frame, or has counts. It stays for as long as a back-fill or a reprocessing that looks at its day is at work.
Everything else stays, with a reason in one word. The plan of a day says what would go without listing it: number, bytes
and a hash of the names. Whoever carries it out looks again, and does nothing where the answer is another. Rows of
`frames` stay for good; readers take a picture that is gone for one that has expired.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import pyarrow as pa

from wayside.core.errors import ConfigError
from wayside.core.ids import camera_id
from wayside.core.slots import Slot
from wayside.core.tables import EXPIRIES
from wayside.sources.spec import SourceSpec
from wayside.store import Store
from wayside.warehouse import sql
from wayside.warehouse.parquet import ParquetWarehouse, Row, to_arrow
from wayside.warehouse.scope import Scope

UNDATED: Final = "undated"
UNKNOWN: Final = "unknown"
CHANGED: Final = "changed"
AT_WORK: Final = "at_work"
REASONS: Final = {
    UNDATED: "the folder's name is not a day",
    UNKNOWN: "the file's name is not one of a picture",
    "no_frame": "no frame of it is published as a success",
    "not_analysed": "no pipeline has published what it saw on it",
    "neighbour_waits": "the slot before or after is still to be analysed",
    AT_WORK: "a back-fill or a reprocessing that looks at this day is at work",
    CHANGED: "something changed between plan and deletion",
}
_TABLES: Final = ("frames", "counts", "runs")
# A run at work says so every few seconds, but may wait for its turn; one that is silent for longer was killed.
_SILENT: Final = timedelta(days=1)


@dataclass(frozen=True)
class Decision:
    """What is to become of the pictures of one source and day, as it stood when somebody looked.

    Attributes:
        source: name of the source.
        prefix: the folder, `<source>/<YYYYMMDD>`.
        day: the UTC day; None for a folder whose name is no day, of which everything stays.
        pictures: how many pictures would be deleted.
        bytes: their size.
        kept: how many stay, by reason.
        digest: hash of the keys of those that would be deleted.
    """

    source: str
    prefix: str
    day: date | None
    pictures: int = 0
    bytes: int = 0
    kept: Mapping[str, int] = field(default_factory=dict)
    digest: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the decision as a document, which `from_json` reads back."""
        told = {name: getattr(self, name) for name in ("source", "prefix", "pictures", "bytes", "digest")}
        return {**told, "day": self.day.isoformat() if self.day else None, "kept": dict(self.kept)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Decision":
        """Read what `as_json` returned."""
        day = document["day"]
        return cls(**{**document, "day": date.fromisoformat(day) if day else None})

    def __str__(self) -> str:
        """Write the decision for people: `TfL-images/20260501: 144 pictures (3.1 MB) go; 2 stay (no_frame 2)`."""
        stay = ", ".join(f"{reason} {number}" for reason, number in sorted(self.kept.items()))
        told = f"{self.prefix}: {self.pictures} pictures ({self.bytes / 1e6:.1f} MB) go"
        return f"{told}; {sum(self.kept.values())} stay ({stay})" if stay else told


@dataclass(frozen=True)
class _Found:
    """The pictures of a day: those that may go with their sizes, and what is already gone of the day's successes."""

    go: Mapping[str, int]
    kept: Mapping[str, int]
    gone: int = 0
    gone_bytes: int = 0


def plan_expiry(
    store: Store, warehouse: ParquetWarehouse, spec: SourceSpec, keep_days: int, now: datetime
) -> list[Decision]:
    """Decide on every day of a source that is more than `keep_days` days over; oldest first, folders without day last.

    Nothing is deleted or written.

    Raises:
        ConfigError: `keep_days` is less than 1.
    """
    if keep_days < 1:
        raise ConfigError(f"source {spec.id}: pictures are kept for one day at least, not for {keep_days}")
    oldest_kept = now.date() - timedelta(days=keep_days)
    days: list[date] = []
    odd: list[Decision] = []
    for name in store.folders(spec.id):
        day = _day(name)
        if day is None:
            prefix = f"{spec.id}/{name}"
            odd.append(Decision(spec.id, prefix, None, kept={UNDATED: sum(1 for _ in store.keys(prefix))}))
        elif day < oldest_kept:
            days.append(day)
    # A day that was promised and of which nothing is left: whoever deleted it was killed before saying so.
    promised = {day for day in _promised(warehouse, spec.id) if day < oldest_kept}
    return [_decide(store, warehouse, spec.id, day, now) for day in sorted({*days, *promised})] + odd


def apply(store: Store, warehouse: ParquetWarehouse, decision: Decision, run: str, now: datetime) -> Row | None:
    """Carry out one decision, and publish what was done in the table `expiries`.

    Only what the decision says is deleted. Where the pictures that may go are not those of the decision any more,
    nothing is, and the reason is `changed`. A run that is killed in the middle leaves a day of which the next one
    deletes the rest.

    Returns:
        The row; None for a folder whose name is no day.

    Raises:
        ConfigError: the day is today, or not over for a whole day.
        StoreError: the store refuses, or the folder is a link that leads out of it.
    """
    if decision.day is None:
        return None
    if decision.day >= now.date() - timedelta(days=1):
        raise ConfigError(f"{decision.prefix} is not over for a day yet: its pictures stay")
    found = _examine(store, warehouse, decision.source, decision.day, now)
    if _digest(found.go) != decision.digest:
        kept = {**found.kept, CHANGED: len(found.go)} if found.go else found.kept
        return _publish(warehouse, decision, _Found({}, kept, found.gone, found.gone_bytes), run, now)
    if found.go:
        _publish(warehouse, decision, found, run, now, dry=True)
        store.delete_many(sorted(found.go))
        found = _examine(store, warehouse, decision.source, decision.day, now)
    if not found.go and not found.kept:
        store.prune(f"{decision.source}/{decision.day:%Y%m%d}")  # a run that was killed leaves empty folders
    return _publish(warehouse, decision, found, run, now)


def note(warehouse: ParquetWarehouse, decision: Decision, run: str, now: datetime) -> Row | None:
    """Publish what a decision would delete; None for a folder whose name is no day."""
    if decision.day is None:
        return None
    row = _row(decision, run, now, "would_delete", decision.pictures, decision.bytes, decision.kept)
    if not decision.pictures:
        known = warehouse.read(EXPIRIES, Scope(decision.source, day=decision.day)).to_pylist()
        worth_more = {"deleted"} if decision.kept else {"deleted", "would_delete"}  # the latter by who was killed since
        if any(old["action"] in worth_more for old in known):
            return row
        row |= {"action": "kept", "pictures": sum(decision.kept.values())}
    return _put(warehouse, row)


def lifecycle(specs: Iterable[tuple[SourceSpec, int]], prefix: str = "") -> dict[str, Any]:
    """Return the same rule as the lifecycle of a Cloud Storage bucket; `specs` are sources and days to keep.

    `prefix` is what comes before the source in the names of objects. A bucket counts the days since an object came,
    which is never before the day that its name says, so it deletes on the same day or later. It knows nothing of
    tables: it deletes pictures that nobody has analysed yet, keeps no record, and so belongs in a bucket only as a
    last resort with more days than the DAG keeps.
    """
    start = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    rules = [
        {
            "action": {"type": "Delete"},
            "condition": {"age": keep_days + 1, "matchesPrefix": [f"{start}{spec.id}/"]},
        }
        for spec, keep_days in specs
    ]
    return {"lifecycle": {"rule": rules}}


def _decide(store: Store, warehouse: ParquetWarehouse, source: str, day: date, now: datetime) -> Decision:
    found = _examine(store, warehouse, source, day, now)
    prefix = f"{source}/{day:%Y%m%d}"
    return Decision(source, prefix, day, len(found.go), sum(found.go.values()), found.kept, _digest(found.go))


def _examine(store: Store, warehouse: ParquetWarehouse, source: str, day: date, now: datetime) -> _Found:
    """Judge every picture of a day."""
    kept = Counter[str]()
    there: list[tuple[str, datetime, str, int]] = []
    for entry in store.entries(f"{source}/{day:%Y%m%d}"):
        named = _named(entry.key)
        if named is None:
            kept[UNKNOWN] += 1
        else:
            there.append((named[1], named[0].start, entry.key, entry.bytes))
    first, last = next(Slot.of_day(day)), next(Slot.of_day(day)).shift(143)
    days = sorted({slot.day for slot in (first.previous, first, last.next)})
    with warehouse.connect([source], days, tables=_TABLES) as connection:
        connection.register("pictures", _table(there))
        values = {"source": source, "first": first.start, "last": last.start}
        verdicts = sql.ask(connection, "stills/expiry", values)
        gone = sql.ask(connection, "stills/expired", values)[0]
        near = {"before": first.previous.start, "after": last.next.start, "since": now - _SILENT}
        if sql.ask(connection, "stills/runs_near", {"source": source, **near})[0]["runs"]:
            verdicts = [{**row, "verdict": AT_WORK if row["verdict"] == "go" else row["verdict"]} for row in verdicts]
    kept.update(row["verdict"] for row in verdicts if row["verdict"] != "go")
    go = {row["key"]: row["bytes"] for row in verdicts if row["verdict"] == "go"}
    return _Found(go, dict(kept), gone["pictures"], gone["bytes"])


def _table(rows: Sequence[tuple[str, datetime, str, int]]) -> pa.Table:
    schema = pa.schema(
        [
            ("camera", pa.string()),
            ("slot", pa.timestamp("us", tz="UTC")),
            ("key", pa.string()),
            ("bytes", pa.int64()),
        ]
    )
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.Table.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )


def _named(key: str) -> tuple[Slot, str] | None:
    """Return slot and camera of a picture's key, None if it is not one that we would write."""
    parts = key.split("/")
    if len(parts) != 4 or not parts[3].endswith(".jpg"):
        return None
    try:
        return _slot(f"{parts[1]}/{parts[2]}"), camera_id(parts[3].removesuffix(".jpg"))
    except ConfigError:  # of the slot or of the camera
        return None


@lru_cache(maxsize=1024)
def _slot(text: str) -> Slot:
    # A thousand pictures lie in one folder.
    return Slot.parse(text)


def _day(name: str) -> date | None:
    """Return the day that a folder is named after: eight digits and no other form."""
    try:
        return Slot.parse(f"{name}/0000").start.date()
    except ConfigError:
        return None


def _promised(warehouse: ParquetWarehouse, source: str) -> list[date]:
    with warehouse.connect([source], tables=[EXPIRIES.name]) as connection:
        return [row["day"] for row in sql.ask(connection, "stills/promised", {"source": source})]


def _digest(go: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(go)).encode()).hexdigest()


def _publish(
    warehouse: ParquetWarehouse, decision: Decision, found: _Found, run: str, now: datetime, *, dry: bool = False
) -> Row:
    if dry:
        row = _row(decision, run, now, "would_delete", len(found.go), sum(found.go.values()), found.kept)
    elif found.gone:
        row = _row(decision, run, now, "deleted", found.gone, found.gone_bytes, found.kept)
    else:
        row = _row(decision, run, now, "kept", sum(found.kept.values()), 0, found.kept)
    return _put(warehouse, row)


def _put(warehouse: ParquetWarehouse, row: Row) -> Row:
    warehouse.publish(EXPIRIES, Scope(row["source"], day=row["day"]), to_arrow(EXPIRIES, [row]))
    return row


def _row(
    decision: Decision, run: str, now: datetime, action: str, pictures: int, size: int, kept: Mapping[str, int]
) -> Row:
    """Build a row of `expiries`; its reason is the one of most pictures that stay."""
    return {
        "source": decision.source,
        "day": decision.day,
        "prefix": decision.prefix,
        "action": action,
        "reason": max(sorted(kept), key=lambda reason: kept[reason]) if kept else None,
        "pictures": pictures,
        "bytes": size,
        "kept": sum(kept.values()),
        "run": run,
        "decided_at": now,
    }
