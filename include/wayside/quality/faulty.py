"""Is this picture usable? The faulty-image filter, in the old system's version 0 and in our version 1.

Both look at a picture and at the pictures ten minutes before and after it, and say whether the current one can be
counted and which neighbours can serve for comparison. Version 0 repeats chrono_lens's `FaultyImageFilterV0` decision
for decision, so that old tables stay comparable; version 1 mends what it got wrong. `docs/FILTERS.md` sets the two
side by side. A picture that is absent or cannot be decoded never gets here: the first is missing, the second faulty.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from wayside.quality import signs
from wayside.quality.picture import Frame, Picture, as_neighbour, as_picture, longest_run
from wayside.quality.settings import FaultyImageSettings, FaultyImageSettingsV1

IDENTICAL_TO_PREVIOUS: Final = "identical_to_previous"
SINGLE_COLOUR: Final = "single_colour"
FROZEN_ROWS: Final = "frozen_rows"
STALE: Final = "stale"
PLACEHOLDER: Final = "placeholder"
BLANK: Final = "blank"
DARK: Final = "dark"
TRUNCATED: Final = "truncated"


@dataclass(frozen=True, slots=True)
class FaultMetrics:
    """The numbers behind a verdict, of the current picture.

    Attributes:
        colour_fraction: share of the most frequent colour, 0..1 (slightly above 1 where a side is no multiple of 4).
        longest_run: rows in the longest run of frozen rows.
        run_limit: the longest run that is still fine.
    """

    colour_fraction: float
    longest_run: int
    run_limit: int


@dataclass(frozen=True, slots=True)
class FaultVerdict:
    """What the filter says of one picture.

    Attributes:
        faulty: True when the current picture cannot be counted.
        reason: why, one of this module's words; None when it is not faulty.
        previous_comparable: True when the picture before can serve the static filter.
        next_comparable: True when the picture after can.
        metrics: what was measured on the current picture.
    """

    faulty: bool
    reason: str | None
    previous_comparable: bool
    next_comparable: bool
    metrics: FaultMetrics


class FaultyImageFilterV0:
    """The old system's filter, decision for decision, its slips included.

    The slips: green and blue were quantised from the red value, so the colour test is a histogram of 32 reds; a run
    of equal rows counts wherever it lies, be it a clear sky; and a picture equal to its predecessor is faulty while
    one equal to its successor is not, so that of a frozen camera only the first picture survives.

    Args:
        settings: the fields of `FaultyImageSettings` by name; `ConfigError` for a wrong name or value.
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = FaultyImageSettings.of(settings)

    def check(self, previous: Frame | None, current: Frame, next: Frame | None) -> FaultVerdict:  # noqa: A002
        """Judge one picture beside its neighbours.

        Args:
            previous: the picture ten minutes before, uint8 BGR H×W×3 or a `Picture`; None: missing or undecodable.
            current: the picture to judge.
            next: the picture ten minutes after, as `previous`.

        Returns:
            The verdict; its reason is the first test that failed, in the old order.

        Raises:
            ImageError: reason `not_a_picture`, when an array is no picture.
        """
        before, picture, after = as_neighbour(previous), as_picture(current), as_neighbour(next)
        metrics = self.measure(picture)
        identical = _identical(before, picture)
        reason = IDENTICAL_TO_PREVIOUS if identical else self._fault(metrics)
        return FaultVerdict(
            faulty=reason is not None,
            reason=reason,
            previous_comparable=not identical and self._comparable(before, picture),
            next_comparable=not _identical(after, picture) and self._comparable(after, picture),
            metrics=metrics,
        )

    def measure(self, frame: Frame) -> FaultMetrics:
        """Measure the share of the fullest of 32 reds and the longest run of equal rows anywhere."""
        picture, settings = as_picture(frame), self.settings
        equal = picture.same_components > picture.width * 3 * settings.row_similarity_threshold
        return FaultMetrics(picture.red_share, longest_run(equal), _run_limit(picture, settings))

    def _fault(self, metrics: FaultMetrics) -> str | None:
        if metrics.colour_fraction > self.settings.identical_area_proportion_threshold:
            return SINGLE_COLOUR
        return FROZEN_ROWS if metrics.longest_run > metrics.run_limit else None

    def _comparable(self, neighbour: Picture | None, picture: Picture) -> bool:
        return (
            neighbour is not None
            and neighbour.image.shape == picture.image.shape
            and self._fault(self.measure(neighbour)) is None
        )


class FaultyImageFilterV1:
    """The same idea, mended and extended.

    Colours are true colours; rows count as frozen only if they repeat something, not a plain sky; a picture that is
    the previous one re-encoded is `stale`; cards, blank, dark and cut-off pictures are told by their own words. A
    neighbour is comparable if it has the same size, is not the current picture again, and shows none of these signs.

    Args:
        settings: the fields of `FaultyImageSettingsV1` by name; `ConfigError` for a wrong name or value.
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = FaultyImageSettingsV1.of(settings)

    def check(self, previous: Frame | None, current: Frame, next: Frame | None) -> FaultVerdict:  # noqa: A002
        """Judge one picture beside its neighbours; arguments, result and errors are those of version 0.

        What is wrong with the picture itself is named before its likeness to the previous one.
        """
        before, picture, after = as_neighbour(previous), as_picture(current), as_neighbour(next)
        metrics = self.measure(picture)
        repeats = self._repeats(before, picture)
        reason = self._fault(picture, metrics) or repeats
        return FaultVerdict(
            faulty=reason is not None,
            reason=reason,
            previous_comparable=repeats is None and self._comparable(before, picture),
            next_comparable=self._repeats(after, picture) is None and self._comparable(after, picture),
            metrics=metrics,
        )

    def measure(self, frame: Frame) -> FaultMetrics:
        """Measure the share of the fullest of 32×32×32 colours and the longest run of frozen rows."""
        picture, settings = as_picture(frame), self.settings
        run = signs.frozen_rows(picture, settings.row_similarity_threshold)
        return FaultMetrics(picture.colour_share, run, _run_limit(picture, settings))

    def _fault(self, picture: Picture, metrics: FaultMetrics) -> str | None:
        settings = self.settings
        if signs.is_drawn_card(picture) or signs.is_known_card(picture, settings.placeholders):
            return PLACEHOLDER
        if signs.is_dark(picture, settings.dark_level):
            return DARK
        if signs.is_blank(picture):
            return BLANK
        if signs.is_truncated(picture):
            return TRUNCATED
        if metrics.longest_run > metrics.run_limit:
            return FROZEN_ROWS
        return SINGLE_COLOUR if metrics.colour_fraction > settings.identical_area_proportion_threshold else None

    def _repeats(self, neighbour: Picture | None, picture: Picture) -> str | None:
        if _identical(neighbour, picture):
            return IDENTICAL_TO_PREVIOUS
        if neighbour is None or neighbour.image.shape != picture.image.shape:
            return None
        return STALE if signs.is_stale(picture, neighbour, self.settings.stale_tolerance) else None

    def _comparable(self, neighbour: Picture | None, picture: Picture) -> bool:
        return (
            neighbour is not None
            and neighbour.image.shape == picture.image.shape
            and self._fault(neighbour, self.measure(neighbour)) is None
        )


def _identical(neighbour: Picture | None, picture: Picture) -> bool:
    return neighbour is not None and np.array_equal(neighbour.image, picture.image)


def _run_limit(picture: Picture, settings: FaultyImageSettings) -> int:
    return int(picture.height * settings.consecutive_matching_rows_threshold)
