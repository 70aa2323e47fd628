"""Receipts of a source: made of what a run knows, published into the source's chain, and read back.

The chain of a source goes from day to day, and one publisher at a time adds to it. A day is one file that is replaced
in one step, so whoever is killed has added all of his receipts or none, and adds them again without harm.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from wayside import __version__
from wayside.core.errors import AuditError, StoreError
from wayside.core.tables import RECEIPTS
from wayside.privacy.receipts import (
    START,
    FileFacts,
    Key,
    LeakScan,
    Original,
    Receipt,
    ReceiptObject,
    Row,
    UsedModel,
    append,
    key_of,
)
from wayside.warehouse.layout import locked
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope

if TYPE_CHECKING:
    from wayside.photos.job import Job
    from wayside.privacy.anonymise import Anonymised
    from wayside.privacy.find import Finder
    from wayside.store.places import Entry


def receipt_of(job: "Job", entry: "Entry", data: bytes, done: "Anonymised", finder: "Finder", now: datetime) -> Receipt:
    """Return the receipt of a picture that was anonymised, and whose original is where it was, or archived as well.

    Args:
        job: the run.
        entry: the picture's file.
        data: its bytes.
        done: what was made of it.
        finder: what found the objects.
        now: when.
    """
    profile = job.profile
    return Receipt(
        source=job.source,
        photo=entry.key,
        input=_facts(data),
        output=_facts(done.data),
        width=done.width,
        height=done.height,
        models=tuple(
            UsedModel(name=one.name, sha256=one.sha256, licence=one.licence, thresholds=dict(one.thresholds))
            for one in finder.models
        ),
        missing=finder.missing,
        finding=profile.masking.find,
        fill=profile.masking.fill,
        irreversible=profile.masking.fill.irreversible and (profile.draw or not done.masked),
        writing=profile.masking.output,
        objects=tuple(
            ReceiptObject(
                label=one.found.label,
                box=one.found.box,
                area=one.area if profile.draw else 0,
                score=one.found.score,
                action="filled" if profile.draw else "left",
                model=one.found.model,
            )
            for one in done.masked
        ),
        hidden_share=done.hidden_share,
        mode="lossless" if done.mode == "lossless" else "reencode",
        mode_reason=done.mode_reason,
        leaks=LeakScan(),  # what leaks is never handed out, so there is no receipt for it
        tool=f"Wayside {__version__}",
        profile=profile.name,
        profile_sha256=profile.sha256,
        run=job.run,
        operator=job.who,
        time=now,
        original=Original(fate="archived", uri=f"{job.archive.rstrip('/')}/{entry.key}")
        if job.archive
        else Original(fate="kept"),
    )


def deleted(receipt: Mapping[str, Any], at: datetime, original: bytes | None, files_verified: int) -> dict[str, Any]:
    """Return a receipt, as JSON has it, that says that the original was deleted.

    Args:
        receipt: the receipt so far.
        at: when.
        original: the bytes that lay there right before; None: none did, and so nothing is proven.
        files_verified: files made of it that were read again right before, and had their hashes.

    Raises:
        AuditError: what was deleted is not what was anonymised.
    """
    before = Original.model_validate(receipt["original"])
    told = before.model_dump() | {"fate": "gone", "at": at}
    if original is not None:
        told |= {"fate": "deleted", "verified": _facts(original), "files_verified": files_verified}
    changed = _receipt({**receipt, "original": Original.model_validate(told)})
    return changed.model_dump(mode="json")


def publish_receipts(
    lake: ParquetWarehouse, source: str, receipts: Iterable[Receipt | Mapping[str, Any]], now: datetime
) -> int:
    """Add receipts to the end of a source's chain, under the source's lock; not to be called by who holds it.

    They join today's part of the chain; where the clock was put back, that of the latest day that there is.

    Args:
        lake: where tables are published.
        source: the source of all of them.
        receipts: what joins, as objects or as JSON has them; those that are in the chain already are left out.
        now: the time.

    Returns:
        How many were added.

    Raises:
        AuditError: one is no receipt, or of another source; none is added.
        StoreError: the chain cannot be read or written.
    """
    joining = [_receipt(one) for one in receipts]
    if others := sorted({one.source for one in joining} - {source}):
        raise AuditError(f"receipts of {', '.join(others)} do not belong into the chain of {source}")
    if not joining:
        return 0
    with locked(lake.root / "locks" / source):
        return _append(lake, source, joining, now)


def chain(lake: ParquetWarehouse, source: str) -> Iterator[Row]:
    """Yield the rows of a source's chain as they are stored, by day; raise `StoreError` where a day is no table."""
    for scope in lake.scopes(RECEIPTS, [source]):
        yield from _rows(lake, scope)


def chained_sources(lake: ParquetWarehouse) -> list[str]:
    """Return the sources that have receipts."""
    return sorted({scope.source for scope in lake.scopes(RECEIPTS)})


def find_receipts(lake: ParquetWarehouse, source: str, photo_or_sha256: str) -> list[Row]:
    """Return the rows of a picture, by its path or by the hash of its anonymised file, oldest first."""
    wanted = [[("photo", "==", photo_or_sha256)], [("output_sha256", "==", photo_or_sha256)]]
    return [
        row
        for scope in lake.scopes(RECEIPTS, [source])
        for row in _read(lake, scope, RECEIPTS.schema.names, wanted).to_pylist()
    ]


def _append(lake: ParquetWarehouse, source: str, joining: list[Receipt], now: datetime) -> int:
    days = [scope.day for scope in lake.scopes(RECEIPTS, [source]) if scope.day is not None]
    day = max([now.astimezone(UTC).date(), *days])
    before = [one for one in days if one < day]
    scope = Scope(source, day=day)
    existing = _rows(lake, scope) if day in days else []
    rows = append(
        existing,
        joining,
        day=day,
        written_at=now,
        head=_head(lake, source, before),
        earlier=list(_same(lake, source, before, joining)),
    )
    if len(rows) > len(existing):
        lake.publish(RECEIPTS, scope, to_arrow(RECEIPTS, rows))
    return len(rows) - len(existing)


def _head(lake: ParquetWarehouse, source: str, days: list[date]) -> str:
    for day in sorted(days, reverse=True):
        links = _read(lake, Scope(source, day=day), ["link_sha256"])["link_sha256"]
        if len(links):
            return str(links[-1].as_py())
    return START


def _same(lake: ParquetWarehouse, source: str, days: list[date], joining: list[Receipt]) -> Iterator[Row]:
    """Yield the rows of earlier days that may be of one of the receipts; few days have rows of the same run."""
    keys: set[Key] = {(one.photo, one.output.sha256, one.run) for one in joining}
    wanted = [("run", "in", sorted({one.run for one in joining}))]
    for day in days:
        scope = Scope(source, day=day)
        names = _read(lake, scope, ["photo", "output_sha256", "run"], wanted).to_pylist()
        if any(key_of(row) in keys for row in names):
            yield from (row for row in _rows(lake, scope) if key_of(row) in keys)


def _rows(lake: ParquetWarehouse, scope: Scope) -> list[Row]:
    rows: list[Row] = _read(lake, scope, RECEIPTS.schema.names).to_pylist()
    return rows


def _read(lake: ParquetWarehouse, scope: Scope, columns: list[str], filters: Any = None) -> pa.Table:
    path = lake.layout.path(RECEIPTS, scope)
    try:
        return pq.read_table(path, columns=columns, filters=filters, partitioning=None)
    except (pa.ArrowException, KeyError, OSError) as error:
        raise StoreError(f"{path} is not a table of receipts: {str(error).splitlines()[0]}") from error


def _receipt(one: Receipt | Mapping[str, Any]) -> Receipt:
    try:
        return one if isinstance(one, Receipt) else Receipt.model_validate(one)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        photo = one.get("photo") if isinstance(one, Mapping) else None
        raise AuditError(f"the receipt of {photo} is not valid: {faults}") from error


def _facts(data: bytes) -> FileFacts:
    return FileFacts(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
