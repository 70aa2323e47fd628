"""One picture and what the filters measure on it, each measured at most once.

A picture plays three parts within half an hour: it is the next one, then the current one, then the previous one.
Both filters take either a plain array or a `Picture`; whoever walks through a camera's slots wraps each array once
and hands the same object to every call, so that nothing is measured three times. There is no cache to clear: the
measures live exactly as long as the caller holds the picture.

All pictures are uint8, BGR, H×W×3, as `cv2.imdecode(..., IMREAD_COLOR)` gives them.
"""

from functools import cached_property
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.core.errors import ImageError
from wayside.quality.similarity import Window, window

Image: TypeAlias = NDArray[np.uint8]

_EVERY = 4  # the old system looked at every fourth pixel of every fourth row ...
_WEIGHT = 16  # ... and let each of them stand for sixteen
_LEVEL_BITS = 3  # 256 values in 32 levels
_BLOCK = 8


class Picture:
    """A picture with its measures, taken when first asked for.

    Args:
        image: uint8 BGR, H×W×3, not empty. It must not be changed afterwards.

    Raises:
        ImageError: reason `not_a_picture`, when `image` has another type or shape.
    """

    def __init__(self, image: Image) -> None:
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            said = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise ImageError("not_a_picture", f"a picture is a uint8 array H×W×3 in BGR order, not {said}")
        if image.size == 0:
            raise ImageError("not_a_picture", "the picture has no pixels")
        self.image = image
        self.height, self.width = image.shape[:2]

    @cached_property
    def grey(self) -> Image:
        """The luma of the picture, uint8, H×W."""
        return _grey(self.image, cv2.COLOR_BGR2GRAY)

    @cached_property
    def grey_swapped(self) -> Image:
        """The grey of the old system, uint8, H×W: it weighted RGB data as BGR, so 0.114 R + 0.587 G + 0.299 B."""
        return _grey(self.image, cv2.COLOR_RGB2GRAY)

    @cached_property
    def window(self) -> Window:
        """The window sums of `grey`, for SSIM."""
        return window(self.grey)

    @cached_property
    def window_swapped(self) -> Window:
        """The window sums of `grey_swapped`, for SSIM."""
        return window(self.grey_swapped)

    @cached_property
    def red_share(self) -> float:
        """The share of the fullest of 32 levels of red, as the old system counted it; see `colour_share`."""
        return self._share(np.bincount(self._sample[..., 2].ravel()))

    @cached_property
    def colour_share(self) -> float:
        """The share of the fullest of 32×32×32 colours.

        Like the old count it looks at every fourth pixel and lets it stand for sixteen, so where a side is no
        multiple of four the share can slightly exceed the truth, and even 1.
        """
        return self._share(self.colour_counts)

    @cached_property
    def colour_counts(self) -> NDArray[np.intp]:
        """How often each colour occurs among the sampled pixels; its number is blue·1024 + green·32 + red, 0..31."""
        blue, green, red = (self._sample[..., channel].astype(np.uint16) for channel in range(3))
        return np.bincount(((blue << 10) | (green << 5) | red).ravel())

    @cached_property
    def same_components(self) -> NDArray[np.int32]:
        """For each pair of rows y, y+1: how many of their 3·W components are exactly equal; length H - 1."""
        if self.height < 2:
            return np.zeros(0, np.int32)
        same = (self.image[1:] == self.image[:-1]).reshape(self.height - 1, -1).view(np.uint8)
        return np.asarray(cv2.reduce(same, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S), np.int32).ravel()

    @cached_property
    def blocks(self) -> NDArray[np.float32]:
        """The mean grey of blocks of 8×8 pixels, to a fraction of a level."""
        size = (max(self.width // _BLOCK, 1), max(self.height // _BLOCK, 1))
        return np.asarray(cv2.resize(self.grey.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32)

    @cached_property
    def _sample(self) -> Image:
        return np.right_shift(self.image[::_EVERY, ::_EVERY], np.uint8(_LEVEL_BITS))

    def _share(self, counts: NDArray[np.intp]) -> float:
        pixels: int = self.height * self.width
        return float(counts.max()) * _WEIGHT / pixels


Frame: TypeAlias = Image | Picture


def as_picture(frame: Frame) -> Picture:
    """Return `frame` itself when it is a `Picture`, else wrap the array (`ImageError` if it is no picture)."""
    return frame if isinstance(frame, Picture) else Picture(frame)


def as_neighbour(frame: Frame | None) -> Picture | None:
    """Like `as_picture`, but a missing neighbour stays None."""
    return None if frame is None else as_picture(frame)


def longest_run(flags: NDArray[np.bool_]) -> int:
    """Return the length of the longest unbroken run of True; 0 when there is none."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _grey(image: Image, code: int) -> Image:
    return np.asarray(cv2.cvtColor(image, code), np.uint8)
