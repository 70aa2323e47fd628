"""A panorama of 8000 x 4000 pixels with real people and cars at every hard place: each is hidden, to the last pixel.

The road photos of the test data are gone through as well; what is found there was looked at by a person.
"""

import itertools
from pathlib import Path

import numpy as np
import pytest
from tests.privacy.panorama import Cutout, background, cutouts, furnish, hidden, recognised, spots

from wayside.core.settings import Settings
from wayside.privacy.find import Finder, load_finder
from wayside.privacy.settings import Finding, Tiling
from wayside.vision.decode import decode

ONLY_USERS = {"face_detector": None, "plate_detector": None}


@pytest.fixture(scope="module")
def own() -> Settings:
    """The model that comes with Wayside."""
    return Settings(device="cpu", _env_file=None)


def finder(own: Settings, **fields: object) -> Finder:
    return load_finder(Finding(**{**ONLY_USERS, **fields}), own)


@pytest.fixture(scope="module")
def known(own: Settings, data: Path) -> list[Cutout]:
    """People and cars, in turn, that the model knows and hides whole in a plain picture, without any growth."""
    plain = finder(own, grow=0.0)
    people = recognised(plain, cutouts(data, ["person"], 40), 3)
    cars = recognised(plain, cutouts(data, ["car"]), 6)
    assert (len(people), len(cars)) == (3, 6)
    return [one for pair in zip(cars, itertools.cycle(people), strict=False) for one in pair]


def test_every_planted_object_of_a_panorama_is_hidden(own: Settings, known: list[Cutout]) -> None:
    height, width, tiling = 4000, 8000, Tiling(wrap=True)
    picture = background(height, width)
    planted = furnish(picture, known, spots(height, width, tiling, 140))
    assert len(planted) > 40
    for why, least in {"seam": 5, "pole": 5, "tile": 10, "large": 2}.items():
        assert len([one for one in planted if one.why == why]) >= least
    mask = hidden(finder(own, tiling=tiling), picture)
    missed = [
        (one.label, one.why, round(one.latitude), one.left, one.hidden(mask)) for one in planted if one.hidden(mask) < 1
    ]
    assert missed == []
    assert mask.mean() < 0.25, "and not by hiding everything"
    whole = hidden(finder(own, tiling=Tiling(wrap=True, enabled="never")), picture)
    assert np.mean([one.hidden(whole) == 1 for one in planted]) < 0.7, "one look at the whole does not do"


def test_the_road_photos_go_through(own: Settings, data: Path) -> None:
    finds = finder(own)
    for path in sorted((data / "road-photos").glob("*.jpg")):
        image = decode(path.read_bytes()).image
        found = finds.find(image, workers=2)
        assert [(one.label, one.score, one.box) for one in found] == [
            (one.label, one.score, one.box) for one in finds.find(image)
        ]
        assert len(found) < 20
