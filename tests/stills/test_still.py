"""One still with its neighbours: each outcome, and the rows that it becomes."""

import numpy as np
import pyarrow as pa
import pytest
from tests.stubs import StubDetector, StubFaults, StubStatics, found, pipeline

from wayside.core.errors import ModelError
from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.core.tables import COUNT_CLASSES, COUNTS, DETECTIONS
from wayside.stills.rows import count_row, detection_rows
from wayside.stills.still import Analysis, StillPipeline
from wayside.vision.decode import encode_jpeg
from wayside.warehouse.audit import audit, audit_together
from wayside.warehouse.parquet import to_arrow
from wayside.warehouse.scope import Scope

SLOT = Slot.parse("20260616T0700Z")


def jpeg(level: int, height: int = 48) -> bytes:
    return encode_jpeg(np.full((height, 64, 3), level, np.uint8))


BEFORE, NOW, AFTER = jpeg(10), jpeg(20), jpeg(30)
BROKEN = {"empty": b"", "not_an_image": b"this is no image", "truncated": NOW[:200]}


def test_a_picture_that_is_not_there_is_missing(settings: Settings):
    analysis = pipeline(settings, StubFaults(), None, StubStatics()).analyse(BEFORE, None, AFTER)
    assert analysis == Analysis("missing")


@pytest.mark.parametrize("reason", BROKEN)
def test_a_picture_that_cannot_be_decoded_is_faulty_before_any_filter(settings: Settings, reason: str):
    faults = StubFaults()
    analysis = pipeline(settings, faults).analyse(BEFORE, BROKEN[reason], AFTER)
    assert analysis == Analysis("faulty", reason)
    assert not hasattr(faults, "asked")


def test_limits_are_those_of_the_settings(settings: Settings):
    small = settings.model_copy(update={"max_image_pixels": 10})
    assert pipeline(small).analyse(None, NOW, None).reason == "too_many_pixels"


@pytest.mark.parametrize("broken", [None, *BROKEN.values()])
def test_a_neighbour_that_cannot_be_decoded_is_none(settings: Settings, broken: bytes | None):
    faults, statics = StubFaults(), StubStatics()
    made = pipeline(settings, faults, None, statics)
    assert made.analyse(broken, NOW, AFTER).outcome == "counted"
    assert [picture is None for picture in faults.asked] == [True, False, False]
    assert [picture is None for picture in statics.asked] == [False, False, False] or statics.asked[0] is None
    made.analyse(BEFORE, NOW, broken)
    assert [picture is None for picture in faults.asked] == [False, False, True]


def test_pictures_reach_the_filters_in_their_places(settings: Settings):
    faults, statics = StubFaults(), StubStatics()
    pipeline(settings, faults, None, statics).analyse(BEFORE, NOW, AFTER)
    for asked in (faults.asked, statics.asked):
        assert [int(picture.image.mean()) for picture in asked] == [10, 20, 30]


def test_a_faulty_picture_keeps_its_reason_and_metrics_and_is_not_looked_at(settings: Settings):
    def never(_: object) -> None:
        raise AssertionError("the detector must not run")

    analysis = pipeline(settings, StubFaults("dark"), StubDetector(never)).analyse(BEFORE, NOW, AFTER)
    assert (analysis.outcome, analysis.reason, analysis.counts, analysis.detections) == ("faulty", "dark", None, None)
    assert analysis.faults is not None
    assert analysis.faults.run_limit == 57
    assert analysis.neighbours == "none"
    assert analysis.is_static().tolist() == []


@pytest.mark.parametrize(("previous", "following"), [(True, True), (True, False), (False, True), (False, False)])
def test_neighbours_that_cannot_be_compared_do_not_reach_the_static_filter(
    settings: Settings, previous: bool, following: bool
):
    statics = StubStatics()
    pipeline(settings, StubFaults(None, previous, following), None, statics).analyse(BEFORE, NOW, AFTER)
    assert [picture is not None for picture in statics.asked] == [previous, True, following]


def test_an_isolated_picture_is_faulty_with_the_filters_word(settings: Settings):
    analysis = pipeline(settings, None, None, StubStatics(reason="no_neighbour")).analyse(None, NOW, None)
    assert (analysis.outcome, analysis.reason, analysis.counts) == ("faulty", "no_neighbour", None)
    assert detection_rows("City", "a", SLOT, pipeline(settings), analysis) == []


def test_what_stands_still_or_doubles_another_is_not_counted(settings: Settings):
    detector = StubDetector(lambda _: found("car", "car", "bus", "person", "van"))
    statics = StubStatics(static=(True, False, False, True), duplicate=(False, False, True))
    analysis = pipeline(settings, None, detector, statics).analyse(BEFORE, NOW, AFTER)
    assert analysis.outcome == "counted"
    assert analysis.counts == {"bus": 0, "car": 1, "person": 0, "van": 1}
    assert analysis.is_static().tolist() == [True, False, True, True, False]


def test_without_a_static_filter_everything_is_counted(settings: Settings):
    analysis = pipeline(settings, None, StubDetector(lambda _: found("car", "car"))).analyse(None, NOW, None)
    assert analysis.counts == {"bus": 0, "car": 2, "person": 0, "van": 0}
    assert analysis.neighbours == "none"


def test_a_pipeline_without_a_detector_counts_what_is_given(settings: Settings):
    filters = StillPipeline("StubV1", None, None, None, settings)
    assert filters.analyse(None, NOW, None).counts == {}
    assert filters.analyse(None, NOW, None, found("car", "dog", "car")).counts == {"car": 2}
    assert filters.model_sha256 is None


def test_what_is_given_takes_the_place_of_the_detector(settings: Settings):
    analysis = pipeline(settings, None, StubDetector(lambda _: found("bus"))).analyse(None, NOW, None, found("car"))
    assert analysis.counts == {"bus": 0, "car": 1, "person": 0, "van": 0}


def test_a_detector_that_fails_is_not_hidden(settings: Settings):
    def broken(_: object) -> None:
        raise ModelError("the GPU is gone")

    with pytest.raises(ModelError, match="the GPU is gone"):
        pipeline(settings, None, StubDetector(broken)).analyse(None, NOW, None)


# Rows


def rows_of(made: StillPipeline, analysis: Analysis) -> tuple[pa.Table, pa.Table]:
    counts = to_arrow(COUNTS, [count_row("City", "a", SLOT, made, analysis)])
    detections = to_arrow(DETECTIONS, detection_rows("City", "a", SLOT, made, analysis))
    scope = Scope("City", SLOT, made.name)
    audit(COUNTS, scope, counts)
    audit(DETECTIONS, scope, detections)
    audit_together(scope, counts, detections)
    return counts, detections


def test_a_class_that_the_detector_does_not_know_is_null(settings: Settings):
    made = pipeline(settings, None, StubDetector(lambda _: found("car", "dog")))
    counts, detections = rows_of(made, made.analyse(None, NOW, None))
    (row,) = counts.to_pylist()
    assert {name: row[name] for name in COUNT_CLASSES} == {
        "bus": 0, "car": 1, "cyclist": None, "motorcyclist": None, "person": 0, "truck": None, "van": 0,
    }  # fmt: skip
    assert (row["faulty"], row["missing"], row["reason"], row["neighbours"]) == (False, False, None, "none")
    assert (row["model_sha256"], row["pipeline"]) == ("5" * 64, "StubV1")
    assert detections["label"].to_pylist() == ["car", "dog"]


def test_every_object_has_a_row_static_ones_marked(settings: Settings):
    statics = StubStatics(static=(True,), duplicate=(False, True))
    made = pipeline(settings, None, StubDetector(lambda _: found("car", "car", "van")), statics)
    counts, detections = rows_of(made, made.analyse(BEFORE, NOW, AFTER))
    assert detections["static"].to_pylist() == [True, True, False]
    assert detections["moving_share"].to_pylist() == [0.5] * 3
    assert detections["ordinal"].to_pylist() == [0, 1, 2]
    assert (counts["car"].to_pylist(), counts["van"].to_pylist()) == ([0], [1])
    first = detections.to_pylist()[1]
    assert [first[edge] for edge in ("x1", "y1", "x2", "y2")] == pytest.approx([0.1, 0.2, 0.18, 0.4])
    assert (first["model"], first["score"]) == ("Stub", pytest.approx(0.7))
    assert counts["neighbours"].to_pylist() == ["previous"]


def test_without_a_static_filter_the_moving_share_is_null(settings: Settings):
    made = pipeline(settings, None, StubDetector(lambda _: found("car")))
    _, detections = rows_of(made, made.analyse(None, NOW, None))
    assert (detections["moving_share"].to_pylist(), detections["static"].to_pylist()) == ([None], [False])


@pytest.mark.parametrize(
    ("analysis", "faulty", "missing"),
    [(Analysis("missing", "http_404"), False, True), (Analysis("faulty", "dark"), True, False)],
)
def test_an_unusable_picture_has_a_row_with_nulls_and_the_reason(
    settings: Settings, analysis: Analysis, faulty: bool, missing: bool
):
    counts, detections = rows_of(pipeline(settings), analysis)
    (row,) = counts.to_pylist()
    assert (row["faulty"], row["missing"], row["reason"]) == (faulty, missing, analysis.reason)
    assert all(row[name] is None for name in COUNT_CLASSES)
    assert detections.num_rows == 0


def test_no_detector_means_no_model_in_the_rows(settings: Settings):
    made = StillPipeline("StubV1", None, None, None, settings)
    counts, detections = rows_of(made, made.analyse(None, NOW, None, found("car")))
    assert counts["model_sha256"].to_pylist() == detections["model_sha256"].to_pylist() == [None]
    assert detections["model"].to_pylist() == [None]
