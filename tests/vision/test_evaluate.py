"""Average precision and its companions, against cases worked out by hand."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wayside.core.errors import ModelError
from wayside.vision.detections import Detections
from wayside.vision.evaluate import Truth, count_pictures, evaluate, read_set

A, B, C = (0.0, 0.0, 0.2, 0.2), (0.5, 0.5, 0.55, 0.55), (0.2, 0.5, 0.8, 0.9)


def truth(*pairs: tuple[str, tuple]) -> Truth:
    boxes = np.asarray([box for _, box in pairs], np.float32).reshape(-1, 4)
    return Truth("id", b"", boxes, tuple(label for label, _ in pairs))


def found(*rows: tuple[str, float, tuple]) -> Detections:
    boxes = np.asarray([row[2] for row in rows], np.float32).reshape(-1, 4)
    return Detections.sorted(boxes, np.asarray([row[1] for row in rows], np.float32), [row[0] for row in rows])


def test_a_perfect_detector() -> None:
    report = evaluate([(truth(("car", A), ("bus", B)), found(("car", 0.9, A), ("bus", 0.8, B)))], 0.5)
    assert report.map50 == 1
    assert report.classes["car"].f1 == 1
    assert report.recall_by_size == {"small": 1.0, "medium": 1.0, "large": None}


def test_precision_and_recall_by_hand() -> None:
    """Three cars; found in order of score: right, wrong, right (a second picture), a double, below the threshold."""
    first = (truth(("car", A), ("car", C)), found(("car", 0.9, A), ("car", 0.8, B), ("car", 0.6, A)))
    second = (truth(("car", B)), found(("car", 0.7, B), ("bus", 0.9, B), ("car", 0.3, C)))
    car = evaluate([first, second], 0.5).classes["car"]
    # Right at ranks 1 and 3: recall 1/3 at precision 1, recall 2/3 at precision 2/3.
    assert car.ap50 == pytest.approx(1 / 3 + 1 / 3 * 2 / 3)
    assert (car.truths, car.precision) == (3, 0.5)
    assert car.recall == pytest.approx(2 / 3)
    assert car.f1 == pytest.approx(2 * 0.5 * (2 / 3) / (0.5 + 2 / 3))


def test_labels_without_truth_do_not_count_and_unreadable_pictures_find_nothing() -> None:
    report = evaluate([(truth(("car", A)), None), (truth(), found(("bus", 0.9, A)))], 0.5)
    assert (report.pictures, report.unreadable, report.map50) == (2, 1, 0)
    assert list(report.classes) == ["car"]
    assert report.recall_by_size["medium"] == 0


def test_an_empty_set() -> None:
    report = evaluate([], 0.5)
    assert (report.pictures, report.map50, report.classes) == (0, 0, {})
    assert report.recall_by_size == {"small": None, "medium": None, "large": None}


@given(st.lists(st.tuples(st.floats(0.015625, 1, width=32), st.sampled_from([A, B, C])), max_size=12))
@settings(deadline=None)
def test_all_figures_are_shares(rows: list) -> None:
    report = evaluate([(truth(("car", A), ("car", C)), found(*(("car", score, box) for score, box in rows)))], 0.5)
    car = report.classes["car"]
    assert all(0 <= share <= 1 + 1e-9 for share in (car.ap50, car.precision, car.recall, car.f1))
    assert car.ap50 == 0 or any(box in {A, C} for _, box in rows)


def test_reading_a_set(tmp_path: Path) -> None:
    path = tmp_path / "set.parquet"
    columns = {
        "id": ["1", "2"],
        "image": [b"one", b"two"],
        "label": [["car"], []],
        "box": pa.array([[A], []], pa.list_(pa.list_(pa.float32(), 4))),
    }
    pq.write_table(pa.table(columns), path)
    first, second = read_set(path)
    assert (first.id, first.image, first.labels) == ("1", b"one", ("car",))
    assert np.allclose(first.boxes, [A])
    assert second.boxes.shape == (0, 4)
    assert count_pictures(path) == 2


def test_what_is_no_set_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "set.parquet"
    path.write_bytes(b"nonsense")
    for read in (count_pictures, lambda path: list(read_set(path))):
        with pytest.raises(ModelError, match="not a labelled set"):
            read(path)
    pq.write_table(pa.table({"id": ["1"]}), path)
    with pytest.raises(ModelError, match="columns id, image, label and box"):
        list(read_set(path))
