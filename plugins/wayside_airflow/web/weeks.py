"""Four weeks of coverage: for each camera and day, how many slots ended in which state.

Days that are over are read from the table `camera_days`, which the nightly back-fill writes; a day that it has not
seen, today above all, is counted from frames and counts when somebody asks.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from wayside.core.slots import Slot
from wayside_airflow.web import queries
from wayside_airflow.web.choice import Chosen, day_of
from wayside_airflow.web.context import Warehouse
from wayside_airflow.web.queries import Lens

if TYPE_CHECKING:
    import pyarrow as pa

    from wayside.warehouse.parquet import ParquetWarehouse

router = APIRouter()

DAYS: Final = 28
#: What the numbers of one camera and day stand for, in order. Those that came `late` are among the others as well.
STATES: Final = ("counted", "faulty", "missing", "failed", "waiting", "not_run", "late")
_NOT_RUN: Final = STATES.index("not_run")

# The slots of a day that are due, and the outcomes of its cameras.
Counted = tuple[int, "pa.Table"]


@router.get("/api/coverage/weeks")
def weeks(warehouse: Warehouse, choice: Chosen, day: str | None = None) -> JSONResponse:
    """Give for each camera a flat list of 28 days x 7 numbers, in the order of `days` and `states`."""
    lens, latest = choice.need()
    last = day_of(day) if day else latest.start.date()
    days = [last - timedelta(days=back) for back in reversed(range(DAYS))]
    names = {row["camera"]: row["name"] for row in queries.camera_names(warehouse, lens)}
    rolled, counted = _known(warehouse, lens, days, latest)
    known = (rolled, *(found for _, found in counted.values()))
    cameras = sorted({*names, *(name for table in known for name in table["camera"].unique().to_pylist())})
    grid = _grid(days, {name: row for row, name in enumerate(cameras)}, list(names), rolled, counted)
    answer = {
        "source": lens.source,
        "days": [one.isoformat() for one in days],
        "states": STATES,
        "totals": dict(zip(STATES, grid.sum(axis=(0, 1)).tolist(), strict=True)),
        "cameras": [(name, names.get(name, name), grid[row].ravel().tolist()) for row, name in enumerate(cameras)],
    }
    # Made here: FastAPI would first walk through all of it to find out what it is.
    return JSONResponse(answer)


def _known(
    warehouse: "ParquetWarehouse", lens: Lens, days: list[date], latest: Slot
) -> "tuple[pa.Table, dict[date, Counted]]":
    """Return the days that are rolled up, and of others that were looked at what is counted now."""
    import pyarrow.compute as pc

    from wayside.stills.days import due_slots

    today = latest.start.date()
    rolled = queries.camera_days(warehouse, lens, days[0], days[-1])
    rolled = rolled.filter(pc.not_equal(rolled["day"], today))
    # A day without any row was before the source was looked at, not a day on which it was down.
    rest = {*days} & queries.looked_at(warehouse, lens) - {*rolled["day"].unique().to_pylist()}
    counted: dict[date, Counted] = {}
    for day in sorted(rest):
        if due := due_slots(day, latest):
            found = queries.day_of_cameras(warehouse, lens, day, due)
            counted |= {day: (due, found)} if found.num_rows else {}
    return rolled, counted


def _grid(
    days: list[date], place: dict[str, int], listed: list[str], rolled: "pa.Table", counted: "dict[date, Counted]"
) -> Any:
    """Arrange the numbers as an array [camera, day, state]; `place` gives the row of a camera."""
    import numpy as np

    grid = np.zeros((len(place), len(days), len(STATES)), np.int64)
    column = {day: number for number, day in enumerate(days)}
    where = np.array([column[day] for day in rolled["day"].to_pylist()], int)
    grid[_places(rolled, place), where] = _numbers(rolled, STATES)
    for day, (due, found) in counted.items():
        # A listed camera without any row was due at every slot, and not run.
        grid[[place[name] for name in listed], column[day], _NOT_RUN] = due
        rows = _places(found, place)
        told = [state for state in STATES if state != "not_run"]
        grid[rows[:, None], column[day], [STATES.index(state) for state in told]] = _numbers(found, told)
        grid[rows, column[day], _NOT_RUN] = due - _numbers(found, ["slots"])[:, 0]
    return grid


def _places(table: "pa.Table", place: dict[str, int]) -> Any:
    """Return the row of the grid for each row of a table."""
    import numpy as np

    cameras = table["camera"].combine_chunks().dictionary_encode()
    return np.array([place[name] for name in cameras.dictionary.to_pylist()], int)[cameras.indices.to_numpy()]


def _numbers(table: "pa.Table", columns: Sequence[str]) -> Any:
    """Return columns side by side as integers; sums come as decimals."""
    import numpy as np

    return np.stack([table[name].cast("int64").to_numpy() for name in columns], axis=-1)
