"""What a label service says is read with suspicion: its form, its numbers, its names and its times."""

import contextlib
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.videos.event_pictures import START

from wayside.videos.labellers.answers import MAX_ANSWER_BYTES, image_time, label_name, read_answer
from wayside.videos.labellers.base import AnswerError

PICTURES = (START, START + timedelta(seconds=1))
FIRST = image_time(START)


def body(labels: Any, status: str = "success") -> bytes:
    return json.dumps({"status": status, "labels": labels}).encode()


def one(said: Any, name: str = "car", image: str = FIRST) -> bytes:
    return body({image: {name: said}})


@pytest.mark.parametrize(
    "image",
    [
        "2026-05-02T09:40:00.123456Z",
        "2026-05-02T09:40:00.123456+00:00",
        "2026-05-02T11:40:00.123456+02:00",
        "2026-05-02 09:40:00.123456",
        "2026-05-02T09:40:00.123Z",
        "2026-05-02T09:40:00.123-0000",
    ],
)
def test_a_picture_is_found_however_its_time_is_written(image: str) -> None:
    (label,) = read_answer(one({"probability": 0.5}, image=image), PICTURES).labels
    assert label.at == START


def test_pictures_within_one_millisecond_are_told_apart_or_refused() -> None:
    close = (START, START + timedelta(microseconds=100))
    (label,) = read_answer(one({}, image=image_time(close[1])), close).labels
    assert label.at == close[1]
    with pytest.raises(AnswerError, match="not the timestamp"):
        read_answer(one({}, image="2026-05-02T09:40:00.123Z"), close)


@pytest.mark.parametrize(
    ("said", "reason", "told"),
    [
        (b"", "not_json", "not JSON"),
        (b"\xff\xfe", "not_json", "not JSON"),
        (b'{"status": "success"', "not_json", "not JSON"),
        (b"[" * 100_000, "not_json", ""),
        (b"[]", "not_the_form", "the answer"),
        (b"{}", "not_the_form", "status"),
        (b'{"status": "fine", "labels": {}}', "not_the_form", "status"),
        (b'{"status": "success", "labels": {}, "extra": 1}', "not_the_form", "extra"),
        (body(["cat", "dog"]), "not_the_form", "labels"),
        (body({FIRST: ["cat"]}), "not_the_form", "labels"),
        (one({"probability": "0.5"}), "not_the_form", "probability"),
        (one({"probability": 1.5}), "not_the_form", "probability"),
        (one({"probability": True}), "not_the_form", "probability"),
        (b'{"status":"success","labels":{"x":{"car":{"probability":NaN}}}}', "not_the_form", "probability"),
        (b'{"status":"success","labels":{"x":{"car":{"probability":1e999}}}}', "not_the_form", "probability"),
        (one({"polygon": [[0, 0], [1, 1]]}), "not_the_form", "no area"),
        (one({"polygon": [[0, 0], [1, 1], [0.5, 0, 0]]}), "not_the_form", "polygon"),
        (one({"polygon": [[0.5, 0], [0.5, 1], [0.5, 0.5]]}), "not_the_form", "no area"),
        (one({"polygon": [[0, 0], [640, 0], [640, 480]]}), "not_the_form", "fraction"),
        (one({"polygon": [[0, 0]] * 501}), "not_the_form", "polygon"),
        (one({}, name=""), "not_the_form", "letters"),
        (one({}, name="x" * 101), "not_the_form", "letters"),
        (one({}, name="a\nb"), "not_the_form", "control"),
        (one({}, name="a\u202eb"), "not_the_form", "control"),
        (body({FIRST: {f"label {number}": {} for number in range(201)}}), "not_the_form", "200"),
        (one({}, image="2026-05-02T09:40:07Z"), "unknown_image", "not the timestamp"),
        (one({}, image="\x00" * 5000), "unknown_image", "not the timestamp"),
        (b" " * (MAX_ANSWER_BYTES + 1), "not_the_form", "bytes"),
    ],
)
def test_what_is_refused_and_what_is_told(said: bytes, reason: str, told: str) -> None:
    with pytest.raises(AnswerError) as caught:
        read_answer(said, PICTURES)
    assert caught.value.reason == reason
    assert told in str(caught.value)
    assert len(str(caught.value)) < 700
    assert str(caught.value).isprintable()


def test_an_error_is_an_answer_and_its_text_is_bounded() -> None:
    said = read_answer(
        json.dumps({"status": "error", "message": "out of\x1b[31m memory" + "!" * 9999}).encode(), PICTURES
    )
    assert said.labels == ()
    assert said.error is not None
    assert said.error.startswith("out of?[31m memory!")
    assert len(said.error) <= 301
    assert read_answer(b'{"status": "error"}', PICTURES).error == "it does not say why"


def test_a_name_is_kept_in_one_form() -> None:
    assert label_name("  cafe\u0301 ") == "caf\u00e9"


fractions = st.floats(0, 1)
triangles = st.tuples(fractions, fractions, st.floats(0.01, 0.5), st.floats(0.01, 0.5)).map(
    lambda at: [
        [min(at[0], 0.5), min(at[1], 0.5)],
        [min(at[0], 0.5) + at[2], min(at[1], 0.5)],
        [min(at[0], 0.5), min(at[1], 0.5) + at[3]],
    ]
)
found = st.dictionaries(
    st.text(st.characters(whitelist_categories=("L", "N")), min_size=1, max_size=10),
    st.fixed_dictionaries({}, optional={"probability": fractions, "polygon": triangles}),
    max_size=4,
)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from([image_time(at) for at in PICTURES]), found, max_size=2))
def test_what_is_read_is_what_was_said(labels: dict[str, dict[str, Any]]) -> None:
    said = read_answer(body(labels), PICTURES)
    again = read_answer(
        json.dumps({"labels": dict(reversed(labels.items())), "status": "success"}, indent=2).encode(), PICTURES
    )
    assert said == again, "whatever the order and the blanks"
    wanted = {(image, label_name(name)): one for image, names in labels.items() for name, one in names.items()}
    assert {(image_time(label.at), label.name) for label in said.labels} == set(wanted)
    for label in said.labels:
        one = wanted[image_time(label.at), label.name]
        assert label.probability == one.get("probability")
        if polygon := one.get("polygon"):
            assert label.polygon is not None
            assert label.box is not None
            assert [[x, pytest.approx(1 - y)] for x, y in label.polygon] == polygon
            assert label.box[0] < label.box[2]
            assert label.box[1] < label.box[3]
    assert list(said.labels) == sorted(said.labels, key=lambda label: label.at)


@settings(max_examples=50)
@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).map(lambda value: json.dumps(value).encode())
)
def test_nothing_that_is_said_surprises(said: bytes) -> None:
    with contextlib.suppress(AnswerError):
        read_answer(said, PICTURES)


@given(st.datetimes(datetime.fromisoformat("1970-01-01"), datetime.fromisoformat("2100-01-01")), st.integers(-14, 14))
@settings(max_examples=20)
def test_the_name_of_an_image_is_its_time(at: datetime, hours: int) -> None:
    there = at.replace(tzinfo=timezone(timedelta(hours=hours)))
    assert datetime.fromisoformat(image_time(there)) == there.astimezone(UTC)
