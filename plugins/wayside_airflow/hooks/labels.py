"""Label services as Airflow's connections describe them, and the address to which they answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wayside.core.errors import ConfigError

if TYPE_CHECKING:
    from wayside.videos.labellers.service import Service


def label_service(connection: str) -> Service:
    """Return the service of a connection: `host` is its address, `password` a bearer token, see `ServiceOptions`.

    Raises:
        ConfigError: there is no such connection, or its address or extra is wrong.
    """
    from airflow.sdk.bases.hook import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError

    from wayside.videos.labellers.service import Service

    try:
        found = BaseHook.get_connection(connection)
    except (AirflowNotFoundException, AirflowRuntimeError) as error:
        raise ConfigError(
            f"there is no Airflow connection {connection!r} with the address of a label service"
        ) from error
    return Service.of_connection(connection, _address(found), found.password or "", found.extra_dejson)


def answer_address(token: str) -> str:
    """Return where a service puts its answer: below Airflow's own address, `[api] base_url`.

    Raises:
        ConfigError: that is not set.
    """
    from airflow.configuration import conf

    from wayside.videos.labellers.opened import answers_at

    base = conf.get("api", "base_url", fallback="")
    if not base:
        raise ConfigError("a label service cannot answer: set [api] base_url to the address of Airflow as it sees it")
    return answers_at(base)(token)


def _address(connection: object) -> str:
    """Write host, schema and port of a connection as one address; a host may be that already."""
    host = str(getattr(connection, "host", "") or "")
    if "://" in host:
        return host
    schema, port = getattr(connection, "schema", None) or "https", getattr(connection, "port", None)
    return f"{schema}://{host}:{port}" if port else f"{schema}://{host}"
