"""The picture store and the warehouse of the settings, opened with the credentials of Airflow's connections.

`wayside` takes clients and connections from whoever calls it; here they come from the hooks of the providers, which
look the connection up and know the ways to sign in. The providers are imported only where the settings ask for them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from wayside.core.errors import ConfigError

if TYPE_CHECKING:
    from google.cloud.storage import Client as StorageClient

    from wayside.core.settings import Settings
    from wayside.store import Store
    from wayside.warehouse.bigquery import BigQueryTarget
    from wayside.warehouse.oracle import OracleTarget
    from wayside.warehouse.photo_target import PhotoTarget


def open_pictures(settings: Settings) -> Store:
    """Return the picture store: a folder, or a bucket opened with the connection `settings.google_connection`."""
    from wayside.store import open_store

    return open_store(settings, _storage(settings.google_connection) if settings.pictures_url else None)


def bigquery_target(settings: Settings) -> BigQueryTarget:
    """Return BigQuery as a target, opened with the connection `settings.google_connection`.

    Raises:
        ConfigError: neither the settings nor the connection name a project.
    """
    from airflow.providers.google.cloud.hooks.bigquery import BigQueryHook

    from wayside.warehouse.bigquery import BigQueryTarget

    hook = BigQueryHook(
        gcp_conn_id=settings.google_connection, location=settings.bigquery_location, use_legacy_sql=False
    )
    project = settings.bigquery_project or hook.project_id
    if not project:
        raise ConfigError(
            f"no project for BigQuery: set WAYSIDE_BIGQUERY_PROJECT, or a project in the Airflow connection "
            f"{settings.google_connection}"
        )
    client = hook.get_client(project_id=project, location=settings.bigquery_location)
    return BigQueryTarget(client, project, settings.bigquery_dataset, settings.bigquery_location)


def oracle_target(settings: Settings) -> OracleTarget:
    """Return Oracle as a target, opened with the connection `settings.oracle_connection` when it is used."""
    from airflow.providers.oracle.hooks.oracle import OracleHook

    from wayside.warehouse.oracle import OracleTarget

    hook = OracleHook(oracle_conn_id=settings.oracle_connection)
    return OracleTarget(hook.get_conn, settings.oracle_schema)


def storage_client(settings: Settings) -> StorageClient:
    """Return a client of Cloud Storage for places that a run names, of the connection `settings.google_connection`."""
    return _storage(settings.google_connection)


def photo_table_target(settings: Settings) -> PhotoTarget:
    """Return the table of road photos of the settings, in Oracle at the connection `settings.oracle_connection`.

    Raises:
        ConfigError: the settings name none, or its layout is wrong.
    """
    from airflow.providers.oracle.hooks.oracle import OracleHook

    from wayside.warehouse.photo_table import open_photo_table

    return open_photo_table(settings, OracleHook(oracle_conn_id=settings.oracle_connection).get_conn)


@lru_cache(maxsize=4)
def _storage(connection: str) -> StorageClient:
    """Return the client of a connection; one a process, since the pages open the store at each request."""
    from airflow.providers.google.cloud.hooks.gcs import GCSHook

    return GCSHook(gcp_conn_id=connection).get_conn()
