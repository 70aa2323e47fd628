"""The receipt of a picture: made when it is anonymised, completed when its original is gone or a person has looked."""

from datetime import datetime
from typing import Any

from wayside import __version__
from wayside.photos.access import sha256_of
from wayside.photos.job import Job
from wayside.privacy.anonymise import Anonymised
from wayside.privacy.find import Finder
from wayside.privacy.receipts import FileFacts, LeakScan, Original, Receipt, ReceiptObject, UsedModel

Fields = dict[str, Any]

_DERIVED = {"irreversible"}


def receipt_of(
    job: Job, photo: str, data: bytes, done: Anonymised, finder: Finder, *, archive_uri: str | None, now: datetime
) -> Fields:
    """Return the receipt of a picture that was anonymised just now, as fields that `completed` reads back."""
    masking = job.profile.masking
    facts = {"width": done.width, "height": done.height}
    original = Original(fate="archived", uri=archive_uri) if archive_uri else Original(fate="kept")
    receipt = Receipt(
        source=job.source,
        photo=photo,
        input=FileFacts(sha256=sha256_of(data), size=len(data), **facts),
        output=FileFacts(sha256=sha256_of(done.data), size=len(done.data), **facts),
        models=tuple(
            UsedModel(name=one.name, sha256=one.sha256, licence=one.licence, thresholds=dict(one.thresholds))
            for one in finder.models
        ),
        missing=finder.missing,
        finding=masking.find,
        fill=masking.fill,
        writing=masking.output,
        objects=tuple(
            ReceiptObject(
                label=one.found.label,
                box=one.found.box,
                area=one.area if job.profile.draw else 0,
                score=one.found.score,
                action="filled" if job.profile.draw else "left",
                model=one.found.model,
            )
            for one in done.masked
        ),
        hidden_share=done.hidden_share,
        mode="lossless" if done.mode == "lossless" else "reencode",
        mode_reason=done.mode_reason,
        leaks=LeakScan(),
        tool=f"wayside {__version__}",
        profile=job.profile.name,
        profile_sha256=job.profile.sha256,
        run=job.run,
        operator=job.who,
        time=now,
        original=original,
    )
    return _fields(receipt)


def deleted(fields: Fields, *, at: datetime, verified: bool) -> Fields:
    """Return a receipt that says when the original was deleted, and its hash and size right before.

    Where it was not `verified`, because it lay there no more, the receipt says that it is gone, and proves nothing.
    """
    receipt = completed(fields)
    uri = receipt.original.uri
    fate = Original(
        fate="deleted" if verified else "gone",
        uri=uri,
        archived=uri is not None,
        deleted_at=at,
        verified_sha256=receipt.input.sha256 if verified else None,
        verified_size=receipt.input.size if verified else None,
    )
    return _fields(receipt.model_copy(update={"original": fate}))


def reviewed(fields: Fields, reviewer: str) -> Fields:
    """Return a receipt that says who looked at the picture before it was published."""
    return _fields(completed(fields).model_copy(update={"reviewer": reviewer}))


def completed(fields: Fields) -> Receipt:
    """Return the receipt that fields of a note hold."""
    return Receipt.model_validate(fields)


def _fields(receipt: Receipt) -> Fields:
    return receipt.model_dump(mode="json", exclude=_DERIVED)
