"""Who may see and change zones, and how a change is read: JSON of this site's own pages, bounded in size.

Lists and counts are for whoever may see the pages. Stills show people as they were recorded, and tracks tell where they
went, so these, the editor around them and every change need the right to start `recount_zones`.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, Header, HTTPException, Request
from pydantic import BaseModel, ValidationError

DAG: Final = "recount_zones"
#: Whoever may count again may draw what is counted.
may_edit = requires_access_dag("POST", DagAccessEntity.RUN, DAG)

#: Larger than the largest set of zones that is allowed, written with all digits.
MOST_BODY: Final = 2 * 2**20
Body = TypeVar("Body", bound=BaseModel)


def can_edit(user: GetUserDep) -> bool:
    """Tell whether the user may open the editor, to show its links only to who may."""
    details = DagDetails(id=DAG)
    entity = DagAccessEntity.RUN
    return get_auth_manager().is_authorized_dag(method="POST", access_entity=entity, details=details, user=user)


def author(user: GetUserDep) -> str:
    """Return the name under which a change is noted down."""
    return user.get_name()


def own_pages(sec_fetch_site: Annotated[str, Header()] = "") -> None:
    """Refuse what a browser sends from the page of another site, with the user's cookie; programs tell no site."""
    if sec_fetch_site not in {"", "none", "same-origin"}:
        raise HTTPException(403, "not from a page of another site")


MayEdit = Depends(may_edit)
CanEdit = Annotated[bool, Depends(can_edit)]
Author = Annotated[str, Depends(author)]


def body_of(model: type[Body]) -> Callable[[Request], Awaitable[Body]]:
    """Return a dependency that reads the body of a request as `model`.

    It answers 415 for another type than JSON, 413 for more than `MOST_BODY` bytes, 400 for what is no JSON and 422 for
    JSON of another shape.
    """

    async def read(request: Request) -> Body:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise HTTPException(415, "send application/json")
        data = bytearray()
        async for chunk in request.stream():
            data += chunk
            if len(data) > MOST_BODY:
                raise HTTPException(413, f"at most {MOST_BODY:,} bytes are read")
        try:
            return model.model_validate_json(bytes(data))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            status = 400 if first["type"] == "json_invalid" else 422
            raise HTTPException(status, f"{place}: {first['msg']}" if place else first["msg"]) from None

    return read
