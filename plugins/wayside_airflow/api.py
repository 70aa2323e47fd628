"""The few calls of Airflow's own API that the local start makes, over the loopback interface."""

import http.client
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from wayside.core.errors import WaysideError

_TIMEOUT = 10.0


class ApiError(WaysideError):
    """Airflow's API refused a request, or does not answer."""


@dataclass
class Api:
    """One user at one API server."""

    url: str
    user: str
    password: str
    _token: str | None = field(default=None, repr=False)

    def healthy(self, components: Sequence[str]) -> bool:
        """Tell whether all of the components say that they are healthy."""
        status, answer = self._send("GET", "/api/v2/monitor/health")
        return status == 200 and all((answer.get(name) or {}).get("status") == "healthy" for name in components)

    def has_dag(self, dag_id: str) -> bool:
        """Tell whether a DAG has been read."""
        return self._authorised("GET", f"/api/v2/dags/{quote(dag_id)}")[0] == 200

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a run by hand; return its id."""
        path = f"/api/v2/dags/{quote(dag_id)}/dagRuns"
        status, answer = self._authorised("POST", path, {"logical_date": None, "conf": dict(conf)})
        if status != 200:
            raise ApiError(f"Airflow does not start {dag_id}: {status} {answer.get('detail')}")
        return str(answer["dag_run_id"])

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Return the latest runs of a DAG, the newest first."""
        path = f"/api/v2/dags/{quote(dag_id)}/dagRuns?order_by=-run_after&limit=20"
        found: list[dict[str, Any]] = self._authorised("GET", path)[1].get("dag_runs", [])
        return found

    def _authorised(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        if self._token is None:
            status, answer = self._send("POST", "/auth/token", {"username": self.user, "password": self.password})
            if status not in {200, 201}:
                raise ApiError(f"Airflow refuses the password of {self.user}: {status} {answer.get('detail')}")
            self._token = str(answer["access_token"])
        return self._send(method, path, body)

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=_TIMEOUT)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ApiError(f"Airflow does not answer at {self.url}: {error}") from error
        finally:
            connection.close()
