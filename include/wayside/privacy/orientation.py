"""How a file is turned: asked of the decoder that makes it upright, not read a second time from its metadata.

Two readers of one odd EXIF block may come to two orientations, and a mask would lie beside the person it should hide.
So a picture of 16 x 32 pixels that carries the same metadata is given to the decoder, and what comes out tells.
"""

from typing import Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from wayside.core.errors import ImageError
from wayside.privacy.jpegfile import APP1, JpegFile, parse
from wayside.vision.decode import Image

Pixel = TypeVar("Pixel", bound=np.generic)

# For each EXIF orientation: mirror left and right, then turn by so many quarters anticlockwise, to make it upright.
_UPRIGHT: Final = {
    1: (False, 0), 2: (True, 0), 3: (False, 2), 4: (True, 2), 5: (True, 1), 6: (False, 3), 7: (True, 3), 8: (False, 1),
}  # fmt: skip


def orientation_of(data: bytes) -> int:
    """Return how `vision.decode` turns this JPEG to make it upright: an EXIF orientation, 1..8.

    Raises:
        ImageError: the file is broken.
    """
    stored = parse(data)
    if not any(one.marker == APP1 for one in stored.segments):
        return 1
    seen = cv2.imdecode(np.frombuffer(_probe(stored), np.uint8), cv2.IMREAD_COLOR)
    if seen is not None:
        for number in _UPRIGHT:
            turned = upright(_SIGN, number)
            if turned.shape == seen.shape[:2] and np.array_equal(turned > 127, seen[..., 0] > 127):
                return number
    raise ImageError("undecodable", "the decoder turns the picture in a way that no EXIF orientation names")


def upright(stored: NDArray[Pixel], orientation: int) -> NDArray[Pixel]:
    """Turn a stored picture or mask, [H, W, ...], upright. The result is a view."""
    mirrored, quarters = _UPRIGHT[orientation]
    return np.rot90(stored[:, ::-1] if mirrored else stored, quarters)


def as_stored(turned: NDArray[Pixel], orientation: int) -> NDArray[Pixel]:
    """Turn an upright picture or mask, [H, W, ...], to how a file of this orientation stores it: undo `upright`."""
    mirrored, quarters = _UPRIGHT[orientation]
    back = np.rot90(turned, -quarters)
    return back[:, ::-1] if mirrored else back


def _sign() -> Image:
    """Return a picture that looks different in each of the eight orientations: uint8 [16, 32], black and white."""
    sign = np.zeros((16, 32), np.uint8)
    sign[:8, :16] = 255
    sign[8:, :8] = 255
    return sign


_SIGN: Final = _sign()


def _probe(stored: JpegFile) -> bytes:
    """Return the sign as a JPEG with all APP1 segments of a file."""
    _, encoded = cv2.imencode(".jpg", _SIGN, [cv2.IMWRITE_JPEG_QUALITY, 100])
    plain = encoded.tobytes()
    start = 4 + int.from_bytes(plain[4:6], "big") if plain[2:4] == b"\xff\xe0" else 2
    return plain[:start] + b"".join(one.written() for one in stored.segments if one.marker == APP1) + plain[start:]
