"""The one Airflow plugin of Wayside: it puts the pages of `wayside_airflow.web` into the Airflow UI.

Airflow runs this file in every one of its processes, so nothing heavy is imported here: the application is built when
the API server gets the first request for it.
"""

from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from wayside_airflow.nightly import AfterEachDay
from wayside_airflow.notifiers.notify import SlotBegin
from wayside_airflow.priority import LiveFirst
from wayside_airflow.web.lazy import Asgi, LazyApp

PREFIX = "/wayside"
CALLBACKS = "/wayside-callbacks"


def _build() -> Asgi:
    from wayside_airflow.web.app import create_app

    return create_app()


def _build_callbacks() -> Asgi:
    from wayside_airflow.web.callbacks import create_callback_app

    return create_callback_app()


def _address(path: str) -> str:
    """Return the address of a page as the browser loads it, also where Airflow itself is served below a path."""
    root = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
    return f"{root}{PREFIX}{path}"


_APPS = [
    {"app": LazyApp(_build), "url_prefix": PREFIX, "name": "Wayside"},
    # Label services answer here. They have no user in Airflow: what lets them in is a one-time token.
    {"app": LazyApp(_build_callbacks), "url_prefix": CALLBACKS, "name": "Wayside callbacks"},
]
_VIEWS = [
    {
        "name": "Wayside",
        "href": _address("/cameras"),
        "destination": "nav",
        "url_route": "wayside",
        "nav_top_level": True,
        "icon": _address("/static/icon-light.svg"),
        "icon_dark_mode": _address("/static/icon-dark.svg"),
    }
]
_STRATEGIES = [LiveFirst]
_REFERENCES = [SlotBegin]
_TIMETABLES = [AfterEachDay]


class WaysidePlugin(AirflowPlugin):
    """Web pages, an entry "Wayside" in the side bar that leads to them, the order of work, and when runs are due."""

    name = "wayside"
    fastapi_apps: list[Any] = _APPS
    external_views: list[Any] = _VIEWS
    priority_weight_strategies: list[Any] = _STRATEGIES
    deadline_references: list[Any] = _REFERENCES
    timetables: list[Any] = _TIMETABLES
