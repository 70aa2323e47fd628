"""A local stand-in for BigQuery's REST API (v2), for tests: DuckDB in memory holds the rows, sqlglot reads the SQL.

The real client talks to it, through `client_options.api_endpoint` or the environment that `Peer.env` gives, and so do
the hooks of the Google provider. What it cannot do it refuses; it does not guess. Different from the service: nothing
expires with time, a load of JSON detects no schema, and one lock lets one call at a time through.
"""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.peers.bigquery.api import Api
from tests.peers.bigquery.catalog import Catalog
from tests.peers.bigquery.errors import STATUS, ApiError
from tests.peers.bigquery.faults import Call, Fault, Faults, When
from tests.peers.bigquery.jobs import Jobs
from tests.peers.bigquery.server import Server

__all__ = ["Call", "Modifications", "Peer", "serving"]


@dataclass(frozen=True)
class Modifications:
    """How often jobs have changed a table: load (and query) jobs that wrote it, DML statements, definitions."""

    load: int
    dml: int
    ddl: int


class Peer:
    """The running peer: its address, what it was asked, and what shall go wrong."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._faults = Faults()
        self._lock = threading.RLock()
        self._catalog = Catalog()
        self._jobs = Jobs(self._catalog, self._faults, self._lock)
        self._server = Server(Api(self._catalog, self._jobs), self._faults, self.calls)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def env(self, *, waiting: bool = False) -> dict[str, str]:
        """The environment in which google-cloud-bigquery, and so Airflow's hooks, come here.

        With `waiting`, that of gcloud-aio, with which the provider's triggers wait: it reads the same variable and puts
        `http://` before it, so one process cannot use both.
        """
        return {"BIGQUERY_EMULATOR_HOST": self.url.removeprefix("http://") if waiting else self.url}

    def client(self, project: str = "p", location: str | None = None) -> Any:
        """A real client without credentials."""
        from google.api_core.client_options import ClientOptions
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import bigquery

        options = ClientOptions(api_endpoint=self.url)
        return bigquery.Client(project, AnonymousCredentials(), location=location, client_options=options)

    def fail(
        self,
        reason: str = "backendError",
        status: int | None = None,
        *,
        method: str = "",
        path: str = "",
        kind: str = "",
        times: int = 1,
        when: When = "before",
        drop: bool = False,
        message: str = "asked for by the test",
    ) -> None:
        """Let the next calls that match go wrong.

        Args:
            reason: BigQuery's reason: invalid, quotaExceeded, rateLimitExceeded, notFound, duplicate, backendError ...
            status: the HTTP status, where it is not the usual one of the reason.
            method: GET, POST ...; empty: any.
            path: a part of the path; empty: any.
            kind: load, query or the first word of the query (MERGE); empty: any call.
            times: how many calls.
            when: before the call is carried out, or after (it is carried out and the answer is replaced).
            drop: cut the connection instead of answering.
            message: the text of the error.
        """
        error = ApiError(reason, message, status or STATUS.get(reason))
        with self._lock:
            self._faults.waiting.append(Fault(error, method, path, kind, times, when, drop))

    def fail_job(
        self, reason: str = "backendError", *, kind: str = "", times: int = 1, message: str = "asked for by the test"
    ) -> None:
        """Let the next jobs (of a kind: load, query, or the first word of the query) end in an error, undone."""
        with self._lock:
            self._faults.waiting.append(Fault(ApiError(reason, message), kind=kind, times=times, job=True))

    def hold(self, kind: str = "") -> None:
        """Let jobs (of a kind: load, query, or the first word of the query; empty: all) stay RUNNING from now on."""
        with self._lock:
            self._jobs.held = kind

    def release(self) -> None:
        """Run the jobs that were held, and hold no more."""
        with self._lock:
            self._jobs.release()

    def modified(self, table: str, project: str = "p") -> Modifications:
        """How often jobs have changed `dataset.table`."""
        with self._lock:
            ref = (project, *table.split("."))
            return Modifications(*(self._jobs.modified[kind, ref] for kind in ("load", "dml", "ddl")))

    def jobs(self, kind: str = "") -> list[dict[str, Any]]:
        """The jobs that were taken on, in their order, as the service describes them."""
        with self._lock:
            return [job.resource() for job in self._jobs.known.values() if kind in {"", job.kind}]

    def rows(self, table: str, project: str = "p") -> list[dict[str, Any]]:
        """All rows of `dataset.table`, without a call."""
        with self._lock:
            name = self._catalog.name((project, *table.split(".")))
            return self._catalog.select(f"SELECT * FROM {name} ORDER BY ALL").to_pylist()

    @contextlib.contextmanager
    def running(self) -> Iterator["Peer"]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self.release()
            self._server.server_close()
            thread.join()
            self._catalog.rows.close()


@contextlib.contextmanager
def serving() -> Iterator[Peer]:
    """A peer that serves until the block ends."""
    with Peer().running() as peer:
        yield peer
