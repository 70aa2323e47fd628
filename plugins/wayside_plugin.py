"""The one Airflow plugin of Wayside: it puts the pages of `wayside_airflow.web` into the Airflow UI.

Airflow runs this file in every one of its processes, so nothing heavy is imported here: the application is built when
the API server gets the first request for it.
"""

from typing import Any, ClassVar
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from wayside_airflow.web.lazy import Asgi, LazyApp

PREFIX = "/wayside"
# Where Airflow itself is served below a path, what the browser loads has to carry that path.
_ROOT = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")


def _build() -> Asgi:
    from wayside_airflow.web.app import create_app

    return create_app()


class WaysidePlugin(AirflowPlugin):
    """Web pages, and the entry "Wayside" in the side bar that leads to them."""

    name = "wayside"
    fastapi_apps: ClassVar[list[Any]] = [{"app": LazyApp(_build), "url_prefix": PREFIX, "name": "Wayside"}]
    external_views: ClassVar[list[Any]] = [
        {
            "name": "Wayside",
            "href": f"{_ROOT}{PREFIX}/cameras",
            "destination": "nav",
            "url_route": "wayside",
            "nav_top_level": True,
            "icon": f"{_ROOT}{PREFIX}/static/icon-light.svg",
            "icon_dark_mode": f"{_ROOT}{PREFIX}/static/icon-dark.svg",
        }
    ]
