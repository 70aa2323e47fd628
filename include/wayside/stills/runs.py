"""The table `runs`: what was back-filled or reprocessed, by whom and why, how far it is and what came of it.

Many tasks work on one run. Each part of it, a shard say, keeps a small document of its own with what it did so far,
over all its tries; the one row of the run and its source is their sum, and is published at the start, while the work
goes on, and at the end. So tasks side by side lose no numbers, and a run that was killed counts on from where it was.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict

from wayside.core.clock import Clock
from wayside.core.errors import ConfigError
from wayside.core.ids import run_id, source_id
from wayside.core.tables import RUN_STATES, RUNS
from wayside.warehouse.layout import locked
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope

_EVERY: Final = 5.0  # seconds between two rows of a run at work, at least
_WHOLE: Final = ("slots_done", "fetched", "images", "changed")
_SECONDS: Final = ("seconds", "inference_seconds")


class RunInfo(BaseModel):
    """What is known of a run before it begins: the columns of `runs` of the same names."""

    model_config = ConfigDict(frozen=True)

    run: str
    kind: str
    first: AwareDatetime
    last: AwareDatetime
    mode: str
    who: str
    pipeline: str | None = None
    model_sha256: str | None = None
    cameras: str | None = None
    why: str | None = None


class RunBook:
    """Writes the row of one run and source."""

    def __init__(self, warehouse: ParquetWarehouse, clock: Clock, source: str, run: str) -> None:
        self.warehouse = warehouse
        self.clock = clock
        self.source = source_id(source)
        self.run = run_id(run)
        self._name = f"run-{run}.{source}"  # a source has no dot, so that no two pairs share a name

    def open(self, info: RunInfo, slots: int, parts: Sequence[str], state: str = "running") -> None:
        """Write the row of a run that begins, or begins again; what its parts have done already counts.

        Args:
            info: what is known of it.
            slots: slots to look at, all parts together.
            parts: names of its parts.
            state: `running`, or `planned` for a dry run.
        """
        self._write(info.model_dump(mode="json") | {"slots": slots, "parts": list(parts)}, state, None)

    def close(self, note: str, state: str = "done") -> dict[str, Any]:
        """Write the row of a run that is over, with a result or an error in one sentence; return the row."""
        return self._write(self._document(), state, note)

    def done(self) -> dict[str, float]:
        """Return the sums over all parts: `slots_done`, `fetched`, `images`, `changed` and both `seconds`."""
        return self._sum(self._document()["parts"])

    @contextmanager
    def part(self, part: str) -> Iterator["Part"]:
        """Work on one part of the run: what the block adds up is kept, also when it fails."""
        self._document()
        meter = Part(self, part)
        try:
            yield meter
        finally:
            meter.write(now=True)

    def keep(self, part: str, numbers: dict[str, float]) -> None:
        """Keep what a part did so far, and publish the sum of all parts."""
        self.warehouse.save_plan(f"{self._name}.{part}", numbers)
        document = self._document()
        self._write(document, document["state"], document["note"])

    def kept(self, part: str) -> dict[str, float]:
        """Return what a part did so far."""
        name = f"{self._name}.{part}"
        return dict(self.warehouse.load_plan(name)) if self.warehouse.has_plan(name) else {}

    def _document(self) -> dict[str, Any]:
        return dict(self.warehouse.load_plan(self._name))

    def _write(self, document: dict[str, Any], state: str, note: str | None) -> dict[str, Any]:
        if state not in RUN_STATES:
            raise ConfigError(f"a run is {', '.join(RUN_STATES)}; got {state!r}")
        scope = Scope(self.source, run=self.run)
        with locked(self.warehouse.root / "locks" / f"runs-{self.source}"):
            known = self.warehouse.read(RUNS, scope)
            now = self.clock()
            started = known["started_at"][0].as_py() if known.num_rows else now
            self.warehouse.save_plan(self._name, document | {"state": state, "note": note})
            info = RunInfo.model_validate(document)
            row = {
                "source": self.source,
                **info.model_dump(),
                **self._sum(document["parts"]),
                "slots": document["slots"],
                "state": state,
                "note": note,
                "started_at": started,
                "updated_at": now,
            }
            self.warehouse.publish(RUNS, scope, to_arrow(RUNS, [row]))
        return row

    def _sum(self, parts: Sequence[str]) -> dict[str, float]:
        done = [self.kept(part) for part in parts]
        whole = {name: round(sum(numbers.get(name, 0) for numbers in done)) for name in _WHOLE}
        return {**whole, **{name: sum(numbers.get(name, 0.0) for numbers in done) for name in _SECONDS}}


class Part:
    """The numbers of one part of a run. Times run while it is open."""

    def __init__(self, book: RunBook, part: str) -> None:
        self._book = book
        self._part = part
        self._before = book.kept(part)
        self._begun = time.monotonic()
        self._written = self._begun
        self.slots_done: float | None = None
        self.fetched = 0
        self.images = 0
        self.changed = 0
        self.inference_seconds = 0.0

    @property
    def seconds(self) -> float:
        """How long this try has been at work."""
        return time.monotonic() - self._begun

    def write(self, *, now: bool = False) -> None:
        """Publish how far it is, at most every few seconds unless it must be `now`."""
        if now or time.monotonic() - self._written >= _EVERY:
            self._written = time.monotonic()
            self._book.keep(self._part, self.numbers())

    def numbers(self) -> dict[str, float]:
        """Return what the part did in all its tries; `slots_done` is not added but said anew by each."""
        mine = {name: getattr(self, name) for name in (*_WHOLE[1:], *_SECONDS)}
        added = {name: self._before.get(name, 0) + value for name, value in mine.items()}
        slots = self._before.get("slots_done", 0) if self.slots_done is None else self.slots_done
        return {**added, "slots_done": slots}
