"""How good counts are: events of a processor against a hand count of the same video.

The protocol. Somebody watches the video and writes down each entry, exit and crossing with its time. Then every event
of ours is paired with at most one of the hand count, of the same kind and at the same zone or line, at most a second
apart, so that as many as possible are paired and their times differ as little as possible. A pair whose directions
differ is a confusion: it is neither right nor simply absent, and is told as such. Volumes are compared as traffic
engineers do, by GEH, and over intervals by WAPE.

What the person was not sure of, somebody who stands on the line as the video ends say, is written down as doubtful: it
is neither missed nor, where we have it, extra.

GEH: UK Department for Transport, TAG unit M3.1, and DMRB volume 12: below 5 in 85 % of the hours is a good fit.
"""

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from wayside.core.errors import ConfigError

TOLERANCE_S: Final = 1.0
INTERVAL_S: Final = 900.0
KINDS: Final = ("enter", "exit", "cross")
_COLUMNS: Final = ("time", "kind", "zone", "direction", "label", "doubtful")
_MOST_ROWS: Final = 200_000
_HOUR_S: Final = 3600.0


@dataclass(frozen=True, slots=True, order=True)
class Passage:
    """One entry, exit or crossing: when (seconds from the start of the video), at which zone or line, which way.

    One that is doubtful, of a hand count, counts neither for nor against.
    """

    at_s: float
    kind: str
    zone: str
    direction: str = ""
    label: str = ""
    doubtful: bool = False


@dataclass(frozen=True)
class Pair:
    """An event of ours and the one of the hand count that it is paired with."""

    hand: Passage
    ours: Passage

    @property
    def right(self) -> bool:
        """Whether both went the same way."""
        return self.hand.direction == self.ours.direction

    @property
    def late_s(self) -> float:
        """By how many seconds ours comes after the hand count's."""
        return self.ours.at_s - self.hand.at_s


@dataclass(frozen=True)
class Accuracy:
    """What came of a comparison.

    Attributes:
        pairs: events that were paired.
        missed: events of the hand count alone.
        extra: events of ours alone.
        geh: by kind, zone and direction, of flows brought to an hour.
        wape: weighted absolute percentage error over intervals, 0 for none; None where the hand count has no event.
        seconds: length of what was compared.
    """

    pairs: tuple[Pair, ...]
    missed: tuple[Passage, ...]
    extra: tuple[Passage, ...]
    geh: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    wape: float | None = None
    seconds: float = 0.0

    @property
    def right(self) -> int:
        """Pairs that went the same way."""
        return sum(pair.right for pair in self.pairs)

    @property
    def hand(self) -> int:
        """Events of the hand count."""
        return len(self.pairs) + len(self.missed)

    @property
    def ours(self) -> int:
        """Events of ours."""
        return len(self.pairs) + len(self.extra)

    @property
    def precision(self) -> float | None:
        """Share of our events that are right, 0..1; None where there is none."""
        return self.right / self.ours if self.ours else None

    @property
    def recall(self) -> float | None:
        """Share of the hand count that we have right, 0..1; None where it is empty."""
        return self.right / self.hand if self.hand else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall, 0..1; None where there is nothing at all."""
        return 2 * self.right / (self.hand + self.ours) if self.hand + self.ours else None

    @property
    def overall_geh(self) -> float:
        """GEH of all events together."""
        return geh(self.ours, self.hand, self.seconds)

    @property
    def late_s(self) -> float | None:
        """Mean of how late ours are in seconds; None where nothing is paired."""
        return sum(pair.late_s for pair in self.pairs) / len(self.pairs) if self.pairs else None

    def directions(self) -> dict[tuple[str, str], int]:
        """Return the confusion of directions: pairs by the hand count's and by ours; only events that have one."""
        ways = ((pair.hand.direction, pair.ours.direction) for pair in self.pairs)
        return dict(sorted(Counter(way for way in ways if any(way)).items()))


def compare(
    hand: Sequence[Passage],
    ours: Sequence[Passage],
    *,
    seconds: float,
    tolerance_s: float = TOLERANCE_S,
    interval_s: float = INTERVAL_S,
) -> Accuracy:
    """Compare events with a hand count.

    Args:
        hand: the hand count.
        ours: events of a processor, of the same video and its zones.
        seconds: length of the video.
        tolerance_s: how far apart two events may be that are the same.
        interval_s: length of the intervals of WAPE; a shorter video is one interval.
    """
    sure = [one for one in hand if not one.doubtful]
    pairs = _pairs(sure, ours, tolerance_s)
    rest = Counter(ours) - Counter(pair.ours for pair in pairs)
    doubtful = _pairs([one for one in hand if one.doubtful], sorted(rest.elements()), tolerance_s)
    hand, ours = sure, sorted((Counter(ours) - Counter(pair.ours for pair in doubtful)).elements())
    missed = Counter(hand) - Counter(pair.hand for pair in pairs)
    extra = Counter(ours) - Counter(pair.ours for pair in pairs)
    flows = sorted({(one.kind, one.zone, one.direction) for one in (*hand, *ours)})
    return Accuracy(
        tuple(sorted(pairs, key=lambda pair: pair.hand)),
        tuple(sorted(missed.elements())),
        tuple(sorted(extra.elements())),
        {flow: geh(_number(ours, flow), _number(hand, flow), seconds) for flow in flows},
        _wape(hand, ours, interval_s),
        seconds,
    )


def geh(ours: int, hand: int, seconds: float) -> float:
    """Return the GEH statistic of two counts over `seconds`, brought to flows an hour; 0 is a perfect fit.

    A count over a few minutes says little about an hour, and its GEH is large for one vehicle more or less.
    """
    if ours == hand or seconds <= 0:
        return 0.0
    model, count = (number * _HOUR_S / seconds for number in (ours, hand))
    return math.sqrt(2 * (model - count) ** 2 / (model + count))


def read_passages(text: str) -> list[Passage]:
    """Read a hand count, CSV.

    Columns: time (seconds), kind, zone, and, if told, direction, label and doubtful (yes or no).

    Raises:
        ConfigError: with the line, where a column lacks or a value means nothing.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    lacking = {"time", "kind", "zone"} - set(reader.fieldnames or ())
    if lacking:
        raise ConfigError(f"the hand count has no column {', '.join(sorted(lacking))}: it needs {', '.join(_COLUMNS)}")
    read: list[Passage] = []
    for row in reader:
        if len(read) >= _MOST_ROWS:
            raise ConfigError(f"the hand count has more than {_MOST_ROWS} rows")
        read.append(_passage(row, reader.line_num))
    return sorted(read)


def _passage(row: Mapping[str, str | None], line: int) -> Passage:
    texts = {name: (row.get(name) or "").strip() for name in _COLUMNS}
    try:
        at_s = float(texts["time"])
    except ValueError:
        raise ConfigError(f"line {line}: {texts['time']!r} is no time: write seconds, 12.5 say") from None
    if not math.isfinite(at_s) or at_s < 0:
        raise ConfigError(f"line {line}: a time is not {texts['time']}")
    if texts["kind"] not in KINDS:
        raise ConfigError(f"line {line}: kind {texts['kind']!r} is none of {', '.join(KINDS)}")
    if not texts["zone"]:
        raise ConfigError(f"line {line}: no zone or line is named")
    if texts["doubtful"] not in {"", "yes", "no"}:
        raise ConfigError(f"line {line}: doubtful is yes or no, not {texts['doubtful']!r}")
    return Passage(
        at_s, texts["kind"], texts["zone"], texts["direction"], texts["label"], doubtful=texts["doubtful"] == "yes"
    )


def _pairs(hand: Sequence[Passage], ours: Sequence[Passage], tolerance_s: float) -> list[Pair]:
    places = sorted({(one.kind, one.zone) for one in hand})
    return [pair for place in places for pair in _paired(_at(hand, *place), _at(ours, *place), tolerance_s)]


def _at(passages: Iterable[Passage], kind: str, zone: str) -> list[Passage]:
    return sorted(one for one in passages if (one.kind, one.zone) == (kind, zone))


def _paired(hand: Sequence[Passage], ours: Sequence[Passage], tolerance_s: float) -> list[Pair]:
    """Pair as many as can be, the same way before another way, and near ones before far ones."""
    if not hand or not ours:
        return []
    apart = np.abs(np.subtract.outer([one.at_s for one in hand], [one.at_s for one in ours]))
    near = apart <= tolerance_s + 1e-9
    other_way = np.array([[a.direction != b.direction for b in ours] for a in hand])
    # A pair more weighs more than all differences in way, and one of these more than all differences in time.
    way, pair = tolerance_s * len(hand) + 1.0, (tolerance_s + 2.0) * (len(hand) + 1) ** 2
    cost = np.where(near, apart + way * other_way, pair)
    rows, columns = linear_sum_assignment(cost)
    return [Pair(hand[i], ours[j]) for i, j in zip(rows, columns, strict=True) if near[i, j]]


def _number(passages: Iterable[Passage], flow: tuple[str, str, str]) -> int:
    return sum((one.kind, one.zone, one.direction) == flow for one in passages)


def _wape(hand: Sequence[Passage], ours: Sequence[Passage], interval_s: float) -> float | None:
    """Return the sum of |ours - hand| over intervals and flows, over the sum of the hand count."""
    if not hand:
        return None
    volumes = [Counter((int(p.at_s // interval_s), p.kind, p.zone, p.direction) for p in some) for some in (hand, ours)]
    cells = set(volumes[0]) | set(volumes[1])
    return sum(abs(volumes[1][cell] - volumes[0][cell]) for cell in cells) / len(hand)
