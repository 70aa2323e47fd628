"""Delivery: what is published here goes to BigQuery or Oracle, if the settings name one of them.

Where the settings name a road authority's own table of photos (`photo_table`), the road photos go there too, before the
other tables. Every DAG that publishes ends with this operator. It sends whatever waits, whoever published it: so the
tables that a killed run left behind go with the next. A run makes one load and one MERGE for each table at the most,
because these are what BigQuery limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from airflow.sdk import BaseOperator, BaseOperatorLink, Context

from wayside.core.errors import ConfigError, TransientError, WaysideError
from wayside_airflow.operators.common import raise_first
from wayside_airflow.triggers.jobs import JobsTrigger

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey

    from wayside.core.settings import Settings
    from wayside.core.tables import Table
    from wayside.warehouse.bigquery import BigQueryTarget
    from wayside.warehouse.outbox import Batch
    from wayside.warehouse.parquet import ParquetWarehouse


@attrs.define
class JobLink(BaseOperatorLink):
    """From a delivery to the last of its jobs in the console of Google Cloud."""

    name = "BigQuery job"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address, empty where no job ran."""
        return getattr(operator, "job_url", "")


class DeliverOperator(BaseOperator):
    """Send the tables that wait in the outbox to the warehouse of the settings; do nothing where that is DuckDB.

    Args:
        tables: names of tables, separated by commas; all if empty. (templated)
        deferrable: wait for BigQuery's jobs in the triggerer, and leave the worker to others.
    """

    template_fields: Sequence[str] = ("tables",)
    operator_extra_links = (JobLink(),)

    def __init__(self, *, tables: str = "", deferrable: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tables = tables
        self.deferrable = deferrable
        self.job_url = ""

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many rows of each table went."""
        from wayside.warehouse.outbox import deliver
        from wayside_airflow.hooks.services import bigquery_target, oracle_target

        settings, lake = _opened()
        failed: list[WaysideError] = []
        registered = self._register(settings, lake, failed)
        rows: dict[str, int] = {}
        match settings.warehouse:
            case "duckdb":
                self.log.info("the published Parquet files are the warehouse: there is nothing to deliver")
            case "bigquery" if self.deferrable:
                self._load(lake, bigquery_target(settings), failed)
                rows = self._said({})
            case "bigquery":
                target, tables = bigquery_target(settings), self._tables()
                batches = [batch for table in tables if (batch := lake.outbox.open(table, lake)) is not None]
                rows = self._said(deliver(lake.outbox, lake, target, tables))
                self._show(target, batches)
            case "oracle":
                rows = self._said(deliver(lake.outbox, lake, oracle_target(settings), self._tables()))
        raise_first(failed)
        return registered | rows

    def _register(self, settings: Settings, lake: ParquetWarehouse, failed: list[WaysideError]) -> dict[str, int]:
        """Register road photos in the table that the settings name; what fails holds up none of the others."""
        from wayside.warehouse.photo_table import deliver_photo_table
        from wayside_airflow.hooks.services import photo_table_target

        if not settings.photo_table or "road_photos" not in {table.name for table in self._tables()}:
            return {}
        try:
            done = deliver_photo_table(lake, photo_table_target(settings))
        except WaysideError as error:
            self.log.error("registering road photos failed: %s", error)
            failed.append(error)
            return {}
        self.log.info("registered in %s", done)
        for one in (*done.refused, *done.notes):
            self.log.warning("%s", one)
        return {settings.photo_table: done.rows - len(done.refused)} if done.rows else {}

    def _load(self, lake: ParquetWarehouse, target: BigQueryTarget, failed: list[WaysideError]) -> None:
        """Submit the loads, and wait for them elsewhere; return if nothing has to be loaded."""
        batches = [batch for table in self._tables() if (batch := lake.outbox.open(table, lake)) is not None]
        if not batches:
            return
        jobs: dict[str, str] = {}
        for batch in batches:
            try:
                target.prepare([batch.table])
                jobs[batch.table.name] = target.load(batch)
            except WaysideError as error:
                failed.append(error)
        if not jobs:
            raise_first(failed)
        self.log.info("loading %s", ", ".join(jobs.values()))
        names = {batch.table.name: batch.name for batch in batches if batch.table.name in jobs}
        self._wait(list(jobs.values()), "merge", {"names": names, "failed": list(map(_written, failed))})

    def _wait(self, jobs: Sequence[str], then: str, kwargs: dict[str, Any]) -> None:
        """Wait in the triggerer, where the time limit of the task does not count by itself; a wait holds the pool."""
        self.defer(trigger=JobsTrigger(jobs), method_name=then, kwargs=kwargs, timeout=self.execution_timeout)

    def merge(
        self, context: Context, event: Mapping[str, Any], names: Mapping[str, str], failed: Sequence[Sequence[Any]] = ()
    ) -> None:
        """Submit the MERGEs of the tables whose loads are done, and wait for them elsewhere."""
        lake, target, batches = self._resumed(event, names)
        jobs: dict[str, str] = {}
        errors = [_read(one) for one in failed]
        for batch in batches:
            try:
                target.result(batch, target.load(batch), lake.outbox)
                jobs[batch.table.name] = target.merge(batch)
            except WaysideError as error:
                errors.append(error)
        if not jobs:
            raise_first(errors)
            return
        self.log.info("merging %s", ", ".join(jobs.values()))
        going_on = {"names": {table: names[table] for table in jobs}, "failed": list(map(_written, errors))}
        self._wait(list(jobs.values()), "finish", going_on)

    def finish(
        self, context: Context, event: Mapping[str, Any], names: Mapping[str, str], failed: Sequence[Sequence[Any]] = ()
    ) -> dict[str, int]:
        """Close the batches whose MERGEs are done; return how many rows of each table went.

        What failed on the way, of any table, is raised when the others are home.
        """
        lake, target, batches = self._resumed(event, names)
        errors = [_read(one) for one in failed]
        rows = {}
        for batch in batches:
            try:
                job = target.merge(batch)
                target.result(batch, job, lake.outbox)
                rows[batch.table.name] = batch.rows().num_rows
                target.clean(batch)
                lake.outbox.close(batch)
                self.job_url = target.console_url(job)
            except WaysideError as error:
                errors.append(error)
        self._said(rows)
        self._show(target, [batch for batch in batches if batch.table.name in rows])
        raise_first(errors)
        return rows

    def _show(self, target: BigQueryTarget, batches: Sequence[Batch]) -> None:
        """See that each pipeline with new counts has its view for users of chrono_lens; without it, all else stands."""
        from wayside.warehouse.views import create_views

        pipelines = sorted(
            {str(scope.pipeline) for one in batches if one.table.name == "counts" for scope in one.scopes}
        )
        try:
            create_views(target, pipelines)
        except WaysideError as error:
            self.log.warning("the views of chrono_lens' columns are not up to date: %s", error)

    def _resumed(
        self, event: Mapping[str, Any], names: Mapping[str, str]
    ) -> tuple[ParquetWarehouse, BigQueryTarget, list[Batch]]:
        """Find the batches again after a wait; those that somebody else has brought home meanwhile are left out."""
        from wayside_airflow.hooks.services import bigquery_target

        if error := event.get("error"):
            raise TransientError(f"waiting for BigQuery failed: {error}")
        settings, lake = _opened()
        found = [lake.outbox.open(table, lake) for table in self._tables() if table.name in names]
        batches = [batch for batch in found if batch is not None and batch.name == names[batch.table.name]]
        return lake, bigquery_target(settings), batches

    def _tables(self) -> list[Table]:
        from wayside.core.tables import TABLES

        named = [name.strip() for name in self.tables.split(",") if name.strip()]
        if unknown := sorted(set(named) - set(TABLES)):
            raise ConfigError(f"there are no tables {', '.join(unknown)}; there are {', '.join(TABLES)}")
        return [TABLES[name] for name in named or TABLES]

    def _said(self, rows: dict[str, int]) -> dict[str, int]:
        told = ", ".join(f"{number} rows of {name}" for name, number in rows.items())
        self.log.info("delivered: %s", told or "nothing waited")
        return rows


def _opened() -> tuple[Settings, ParquetWarehouse]:
    from wayside.core.settings import Settings
    from wayside.warehouse.parquet import open_lake

    settings = Settings()  # type: ignore[call-arg]
    return settings, open_lake(settings)


def _written(error: WaysideError) -> list[Any]:
    """Write an error so that it survives a wait in the triggerer: whether it may pass, and its text."""
    return [isinstance(error, TransientError), str(error)]


def _read(written: Sequence[Any]) -> WaysideError:
    may_pass, text = written
    return TransientError(text) if may_pass else ConfigError(text)
