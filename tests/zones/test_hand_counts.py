"""Counting against hand counts of real videos: a guard against doing worse than we did.

The boxes lie beside the hand counts, so that counting is tested without videos and detector. Where the videos are
there, one of them goes through the whole chain; HAND_COUNTS=all does so with all six, and `-s` prints the figures.
"""

import os
from pathlib import Path

import pytest
from tests.zones.by_hand import FPS, MODEL, Counted, all_counted, recorded, table, together

from wayside.core.settings import Settings
from wayside.counting.accuracy import compare
from wayside.media.probe import VideoLimits
from wayside.vision.detector import load_detector
from wayside.vision.registry import card, cards, find
from wayside.zones.evaluate import check_hand, counted, evaluate_video
from wayside.zones.options import LEAST_SCORE
from wayside.zones.processor import Pipeline

# Of each video the events that are right, at least, and those that are not, at most: as measured, and one for luck
# where there are more than a few.
FLOORS = {
    "car-detection": (4, 0),
    "jamcam_1": (4, 1),
    "jamcam_2": (11, 1),
    "jamcam_3": (2, 0),
    "jamcam_4": (13, 1),
    "one-by-one-person-detection": (10, 4),
}
# The whole chain is slow: the suite has the time for one video only.
VIDEOS = FLOORS if os.environ.get("HAND_COUNTS") == "all" else ["jamcam_4"]


def test_the_hand_counts_are_whole():
    some = all_counted()
    assert [one.name for one in some] == sorted(FLOORS)
    for one in some:
        check_hand(one.hand, one.zones)
    sure = [passage for one in some for passage in one.hand if not passage.doubtful]
    assert len(sure) == 58


def test_counting_is_as_good_as_it_was():
    seen = recorded()
    found = {}
    for one in all_counted():
        here = seen[one.name]
        found[one.name] = compare(
            one.hand, counted(here.looks, one.zones, one.options, here.aspect), seconds=here.seconds
        )
    everything = together(found.values())
    print("\n" + table({**found, "all": everything}))
    for name, (right, wrong) in FLOORS.items():
        assert found[name].right >= right, name
        assert len(found[name].extra) <= wrong, name
    assert everything.precision >= 0.9
    assert everything.recall >= 0.79
    assert set(everything.directions()) <= {("forward", "forward"), ("backward", "backward")}
    assert abs(everything.late_s) < 0.2


@pytest.mark.parametrize("name", VIDEOS)
def test_the_whole_chain_is_as_good_as_its_record(data: Path, name: str):
    chosen = Settings(device="cpu", _env_file=None)
    if MODEL not in cards(chosen) or find(card(MODEL, chosen), chosen) is None:
        pytest.skip(f"no weights of {MODEL} in models/")
    video = data / "videos" / f"{name}.mp4"
    if not video.is_file():
        pytest.skip(f"there is no {video}")
    one = Counted.read(name)
    found = evaluate_video(
        video,
        one.zones,
        one.hand,
        detector=load_detector(MODEL, chosen, score=LEAST_SCORE),
        pipeline=Pipeline(FPS, MODEL),
        options=one.options,
        limits=VideoLimits.of(chosen),
        workers=2,
    )
    print("\n" + table({name: found.accuracy}))
    right, wrong = FLOORS[name]
    assert found.accuracy.right >= right
    assert len(found.accuracy.extra) <= wrong
    assert found.note is None
