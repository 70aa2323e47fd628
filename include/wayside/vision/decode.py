"""The one decode function of the product, with its limits and its policy on orientation.

Every picture, from a camera, a road-photo archive or a test, becomes pixels here and nowhere else. The orientation
that EXIF states is applied once, so that boxes, masks and counts speak of the upright picture. OpenCV pads a cut JPEG
with grey and reports success; here such a picture is refused, because a grey half hides the people in it.
"""

import os
from dataclasses import dataclass
from typing import Final, Self

# OpenCV reads these once, when it is imported; they are its own last line behind the limits below.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_WIDTH", str(2**16))
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_HEIGHT", str(2**16))
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**29))

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.core.errors import ImageError
from wayside.core.settings import Settings, settings
from wayside.vision.headers import Format, Header, read_header

# The stream runs one picture per thread; a second pool of threads inside OpenCV would only compete with it.
cv2.setNumThreads(1)

Image = NDArray[np.uint8]

_REDUCED: Final = (
    (8, cv2.IMREAD_REDUCED_COLOR_8),
    (4, cv2.IMREAD_REDUCED_COLOR_4),
    (2, cv2.IMREAD_REDUCED_COLOR_2),
)
JPEG_QUALITY: Final = 95


@dataclass(frozen=True, slots=True)
class Limits:
    """What a picture may cost: `max_bytes` of file and `max_pixels` of the decoded picture."""

    max_bytes: int
    max_pixels: int

    @classmethod
    def of(cls, chosen: Settings) -> Self:
        """Take the limits from the settings."""
        return cls(chosen.max_image_bytes, chosen.max_image_pixels)


@dataclass(frozen=True, eq=False, slots=True)
class Picture:
    """A decoded picture, upright.

    Attributes:
        image: uint8 [H, W, 3] in the order blue, green, red; smaller than `width` x `height` after a reduced decode.
        width: width of the full picture, in pixels.
        height: height of the full picture, in pixels.
        format: `jpeg`, `png` or `webp`.
    """

    image: Image
    width: int
    height: int
    format: Format


def decode(data: bytes, *, limits: Limits | None = None, at_least: tuple[int, int] | None = None) -> Picture:
    """Decode a JPEG, PNG or WebP picture into upright blue-green-red pixels.

    Args:
        data: the bytes of the file.
        limits: caps on bytes and pixels, checked before anything is decoded; by default those of the settings.
        at_least: (width, height) in pixels that the caller needs. A JPEG is then decoded at 1/2, 1/4 or 1/8 of its
            size, the smallest that is still that large, by the scaled inverse DCT: twice as fast as a full decode,
            and smoother than one that is shrunk afterwards. None gives every pixel, as `cv2.imdecode` does.

    Returns:
        The picture. A grey one has three equal channels.

    Raises:
        ImageError: its `reason` is `empty`, `too_many_bytes`, `not_an_image`, `too_many_pixels`, `truncated` or
            `undecodable`.
    """
    header = check(data, limits=limits)
    flag, scale = _reduction(header, at_least)
    # cv2.error: OpenCV's own limits; it returns None for everything else that it cannot read.
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error as error:
        raise ImageError("undecodable", f"the {header.format} picture cannot be decoded: {error.err}") from error
    if image is None:
        raise ImageError("undecodable", f"the {header.format} picture of {len(data)} bytes cannot be decoded")
    width, height = _full_size(image.shape[:2], header, scale)
    return Picture(np.asarray(image, np.uint8), width, height, header.format)


def check(data: bytes, *, limits: Limits | None = None) -> Header:
    """Refuse bytes that are no whole picture within the limits, without decoding them; raise as `decode` does."""
    caps = limits or Limits.of(settings())
    if not data:
        raise ImageError("empty", "the picture has no bytes")
    if len(data) > caps.max_bytes:
        raise ImageError("too_many_bytes", f"the picture has {len(data)} bytes, more than the limit {caps.max_bytes}")
    header = read_header(data)
    if header.width * header.height > caps.max_pixels:
        raise ImageError(
            "too_many_pixels",
            f"the picture has {header.width} x {header.height} pixels, more than the limit {caps.max_pixels}",
        )
    if not header.complete:
        raise ImageError("truncated", f"the {header.format} picture breaks off after {len(data)} bytes")
    return header


def encode_jpeg(image: Image, quality: int = JPEG_QUALITY) -> bytes:
    """Encode uint8 [H, W, 3] blue-green-red (or [H, W] grey) pixels as JPEG; `quality` is 1..100."""
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()


def shrink(data: bytes, longest: int, *, limits: Limits | None = None) -> bytes:
    """Return the picture as JPEG with no side longer than `longest` pixels.

    A picture that is small enough comes back byte for byte. Otherwise its aspect is kept, sizes are rounded down,
    and each new pixel is the mean of the area it covers. Orientation is applied and all metadata are dropped.

    Raises:
        ImageError: as `decode` does.
    """
    header = check(data, limits=limits)
    if max(header.width, header.height) <= longest:
        return data
    picture = decode(data, limits=limits)
    factor = longest / max(picture.width, picture.height)
    size = (max(1, int(picture.width * factor)), max(1, int(picture.height * factor)))
    return encode_jpeg(np.asarray(cv2.resize(picture.image, size, interpolation=cv2.INTER_AREA), np.uint8))


def _reduction(header: Header, at_least: tuple[int, int] | None) -> tuple[int, int]:
    """Choose OpenCV's flag and the divisor for a picture that must keep `at_least` pixels."""
    if at_least is not None and header.format == "jpeg":
        for scale, flag in _REDUCED:
            if header.width >= scale * at_least[0] and header.height >= scale * at_least[1]:
                return flag, scale
    return cv2.IMREAD_COLOR, 1


def _full_size(shape: tuple[int, ...], header: Header, scale: int) -> tuple[int, int]:
    """Return (width, height) of the full picture, and believe the pixels where they contradict the header.

    OpenCV may read an odd EXIF block otherwise than `read_header` does, and honours one in a PNG.
    """
    if scale == 1:
        return shape[1], shape[0]
    as_stated = shape == (-(-header.height // scale), -(-header.width // scale))
    return (header.width, header.height) if as_stated else (header.height, header.width)
