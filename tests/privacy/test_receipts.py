"""Receipts: their one text, what they refuse to say, and a chain in which every change shows."""

import hashlib
import json
import random
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.privacy.receipted import NOON, facts, gone, receipt

from wayside.core.tables import RECEIPTS
from wayside.privacy.receipts import (
    START,
    Original,
    Receipt,
    ReceiptObject,
    UsedModel,
    append,
    link,
    receipt_text,
    text_sha256,
    verify_chain,
)
from wayside.privacy.settings import Fill, Finding

TODAY = date(2026, 6, 16)
Row = dict[str, Any]


# The text


def test_equal_receipts_have_one_text_whatever_order_zone_and_digits_they_were_given_in():
    model = UsedModel(name="StubV1", sha256="a" * 64, licence="MIT", thresholds={"bus": 0.5, "car": 0.1 + 0.2})
    same = UsedModel(name="StubV1", sha256="a" * 64, licence="MIT", thresholds={"car": 0.3, "bus": 0.5})
    oslo = datetime(2026, 6, 16, 14, tzinfo=timezone(timedelta(hours=2)))
    one = receipt_text(receipt(models=(model,), finding=Finding(scores={"car": 0.1, "bus": 0.2})))
    two = receipt_text(receipt(models=(same,), finding=Finding(scores={"bus": 0.2, "car": 0.1}), time=oslo))
    assert one == two


def test_the_text_is_plain_json_that_says_all_of_it():
    text = receipt_text(receipt(photo="åæø/bilde 1.jpg", hidden_share=-0.0))
    said = json.loads(text)
    assert text.isascii()
    assert text == json.dumps(said, sort_keys=True, separators=(",", ":"))
    assert said["photo"] == "åæø/bilde 1.jpg"
    assert said["time"] == "2026-06-16T12:00:00.000000Z"
    assert said["objects"] == [
        {"action": "filled", "area": 600, "box": [1, 2, 31, 22], "label": "car", "model": "StubV1", "score": 0.876543}
    ]
    assert said["fill"] == Fill().model_dump(mode="json")
    assert said["writing"]["exif"]["position"] == "drop"
    assert '"hidden_share":0.0,' in text
    assert said["leaks"] == {"done": True, "found": []}


def test_the_fields_of_a_receipt_do_not_change_unnoticed():
    """Receipts are kept for years; whoever changes what they say has to give them a new `format`."""
    said = json.loads(receipt_text(receipt()))
    assert said["format"] == "wayside-receipt-1"
    assert sorted(said) == [
        "fill", "finding", "format", "hidden_share", "input", "irreversible", "leaks", "missing", "mode", "mode_reason",
        "models", "objects", "operator", "original", "output", "photo", "profile", "profile_sha256", "reviewer", "run",
        "source", "time", "tool", "writing",
    ]  # fmt: skip


def test_a_receipt_is_read_back_from_its_own_json():
    said = json.loads(receipt_text(gone(3)))
    del said["irreversible"]  # follows from the rest
    assert receipt_text(Receipt.model_validate(said)) == receipt_text(gone(3))


def test_whether_it_can_be_undone_follows_from_fill_and_objects():
    left = ReceiptObject(label="car", box=(0, 0, 1, 1), area=0, score=1, model="StubV1", action="left")
    assert receipt().irreversible
    assert not receipt(fill=Fill(style="blur")).irreversible
    assert not receipt(fill=Fill(style="mosaic")).irreversible
    assert not receipt(objects=(left,)).irreversible


KEPT = {"fate": "kept"}
PROOF = {"fate": "deleted", "deleted_at": NOON, "verified_sha256": "c" * 64, "verified_size": 1}


@pytest.mark.parametrize(
    "fields",
    [
        *({name: value for name, value in PROOF.items() if name != missing} for missing in PROOF if missing != "fate"),
        {"fate": "archived"},
        KEPT | {"archived": True},
        KEPT | {"deleted_at": NOON},
        KEPT | {"verified_size": 1},
        PROOF | {"fate": "gone"},
    ],
)
def test_a_fate_without_its_proof_is_refused(fields: Row):
    with pytest.raises(ValidationError):
        Original(**fields)


def test_a_deletion_has_to_be_of_the_file_that_came():
    assert gone(1).original.verified_sha256 == facts("original 1").sha256
    with pytest.raises(ValidationError, match="hash or size differ"):
        receipt(1, original=Original(**PROOF))
    assert receipt(1, original=Original(fate="gone", deleted_at=NOON)).original.verified_sha256 is None


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_share": float("nan")},
        {"hidden_share": 1.5},
        {"time": NOON.replace(tzinfo=None)},
        {"photo": "x" * 5000},
        {"owner": "me"},
    ],
)
def test_what_makes_no_sense_is_refused(changes: Row):
    with pytest.raises(ValidationError):
        receipt(**changes)


# The chain


def chained(*days: int) -> list[Row]:
    """Rows of several days with so many receipts each."""
    rows: list[Row] = []
    for number, count in enumerate(days):
        head = rows[-1]["link_sha256"] if rows else START
        some = [receipt(len(rows) + place) for place in range(count)]
        when = NOON + timedelta(days=number)
        rows += append([], some, day=when.date(), written_at=when, head=head)
    return rows


def test_rows_are_those_of_the_table_and_linked_as_it_says():
    one, two = append([], [receipt(1), receipt(2)], day=TODAY, written_at=NOON)
    assert set(one) == set(RECEIPTS.schema.names) - {"schema_version"}
    assert (one["ordinal"], one["previous_sha256"]) == (0, START)
    assert one["receipt_sha256"] == hashlib.sha256(one["receipt"].encode()).hexdigest()
    both = START + one["receipt_sha256"]
    assert one["link_sha256"] == link(START, one["receipt_sha256"]) == hashlib.sha256(both.encode()).hexdigest()
    assert (two["ordinal"], two["previous_sha256"]) == (1, one["link_sha256"])


def test_a_receipt_joins_once():
    first = append([], [receipt(1), receipt(1)], day=TODAY, written_at=NOON)
    assert len(first) == 1
    later = receipt(1, time=NOON + timedelta(hours=1))  # the same picture, run and result, done again after a stop
    assert append(first, [later], day=TODAY, written_at=NOON) == first
    tomorrow = TODAY + timedelta(days=1)
    assert append([], [later], day=tomorrow, written_at=NOON, head=first[-1]["link_sha256"], earlier=first) == []


def test_a_new_fate_another_run_and_another_result_are_receipts_of_their_own():
    others = [receipt(1), gone(1), receipt(1, run="run-2"), receipt(1, output=facts("other")), gone(1)]
    rows = append([], others, day=TODAY, written_at=NOON)
    assert [json.loads(row["receipt"])["original"]["fate"] for row in rows] == ["kept", "deleted", "kept", "kept"]
    assert verify_chain(rows) == []


def test_an_untouched_chain_holds():
    assert verify_chain([]) == []
    assert verify_chain(iter(chained(3, 1, 4))) == []


def rehashed(rows: list[Row], place: int) -> None:
    rows[place]["receipt_sha256"] = text_sha256(rows[place]["receipt"])


def relinked(rows: list[Row], place: int) -> None:
    rows[place]["link_sha256"] = link(rows[place]["previous_sha256"], rows[place]["receipt_sha256"])


def edited(row: Row) -> None:
    row["receipt"] = row["receipt"].replace('"score":0.876543', '"score":0.976543')


def test_each_kind_of_break_is_named_at_its_place():
    rows = chained(4)
    edited(rows[1])
    (told,) = verify_chain(rows)
    assert (told.kind, told.day, told.ordinal) == ("text", TODAY, 1)
    assert str(told) == "receipt 1 of 2026-06-16, 06/2018/Fy06_Ev134_m00001.jpg: its text was changed"
    rehashed(rows, 1)
    assert [(told.kind, told.ordinal) for told in verify_chain(rows)] == [("link", 1)]
    relinked(rows, 1)
    assert [(told.kind, told.ordinal) for told in verify_chain(rows)] == [("chain", 2)]
    rows = chained(4)
    del rows[2]
    assert [(told.kind, told.ordinal) for told in verify_chain(rows)] == [("order", 3), ("chain", 3)]
    rows[2]["ordinal"] = 2
    assert [(told.kind, told.ordinal) for told in verify_chain(rows)] == [("chain", 2)]
    rows = chained(4)
    rows[1]["photo"], rows[1]["run"] = "another.jpg", "another"
    (told,) = verify_chain(rows)
    assert (told.kind, told.detail) == ("columns", "photo, run of the row was changed")


def test_a_day_that_is_gone_and_a_beginning_that_is_gone_show():
    rows = chained(2, 2, 2)
    assert [told.kind for told in verify_chain(rows[:2] + rows[4:])] == ["chain"]
    assert [told.kind for told in verify_chain(rows[2:])] == ["chain"]


def test_an_end_that_is_cut_off_shows_only_against_a_head():
    rows = chained(3)
    assert verify_chain(rows[:2]) == []
    assert rows[2]["link_sha256"] not in {row["link_sha256"] for row in rows[:2]}


def test_whatever_lies_in_a_row_is_told_and_never_raises():
    for text in ("", "[]", "{", "1", '{"output": 3}', "[" * 100_000, "\x00"):
        rows = chained(2)
        rows[0]["receipt"] = text
        rehashed(rows, 0)
        assert {told.kind for told in verify_chain(rows)} == {"columns", "link"}
    rows = chained(2)
    rows[0]["previous_sha256"] = "ø"
    assert {told.kind for told in verify_chain(rows)} == {"link", "chain"}


@given(seed=st.integers(0, 2**32), days=st.lists(st.integers(1, 4), min_size=1, max_size=4), renumber=st.booleans())
def test_no_single_change_goes_unseen(seed: int, days: list[int], renumber: bool):
    """Somebody changes, takes out, puts in or swaps receipts, and may number them anew; the end cut off is not seen."""
    chance = random.Random(seed)
    rows = chained(*days)
    place = chance.randrange(len(rows))
    kind = chance.choice(["edit", "edit and hash", "remove", "insert", "double", "swap"])
    if kind.startswith("edit"):
        edited(rows[place])
        if kind != "edit":
            rehashed(rows, place)
    elif kind == "remove":
        if place == len(rows) - 1:
            return
        del rows[place]
    elif kind == "insert":
        (new,) = append([], [receipt(99)], day=rows[place]["day"], written_at=NOON, head=rows[place]["previous_sha256"])
        rows.insert(place, new)
    elif kind == "double":
        rows.insert(place, dict(rows[place]))
    else:
        if len(rows) == 1:
            return
        place = min(place, len(rows) - 2)
        rows[place], rows[place + 1] = rows[place + 1], rows[place]
    if renumber:
        numbers: dict[date, int] = {}
        for row in rows:
            numbers[row["day"]] = row["ordinal"] = numbers.get(row["day"], -1) + 1
    assert verify_chain(rows)
