"""A receipt says of one anonymised picture what was done, with what and by whom; they are chained so that changes show.

A receipt is text: JSON in the one form that equal receipts have, so that its hash means something. The chain is made
of rows of the table `receipts`: each row's link is a hash over the link before it and its receipt's hash, from day to
day on. Whoever changes, takes out, puts in or moves a receipt breaks the chain there. Who can write all of it can
make it anew from there to its end; and who cuts off its end leaves no trace in it. Against both helps only its head,
noted elsewhere from time to time.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, PlainSerializer, computed_field, model_validator

from wayside.privacy.settings import Fill, Finding, Output, Part

Row = dict[str, Any]
Key = tuple[str, str, str]
"""Which receipt: photo, hash of the output, run."""

Kind = Literal["text", "columns", "link", "order", "chain"]
START: Final = "0" * 64
"""What lies before the first receipt of a source."""
FORMAT: Final = "wayside-receipt-1"
_DIGITS: Final = 6

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(max_length=4096)]
Number = Annotated[float, Field(allow_inf_nan=False), AfterValidator(lambda value: round(value, _DIGITS) + 0.0)]
Moment = Annotated[AwareDatetime, PlainSerializer(lambda moment: _zulu(moment), return_type=str)]


class FileFacts(Part):
    """One file, as it was read or written: the hash and number of its bytes, the upright picture's size in pixels."""

    sha256: Sha256
    size: Annotated[int, Field(ge=0)]
    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]


class UsedModel(Part):
    """A model that looked at the picture: its card, the hash and licence of its weights, least score by class."""

    name: Text
    sha256: Sha256
    licence: Text
    thresholds: dict[str, Number]


class ReceiptObject(Part):
    """An object that was found.

    Attributes:
        label: class.
        box: left, top, right, bottom in pixels of the upright picture; right and bottom are exclusive.
        area: pixels that are hidden for its sake; 0 if it was left visible.
        score: 0..1.
        action: `filled`, or `left` visible on purpose.
        model: card that found it.
    """

    label: Text
    box: tuple[int, int, int, int]
    area: Annotated[int, Field(ge=0)]
    score: Annotated[Number, Field(ge=0, le=1)]
    action: Literal["filled", "left"] = "filled"
    model: Text


class LeakScan(Part):
    """Whether the output was searched for what should not be there, and what was found, in words."""

    done: bool = True
    found: tuple[Text, ...] = ()


class Original(Part):
    """What became of the picture as it came.

    Attributes:
        fate: `kept` where it was; `archived`: copied to `uri`, and kept where it was; `deleted` by Wayside; `gone`: it
            was to be deleted and lay there no more, since a run was stopped just then, or somebody took it away.
        uri: where it was archived.
        archived: it was copied to `uri`.
        deleted_at: when it was deleted, or found gone.
        verified_sha256: of `deleted`: hash of what lay there right before, read again.
        verified_size: of `deleted`: its size.
        retention: for how long it may be kept, in the words of whoever runs this.
    """

    fate: Literal["kept", "archived", "deleted", "gone"]
    uri: Text | None = None
    archived: bool = False
    deleted_at: Moment | None = None
    verified_sha256: Sha256 | None = None
    verified_size: Annotated[int, Field(ge=0)] | None = None
    retention: Text | None = None

    @model_validator(mode="after")
    def _proven(self) -> Self:
        if (self.deleted_at is not None) != (self.fate in {"deleted", "gone"}):
            raise ValueError("`deleted_at` belongs to an original that is deleted or gone, and to no other")
        if {self.verified_sha256 is not None, self.verified_size is not None} != {self.fate == "deleted"}:
            raise ValueError("`verified_sha256` and `verified_size` prove an original `deleted`, and no other fate")
        if (self.fate == "archived" or self.archived) and self.uri is None:
            raise ValueError("an original that was archived needs its `uri`")
        return self


class Receipt(Part):
    """What was done to one picture. Floats are kept to six decimals, times in UTC.

    Attributes:
        source: source of the picture.
        photo: its path below the source.
        input: the file as it came.
        output: the anonymised file.
        models: what looked for objects.
        missing: models that should have and were not there.
        finding: what was looked for.
        fill: what a hidden pixel became.
        writing: how the output was written, with the policy on metadata.
        objects: what was found.
        hidden_share: share of the picture that is hidden, 0..1.
        mode: how the output was written in fact.
        mode_reason: why it was re-encoded where `lossless` was asked for.
        leaks: the search of the output.
        tool: name and version of the program.
        profile: name of the configuration profile.
        profile_sha256: hash of its content.
        run: name of the run.
        operator: who, or which schedule, started the run.
        reviewer: who looked at the result before it was published; None: nobody.
        time: when the picture was anonymised.
        original: what became of the original.
    """

    format: Literal["wayside-receipt-1"] = FORMAT
    source: Text
    photo: Text
    input: FileFacts
    output: FileFacts
    models: tuple[UsedModel, ...]
    missing: tuple[Text, ...] = ()
    finding: Finding
    fill: Fill
    writing: Output
    objects: tuple[ReceiptObject, ...]
    hidden_share: Annotated[Number, Field(ge=0, le=1)]
    mode: Literal["lossless", "reencode"]
    mode_reason: Text | None = None
    leaks: LeakScan
    tool: Text
    profile: Text
    profile_sha256: Sha256
    run: Text
    operator: Text
    reviewer: Text | None = None
    time: Moment
    original: Original

    @computed_field  # type: ignore[prop-decorator]
    @property
    def irreversible(self) -> bool:
        """Whether every object was hidden by a fill that holds nothing of what it hides, which only `constant` does.

        A blur is cosmetic, and the noise of a mosaic leaves more or less of a guess; see docs/ROAD-PHOTOS.md.
        """
        return self.fill.style == "constant" and all(one.action == "filled" for one in self.objects)

    @model_validator(mode="after")
    def _the_file_that_came(self) -> Self:
        seen = (self.original.verified_sha256, self.original.verified_size)
        if self.original.fate == "deleted" and seen != (self.input.sha256, self.input.size):
            raise ValueError("the original that was deleted is not the file that came: hash or size differ")
        return self


def receipt_text(receipt: Receipt) -> str:
    """Return a receipt as canonical JSON: keys sorted, no spaces, ASCII alone, so that no store alters a byte."""
    return json.dumps(
        receipt.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def text_sha256(text: str) -> str:
    """Return the SHA-256 of a receipt's text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def link(previous: str, receipt_sha256: str) -> str:
    """Return the link of a row: the SHA-256 of the two hashes in hex, joined."""
    return hashlib.sha256(f"{previous}{receipt_sha256}".encode()).hexdigest()


# The chain


def key_of(row: Mapping[str, Any]) -> Key:
    """Return what names a row's receipt."""
    return str(row["photo"]), str(row["output_sha256"]), str(row["run"])


def append(
    existing: Sequence[Row],
    receipts: Iterable[Receipt],
    *,
    day: date,
    written_at: datetime,
    head: str = START,
    earlier: Iterable[Row] = (),
) -> list[Row]:
    """Return the rows of a day with receipts joined to the end of its chain, each once.

    A receipt is the same as another of the same `key_of` that tells the same fate of the original: a picture whose
    original is deleted later gets a second receipt, which proves that.

    Args:
        existing: the day's rows so far, in order.
        receipts: what joins; those that are in the chain already are left out.
        day: UTC day of the chain, no earlier than any day that has rows.
        written_at: when they join.
        head: link of the last row of the latest earlier day.
        earlier: rows of earlier days with the `key_of` of one of `receipts`.

    Returns:
        Rows of the table `receipts`, the existing ones unchanged.
    """
    rows = list(existing)
    previous = str(rows[-1]["link_sha256"]) if rows else head
    known: defaultdict[Key, list[str]] = defaultdict(list)
    for row in (*earlier, *rows):
        known[key_of(row)].append(str(row["receipt"]))
    for receipt in receipts:
        row = _row(receipt, day, len(rows), previous, written_at)
        same = known[key_of(row)]
        if receipt.original.fate in map(_fate, same):
            continue
        same.append(row["receipt"])
        rows.append(row)
        previous = row["link_sha256"]
    return rows


def _row(receipt: Receipt, day: date, ordinal: int, previous: str, written_at: datetime) -> Row:
    text = receipt_text(receipt)
    sha256 = text_sha256(text)
    return {
        "source": receipt.source,
        "day": day,
        "ordinal": ordinal,
        "photo": receipt.photo,
        "output_sha256": receipt.output.sha256,
        "receipt": text,
        "receipt_sha256": sha256,
        "previous_sha256": previous,
        "link_sha256": link(previous, sha256),
        "run": receipt.run,
        "written_at": written_at,
    }


@dataclass(frozen=True, slots=True)
class Break:
    """A place where the chain does not hold.

    Attributes:
        day: the chain's day.
        ordinal: the row's position in the day.
        photo: the row's picture.
        kind: `text`: the receipt is not the one that was hashed; `columns`: the row says something else than its
            receipt; `link`: the row's own link is wrong; `order`: positions leave a gap or repeat; `chain`: what came
            before the row is not what comes before it now.
        detail: the same for people.
    """

    day: date
    ordinal: int
    photo: str
    kind: Kind
    detail: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"receipt {self.ordinal} of {self.day}, {self.photo}: {self.detail}"


def verify_chain(rows: Iterable[Mapping[str, Any]]) -> list[Break]:
    """Find the places where the chain of one source does not hold; an empty list says that it does.

    Args:
        rows: all rows of the source, by day and position. They are gone through once, so a generator does.
    """
    breaks: list[Break] = []
    previous, day, ordinal = START, None, 0
    for row in rows:
        ordinal = ordinal + 1 if row["day"] == day else 0
        day = row["day"]
        for kind, detail in _faults(row, previous, ordinal):
            breaks.append(Break(row["day"], row["ordinal"], str(row["photo"]), kind, detail))
        previous, ordinal = str(row["link_sha256"]), int(row["ordinal"])
    return breaks


def _faults(row: Mapping[str, Any], previous: str, ordinal: int) -> Iterator[tuple[Kind, str]]:
    if text_sha256(str(row["receipt"])) != row["receipt_sha256"]:
        yield "text", "its text was changed"
    elif odd := _differing(row):
        yield "columns", f"{', '.join(odd)} of the row was changed"
    if link(str(row["previous_sha256"]), str(row["receipt_sha256"])) != row["link_sha256"]:
        yield "link", "its link does not belong to its hashes"
    if row["ordinal"] != ordinal:
        yield "order", f"its position should be {ordinal}: receipts before it were removed, doubled or moved"
    if row["previous_sha256"] != previous:
        yield "chain", "the receipt before it is another than when it was written: one was removed, inserted or moved"


def _differing(row: Mapping[str, Any]) -> list[str]:
    """Name the columns that say something else than the receipt."""
    said = _parsed(str(row["receipt"]))
    output = said.get("output")
    told = {name: said.get(name) for name in ("source", "photo", "run")}
    told["output_sha256"] = output.get("sha256") if isinstance(output, dict) else None
    return [name for name, value in told.items() if row[name] != value]


def _fate(text: str) -> str:
    original = _parsed(text).get("original")
    return str(original.get("fate")) if isinstance(original, dict) else ""


def _parsed(text: str) -> dict[str, Any]:
    """Read a receipt of any version, or whatever somebody has put in its place."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _zulu(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
