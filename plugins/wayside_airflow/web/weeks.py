"""Four weeks of coverage: for each camera and day, how many slots ended in which state.

Days that are over are read from the table `camera_days`, which the nightly back-fill writes; a day that it has not seen,
today above all, is counted from frames and counts when somebody asks.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from wayside.core.slots import SLOTS_PER_DAY
from wayside_airflow.web import queries
from wayside_airflow.web.choice import Chosen, day_of, first_slot
from wayside_airflow.web.context import Warehouse
from wayside_airflow.web.queries import Lens

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from wayside.warehouse.parquet import ParquetWarehouse

router = APIRouter()

DAYS: Final = 28
#: What the numbers of one camera and day stand for, in order. `late` ones are among those counted or faulty.
STATES: Final = ("counted", "faulty", "missing", "failed", "waiting", "not_run", "late")


@router.get("/api/coverage/weeks")
def weeks(warehouse: Warehouse, choice: Chosen, day: str | None = None) -> JSONResponse:
    """Give for each camera a flat list of 28 days x 7 numbers, in the order of `days` and `states`."""
    import numpy as np

    lens, latest = choice.need()
    last = day_of(day) if day else latest.start.date()
    days = [last - timedelta(days=back) for back in reversed(range(DAYS))]
    listed = {row["camera"]: row["name"] for row in queries.camera_names(warehouse, lens)}
    parts = _parts(warehouse, lens, days, latest.start.date(), latest.shift(1).start.hour * 6)
    cameras = sorted({*listed, *(name for part in parts for name in part["camera"].unique().to_pylist())})
    grid = np.zeros((len(cameras), DAYS, len(STATES)), np.int32)
    for part in parts:
        _place(grid, part, cameras, days[0])
    totals = dict(zip(STATES, grid.sum(axis=(0, 1)).tolist(), strict=True))
    flat = grid.reshape(len(cameras), -1)
    rows = [(name, listed.get(name, name), flat[place].tolist()) for place, name in enumerate(cameras)]
    answer = {
        "source": lens.source,
        "days": [day.isoformat() for day in days],
        "states": STATES,
        "totals": totals,
        "cameras": rows,
    }
    return JSONResponse(answer)
