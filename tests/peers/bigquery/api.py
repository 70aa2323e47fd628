"""The calls of the REST API, each from path, parameters and body to an answer; the HTTP around it is in `server`."""

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.peers.bigquery import wire
from tests.peers.bigquery.catalog import Catalog, Ref
from tests.peers.bigquery.errors import ApiError
from tests.peers.bigquery.jobs import ANONYMOUS, Job, Jobs
from tests.peers.bigquery.queries import Result

_WAIT_MS = "10000"
_PAGE = 10_000


@dataclass
class Request:
    """A call, taken apart."""

    method: str
    path: str
    query: dict[str, str]
    headers: Any
    body: bytes = b""

    def json(self) -> dict[str, Any]:
        return json.loads(self.body or b"{}")


@dataclass
class Answer:
    """What goes back."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Api:
    """The API over a catalogue and its jobs."""

    def __init__(self, catalog: Catalog, jobs: Jobs) -> None:
        self.catalog = catalog
        self.jobs = jobs
        self.sessions: dict[str, tuple[dict[str, Any], bytearray]] = {}
        project, dataset, table = (f"(?P<{name}>[^/]+)" for name in ("project", "dataset", "table"))
        base = f"/projects/{project}"
        job = "(?P<job>[^/]+)"
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., Any]]] = [
            (method, re.compile(f"^(?:/upload)?/bigquery/v2{path}$"), handler)
            for method, path, handler in (
                ("GET", f"{base}/datasets", self._list_datasets),
                ("POST", f"{base}/datasets", self._insert_dataset),
                ("GET", f"{base}/datasets/{dataset}", self._get_dataset),
                ("PATCH", f"{base}/datasets/{dataset}", self._patch_dataset),
                ("DELETE", f"{base}/datasets/{dataset}", self._delete_dataset),
                ("GET", f"{base}/datasets/{dataset}/tables", self._list_tables),
                ("POST", f"{base}/datasets/{dataset}/tables", self._insert_table),
                ("GET", f"{base}/datasets/{dataset}/tables/{table}", self._get_table),
                ("PATCH", f"{base}/datasets/{dataset}/tables/{table}", self._patch_table),
                ("PUT", f"{base}/datasets/{dataset}/tables/{table}", self._patch_table),
                ("DELETE", f"{base}/datasets/{dataset}/tables/{table}", self._delete_table),
                ("GET", f"{base}/datasets/{dataset}/tables/{table}/data", self._list_rows),
                ("GET", f"{base}/jobs", self._list_jobs),
                ("POST", f"{base}/jobs", self._insert_job),
                ("PUT", f"{base}/jobs", self._upload_chunk),
                ("GET", f"{base}/jobs/{job}", self._get_job),
                ("POST", f"{base}/jobs/{job}/cancel", self._cancel_job),
                ("POST", f"{base}/queries", self._query),
                ("GET", f"{base}/queries/{job}", self._query_results),
            )
        ]

    def answer(self, request: Request) -> Answer:
        """Answer a call. Raises: ApiError."""
        for method, pattern, handler in self._routes:
            match = pattern.match(request.path)
            if match and method == request.method:
                body = handler(request, **match.groupdict())
                return body if isinstance(body, Answer) else Answer(body)
        raise ApiError("notFound", f"The peer does not know {request.method} {request.path}")

    # Datasets

    def _list_datasets(self, request: Request, project: str) -> Any:
        found = [one for (owner, _), one in sorted(self.catalog.datasets.items()) if owner == project]
        return _paged(request, found, "datasets")

    def _insert_dataset(self, request: Request, project: str) -> Any:
        with self.catalog.transaction():
            return self.catalog.create_dataset(project, request.json())

    def _get_dataset(self, _: Request, project: str, dataset: str) -> Any:
        return self.catalog.dataset(project, dataset)

    def _patch_dataset(self, request: Request, project: str, dataset: str) -> Any:
        _check_match(request, self.catalog.dataset(project, dataset))
        return self.catalog.patch_dataset(project, dataset, request.json())

    def _delete_dataset(self, request: Request, project: str, dataset: str) -> Any:
        with self.catalog.transaction():
            self.catalog.delete_dataset(project, dataset, request.query.get("deleteContents", "").lower() == "true")
        return Answer(status=204)

    # Tables

    def _list_tables(self, request: Request, project: str, dataset: str) -> Any:
        self.catalog.dataset(project, dataset)
        names = sorted(ref for ref in self.catalog.tables if ref[:2] == (project, dataset))
        found = [
            {key: value for key, value in self.catalog.tables[ref].items() if key not in {"schema", "etag"}}
            for ref in names
        ]
        return {**_paged(request, found, "tables"), "totalItems": len(found)}

    def _insert_table(self, request: Request, project: str, dataset: str) -> Any:
        body = request.json()
        ref = (project, dataset, body["tableReference"]["tableId"])
        with self.catalog.transaction():
            if body.get("view"):
                self._view_schema(ref, body)
            self.catalog.create(ref, body)
        return self.catalog.described(ref)

    def _view_schema(self, ref: Ref, body: dict[str, Any]) -> None:
        """The schema of a view is what its query gives; a view whose query is wrong is refused."""
        if body["view"].get("useLegacySql", True):
            raise ApiError("invalid", "The peer speaks no legacy SQL: set useLegacySql to false")
        body["schema"] = {"fields": self.jobs.schema_of(ref[0], body["view"]["query"])}

    def _get_table(self, _: Request, project: str, dataset: str, table: str) -> Any:
        return self.catalog.described((project, dataset, table.partition("$")[0]))

    def _patch_table(self, request: Request, project: str, dataset: str, table: str) -> Any:
        ref = (project, dataset, table)
        _check_match(request, self.catalog.table(ref))
        with self.catalog.transaction():
            body = request.json()
            if body.get("view"):
                self._view_schema(ref, body)
            self.catalog.patch(ref, body)
        return self.catalog.described(ref)

    def _delete_table(self, _: Request, project: str, dataset: str, table: str) -> Any:
        with self.catalog.transaction():
            self.catalog.delete((project, dataset, table))
        return Answer(status=204)

    def _list_rows(self, request: Request, project: str, dataset: str, table: str) -> Any:
        ref = (project, dataset, table)
        if dataset == ANONYMOUS:
            result = self.jobs.anonymous(ref)
        else:
            if self.catalog.table(ref)["type"] == "VIEW":
                raise ApiError("invalid", f"Cannot list a table of type VIEW: {project}:{dataset}.{table}")
            fields = self.catalog.fields(ref)
            data = self.catalog.select(f"SELECT * FROM {self.catalog.name(ref)}").to_pylist() if fields else []
            result = Result(fields, data)
        wanted = request.query.get("selectedFields")
        if wanted:
            names = {name.partition(".")[0] for name in wanted.split(",")}
            result = Result([field for field in result.fields if field["name"] in names], result.rows)
        return {"kind": "bigquery#tableDataList", "etag": "rows", **_rows(request.query, result)}

    # Jobs

    def _list_jobs(self, request: Request, project: str) -> Any:
        state = request.query.get("stateFilter", "").upper()
        found = [job for job in reversed(self.jobs.known.values()) if job.project == project]
        shown = [{**job.resource(), "state": job.state} for job in found if state in {"", job.state}]
        return _paged(request, shown, "jobs")

    def _insert_job(self, request: Request, project: str) -> Any:
        upload = request.query.get("uploadType")
        if upload == "multipart":
            body, payload = multipart(request)
            return self._inserted(self.jobs.insert(project, body, payload))
        if upload == "resumable":
            session = uuid.uuid4().hex
            self.sessions[session] = (request.json(), bytearray())
            where = f"http://{request.headers['Host']}{request.path}?uploadType=resumable&upload_id={session}"
            return Answer(headers={"Location": where, "X-GUploader-UploadID": session})
        return self._inserted(self.jobs.insert(project, request.json()))

    def _upload_chunk(self, request: Request, project: str) -> Any:
        """A chunk of a resumable upload: 308 until the last one has come, which starts the job."""
        session = self.sessions.get(request.query.get("upload_id", ""))
        if session is None:
            raise ApiError("notFound", "Not found: upload session")
        body, received = session
        span, _, total = request.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        start = int(span.partition("-")[0]) if "-" in span else len(received)
        if start > len(received):
            raise ApiError("badRequest", f"Invalid request. The chunk begins at {start}, not at {len(received)}")
        received[start:] = request.body
        if total == "*" or len(received) < int(total):
            there = {"Range": f"bytes=0-{len(received) - 1}"} if received else {}
            return Answer(status=308, headers=there)
        return self._inserted(self.jobs.insert(project, body, bytes(received)))

    @staticmethod
    def _inserted(job: Job) -> Any:
        """The answer to an insert: as in the service, most jobs are not done yet."""
        return job.resource("DONE" if job.configuration.get("dryRun") else "RUNNING")

    def _get_job(self, request: Request, project: str, job: str) -> Any:
        return self.jobs.get(project, job, request.query.get("location")).resource()

    def _cancel_job(self, request: Request, project: str, job: str) -> Any:
        found = self.jobs.get(project, job, request.query.get("location"))
        self.jobs.cancel(found)
        return {"kind": "bigquery#jobCancelResponse", "job": found.resource()}

    def _query(self, request: Request, project: str) -> Any:
        body = request.json()
        job = self.jobs.query(project, body)
        self.jobs.wait(job, int(body.get("timeoutMs") or _WAIT_MS) / 1000)
        options = {f"formatOptions.{key}": str(value) for key, value in body.get("formatOptions", {}).items()}
        return self._results(job, {**options, "maxResults": str(body.get("maxResults") or _PAGE)})

    def _query_results(self, request: Request, project: str, job: str) -> Any:
        found = self.jobs.get(project, job, request.query.get("location"))
        self.jobs.wait(found, int(request.query.get("timeoutMs", _WAIT_MS)) / 1000)
        return self._results(found, request.query)

    @staticmethod
    def _results(job: Job, query: dict[str, str]) -> Any:
        if job.error is not None:
            # A job that was cancelled has no status of its own for this call.
            raise ApiError(job.error.reason, job.error.message, max(job.error.status, 400))
        resource = job.resource()
        body = {"kind": "bigquery#queryResponse", "jobReference": resource["jobReference"]}
        if job.state != "DONE":
            return {**body, "jobComplete": False}
        statistics = job.statistics.get("query", {})
        body |= {"jobComplete": True, "cacheHit": False, "totalBytesProcessed": statistics["totalBytesProcessed"]}
        body |= {key: statistics[key] for key in ("numDmlAffectedRows", "dmlStats") if key in statistics}
        if job.result is None:
            return {**body, "totalRows": "0"} if "numDmlAffectedRows" not in statistics else body
        return {**body, "schema": {"fields": job.result.fields}, **_rows(query, job.result)}


def _check_match(request: Request, resource: dict[str, Any]) -> None:
    wanted = request.headers.get("If-Match")
    if wanted and wanted != resource["etag"]:
        raise ApiError("conditionNotMet", "Precondition check failed: the resource was changed meanwhile")


def _paged(request: Request, items: list[Any], name: str) -> dict[str, Any]:
    start = int(request.query.get("pageToken") or 0)
    size = int(request.query.get("maxResults") or 1000)
    page = {name: items[start : start + size], "kind": f"bigquery#{name[:-1]}List"}
    return page | ({"nextPageToken": str(start + size)} if start + size < len(items) else {})


def _rows(query: dict[str, str], result: Result) -> dict[str, Any]:
    """One page of rows, from a page token or an index on."""
    start = int(query.get("pageToken") or query.get("startIndex") or 0)
    stop = start + min(int(query.get("maxResults", _PAGE)), _PAGE)
    micros = query.get("formatOptions.useInt64Timestamp", "").lower() == "true"
    iso = query.get("formatOptions.timestampOutputFormat") == "ISO8601_STRING"
    cells = [
        {"f": [wire.cell(row[field["name"]], field, micros, iso) for field in result.fields]}
        for row in result.rows[start:stop]
    ]
    page: dict[str, Any] = {"totalRows": str(len(result.rows))}
    if cells:
        page["rows"] = cells
    return page | ({"pageToken": str(stop)} if start < stop < len(result.rows) else {})


def multipart(request: Request) -> tuple[dict[str, Any], bytes]:
    """The two parts of a multipart/related upload: the metadata, and the file."""
    boundary = re.search(r'boundary="?([^";]+)"?', request.headers["Content-Type"])
    if boundary is None:
        raise ApiError("badRequest", "Multipart upload without a boundary")
    mark = b"--" + boundary[1].encode()
    _, metadata, rest = request.body.split(mark, 2)
    payload = rest[: rest.rindex(mark)]
    head, _, text = metadata.partition(b"\r\n\r\n")
    if b"json" not in head.lower():
        raise ApiError("badRequest", "Multipart upload whose first part is no JSON")
    return json.loads(text), payload.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
