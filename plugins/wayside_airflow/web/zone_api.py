"""The HTTP interface for programs that ask for counts: `POST /traffic`, `POST /objects`, `GET /statusWatch`.

Names and shapes are those of the replaced system, so that its clients go on working with a token of Airflow's. `err` is
false or a sentence, as it was there; what went wrong is also told by the status, and by one word in `reason`. A quiet
hour is 0 and no error; who needs the old answer asks with `?compat=1`.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictStr

from wayside_airflow.web.context import Warehouse
from wayside_airflow.web.zone_access import body_of
from wayside_airflow.web.zone_view import registry_of

if TYPE_CHECKING:
    from wayside.zones.errors import QuestionError

router = APIRouter()

_STATUS: Final = {
    "unknown_processor": 404,
    "unknown_zone": 404,
    "no_observation": 404,
    "wrong_kind": 409,
    "bad_time": 422,
    "bad_range": 422,
    "too_much": 422,
}
#: What the replaced system said of an hour without traffic.
_NONE_FOUND: Final = "No records found"

Time = StrictFloat | Annotated[StrictStr, Field(max_length=64)]
_TIME: Final = "ISO 8601, seconds since 1970, or 2026-05-01 08:00:00; without a zone it is UTC."
Compat = Annotated[
    bool, Query(description="Answer an hour without traffic as the replaced system did: with an error, and status 200.")
]


class TrafficQuestion(BaseModel):
    """Which processor, and which time: start < time <= stop."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    proc_id: int = Field(ge=1, le=2**31 - 1, description="Number of a processor of kind traffic.", examples=[12])
    start_ts: Time = Field(description=f"Start, not included. {_TIME}", examples=["2026-05-01T08:00:00Z"])
    stop_ts: Time | None = Field(
        None, description="End, included. Left out: until now.", examples=["2026-05-01T09:00:00Z"]
    )
    zone: str | None = Field(None, max_length=100, description="Only this zone or line.", examples=["North"])
    direction: str | None = Field(
        None, pattern="^(forward|backward)$", description="Only crossings in this direction.", examples=["forward"]
    )
    label: str | None = Field(None, max_length=100, description="Only this class.", examples=["car"])


class ObjectsQuestion(BaseModel):
    """Which processor, and at which time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    proc_id: int = Field(ge=1, le=2**31 - 1, description="Number of a processor of kind objects.", examples=[13])
    ts: Time | None = Field(None, description=f"When. {_TIME} Left out: the last that is known.")
    zone: str | None = Field(None, max_length=100, description="Only this zone.", examples=["Door"])


class TrafficAnswer(BaseModel):
    """How many came, and when the first and the last of them did; 0 where nobody came."""

    traffic: int | None
    min_ts: datetime | None
    max_ts: datetime | None
    err: str | bool = False


class ObjectsAnswer(BaseModel):
    """How many were inside, since when, and since when nobody looked any more (null: it was watched then)."""

    count: int
    ts: datetime
    unwatched_since: datetime | None
    err: str | bool = False


class Refused(BaseModel):
    """Why there is no answer. Of a question that was understood, `err` says the same and `reason` is one word."""

    detail: str
    err: str = ""
    reason: str = ""


def _asks(model: type[BaseModel]) -> dict[str, Any]:
    """Describe the body that `body_of` reads, which FastAPI does not see."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Refused, "description": what}
    for status, what in {
        400: "The body is no JSON",
        401: "Nobody is signed in",
        403: "The user may not see Wayside",
        404: "There is no such processor, zone or line, or it has counted nothing yet",
        409: "The processor is of another kind",
        413: "The body is too large",
        415: "The body is not application/json",
        422: "A field is wrong",
    }.items()
}


@router.post("/traffic", response_model=TrafficAnswer, responses=_REFUSALS, openapi_extra=_asks(TrafficQuestion))
@router.post("/Traffic", include_in_schema=False)
def traffic(
    warehouse: Warehouse,
    asked: Annotated[TrafficQuestion, Depends(body_of(TrafficQuestion))],
    compat: Compat = False,
) -> Response:
    """How many came in a time: entries into zones and crossings of lines."""
    from wayside.zones import answers

    def answer() -> dict[str, Any]:
        found = answers.traffic(
            warehouse, registry_of(warehouse), asked.proc_id, asked.start_ts, asked.stop_ts,
            zone=asked.zone, direction=asked.direction, label=asked.label,
        )  # fmt: skip
        told = {"traffic": found.traffic, "min_ts": found.min_ts, "max_ts": found.max_ts, "err": False}
        return told | ({"traffic": None, "err": _NONE_FOUND} if compat and not found.traffic else {})

    return _told(answer)


@router.post("/objects", response_model=ObjectsAnswer, responses=_REFUSALS, openapi_extra=_asks(ObjectsQuestion))
@router.post("/Objects", include_in_schema=False)
def objects(warehouse: Warehouse, asked: Annotated[ObjectsQuestion, Depends(body_of(ObjectsQuestion))]) -> Response:
    """How many were inside at a time: the last number that is known at or before it."""
    from wayside.zones import answers

    def answer() -> dict[str, Any]:
        found = answers.objects(warehouse, registry_of(warehouse), asked.proc_id, asked.ts, zone=asked.zone)
        return {"count": found.count, "ts": found.ts, "unwatched_since": found.unwatched_since, "err": False}

    return _told(answer)


@router.get("/statusWatch", responses={status: _REFUSALS[status] for status in (401, 403)})
def status_watch(warehouse: Warehouse) -> dict[str, Any]:
    """How fresh each camera with processors is, by its number: when its last segment ended, the lag, the gaps."""
    from wayside.zones import answers

    found = answers.status(warehouse, registry_of(warehouse))
    return {
        "err": False,
        **{
            str(number): {
                "watching": one.watching,
                "url": one.url,
                "source": one.source,
                "camera": one.camera,
                "last_segment": one.last_segment,
                "lag_s": one.lag_s,
                "gaps": one.gaps,
            }
            for number, one in found.items()
        },
    }


def _told(answer: Callable[[], dict[str, Any]]) -> Response:
    """Return an answer, or why there is none."""
    from wayside.zones.errors import QuestionError

    try:
        told = answer()
    except QuestionError as error:
        return _refused(error)
    times = {name: _iso(value) for name, value in told.items() if isinstance(value, datetime)}
    return JSONResponse(told | times)


def _refused(error: "QuestionError") -> Response:
    text = str(error)
    return JSONResponse({"err": text, "detail": text, "reason": error.reason}, _STATUS[error.reason])


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
