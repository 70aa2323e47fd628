"""The error that the peer answers with, in the form of the real service."""

from typing import Any

STATUS = {
    "invalid": 400,
    "invalidQuery": 400,
    "badRequest": 400,
    "accessDenied": 403,
    "quotaExceeded": 403,
    "rateLimitExceeded": 403,
    "notFound": 404,
    "duplicate": 409,
    "conditionNotMet": 412,
    "internalError": 500,
    "backendError": 503,
    "stopped": 200,
}


class ApiError(Exception):
    """A refusal: the reason, a message, and the HTTP status where it is not the usual one of this reason."""

    def __init__(self, reason: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.status = status or STATUS.get(reason, 400)

    def proto(self) -> dict[str, str]:
        """The error as it stands in a job's status."""
        return {"reason": self.reason, "message": self.message}

    def answer(self) -> dict[str, Any]:
        """The body of an HTTP answer."""
        error = {"domain": "global", **self.proto()}
        return {"error": {"code": self.status, "message": self.message, "errors": [error]}}
