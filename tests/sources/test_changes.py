"""What changed between two lists of cameras, and which list is not believed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wayside.core.errors import SourceError, TransientError
from wayside.sources.changes import compare, doubt, metres
from wayside.sources.reasons import Reason
from wayside.sources.source import Camera


def camera(camera_id: str, **more: Any) -> Camera:
    return Camera(**{"source": "City", "id": camera_id, "name": f"Place {camera_id}", "lat": 51.5, "lon": -0.1, **more})


def told(*args: Any, **named: Any) -> list[tuple[str, str, str | None, bool]]:
    return [tuple(row[key] for key in ("camera", "change", "detail", "analysed")) for row in compare(*args, **named)]


def test_each_change_is_told():
    before = [camera("a"), camera("b"), camera("c"), camera("d")]
    after = [camera("a"), camera("b", name="New"), camera("c", lat=51.501), camera("e"), camera("f")]
    assert told(before, after, {"d", "c"}, former={"f"}) == [
        ("b", "renamed", "Place b is now New", False),
        ("c", "moved", "111 m, from 51.50000, -0.10000 to 51.50100, -0.10000", True),
        ("d", "vanished", "Place d", True),
        ("e", "appeared", "Place e", False),
        ("f", "returned", "Place f", False),
    ]


def test_a_camera_may_have_moved_and_be_renamed():
    changes = compare([camera("a")], [camera("a", name="b", lon=0.0)], set())
    assert [row["change"] for row in changes] == ["moved", "renamed"]


@pytest.mark.parametrize(("lat", "moved"), [(51.5004, False), (51.50046, True), (None, False)])
def test_a_few_metres_are_no_move(lat: float | None, moved: bool):
    assert bool(compare([camera("a")], [camera("a", lat=lat)], set())) == moved


def test_a_camera_that_is_only_asked_for_is_not_there():
    unlisted = camera("a", reason=Reason.NOT_LISTED)
    assert [row["change"] for row in compare([camera("a")], [unlisted], {"a"})] == ["vanished"]
    assert compare([unlisted], [unlisted], {"a"}) == []
    off = camera("a", reason=Reason.UNAVAILABLE)
    assert compare([camera("a")], [off], {"a"}) == []


NAMES = st.sets(st.sampled_from("abcdef"))


@given(NAMES, NAMES, NAMES)
def test_every_camera_of_one_list_alone_is_told_once(before: set[str], after: set[str], former: set[str]):
    rows = compare([camera(name) for name in before], [camera(name) for name in after], before, former)
    found = {(row["camera"], row["change"]) for row in rows}
    assert len(found) == len(rows)
    assert found == {
        *((name, "vanished") for name in before - after),
        *((name, "returned" if name in former else "appeared") for name in after - before),
    }


@pytest.mark.parametrize(
    ("before", "after", "believed"),
    [(20, 10, True), (20, 9, False), (900, 449, False), (19, 1, True), (0, 5, True), (40, 900, True)],
)
def test_a_list_of_less_than_half_is_not_believed(before: int, after: int, believed: bool):
    lists = [[camera(f"c{number}") for number in range(size)] for size in (before, after)]
    if believed:
        doubt("City", *lists)
        return
    with pytest.raises(SourceError, match=f"City suddenly lists {after} of its {before} cameras") as caught:
        doubt("City", *lists)
    assert isinstance(caught.value, TransientError)


def test_other_cameras_do_not_stand_for_those_that_are_missed():
    with pytest.raises(SourceError, match="lists 0 of its 30"):
        doubt("City", [camera(f"a{number}") for number in range(30)], [camera(f"b{number}") for number in range(30)])


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((0, 0), (0, 180), 20_015_115),
        ((51.5, -0.1), (51.5, -0.1), 0),
        ((54.9783, -1.6178), (51.5074, -0.1278), 398_300),  # Newcastle to London
        ((89.9, 0), (89.9, 180), 22_239),
    ],
)
def test_distances(first: tuple[float, float], second: tuple[float, float], expected: float):
    places = [camera("a", lat=lat, lon=lon) for lat, lon in (first, second)]
    assert metres(*places) == pytest.approx(expected, rel=0.002)
