"""JPEG files of every kind for the tests of this folder, and what is planted into them."""

import io
import struct
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from tests.metadata.support import jpeg_with_exif

from wayside.vision.decode import Image

Mask = NDArray[np.bool_]


def scene(height: int, width: int, seed: int = 7) -> Image:
    """Return a picture with areas, edges and texture, uint8 [height, width, 3]."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (max(height // 16, 2), max(width // 16, 2), 3)).astype(np.uint8)
    areas = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float64)
    fine = cv2.GaussianBlur(random.normal(0, 40, (height, width, 1)), (3, 3), 0)[..., None]
    return np.clip(areas + fine, 0, 255).astype(np.uint8)


def encoded(image: Image, **options: object) -> bytes:
    """Return the picture as Pillow writes it as JPEG; blue-green-red or grey."""
    rgb = image if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1])
    stream = io.BytesIO()
    Pillow.fromarray(rgb).save(stream, "JPEG", **{"quality": 88, **options})
    return stream.getvalue()


def by_opencv(image: Image, *options: int) -> bytes:
    """Return the picture as OpenCV writes it as JPEG."""
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 88, *options])[1].tobytes()


def _sampled(factor: int) -> Callable[[Image], bytes]:
    return lambda image: by_opencv(image, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor)


KINDS: dict[str, Callable[[Image], bytes]] = {
    "4:4:4": _sampled(cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    "4:2:2": _sampled(cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422),
    "4:2:0": _sampled(cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
    "4:4:0": _sampled(cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440),
    "4:1:1": _sampled(cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411),
    "grey": lambda image: by_opencv(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)),
    "restart markers": lambda image: by_opencv(image, cv2.IMWRITE_JPEG_RST_INTERVAL, 3),
    "progressive": lambda image: encoded(image, progressive=True),
    "progressive grey": lambda image: encoded(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)), progressive=True),
    "optimised": lambda image: encoded(image, optimize=True, subsampling=1),
    "RGB": lambda image: encoded(image, keep_rgb=True),
    "own tables": lambda image: encoded(image, qtables=[list(range(1, 65)), list(range(64, 0, -1)), [3] * 64]),
}
"""Every kind of JPEG whose coefficients can be edited."""


def cmyk(image: Image) -> bytes:
    """Return the picture as a CMYK JPEG, with inverted values and an Adobe segment, as Pillow writes it."""
    stream = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(image[..., ::-1])).convert("CMYK").save(stream, "JPEG", quality=95)
    return stream.getvalue()


def with_frame(
    jpeg: bytes, *, marker: int | None = None, precision: int | None = None, size: tuple[int, int] | None = None
) -> bytes:
    """Return a baseline JPEG with another process, precision or (height, width) in its frame header."""
    at = jpeg.index(b"\xff\xc0")
    head = bytearray(jpeg[at : at + 9])
    if marker is not None:
        head[1] = marker
    if precision is not None:
        head[4] = precision
    if size is not None:
        head[5:9] = struct.pack(">HH", *size)
    return jpeg[:at] + bytes(head) + jpeg[at + 9 :]


def blot(height: int, width: int, *places: tuple[int, int, int, int]) -> Mask:
    """Return bool [height, width], True in each (left, top, right, bottom)."""
    mask = np.zeros((height, width), np.bool_)
    for left, top, right, bottom in places:
        mask[top:bottom, left:right] = True
    return mask


def painted(image: Image, mask: Mask, colour: tuple[int, int, int] = (40, 90, 200)) -> Image:
    """Return a copy with one colour, blue-green-red, under the mask."""
    filled = image.copy()
    filled[mask] = colour
    return filled


def pixels(data: bytes, *, stored: bool = False) -> Image:
    """Return uint8 [H, W, 3] as OpenCV decodes it: upright, or as stored."""
    flag = cv2.IMREAD_COLOR | (cv2.IMREAD_IGNORE_ORIENTATION if stored else 0)
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), flag), np.uint8)


PREVIEW = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(range(1, 200)) + b"\xff\xd9"
"""Begins like a JPEG and can be found again."""
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><xmpGImg:image>/9j/4AAQSkZJRgABAQEASABIAAD</xmpGImg:image>'
    "</rdf:RDF></x:xmpmeta>"
)


def loaded(image: Image, **options: object) -> bytes:
    """Return a JPEG with everything planted that could give something away."""
    planted = {
        "taken": "2020:06:02 09:42:46",
        "gps": True,
        "driver": "Kari Testsjåfør",
        "make": "Basler",
        "model": "acA2440",
        "thumbnail": PREVIEW,
        "xmp": XMP,
        "mpf": PREVIEW,
        "comment": "Ringte Ola på vei inn",
        "trailer": b"Trailer of Kari Testsj\xc3\xa5f\xc3\xb8r",
        "exif": {37500: (7, b"MakerNote" + PREVIEW), 37510: (7, b"ASCII\0\0\0Kari"), 42033: (2, "SN-4711")},
        "ifd0": {315: (2, "Kari Testsjåfør"), 305: (2, "ViaPhoto")},
    }
    return jpeg_with_exif(image, **{**planted, **options})
