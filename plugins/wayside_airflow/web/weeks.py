"""Four weeks of coverage: for each camera and day, how many slots ended in which state.

Days that are over are read from the table `camera_days`, which the nightly back-fill writes; a day that it has not
seen, today above all, is counted from frames and counts when somebody asks.
"""

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from wayside.core.slots import SLOTS_PER_DAY, Slot
from wayside_airflow.web import queries
from wayside_airflow.web.choice import Chosen, day_of
from wayside_airflow.web.context import Warehouse
from wayside_airflow.web.queries import Lens, Row

if TYPE_CHECKING:
    from wayside.warehouse.parquet import ParquetWarehouse

router = APIRouter()

DAYS: Final = 28
#: What the numbers of one camera and day stand for, in order. Those that came `late` are among the others as well.
STATES: Final = ("counted", "faulty", "missing", "failed", "waiting", "not_run", "late")


@router.get("/api/coverage/weeks")
def weeks(warehouse: Warehouse, choice: Chosen, day: str | None = None) -> JSONResponse:
    """Give for each camera a flat list of 28 days x 7 numbers, in the order of `days` and `states`."""
    import numpy as np

    lens, latest = choice.need()
    last = day_of(day) if day else latest.start.date()
    days = [last - timedelta(days=back) for back in reversed(range(DAYS))]
    names = {row["camera"]: row["name"] for row in queries.camera_names(warehouse, lens)}
    rows = _rows(warehouse, lens, days, latest, list(names))
    cameras = sorted({*names, *(row["camera"] for row in rows)})
    place = {name: number for number, name in enumerate(cameras)}
    grid = np.zeros((len(cameras), DAYS, len(STATES)), np.int32)
    if rows:
        where = np.array([(place[row["camera"]], (row["day"] - days[0]).days) for row in rows])
        grid[where[:, 0], where[:, 1]] = [[row[state] for state in STATES] for row in rows]
    answer = {
        "source": lens.source,
        "days": [one.isoformat() for one in days],
        "states": STATES,
        "totals": dict(zip(STATES, grid.sum(axis=(0, 1)).tolist(), strict=True)),
        "cameras": [(name, names.get(name, name), grid[row].ravel().tolist()) for name, row in place.items()],
    }
    # Made here: FastAPI would first walk through all of it to find out what it is.
    return JSONResponse(answer)


def _rows(warehouse: "ParquetWarehouse", lens: Lens, days: list[date], latest: Slot, listed: list[str]) -> list[Row]:
    """Return a row for each camera and day of which something is known."""
    from wayside.stills.days import due_slots

    today = latest.start.date()
    rows = [row for row in queries.camera_days(warehouse, lens, days[0], days[-1]) if row["day"] != today]
    seen = {row["day"] for row in rows}
    for day in days:
        if day in seen or day > today:
            continue
        due = due_slots(day, latest) if day == today else SLOTS_PER_DAY
        found = {row["camera"]: row for row in queries.day_of_cameras(warehouse, lens, day, due)}
        # A day without any row was before the source was looked at, not a day on which it was down.
        cameras = {*found, *listed} if found else set()
        rows += [_filled(camera, day, due, found.get(camera)) for camera in cameras]
    return rows


def _filled(camera: str, day: date, due: int, found: Row | None) -> Row:
    numbers: Row = found or dict.fromkeys(("slots", *STATES), 0)
    return {**numbers, "camera": camera, "day": day, "not_run": due - numbers["slots"]}
