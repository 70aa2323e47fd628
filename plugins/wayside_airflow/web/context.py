"""What every route shares: the warehouse, the picture store, and the templates with their few filters."""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from wayside.core.settings import settings
from wayside.core.slots import Slot

if TYPE_CHECKING:
    from wayside.store import Store
    from wayside.warehouse.parquet import ParquetWarehouse

HERE = Path(__file__).parent

WarehouseFactory = Callable[[], "ParquetWarehouse"]
StoreFactory = Callable[[], "Store"]


def open_warehouse() -> "ParquetWarehouse":
    """Open the warehouse of the settings; what a page writes there goes on to other warehouses."""
    from wayside.warehouse.parquet import open_lake

    return open_lake(settings())


def open_store() -> "Store":
    """Open the picture store of the settings, with the credentials of its Airflow connection."""
    from wayside_airflow.hooks.services import open_pictures

    return open_pictures(settings())


def _warehouse(request: Request) -> Any:
    return request.app.state.warehouse()


def _store(request: Request) -> Any:
    return request.app.state.store()


# `Any` on purpose: the real types would have to be imported here for FastAPI to read them, and they are heavy.
Warehouse = Annotated[Any, Depends(_warehouse)]
Pictures = Annotated[Any, Depends(_store)]


@lru_cache(maxsize=1)
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(words=words, clock=clock, day=day, query=query)
    return made


def render(request: Request, template: str, values: dict[str, Any], *, status: int = 200) -> HTMLResponse:
    """Fill a template; `base` is the path under which the application is mounted."""
    base = request.scope.get("root_path", "").rstrip("/")
    page = _templates().get_template(template).render(base=base, **values)
    return HTMLResponse(page, status)


def words(code: str | None) -> str:
    """Turn a code such as `too_dark` into words."""
    return (code or "").replace("_", " ").replace("-", " ").strip()


def clock(when: Slot | datetime | None) -> str:
    """Write the UTC time of day, `09:40`."""
    moment = when.start if isinstance(when, Slot) else when
    return moment.strftime("%H:%M") if moment else ""


def day(when: Slot | datetime | None) -> str:
    """Write the UTC day for people, `Sat 2 May 2026`."""
    moment = when.start if isinstance(when, Slot) else when
    return f"{moment:%a} {moment.day} {moment:%b %Y}" if moment else ""


def query(values: dict[str, Any], **changes: object) -> str:
    """Write a query string of `values` with `changes`; empty values are left out."""
    kept = {name: str(value) for name, value in {**values, **changes}.items() if value not in {None, ""}}
    return urlencode(kept)
