"""The sliding window: what comes of it is what `StillPipeline.analyse` says, and each picture is opened once."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from tests.peers.late_city import dark, street
from tests.stills.late_runs import MIDNIGHT
from tests.stubs import StubDetector, pipeline

from wayside.core.errors import ModelError, StoreError
from wayside.core.settings import Settings
from wayside.core.slots import Slot
from wayside.quality.faulty import FaultyImageFilterV0, FaultyImageFilterV1
from wayside.quality.static import StaticObjectFilterV0, StaticObjectFilterV1
from wayside.stills.still import Analysis, StillPipeline
from wayside.stills.window import ABSENT, Looked, Stopwatch, look_along
from wayside.store import StoredPicture

CAMERA = "c1"


def stored(data: bytes) -> StoredPicture:
    return StoredPicture(key="k", uri="file:///k", sha256=str(hash(data)), data=data, meta=None)


def pictures(*, tiny: bool = False) -> dict[Slot, bytes]:
    """A day with everything that happens: gaps, repetitions, a dark picture, a broken one, another size."""
    found = {MIDNIGHT.shift(step): street(3, step) for step in range(24)}
    found[MIDNIGHT.shift(6)] = found[MIDNIGHT.shift(5)]
    found[MIDNIGHT.shift(9)] = dark()
    found[MIDNIGHT.shift(12)] = b"no picture"
    found[MIDNIGHT.shift(15)] = street(4, 15)
    del found[MIDNIGHT.shift(18)]
    if tiny:
        found[MIDNIGHT.shift(20)] = small()
    return found


def small() -> bytes:
    import cv2

    return cv2.imencode(".png", np.arange(5 * 5 * 3, dtype=np.uint8).reshape(5, 5, 3) * 3)[1].tobytes()


def same(one: Analysis, other: Analysis) -> bool:
    fields = [(analysis.outcome, analysis.reason, analysis.counts, analysis.neighbours) for analysis in (one, other)]
    arrays = [
        (analysis.is_static(), analysis.static.moving_share if analysis.static else np.zeros(0))
        for analysis in (one, other)
    ]
    measures = [
        (analysis.static.ssim_previous, analysis.static.ssim_next) if analysis.static else None
        for analysis in (one, other)
    ]
    equal = all(
        np.array_equal(mine, yours, equal_nan=mine.dtype.kind == "f") for mine, yours in zip(*arrays, strict=True)
    )
    return fields[0] == fields[1] and measures[0] == measures[1] and equal


def looked(
    shown: Mapping[Slot, bytes], pipelines: Mapping[str, StillPipeline], calls: Counter[Slot] | None = None
) -> list[Looked]:
    def read(_: str, slot: Slot) -> StoredPicture | None:
        if calls is not None:
            calls[slot] += 1
        return stored(shown[slot]) if slot in shown else None

    wanted = {MIDNIGHT.shift(step): list(pipelines) for step in range(24)}
    (found,) = look_along([(CAMERA, wanted)], pipelines, read, workers=1)
    return found


@pytest.mark.parametrize(
    ("faults", "statics"),
    [
        (FaultyImageFilterV0(), StaticObjectFilterV0()),
        (FaultyImageFilterV1(), StaticObjectFilterV1()),
        (None, StaticObjectFilterV0()),
        (None, StaticObjectFilterV1()),
        (FaultyImageFilterV1(), None),
        (None, None),
    ],
)
@pytest.mark.parametrize("tiny", [False, True])
def test_the_window_says_what_the_pipeline_says(settings: Settings, faults: Any, statics: Any, tiny: bool):
    shown, made = pictures(tiny=tiny), pipeline(settings, faults, StubDetector(), statics)
    found = looked(shown, {made.name: made})
    assert [one.slot for one in found] == [MIDNIGHT.shift(step) for step in range(24)]
    for one in found:
        near = [shown.get(slot) for slot in (one.slot.previous, one.slot, one.slot.next)]
        assert same(one.analyses[made.name], made.analyse(*near)), str(one.slot)
        assert one.hashes == tuple(ABSENT if data is None else str(hash(data)) for data in near)
    outcomes = {one.analyses[made.name].outcome for one in found}
    assert outcomes == {"counted", "faulty", "missing"}


def test_each_picture_is_read_and_decoded_once_for_all_pipelines(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    calls: Counter[Slot] = Counter()
    decoded: list[int] = []
    opened = StillPipeline.open
    monkeypatch.setattr(StillPipeline, "open", lambda self, data: decoded.append(1) or opened(self, data))
    both = {
        "V0": pipeline(settings, FaultyImageFilterV0(), None, StaticObjectFilterV0(), name="V0"),
        "V1": pipeline(settings, FaultyImageFilterV1(), None, StaticObjectFilterV1(), name="V1"),
    }
    looked(pictures(), both, calls)
    assert set(calls.values()) == {1}
    assert len(calls) == 26
    assert len(decoded) == 23


def test_an_analysis_that_breaks_costs_one_still(settings: Settings):
    marked = street(3, 10)

    def detect(image: Any) -> Any:
        from wayside.vision.decode import decode

        if np.array_equal(image, decode(marked).image):
            raise ZeroDivisionError
        return StubDetector().detect(image)

    made = pipeline(settings, None, StubDetector(detect), None)
    found = {one.slot: one.analyses[made.name] for one in looked(pictures(), {made.name: made})}
    assert (found[MIDNIGHT.shift(10)].outcome, found[MIDNIGHT.shift(10)].reason) == (
        "faulty",
        "analysis_ZeroDivisionError",
    )
    assert found[MIDNIGHT.shift(11)].outcome == "counted"


@pytest.mark.parametrize("error", [ModelError("gone"), StoreError("gone")])
def test_a_model_or_store_that_cannot_be_used_ends_it(settings: Settings, error: Exception):
    def detect(_: Any) -> Any:
        raise error

    made = pipeline(settings, None, StubDetector(detect), None)
    with pytest.raises(type(error), match="gone"):
        looked(pictures(), {made.name: made})


def test_a_stopwatch_is_the_detector_with_a_watch(settings: Settings):
    made = pipeline(settings)
    watched, watch = Stopwatch.on(made)
    assert watch is not None
    assert watched.model_sha256 == made.model_sha256
    assert watched.analyse(None, street(1, 1), None).counts == made.analyse(None, street(1, 1), None).counts
    assert 0 < watch.seconds < 60
    bare = StillPipeline("Bare", None, None, None, settings)
    assert Stopwatch.on(bare) == (bare, None)
