"""What an attacker who knows the filter gets out of hidden plates: nothing of the default fill, nearly all of a blur.

300 candidates, 60 victims. By chance a victim is found out once in 300; more than 3 of 60 by chance has a probability
below 1 in 10,000. Figures of a longer run stand in docs/ROAD-PHOTOS.md.
"""

import numpy as np
import pytest
from tests.privacy.attacker import ALONE, Attack, Filter, candidates, expected, hide, mosaic

from wayside.privacy.settings import Fill

CANDIDATES, VICTIMS = 300, 60
BY_CHANCE = 3  # of VICTIMS
MIDDLE = (CANDIDATES - 1) / 2


@pytest.fixture(scope="module")
def attack() -> Attack:
    return Attack(ALONE, candidates(CANDIDATES), shifts=(-0.6, 0.6))


def of_pixels(kernel: int) -> float:
    """The setting `blur` that gives a filter of so many pixels in the small picture of the attack."""
    return (kernel + 0.01) * 1000 / ALONE.width


def found_out(ranks: np.ndarray, first: int = 1) -> int:
    return int((ranks < first).sum())


def test_the_attacker_is_able_where_nothing_is_hidden(attack: Attack):
    def nothing(image: np.ndarray) -> np.ndarray:
        return image

    assert found_out(attack.ranks(10, nothing, nothing)) == 10


@pytest.mark.parametrize("how", [Fill(), Fill(colour=(90, 90, 90)), Fill(by_class=True)])
def test_a_constant_fill_gives_him_no_more_than_chance(attack: Attack, how: Fill):
    ranks = attack.ranks(VICTIMS, hide(ALONE, how), expected(ALONE, how))
    assert found_out(ranks) <= BY_CHANCE
    assert abs(ranks.mean() - MIDDLE) < 4 * (CANDIDATES / 12**0.5) / VICTIMS**0.5  # four standard errors


def test_a_mosaic_with_secret_noise_gives_him_no_more_than_chance_at_the_first_guess(attack: Attack):
    how = Fill(style="mosaic")
    ranks = attack.ranks(VICTIMS, hide(ALONE, how), expected(ALONE, how), cell=how.cell)
    assert found_out(ranks) <= BY_CHANCE
    assert found_out(ranks, 10) <= 0.2 * VICTIMS  # by chance 2 of 60
    assert ranks.mean() > 0.25 * CANDIDATES  # it does leak: the middle would be 0.5


def test_it_is_the_noise_that_protects_a_mosaic(attack: Attack):
    def plain(image: np.ndarray) -> np.ndarray:
        return mosaic(image, 8)

    assert found_out(attack.ranks(20, plain, plain, cell=16)) >= 18


@pytest.mark.parametrize(
    "how",
    [
        Fill(style="blur", blur=of_pixels(15)),
        Fill(style="grey_blur", blur=of_pixels(15)),
        Fill(style="normalised_grey_blur", blur=of_pixels(31)),
    ],
)
def test_a_blur_leaves_nearly_all_to_be_found_out(attack: Attack, how: Fill):
    seen: Filter = hide(ALONE, how)
    assert found_out(attack.ranks(20, seen, seen)) >= 19
