"""Published behaviour of the replaced system on real pictures, as far as it needs no detector.

The pictures are no part of the project. `$WAYSIDE_TEST_DATA` (or `../shared/data` beside the repository) is where
they lie; without them these tests are skipped. TfL pictures: Open Government Licence v2, powered by TfL Open Data;
North East pictures: OGL v3, Tyne and Wear UTMC.
"""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from wayside.quality import faulty, static
from wayside.quality.faulty import FaultyImageFilterV0, FaultyImageFilterV1
from wayside.quality.static import StaticObjectFilterV0, StaticObjectFilterV1

DATA = Path(os.environ.get("WAYSIDE_TEST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "camera-stills"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no test pictures in {DATA}; set WAYSIDE_TEST_DATA")

NIGHT = [f"TfL-images-20200501-{time}-00001.08859.jpg" for time in ("0040", "0050", "0100")]
DAY = [f"TfL-images-20200501-{time}-00001.04542.jpg" for time in ("1320", "1330", "1340")]
OFFLINE_CARD = "NETravelData-images_20200508_1800_NT_A193H1.jpg"
IN_USE_CARD = "TfL-images_20200501_0520_00001.06592.jpg"
STRIPES = "TfL-images_20200504_0240_00001.08859.jpg"
GREYSCALE = "Forced_Greyscale_TfL-images_20200620_2030_00001.01251.jpg"
FAULTY = (OFFLINE_CARD, IN_USE_CARD, STRIPES)

# label, top, left, bottom, right, score: what the old detector found at 00:50 and at 13:30
NIGHT_OBJECTS = [
    ("van", 141, 241, 180, 285, 0.9964),
    ("car", 127, 190, 145, 212, 0.9381),
    ("van", 113, 169, 134, 188, 0.8928),
    ("van", 125, 214, 154, 243, 0.8576),
    ("person", 167, 105, 195, 114, 0.7773),
    ("car", 123, 206, 141, 229, 0.5541),
]
DAY_OBJECTS = [
    ("car", 111, 164, 132, 190, 0.9994),
    ("car", 128, 219, 163, 254, 0.9984),
    ("car", 99, 184, 118, 206, 0.9954),
    ("car", 91, 199, 109, 223, 0.9774),
    ("car", 80, 139, 96, 172, 0.9738),
    ("person", 122, 314, 151, 324, 0.9577),
    ("person", 148, 28, 179, 38, 0.9366),
    ("person", 117, 56, 142, 64, 0.9024),
    ("car", 60, 258, 70, 268, 0.7689),
    ("car", 77, 281, 93, 300, 0.7457),
    ("car", 84, 219, 103, 255, 0.7399),
]


def picture(name):
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{name} is not among the test pictures")
    return cv2.imread(str(path), cv2.IMREAD_COLOR)


def judge(filter_, names, objects):
    boxes = np.array([row[1:5] for row in objects])
    scores = np.array([row[5] for row in objects])
    images = [None if name is None else picture(name) for name in names]
    return filter_.apply_pixels(*images, boxes, scores, [row[0] for row in objects])


def kept(verdict, objects):
    return [row for row, gone in zip(objects, verdict.static | verdict.duplicate, strict=True) if not gone]


def rounded(metrics):
    return round(metrics.colour_fraction, 3), metrics.longest_run, metrics.run_limit


@pytest.mark.parametrize(
    ("name", "metrics", "reason"),
    [
        (OFFLINE_CARD, (0.679, 287, 96), faulty.SINGLE_COLOUR),
        (IN_USE_CARD, (0.836, 72, 57), faulty.SINGLE_COLOUR),
        (STRIPES, (0.110, 102, 57), faulty.FROZEN_ROWS),
        (GREYSCALE, (0.099, 0, 57), None),
    ],
)
def test_fault_metrics_to_the_digit(name, metrics, reason):
    verdict = FaultyImageFilterV0().check(None, picture(name), None)
    assert (rounded(verdict.metrics), verdict.reason, verdict.faulty) == (metrics, reason, reason is not None)


@pytest.mark.parametrize("version", [FaultyImageFilterV0, FaultyImageFilterV1])
def test_no_other_picture_is_faulty(version):
    names = sorted(path.name for path in DATA.glob("*.jpg") if path.name not in FAULTY)
    assert names
    for name in names:
        verdict = version().check(None, picture(name), None)
        assert verdict.reason is None, name
        assert verdict.metrics.colour_fraction <= 0.257
        assert verdict.metrics.longest_run <= 6


@pytest.mark.parametrize(
    ("name", "reason"),
    [(OFFLINE_CARD, faulty.PLACEHOLDER), (IN_USE_CARD, faulty.PLACEHOLDER), (STRIPES, faulty.FROZEN_ROWS)],
)
def test_version_1_finds_the_same_faults_by_better_names(name, reason):
    assert FaultyImageFilterV1().check(None, picture(name), None).reason == reason


@pytest.mark.parametrize("version", [FaultyImageFilterV0, FaultyImageFilterV1])
def test_what_is_comparable_and_what_is_faulty(version):
    check = version().check
    before, now, after = map(picture, NIGHT)
    cases = {
        "three good ones": ((before, now, after), (True, False, True)),
        "P==C": ((before, before, now), (False, True, True)),
        "C==N": ((before, now, now), (True, False, False)),
        "P==C==N": ((before, before, before), (False, True, False)),
        "P missing": ((None, now, after), (False, False, True)),
        "N missing": ((before, now, None), (True, False, False)),
        "isolated": ((None, now, None), (False, False, False)),
        "C striped": ((before, picture(STRIPES), after), (True, True, True)),
        "C a card": ((before, picture(IN_USE_CARD), after), (True, True, True)),
        "P of another size": ((picture(OFFLINE_CARD), now, after), (False, False, True)),
        "N of another size": ((before, now, picture(OFFLINE_CARD)), (True, False, False)),
    }
    for name, (images, expected) in cases.items():
        verdict = check(*images)
        assert (verdict.previous_comparable, verdict.faulty, verdict.next_comparable) == expected, name


@pytest.mark.parametrize("name", ["this_isnt_an_image.jpeg", "zero_length_image.jpeg"])
def test_what_is_no_picture_decodes_to_none_and_so_counts_as_missing(name):
    data = np.frombuffer((DATA / name).read_bytes(), np.uint8)
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    assert decoded is None
    verdict = judge(StaticObjectFilterV0(), (None, NIGHT[1], NIGHT[2]), NIGHT_OBJECTS)
    assert (verdict.usable, verdict.neighbours) == (True, "next")


@pytest.mark.parametrize(
    ("names", "objects", "previous", "following"),
    [(NIGHT, NIGHT_OBJECTS, 0.949, 0.944), (DAY, DAY_OBJECTS, 0.676, 0.664)],
)
def test_ssim_to_the_digit(names, objects, previous, following):
    verdict = judge(StaticObjectFilterV0(), names, objects)
    assert (round(verdict.ssim_previous, 3), round(verdict.ssim_next, 3)) == (previous, following)


@pytest.mark.parametrize("version", [StaticObjectFilterV0, StaticObjectFilterV1])
def test_at_night_only_the_person_moves(version):
    for names in (NIGHT, [*NIGHT[:2], None], [None, *NIGHT[1:]]):
        verdict = judge(version(), names, NIGHT_OBJECTS)
        assert [row[0] for row in kept(verdict, NIGHT_OBJECTS)] == ["person"]
    verdict = judge(StaticObjectFilterV0(), NIGHT, NIGHT_OBJECTS)
    assert [round(float(share), 3) for share in verdict.moving_share] == [0, 0, 0, 0, 0.679, 0]


@pytest.mark.parametrize("version", [StaticObjectFilterV0, StaticObjectFilterV1])
def test_by_day_only_the_parked_car_goes(version):
    verdict = judge(version(), DAY, DAY_OBJECTS)
    assert kept(verdict, DAY_OBJECTS) == [row for row in DAY_OBJECTS if row[5] != 0.7457]
    assert verdict.neighbours == "both"


def test_the_moving_shares_by_day_to_the_digit():
    shares = judge(StaticObjectFilterV0(), DAY, DAY_OBJECTS).moving_share
    assert round(float(shares[9]), 3) == 0.044
    assert round(float(shares[6]), 3) == 0.219


def test_an_isolated_picture_cannot_be_used():
    verdict = judge(StaticObjectFilterV0(), [None, NIGHT[1], None], NIGHT_OBJECTS)
    assert (verdict.usable, verdict.reason) == (False, static.NO_NEIGHBOUR)
