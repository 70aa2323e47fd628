"""Objects for tests: boxes and masks that are hidden."""

from collections.abc import Sequence

import numpy as np

from wayside.privacy.objects import Found, Mask, Masked


def boxed(left: int, top: int, right: int, bottom: int, label: str = "car") -> Masked:
    """Hide all of a box."""
    return masked(left, top, np.ones((bottom - top, right - left), np.bool_), label)


def masked(left: int, top: int, mask: Mask, label: str = "car") -> Masked:
    """Hide a mask."""
    return pieced([(left, top, mask)], label)


def pieced(pieces: Sequence[tuple[int, int, Mask]], label: str = "car") -> Masked:
    """Hide several pieces of one object."""
    left, top, mask = pieces[0]
    rows, columns = mask.shape
    return Masked(Found(label, 0.9, (left, top, left + columns, top + rows), None, "Stub"), tuple(pieces))
