"""Why there is no picture, or why a picture needs a remark: the closed list behind `frames.reason`.

One word a row, so that people can group by it and a daily run can tell what is worth fetching again. A plain success
has no reason at all.
"""

from enum import StrEnum
from typing import Final

from wayside.core.errors import ImageError, WaysideError


class Reason(StrEnum):
    """The words of `frames.reason`; the text after each says when it is used."""

    # With status `ok`.
    NOT_MODIFIED = "not_modified"  #: the source still shows the picture of the slot before; stored again
    ALREADY_STORED = "already_stored"  #: somebody else put the picture into the store, without a record
    # With status `missing`: the source answered, and offers nothing for this slot.
    UNAVAILABLE = "unavailable"  #: the source says that the camera is out of service
    NOT_LISTED = "not_listed"  #: the camera was asked for by name, and the source does not list it
    NO_PICTURE = "no_picture"  #: the camera is listed without a picture, or has none in this slot
    STALE = "stale"  #: the newest picture that is offered was taken too long before the slot
    NO_HISTORY = "no_history"  #: the slot is not the present one, and the source keeps no old pictures
    HTTP_404 = "http_404"  #: the picture's address answered 404 or 410
    # With status `failed`: the source offers a picture, and it could not be had.
    SOURCE_ERROR = "source_error"  #: the source could not say what it offers
    HTTP_ERROR = "http_error"  #: any other status than 200, 304, 404, 410 and redirects; see `http_status`
    TIMEOUT = "timeout"  #: no complete answer within the time limit
    CONNECTION = "connection"  #: the name did not resolve, or nobody answered at the address
    TLS = "tls"  #: the certificate does not hold, or the peers could not agree on encryption
    INTERRUPTED = "interrupted"  #: the connection closed in the middle of the body
    BAD_ANSWER = "bad_answer"  #: what came is not HTTP, or is encoded in a way that was not asked for
    REFUSED_URL = "refused_url"  #: not http or https, a step down from https to http, or with a password in it
    REFUSED_HOST = "refused_host"  #: the host is not among the source's `hosts`
    REFUSED_ADDRESS = "refused_address"  #: the host lies at a private, local or otherwise special address
    REDIRECT_LOOP = "redirect_loop"  #: more redirects than allowed
    TOO_LARGE = "too_large"  #: more bytes than allowed, announced or sent
    EMPTY = "empty"  #: no bytes at all
    NOT_AN_IMAGE = "not_an_image"  #: bytes that are no picture of a format on the allow-list
    TRUNCATED = "truncated"  #: a picture that ends too early
    TOO_MANY_PIXELS = "too_many_pixels"  #: a picture larger than allowed once decoded
    UNDECODABLE = "undecodable"  #: begins like a picture, and cannot be decoded

    @property
    def status(self) -> str:
        """The `frames.status` that goes with this reason: `ok`, `missing` or `failed`."""
        if self in _OK:
            return "ok"
        return "missing" if self in _MISSING else "failed"


_OK: Final = frozenset({Reason.NOT_MODIFIED, Reason.ALREADY_STORED})
_MISSING: Final = frozenset(
    {
        Reason.UNAVAILABLE,
        Reason.NOT_LISTED,
        Reason.NO_PICTURE,
        Reason.STALE,
        Reason.NO_HISTORY,
        Reason.HTTP_404,
    }
)


class FetchError(WaysideError):
    """One address could not be read.

    Attributes:
        reason: why, in a word of `Reason`.
        http_status: the status of the last HTTP answer, if one came.
        passing: whether another try may help.
        wait: seconds that the server asked us to wait, if it did.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        http_status: int | None = None,
        passing: bool = False,
        wait: float | None = None,
    ) -> None:
        # Both are arguments of the base class, so that the error survives pickling between processes.
        super().__init__(reason, message)
        self.reason = reason
        self.message = message
        self.http_status = http_status
        self.passing = passing
        self.wait = wait

    def __str__(self) -> str:
        """Give the message alone; the reason has its own column."""
        return self.message


_OF_IMAGE: Final = {
    "empty": Reason.EMPTY,
    "not_an_image": Reason.NOT_AN_IMAGE,
    "too_many_bytes": Reason.TOO_LARGE,
    "too_many_pixels": Reason.TOO_MANY_PIXELS,
    "truncated": Reason.TRUNCATED,
}


def reason_of_image(error: ImageError) -> Reason:
    """Return the reason for bytes that the decoder refused."""
    return _OF_IMAGE.get(error.reason, Reason.UNDECODABLE)
