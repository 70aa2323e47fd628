"""What BigQuery says went wrong, as our errors: worth another try, for a person to mend, or rows that are refused.

An error comes in one of two ways. A call fails: then nobody knows whether its job was made, and the same job id asks
again. Or a job ends with an error: then the job is spent, and another try needs another id.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import requests.exceptions
from google.api_core import exceptions as api
from google.auth import exceptions as auth

from wayside.core.errors import AuditError, ConfigError, TransientError, WaysideError

# Reasons of errors.json that pass by themselves. `notFound` of a job means that somebody took a table away meanwhile:
# the next try makes it again.
_PASSING: Final = frozenset(
    {
        "backendError",
        "badGateway",
        "internalError",
        "jobBackendError",
        "jobInternalError",
        "jobRateLimitExceeded",
        "quotaExceeded",
        "rateLimitExceeded",
        "resourceInUse",
        "stopped",
        "tableUnavailable",
        "timeout",
    }
)
_SPENT: Final = _PASSING | {"notFound"}
# Two statements that change one table at once: said with the reason of a wrong query.
_MEANWHILE: Final = ("could not serialize access", "concurrent update")
_LATER: Final = frozenset({408, 409, 412, 429})
_NO_ANSWER: Final = (
    api.RetryError,
    auth.TransportError,
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.Timeout,
    ConnectionError,
    TimeoutError,
)


class NotThereError(TransientError):
    """A job, table or dataset is not there. The next try makes it."""


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn whatever a call to BigQuery raises into our errors, saying `what` was asked.

    Raises:
        NotThereError: it is not there.
        TransientError: no answer, an error of the service, or a limit of it.
        ConfigError: everything else: credentials, permissions, a wrong name.
    """
    try:
        yield
    except api.NotFound as error:
        raise NotThereError(f"BigQuery does not find what {what} needs: {error.message}") from error
    except _NO_ANSWER as error:
        raise TransientError(f"BigQuery did not answer when asked for {what}: {error}") from error
    except auth.GoogleAuthError as error:
        raise ConfigError(f"BigQuery lets nobody in for {what}: {error}; check the Airflow connection") from error
    except api.GoogleAPICallError as error:
        raise _refused(error, what) from error


def _refused(error: api.GoogleAPICallError, what: str) -> WaysideError:
    code, reason = int(error.code or 0), _reason(error)
    if reason in _PASSING or code >= 500 or code in _LATER:
        return TransientError(f"BigQuery cannot do {what} now ({reason or code}): {error.message}")
    return ConfigError(f"BigQuery refuses {what} ({reason or code}): {error.message}")


def _reason(error: api.GoogleAPICallError) -> str:
    first = error.errors[0] if error.errors else None
    return str(first.get("reason", "")) if isinstance(first, dict) else ""


def failed_job(result: Mapping[str, Any], what: str, *, rows: bool) -> WaysideError:
    """Return the error of a job that ended with `result` as its `errorResult`; `rows`: the job was given rows."""
    reason, message = str(result.get("reason", "")), str(result.get("message", ""))
    said = f"BigQuery failed at {what} ({reason}): {message}"
    if reason in _SPENT or any(words in message.lower() for words in _MEANWHILE):
        return TransientError(f"{said}; the next try is a new job")
    if reason in {"accessDenied", "billingNotEnabled", "billingTierLimitExceeded", "blocked"}:
        return ConfigError(f"{said}; nothing was changed: give the account of the Airflow connection this right")
    return AuditError(f"{said}; no row was taken") if rows else ConfigError(f"{said}; nothing was changed")
