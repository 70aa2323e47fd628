"""Write an anonymised picture as a new JPEG, where its own coefficients cannot be kept or need not be.

Road photos come out as JPEG always, whatever they came in as: that is what archives of them hold, and what their
readers expect. A grey JPEG stays grey; PNG, WebP and CMYK pictures become ordinary colour JPEGs, 16-bit ones with 8
bits, as they were looked at.
"""

import io
import struct
from typing import Final

import cv2
import numpy as np
from PIL import Image as Pillow

from wayside.core.errors import ImageError
from wayside.privacy.jpegfile import MAX_ICC, JpegFile, build, colour_of, icc_of, parse
from wayside.privacy.settings import Output
from wayside.vision.decode import Image

_SAMPLINGS: Final = {
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    "4:2:2": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    "4:4:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440,
    "4:1:1": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411,
}
_BY_FACTORS: Final = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (1, 2): "4:4:0", (4, 1): "4:1:1"}
_LONGEST: Final = 65_500
_PICTURES: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"JFIF", b"Exif\0")


def reencode(filled: Image, original: bytes, output: Output, *, exif: bytes = b"", icc: bytes = b"") -> bytes:
    """Return the filled picture as a JPEG file with only the metadata that are given.

    Args:
        filled: uint8 [H, W, 3] blue-green-red, upright.
        original: the file it was made of; gives the chroma subsampling where that is to be kept (4:4:4 for a picture
            that is no JPEG, or a CMYK or odd one) and says whether the picture is grey.
        output: quality 1..100 and subsampling.
        exif: TIFF block for the new file; empty: none.
        icc: colour profile for the new file; empty: none.

    Raises:
        ImageError: `too_many_pixels` where a side is longer than JPEG can hold.
    """
    if max(filled.shape[:2]) > _LONGEST:
        raise ImageError("too_many_pixels", f"no JPEG can be {filled.shape[1]} x {filled.shape[0]} pixels large")
    stored = _stored(original)
    pixels: Image = filled
    if stored is not None and len(stored.frame.components) == 1:
        pixels = np.asarray(cv2.cvtColor(filled, cv2.COLOR_BGR2GRAY), np.uint8)
    sampling = _sampling(stored) if output.subsampling == "keep" else output.subsampling
    how = [cv2.IMWRITE_JPEG_QUALITY, output.quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    how += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _SAMPLINGS[sampling]]
    done, encoded = cv2.imencode(".jpg", pixels, how)
    if not done:
        raise ImageError("undecodable", f"OpenCV cannot write the {filled.shape[1]} x {filled.shape[0]} picture")
    written = parse(encoded.tobytes())
    return build(written, colour_of(written), exif=exif, icc=icc)


def profile(original: bytes) -> bytes:
    """Return the colour profile of a file if it is whole, of the colour space the output has, and nothing but that.

    Empty where there is none, or where it is for CMYK, longer than it says, or holds something like a picture.
    """
    stored = _stored(original)
    if stored is not None:
        found, space = icc_of(stored), {1: b"GRAY", 3: b"RGB "}.get(len(stored.frame.components), b"")
    else:
        found, space = _profile_of_other(original), b"RGB "
    whole = 128 <= len(found) <= MAX_ICC and struct.unpack_from(">I", found)[0] == len(found)
    if not whole or found[36:40] != b"acsp" or found[16:20] != space:
        return b""
    return b"" if any(sign in found for sign in _PICTURES) else found


def _stored(original: bytes) -> JpegFile | None:
    """Take the original apart; None where it is no JPEG, or one that only a lenient decoder can read."""
    try:
        return parse(original)
    except ImageError:
        return None


def _profile_of_other(original: bytes) -> bytes:
    """Return the profile of a PNG or WebP picture."""
    try:
        with Pillow.open(io.BytesIO(original), formats=("PNG", "WEBP")) as opened:
            found = opened.info.get("icc_profile")
    except (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError):
        return b""
    return found if isinstance(found, bytes) else b""


def _sampling(stored: JpegFile | None) -> str:
    if stored is None or len(stored.frame.components) != 3:
        return "4:4:4"
    first, *others = stored.frame.components
    factors = {(first.horizontal // one.horizontal, first.vertical // one.vertical) for one in others}
    return _BY_FACTORS.get(factors.pop(), "4:4:4") if len(factors) == 1 else "4:4:4"
