"""One person and one cycle make one rider, by the written rule."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wayside.vision.detections import Detections
from wayside.vision.labels import COCO80, COCO91, LABEL_SETS, with_riders
from wayside.vision.riders import derive_riders

BIKE = (0.40, 0.50, 0.60, 0.80)
RIDER = (0.44, 0.30, 0.56, 0.75)


def found(*rows: tuple[str, float, tuple[float, float, float, float]]) -> Detections:
    labels, scores, boxes = zip(*rows, strict=True)
    return Detections.sorted(np.asarray(boxes, np.float32), np.asarray(scores, np.float32), labels)


@pytest.mark.parametrize(("cycle", "rider"), [("bicycle", "cyclist"), ("motorcycle", "motorcyclist")])
def test_a_pair_becomes_one_detection(cycle: str, rider: str) -> None:
    result = derive_riders(found((cycle, 0.4, BIKE), ("person", 0.9, RIDER), ("car", 0.7, (0, 0, 0.2, 0.2))))
    assert result.labels == (rider, "car")
    assert np.allclose(result.boxes[0], (0.40, 0.30, 0.60, 0.80))
    assert np.allclose(result.scores, (0.9, 0.7))


@pytest.mark.parametrize(
    "person",
    [
        (0.62, 0.30, 0.74, 0.75),  # beside the bicycle
        (0.44, 0.60, 0.56, 0.99),  # below it
        (0.57, 0.30, 0.69, 0.75),  # touching it, the centre outside
        (0.44, 0.05, 0.56, 0.52),  # above it, hardly sharing anything
        (0.47, 0.50, 0.53, 0.64),  # far behind it
    ],
)
def test_a_person_who_does_not_ride(person: tuple[float, float, float, float]) -> None:
    before = found(("bicycle", 0.6, BIKE), ("person", 0.9, person))
    assert derive_riders(before) is before


def test_a_parked_bicycle_stays_a_bicycle() -> None:
    assert derive_riders(found(("bicycle", 0.6, BIKE))).labels == ("bicycle",)
    assert len(derive_riders(Detections.empty())) == 0


def test_one_person_rides_one_cycle_and_one_cycle_has_one_rider() -> None:
    passenger = (0.46, 0.32, 0.58, 0.72)
    result = derive_riders(found(("bicycle", 0.6, BIKE), ("person", 0.9, RIDER), ("person", 0.8, passenger)))
    assert sorted(result.labels) == ["cyclist", "person"]
    result = derive_riders(found(("bicycle", 0.6, BIKE), ("motorcycle", 0.5, BIKE), ("person", 0.9, RIDER)))
    assert sorted(result.labels) == ["cyclist", "motorcycle"]


side = st.floats(0, 1, width=32)
row = st.tuples(
    st.sampled_from(["person", "bicycle", "motorcycle", "car"]),
    st.floats(0.125, 1, width=32),
    st.tuples(side, side, side, side).map(
        lambda box: (min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3]))
    ),
)


@given(st.lists(row, min_size=1, max_size=15), st.randoms())
@settings(deadline=None)
def test_nobody_is_lost_and_order_does_not_matter(rows: list, random: object) -> None:
    before = found(*rows)
    after = derive_riders(before)
    joined = sum(label in {"cyclist", "motorcyclist"} for label in after.labels)
    assert len(after) == len(before) - joined
    assert after.labels.count("person") == before.labels.count("person") - joined
    assert after.labels.count("car") == before.labels.count("car")
    assert (np.diff(after.scores) <= 0).all()
    random.shuffle(rows)
    again = derive_riders(found(*rows))
    assert again.labels == after.labels
    assert np.array_equal(again.boxes, after.boxes)


def test_class_names() -> None:
    assert len(COCO80) == 80
    assert len(COCO91) == 91
    assert (COCO91[1], COCO91[3], COCO91[13], COCO91[90]) == ("person", "car", "stop sign", "toothbrush")
    assert tuple(name for name in COCO91 if name) == COCO80
    assert with_riders(("person", "bicycle")) == ("bicycle", "cyclist", "person")
    assert with_riders(("bicycle", "bus")) == ("bicycle", "bus")
    assert set(LABEL_SETS["wayside"]) <= set(COCO80)


def test_detections_cannot_be_changed_or_mismatched() -> None:
    one = found(("car", 0.5, BIKE), ("bus", 0.5, BIKE), ("car", 0.9, BIKE))
    assert one.labels == ("car", "bus", "car")
    with pytest.raises(ValueError, match="read-only"):
        one.boxes[0] = 0
    with pytest.raises(ValueError, match="belong together"):
        Detections(one.boxes, one.scores, ("car",))
    assert one.take(np.asarray([True, False, False])).labels == ("car",)
    assert one.take(np.asarray([1, 0])).labels == ("bus", "car")
