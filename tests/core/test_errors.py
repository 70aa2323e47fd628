"""Errors: they cross process borders whole, and say which are worth another try."""

import inspect
import pickle

import pytest

from wayside.core import errors
from wayside.core.errors import (
    ImageError,
    ReasonedError,
    SourceError,
    StoreUnavailableError,
    TransientError,
    VideoError,
    WaysideError,
)

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_survives_pickling(kind: type[WaysideError]):
    reasoned = kind in {ReasonedError, ImageError, VideoError}
    error = kind("truncated", "camera 7 broke off") if reasoned else kind("camera 7 broke off")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert issubclass(kind, WaysideError)
    assert str(again) == str(error) == "camera 7 broke off"


def test_an_image_error_keeps_its_reason():
    again = pickle.loads(pickle.dumps(ImageError("truncated", "it breaks off")))
    assert (again.reason, again.message) == ("truncated", "it breaks off")


def test_only_transient_errors_are_worth_another_try():
    passing = {kind for kind in KINDS if issubclass(kind, TransientError)}
    assert passing == {TransientError, SourceError, StoreUnavailableError}


def test_every_error_is_explained():
    assert all(kind.__doc__ for kind in KINDS)
