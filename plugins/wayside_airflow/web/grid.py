"""The coverage of a day in a compact form: one letter for each camera and slot.

A thousand cameras make 144,000 cells. As strings of letters with one list of meanings they are 150 kB, and the
browser reads them at once.
"""

import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wayside.core.slots import SLOT_LENGTH, SLOTS_PER_DAY, Slot
from wayside_airflow.web.cards import STATES as CARD_STATES
from wayside_airflow.web.queries import Row

if TYPE_CHECKING:
    import pyarrow as pa

NOT_RUN = "."
# A late picture was counted; it is told apart because a count that comes late was not there when it was wanted.
STATES = (*CARD_STATES, "late")
_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Coverage:
    """`rows` are (camera, name, letters); `meanings` gives state and reason of a letter; `totals` counts states."""

    rows: Sequence[tuple[str, str, str]]
    meanings: dict[str, tuple[str, str]]
    totals: dict[str, int]

    @classmethod
    def of(cls, outcomes: "pa.Table", listed: Sequence[Row], first: Slot, due: int) -> "Coverage":
        """Arrange the outcomes of the day that starts at `first`; only the first `due` slots are totalled."""
        import numpy as np

        camera = outcomes["camera"].combine_chunks().dictionary_encode()
        outcome = outcomes["outcome"].combine_chunks().dictionary_encode()
        names = {row["camera"]: row["name"] for row in listed}
        found = camera.dictionary.to_pylist()
        cameras = sorted({*names, *found})
        place = {name: number for number, name in enumerate(cameras)}
        kinds = [tuple(text.split(" ", 1)) for text in outcome.dictionary.to_pylist()]

        grid = np.zeros((len(cameras), SLOTS_PER_DAY), np.int32)
        if outcomes.num_rows:
            row_of = np.array([place[name] for name in found])
            micros = outcomes["slot"].cast("int64").to_numpy() - int(first.start.timestamp()) * 1_000_000
            step = micros // int(SLOT_LENGTH.total_seconds() * 1_000_000)
            grid[row_of[camera.indices.to_numpy()], step] = outcome.indices.to_numpy() + 1

        letters = np.array([NOT_RUN, *(_letter(number) for number in range(len(kinds)))])
        meanings = {NOT_RUN: ("not_run", "")} | {_letter(number): kind for number, kind in enumerate(kinds)}
        used = np.bincount(grid[:, :due].ravel(), minlength=len(letters))
        totals = Counter[str]()
        for letter, number in zip(letters.tolist(), used.tolist(), strict=True):
            totals[meanings[letter][0]] += number
        rows = [(name, names.get(name, name), "".join(letters[line])) for name, line in zip(cameras, grid, strict=True)]
        return cls(rows, meanings, {state: totals[state] for state in STATES})

    def as_json(self) -> dict[str, Any]:
        """Return what the browser reads."""
        return {"meanings": self.meanings, "totals": self.totals, "cameras": self.rows}


def _letter(number: int) -> str:
    """Name the n-th kind of outcome; past the alphabet (many reasons) by characters of the next block."""
    return _LETTERS[number] if number < len(_LETTERS) else chr(0x100 + number)
