"""Deliver published tables to BigQuery: one load job into a staging table, then one MERGE that replaces the scopes.

Both jobs have ids made of the batch's name and attempt, and BigQuery takes an id once. So whoever comes next, after a
crash, a lost answer or at the same time, finds the job that is there and goes on from it: each step may be repeated
from the start at any time. An id is spent only when its job has ended with an error; the batch then gets a new attempt
(`Outbox.refuse`), with a staging table of its own. At most one MERGE of a batch succeeds, since an attempt begins when
the one before has failed for good. Staging is taken away after the MERGE has succeeded, when nobody needs it any more:
a runner that comes late finds both jobs done. What a crash leaves behind expires after a day.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import IO, Any, Final, cast
from urllib.parse import quote

from google.api_core.retry import Retry
from google.cloud import bigquery

from wayside.core.clock import utc_now
from wayside.core.errors import AuditError, ConfigError, TransientError, WaysideError
from wayside.core.tables import Table
from wayside.warehouse import bigquery_schema as schema
from wayside.warehouse.bigquery_errors import NotThereError, asking, failed_job
from wayside.warehouse.outbox import Batch, Outbox

_APP: Final = {"app": "wayside"}
_STAGING_LASTS: Final = timedelta(days=1)
_CALL: Final = 60.0  # seconds for one answer
_UPLOAD: Final = 300.0
RETRY: Final = bigquery.DEFAULT_RETRY.with_timeout(_CALL)
_JOB: Final = 3600.0  # a MERGE may wait for others; BigQuery gives up after six hours
_ERRORS: Final = 3  # of a failed job that are told
_FIRST_LOOK, _LAST_LOOK = 0.25, 5.0  # seconds between two looks at a job

Job = bigquery.LoadJob | bigquery.QueryJob


class BigQueryTarget:
    """The tables of Wayside in one dataset of BigQuery.

    Args:
        client: the client, signed in.
        project: project of the dataset and of the jobs.
        dataset: its name; it is created if it is not there.
        location: where it lies.
        labels: labels for the tables and jobs, beside `app` and `table`.
        retry: how a call is repeated that had no answer; None: not at all.
        sleep: waits between two looks at a job.
    """

    def __init__(
        self,
        client: bigquery.Client,
        project: str,
        dataset: str,
        location: str,
        labels: Mapping[str, str] | None = None,
        *,
        retry: Retry | None = RETRY,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.client = client
        self.project = project
        self.dataset = bigquery.DatasetReference(project, dataset)
        self.location = location
        self.labels = {**(labels or {}), **_APP}
        self._calling: dict[str, Any] = {"retry": retry, "timeout": _CALL}
        self._uploads = 0 if retry is None else 6
        self._sleep = sleep
        self._prepared: set[str] = set()

    def deliver(self, batch: Batch) -> None:
        """Replace the scopes of a batch by its rows; see `wayside.warehouse.outbox.Target`."""
        outbox = Outbox.of(batch)
        self.prepare([batch.table])
        for submit in (self.load, self.merge):
            job = submit(batch)
            self.wait(job)
            self.result(batch, job, outbox)
        self.clean(batch)

    # The steps

    def prepare(self, tables: Sequence[Table]) -> None:
        """Create the dataset and tables that are not there, and columns that may be null in tables that lack them.

        Does nothing for tables that this target has prepared before.

        Raises:
            ConfigError: a table of this name is there and does not fit; names the column.
            TransientError: BigQuery did not answer, or somebody changes the table at the same time.
        """
        waiting = [table for table in tables if table.name not in self._prepared]
        if not waiting:
            return
        self.create_dataset(self.dataset)
        for table in waiting:
            self._prepare_table(table)
            self._prepared.add(table.name)

    def create_dataset(self, dataset: bigquery.DatasetReference) -> None:
        """Create a dataset at the location of this target if it is not there.

        Raises:
            ConfigError: it lies elsewhere; a job runs in one location and reaches no other.
        """
        what = f"the dataset {dataset.project}.{dataset.dataset_id}"
        try:
            with asking(what):
                there = self.client.get_dataset(dataset, **self._calling)
        except NotThereError:
            made = bigquery.Dataset(dataset)
            made.location, made.labels = self.location, self.labels
            with asking(what):
                there = self.client.create_dataset(made, exists_ok=True, **self._calling)
        if str(there.location).upper() != self.location.upper():
            raise ConfigError(f"{what} lies in {there.location}: set WAYSIDE_BIGQUERY_LOCATION to that")

    def load(self, batch: Batch) -> str:
        """Submit the load of a batch into its staging table, unless it was; return the job id.

        Raises:
            TransientError: no answer, a limit, or the batch was delivered by another meanwhile: try again.
            ConfigError: BigQuery refuses.
        """
        job_id = f"wayside-load-{batch.name}-{batch.attempt}"
        what = f"the load of {batch.table.name}"

        def submit() -> None:
            staging = bigquery.Table(self._staging(batch), schema=schema.fields(batch.table))
            staging.expires, staging.labels = utc_now() + _STAGING_LASTS, self._labelled(batch)
            self.client.create_table(staging, exists_ok=True, **self._calling)
            config = bigquery.LoadJobConfig(
                source_format=bigquery.SourceFormat.PARQUET,
                schema=schema.fields(batch.table),
                write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
                create_disposition=bigquery.CreateDisposition.CREATE_IF_NEEDED,
                labels=self._labelled(batch),
            )
            with _opened(batch) as rows:
                self.client.load_table_from_file(
                    rows,
                    staging.reference,
                    size=os.fstat(rows.fileno()).st_size,
                    num_retries=self._uploads,
                    job_id=job_id,
                    location=self.location,
                    project=self.project,
                    job_config=config,
                    timeout=_UPLOAD,
                )

        return self._submit(job_id, what, submit)

    def merge(self, batch: Batch) -> str:
        """Submit the MERGE of a batch whose load is done, unless it was; return the job id.

        Raises:
            TransientError: as `load`; also if staging or the table went away meanwhile: the batch has a new attempt.
            ConfigError: BigQuery refuses.
        """
        job_id = f"wayside-merge-{batch.name}-{batch.attempt}"
        what = f"the MERGE into {batch.table.name}"

        def submit() -> None:
            config = bigquery.QueryJobConfig(
                query_parameters=schema.merge_parameters(batch), labels=self._labelled(batch), use_legacy_sql=False
            )
            self.client.query(
                schema.merge_statement(batch.table, self.dataset.table(batch.table.name), self._staging(batch)),
                job_config=config,
                job_id=job_id,
                location=self.location,
                project=self.project,
                job_retry=None,  # it would run the statement once more, under another id
                **self._calling,
            )

        try:
            return self._submit(job_id, what, submit)
        except NotThereError:
            # The load is done and will not be done again, so this attempt cannot succeed; nor may it later, in the
            # hands of a slower runner, when newer rows are there.
            self.clean(batch)
            Outbox.of(batch).refuse(batch)
            raise

    def finished(self, job_id: str) -> bool:
        """Tell whether a job has ended, well or badly, without waiting for it."""
        return bool(self._job(job_id).state == "DONE")

    def wait(self, job_id: str) -> None:
        """Wait until a job has ended; raise `TransientError` after an hour. The job goes on, and can be met again."""
        pause, waited = _FIRST_LOOK, 0.0
        while not self.finished(job_id):
            if waited > _JOB:
                raise TransientError(f"the BigQuery job {job_id} has not ended for an hour: {self.console_url(job_id)}")
            self._sleep(pause)
            waited, pause = waited + pause, min(2 * pause, _LAST_LOOK)

    def result(self, batch: Batch, job_id: str, outbox: Outbox) -> None:
        """Return if a job of the batch that has ended went well; else see that the next try is another, and raise.

        The batch gets a new attempt, or is given up where its rows are refused: the next one has them as they are then.

        Raises:
            TransientError: what failed may pass: a limit, an error of the service, a table that went away.
            AuditError: the rows are refused.
            ConfigError: a right is missing, or the statement does not fit the table.
        """
        job = self._job(job_id)
        if job.state != "DONE":
            raise TransientError(f"the BigQuery job {job_id} has not ended yet")
        if not job.error_result:
            return
        self._prepared.discard(batch.table.name)  # it may have been taken away
        rows = isinstance(job, bigquery.LoadJob)
        step = "the load of" if rows else "the MERGE into"
        what = f"{step} {batch.table.name}, job {job_id}, {self.console_url(job_id)},"
        error = failed_job(_telling(job), what, rows=rows)
        if isinstance(error, AuditError):
            outbox.give_up(batch)
        else:
            outbox.refuse(batch)
        raise error

    def clean(self, batch: Batch) -> None:
        """Take the staging table of a batch away. What cannot be taken away now expires by itself."""
        with contextlib.suppress(WaysideError), asking("tidying up"):
            self.client.delete_table(self._staging(batch), not_found_ok=True, **self._calling)

    def console_url(self, job_id: str) -> str:
        """Return the address of a job in the console of Google Cloud."""
        job = f"bq:{self.location}:{job_id}"
        return (
            f"https://console.cloud.google.com/bigquery?project={quote(self.project)}&j={quote(job)}&page=queryresults"
        )

    # Within

    def _prepare_table(self, table: Table) -> None:
        ref, what = self.dataset.table(table.name), f"the table {table.name}"
        try:
            with asking(what):
                there = self.client.get_table(ref, **self._calling)
        except NotThereError:
            with asking(what):
                made = schema.described(table, ref, self.labels)
                there = self.client.create_table(made, exists_ok=True, **self._calling)
        if missing := schema.missing_fields(table, there):
            there.schema = [*there.schema, *missing]
            with asking(what):
                self.client.update_table(there, ["schema"], **self._calling)

    def _submit(self, job_id: str, what: str, submit: Callable[[], None]) -> str:
        """Submit a job unless it is there. After an error it is looked for: the answer alone may have been lost."""
        if self._find(job_id) is not None:
            return job_id
        try:
            with asking(what):
                submit()
        except WaysideError as error:
            if isinstance(error, NotThereError):
                self._prepared.clear()
            if self._find(job_id) is None:
                raise
        return job_id

    def _find(self, job_id: str) -> Job | None:
        try:
            return self._job(job_id)
        except NotThereError:
            return None

    def _job(self, job_id: str) -> Job:
        with asking(f"the job {job_id}"):
            found = self.client.get_job(job_id, project=self.project, location=self.location, **self._calling)
        return cast("Job", found)

    def _staging(self, batch: Batch) -> bigquery.TableReference:
        return self.dataset.table(schema.staging_name(batch))

    def _labelled(self, batch: Batch) -> dict[str, str]:
        return {**self.labels, "table": batch.table.name}


@contextlib.contextmanager
def _opened(batch: Batch) -> Iterator[IO[bytes]]:
    try:
        stream = batch.path.open("rb")
    except FileNotFoundError:
        raise TransientError(f"the batch {batch.name} was delivered by another process meanwhile") from None
    with stream:
        yield stream


def _telling(job: Job) -> dict[str, str]:
    """Return the error of a job; the first of its errors often says more than the result."""
    result = dict(job.error_result or {})
    messages = dict.fromkeys(str(error.get("message", "")) for error in (result, *(job.errors or ())))
    return {**result, "message": "; ".join(list(messages)[:_ERRORS])}
