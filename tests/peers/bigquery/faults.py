"""Faults on request: calls that are refused, answers that are lost, jobs that end in an error."""

from dataclasses import dataclass
from typing import Any, Literal

from tests.peers.bigquery.errors import ApiError

When = Literal["before", "after"]


@dataclass
class Fault:
    """What shall happen to the next calls, or jobs, that match."""

    error: ApiError
    method: str = ""
    path: str = ""
    kind: str = ""
    times: int = 1
    when: When = "before"
    drop: bool = False
    job: bool = False

    def takes(self, call: "Call") -> bool:
        """Whether it is this call's turn."""
        return (
            self.times > 0
            and not self.job
            and self.method in {"", call.method}
            and self.path in call.path
            and self.kind.upper() in {"", call.kind.upper(), call.statement}
        )


@dataclass
class Call:
    """One call of a client: `kind` is load or query for a job, `statement` the first word of a query."""

    method: str
    path: str
    query: dict[str, str]
    body: Any = None
    kind: str = ""
    statement: str = ""
    status: int = 0


class Faults:
    """The faults that wait for their calls."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []

    def for_call(self, call: Call) -> Fault | None:
        """The fault that befalls a call, if any; it is used up by that."""
        for fault in self.waiting:
            if fault.takes(call):
                fault.times -= 1
                return fault
        return None

    def for_job(self, job: Any) -> ApiError | None:
        """The error that a job ends in, if any."""
        words = {"", job.kind.upper(), first_word(job.configuration)}
        for fault in self.waiting:
            if fault.job and fault.times > 0 and fault.kind.upper() in words:
                fault.times -= 1
                return fault.error
        return None


def first_word(configuration: dict[str, Any]) -> str:
    """The first word of a query job's text, MERGE for example; comments are passed over."""
    text = (configuration.get("query") or {}).get("query", "")
    lines = [line for line in text.splitlines() if line.strip() and not line.strip().startswith(("--", "#"))]
    return lines[0].split()[0].upper() if lines else ""
