import contextlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wayside.core.errors import ConfigError
from wayside.counting.zones import Line, Zone, ZoneSet, from_hypersight

SQUARE = [[0.2, 0.2], [0.6, 0.2], [0.6, 0.6], [0.2, 0.6]]


def zones(*polygons: object, name: str = "zone") -> str:
    return json.dumps([{"name": f"{name} {at}", "polygon": polygon} for at, polygon in enumerate(polygons)])


def line(**change: object) -> str:
    return json.dumps([{"name": "gate", "from": [0.1, 0.5], "to": [0.9, 0.5], **change}])


def test_what_is_read_is_what_was_drawn() -> None:
    found = ZoneSet.parse(zones(SQUARE, name="Überweg"), line())
    assert found.zones == (Zone("Überweg 0", ((0.2, 0.2), (0.6, 0.2), (0.6, 0.6), (0.2, 0.6))),)
    assert found.lines == (Line("gate", (0.1, 0.5), (0.9, 0.5)),)
    assert ZoneSet.parse(*found.as_json()) == found
    assert ZoneSet.parse(json.loads(zones(SQUARE, name="Überweg")), json.loads(line())) == found


def test_nothing_drawn_is_no_error_and_false() -> None:
    assert not ZoneSet.parse("[]")
    assert ZoneSet.parse("[]", line())


def test_a_closing_corner_is_left_out() -> None:
    assert len(ZoneSet.parse(zones([*SQUARE, SQUARE[0]])).zones[0].polygon) == 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            zones([[0.1, 0.1], [0.9, 0.9], [0.9, 0.1], [0.1, 0.9]]),
            r"zone 'zone 0': its edges cross each other at \[0.5, 0.5\]",
        ),
        (zones(SQUARE, SQUARE[:2]), "zone 'zone 1': 2 different corners, a zone needs at least 3"),
        (zones([SQUARE[0], SQUARE[1], SQUARE[1]]), "2 different corners"),
        (zones([[0, 0], [1.01, 0], [0, 1]]), r"\[1.01, 0\] lies outside of the picture"),
        (zones([[0, 0], [1, -0.2], [0, 1]]), r"\[1, -0.2\] lies outside"),
        (zones([[0.1, 0.1], [0.5, 0.1], [0.5, 0.10001]]), "hardly any area"),
        (zones([[0.1, 0.1], [0.5, 0.5], [0.9, 0.9]]), "zone 'zone 0'"),
        (zones([[0, 0], [1, None], [0, 1]]), r"corner 2: \[x, y\] is wanted, not \[1, None\]"),
        (zones([[0, 0], [True, 0], [0, 1]]), r"corner 2"),
        (zones([[0, 0], [1, 0, 0], [0, 1]]), r"corner 2"),
        ('[{"name": "a", "polygon": [[0, 0], [NaN, 0], [0, 1]]}]', "corner 2"),
        ('[{"name": "a", "polygon": [[0, 0], [1e999, 0], [0, 1]]}]', "corner 2"),
        ('[{"name": "a", "polygon": "abc"}]', "a list of corners is wanted, not 'abc'"),
        ('[{"name": "a"}]', "zone 1: polygon is missing"),
        ('[{"name": "a", "polygon": [], "colour": 1}]', "zone 1: there is no 'colour'"),
        ("[7]", "zone 1: an object with name, polygon is wanted, not 7"),
        ('{"a": 1}', "zones: a list is wanted"),
        ('[{"name" "a"}]', "not JSON at line 1, column 10, near '.*': Expecting ':' delimiter"),
        ("[" * 100_000, "not JSON"),
        (f"[{'1' * 5000}]", "not JSON"),
        (f"[{' ' * 2_000_000}]", "2,000,002 characters"),
        (zones(*[SQUARE] * 65), "65 zones"),
        (zones([[at / 400, at % 2] for at in range(258)]), "258 corners"),
        (zones([[at / 400, at / 800] for at in range(257)]), "257 corners"),
        (zones(SQUARE).replace("zone 0", "*"), "no zone or line may be called"),
        (zones(SQUARE).replace("zone 0", " "), "'' is no name"),
        (zones(SQUARE).replace("zone 0", "x" * 65), "is no name"),
        (zones(SQUARE).replace("zone 0", "a\\nb"), "is no name"),
        (zones(SQUARE).replace('"zone 0"', "5"), "its name has to be text"),
        (zones(SQUARE, SQUARE).replace("zone 1", "Zone 0"), "'Zone 0' is given twice"),
    ],
)
def test_a_bad_zone_is_named_with_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        ZoneSet.parse(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (line(to=[0.1, 0.5]), "line 'gate': its ends lie on each other"),
        (line(to=[1.5, 0.5]), "line 'gate': .* outside of the picture"),
        (line(to=3), r"line 'gate', to: \[x, y\] is wanted, not 3"),
        (line(polygon=[]), "line 1: there is no 'polygon'"),
        (line(name="zone 0"), "'zone 0' is given twice"),
    ],
)
def test_a_bad_line_is_named_with_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        ZoneSet.parse(zones(SQUARE), text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["name", "polygon", "from", "to"]), inner, max_size=3)
        ),
        max_leaves=20,
    )
)
@settings(max_examples=50, deadline=None)
def test_whatever_is_sent_is_read_or_refused(value: object) -> None:
    for read in (lambda: ZoneSet.parse(value), lambda: ZoneSet.parse([], json.dumps(value))):
        with contextlib.suppress(ConfigError):
            assert isinstance(read(), ZoneSet)


def test_the_edge_of_a_zone_is_outside() -> None:
    found = ZoneSet.parse(zones(SQUARE, [[0, 0], [1, 0], [0, 1]]))
    points = np.array([[0.2, 0.3], [0.2, 0.2], [0.21, 0.3], [0.6, 0.6], [0.5, 0.5], [0.49, 0.5], [0, 0]])
    assert found.contains(points).astype(int).tolist() == [[0, 0, 1, 0, 1, 1, 0], [1, 1, 1, 0, 0, 1, 0]]
    assert found.contains(np.zeros((0, 2))).shape == (2, 0)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=30))
@settings(max_examples=30, deadline=None)
def test_many_points_get_the_answer_that_each_gets_alone(points: list[tuple[float, float]]) -> None:
    found = ZoneSet.parse(zones(SQUARE, [[0.5, 0.1], [0.9, 0.1], [0.7, 0.9]]))
    together = found.contains(np.array(points).reshape(-1, 2))
    alone = [found.contains(np.array([point]))[:, 0] for point in points]
    assert together.T.tolist() == [row.tolist() for row in alone]


def test_old_zones_are_read_and_named() -> None:
    found = from_hypersight("[[[0,0],[0.5,0],[0.5,0.52],[0,0]], [[0.6,0.6],[0.9,0.6],[0.9,0.9]]]")
    assert [zone.name for zone in found.zones] == ["zone 1", "zone 2"]
    assert found.zones[0].polygon == ((0, 0), (0.5, 0), (0.5, 0.52))
    assert from_hypersight("[]") == ZoneSet()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[[0,0][0,1][1,1]]]", "line 1, column 8, near .*: Expecting ',' delimiter"),
        ("[[[10,0],[0,1],[1,1]]]", r"zone 'zone 1': \[10, 0\] lies outside"),
        ("[[[0,0],[1,1],[1,0],[0,1]]]", r"cross each other at \[0.5, 0.5\]"),
        ("[[[0,0],[1,1]]]", "at least 3"),
        ("[[0,0],[1,1],[1,0]]", "corner 1"),
        ("", "not JSON"),
    ],
)
def test_old_zones_that_were_let_pass_are_refused_now(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        from_hypersight(text)
