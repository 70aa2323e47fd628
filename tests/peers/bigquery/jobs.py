"""Jobs: each runs once, whole or not at all, under one lock; a job id that is known is refused with 409."""

import contextlib
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.peers.bigquery import loads, queries
from tests.peers.bigquery.catalog import Catalog, Ref
from tests.peers.bigquery.errors import ApiError
from tests.peers.bigquery.faults import Faults, first_word
from tests.peers.bigquery.queries import AnalysisError, Result
from tests.peers.bigquery.wire import Field

ANONYMOUS = "_anonymous"


def _now() -> str:
    return str(time.time_ns() // 1_000_000)


@dataclass
class Job:
    """One job and what became of it."""

    project: str
    name: str
    configuration: dict[str, Any]
    payload: bytes | None = None
    location: str | None = None
    state: str = "RUNNING"
    error: ApiError | None = None
    result: Result | None = None
    statistics: dict[str, Any] = field(default_factory=lambda: {"creationTime": _now(), "startTime": _now()})

    @property
    def kind(self) -> str:
        return "load" if "load" in self.configuration else "query"

    def resource(self, state: str | None = None) -> dict[str, Any]:
        """The job as `jobs.get` answers it; an insert answers before it is done."""
        status: dict[str, Any] = {"state": state or self.state}
        if self.error is not None and status["state"] == "DONE":
            status |= {"errorResult": self.error.proto(), "errors": [self.error.proto()]}
        reference = {"projectId": self.project, "jobId": self.name, "location": self.location or "US"}
        return {
            "kind": "bigquery#job",
            "id": f"{self.project}:{reference['location']}.{self.name}",
            "etag": "job",
            "jobReference": reference,
            "configuration": {**self.configuration, "jobType": self.kind.upper()},
            "status": status,
            "statistics": self.statistics,
            "user_email": "peer@example.org",
        }


class Jobs:
    """All jobs of the peer, the modifications of tables that they made, and what holds them up."""

    def __init__(self, catalog: Catalog, faults: Faults, lock: threading.RLock) -> None:
        self._catalog = catalog
        self._faults = faults
        self.changed = threading.Condition(lock)
        self.known: dict[tuple[str, str], Job] = {}
        self.modified: Counter[tuple[str, Ref]] = Counter()
        self.held: str | None = None
        self._requests: dict[tuple[str, str], Job] = {}

    def insert(self, project: str, body: dict[str, Any], payload: bytes | None = None) -> Job:
        """Take a job on and run it.

        Raises:
            ApiError: 409 for an id that is known; the refusal of a query's text.
        """
        reference = body.get("jobReference") or {}
        name = reference.get("jobId") or f"job_{uuid.uuid4().hex}"
        configuration = body.get("configuration") or {}
        if not {"load", "query"} & set(configuration):
            raise ApiError("invalid", f"The peer runs load and query jobs, not {sorted(configuration)}")
        if (project, name) in self.known:
            where = self.known[project, name].location or "US"
            raise ApiError("duplicate", f"Already Exists: Job {project}:{where}.{name}")
        job = Job(project, name, configuration, payload, reference.get("location"))
        if configuration.get("dryRun"):
            return self._try(job)
        self.known[project, name] = job
        if self.held is None or self.held.upper() not in {"", job.kind.upper(), first_word(configuration)}:
            self._run(job)
        return job

    def query(self, project: str, body: dict[str, Any]) -> Job:
        """`jobs.query`: a query as one call; the same request id gives the same job again."""
        request = (project, body.get("requestId") or uuid.uuid4().hex)
        if request not in self._requests:
            names = ("query", "useLegacySql", "defaultDataset", "queryParameters", "parameterMode")
            query = {name: body[name] for name in names if name in body}
            configuration = {"query": query, "labels": body.get("labels", {}), "dryRun": body.get("dryRun", False)}
            reference = {"location": body["location"]} if body.get("location") else {}
            self._requests[request] = self.insert(project, {"configuration": configuration, "jobReference": reference})
        return self._requests[request]

    def get(self, project: str, name: str, location: str | None) -> Job:
        """A job. Raises: ApiError, where it is unknown or ran elsewhere."""
        job = self.known.get((project, name))
        if job is None or (location or "US").lower() != (job.location or "US").lower():
            raise ApiError("notFound", f"Not found: Job {project}:{location or 'US'}.{name}")
        return job

    def wait(self, job: Job, seconds: float) -> None:
        """Wait, with the lock given back meanwhile, until a held job is done."""
        self.changed.wait_for(lambda: job.state == "DONE", seconds)

    def cancel(self, job: Job) -> None:
        """Stop a job that is held; one that is done stays as it is."""
        if job.state != "DONE":
            self._close(job, ApiError("stopped", "Job execution was cancelled: User requested cancellation"))

    def release(self) -> None:
        """Run the jobs that were held, in their order."""
        self.held = None
        for job in list(self.known.values()):
            if job.state != "DONE":
                with contextlib.suppress(AnalysisError):
                    self._run(job)

    def _run(self, job: Job) -> None:
        error: ApiError | None = self._faults.for_job(job)
        try:
            if error is None:
                self._load(job) if job.kind == "load" else self._query(job)
        except ApiError as caught:
            error = caught
        except Exception as caught:
            error = ApiError("internalError", f"The peer failed: {type(caught).__name__}: {caught}")
            raise
        finally:
            self._close(job, error)
        if isinstance(error, AnalysisError):
            raise error

    def _close(self, job: Job, error: ApiError | None) -> None:
        job.state, job.error = "DONE", error
        job.statistics["endTime"] = _now()
        self.changed.notify_all()

    def _load(self, job: Job) -> None:
        config = job.configuration["load"]
        target = config["destinationTable"]
        dataset = self._catalog.dataset(target["projectId"], target["datasetId"], job.location)
        job.location = dataset["location"]
        with self._catalog.transaction():
            done = loads.run(self._catalog, config, job.payload)
        job.statistics["load"] = done["load"]
        self.modified["load", done["ref"]] += 1

    def _query(self, job: Job) -> None:
        outcome = queries.run(self._catalog, job.project, job.configuration, job.location)
        self._note(job, outcome)
        self.modified.update(outcome.changed)

    def _try(self, job: Job) -> Job:
        """A dry run: it leaves nothing, not even itself."""
        if job.kind == "load":
            raise ApiError("invalid", "Dry runs are for queries")
        self._note(job, queries.run(self._catalog, job.project, job.configuration, job.location, keep=False))
        job.state, job.result = "DONE", None
        return job

    def _note(self, job: Job, outcome: queries.Outcome) -> None:
        job.location = job.location or outcome.location
        job.result = outcome.result
        read = outcome.statistics.get("totalBytesProcessed", "0")
        job.statistics["query"] = {"totalBytesProcessed": read, "cacheHit": False, **outcome.statistics}
        job.statistics["totalBytesProcessed"] = read
        if outcome.result is not None:
            job.statistics["query"]["schema"] = {"fields": outcome.result.fields}
            if not job.configuration["query"].get("destinationTable"):
                name = {"projectId": job.project, "datasetId": ANONYMOUS, "tableId": f"anon{job.name}"}
                job.configuration["query"]["destinationTable"] = name

    def schema_of(self, project: str, query: str) -> list[Field]:
        """The schema that a view's query gives. Raises: ApiError, for a query that is wrong."""
        return queries.schema_of(self._catalog, project, query)

    def anonymous(self, ref: Ref) -> Result:
        """The result that a query without a destination left. Raises: ApiError, where there is none."""
        job = self.known.get((ref[0], ref[2].removeprefix("anon")))
        if job is None or job.result is None:
            raise ApiError("notFound", f"Not found: Table {ref[0]}:{ref[1]}.{ref[2]}")
        return job.result
