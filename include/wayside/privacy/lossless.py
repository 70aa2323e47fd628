"""Edit a JPEG where it is masked, and leave everything else of it as the camera wrote it.

A JPEG is made of blocks of 8 x 8 coefficients. A block that the mask touches is computed anew, whole, from the filled
picture; every other block keeps its coefficients bit for bit, and with the picture's own quantisation tables nothing
of it is rounded twice. What was under the mask cannot stay behind: no coefficient of a touched block is taken over,
and a block of a subsampled plane counts as touched where any pixel that it covers is masked.

Method: T.81 annex A.3.3 (forward DCT) as two products with the orthonormal 8 x 8 matrix, A.3.4 (quantisation);
JFIF 1.02 (full-range BT.601); subsampled planes are means over the pixels that a sample covers.
"""

from typing import Final

import cv2
import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from wayside.privacy.coefficients import Coded, Coefficients, LosslessImpossible, Plane, read, write
from wayside.privacy.jpegfile import build, colour_of
from wayside.privacy.objects import Mask, cells
from wayside.vision.decode import Image

__all__ = ["LosslessImpossible", "Touched", "edit_lossless", "expected", "touched"]

Touched = NDArray[np.bool_]

_AT: Final = np.arange(8)
_DCT: Final = np.asarray(
    np.where(_AT[:, None] == 0, np.sqrt(1 / 8), 0.5) * np.cos((2 * _AT + 1) * _AT[:, None] * np.pi / 16), np.float32
)
# Weights of blue, green, red, and what is added, for each plane of the file.
_PLANES: Final[dict[str, tuple[tuple[float, float, float, float], ...]]] = {
    "grey": ((0.114, 0.587, 0.299, -128),),
    "rgb": ((0, 0, 1, -128), (0, 1, 0, -128), (1, 0, 0, -128)),
    "ycbcr": ((0.114, 0.587, 0.299, -128), (0.5, -0.331264, -0.168736, 0), (-0.081312, -0.418688, 0.5, 0)),
}
_LARGEST: Final = 1023  # of an AC coefficient of 8-bit samples
_HALF: Final = np.float32(0.502)  # a little more than a half: what lies between two steps goes up on every machine
_AT_A_TIME: Final = 2048  # blocks; so that a panorama that is masked all over needs little memory


def edit_lossless(data: bytes, mask: Mask, filled: Image) -> bytes:
    """Return the JPEG with the blocks under the mask computed from `filled`, all others bit for bit as they were.

    The file is a sequential JPEG without any metadata but JFIF and Adobe segments; a progressive one comes back
    sequential, restart markers are left out. Its coefficients outside the touched blocks are the same.

    Args:
        data: the original file.
        mask: bool [H, W] in stored orientation, as the file has it before EXIF turns it.
        filled: uint8 [H, W, 3] blue-green-red in stored orientation, filled where the mask is.

    Raises:
        LosslessImpossible: the file has no coefficients that could be kept, or another size than the mask.
        ImageError: the file is broken.
    """
    coded = read(data, (mask.shape[0], mask.shape[1]))
    blocks = []
    for number, plane in enumerate(coded.planes):
        where = touched(mask, plane)
        plane.blocks[where] = expected(filled, coded, number, where)  # read for this call alone
        blocks.append(plane.blocks)
    return build(write(coded, blocks), colour_of(coded.file))


def touched(mask: Mask, plane: Plane) -> Touched:
    """Return bool [rows, columns]: which blocks of the plane cover a pixel of the mask, bool [H, W]."""
    return cells(mask, 8 * plane.down, 8 * plane.across)


def expected(filled: Image, coded: Coded, number: int, where: Touched) -> Coefficients:
    """Return int16 [n, 8, 8]: the coefficients that `filled` has in the blocks `where` of plane `number`.

    Args:
        filled: uint8 [H, W, 3] blue-green-red in stored orientation.
        coded: the picture, for its colour space, tables and sampling.
        number: which of its planes.
        where: bool [rows, columns] with n blocks chosen.
    """
    plane = coded.planes[number]
    places = np.argwhere(where)
    found = np.empty((len(places), 8, 8), np.int16)
    weights = np.asarray([_PLANES[coded.colour][number]], np.float32)
    for start in range(0, len(places), _AT_A_TIME):
        pixels = _means(_gathered(filled, plane, places[start : start + _AT_A_TIME]), plane)
        # OpenCV and products of 8 x 8 run on this thread alone; a large product would start others, for every picture.
        samples = np.asarray(cv2.transform(pixels.reshape(-1, 8, 3), weights), np.float32).reshape(-1, 8, 8)
        quantised = np.floor(_DCT @ samples @ _DCT.T / plane.table.astype(np.float32) + _HALF)
        found[start : start + _AT_A_TIME] = np.clip(quantised, -_LARGEST - 1, _LARGEST)
    return found


def _means(pixels: NDArray[np.float32], plane: Plane) -> NDArray[np.float32]:
    """Return float32 [n, 8, 8, 3]: the mean of the pixels that each sample covers, of those that a block covers.

    Whole numbers add up without rounding, so the order does not matter. NumPy's mean along both axes is much slower.
    """
    if plane.down == plane.across == 1:
        return pixels
    total = np.zeros((len(pixels), 8, 8, 3), np.float32)
    for down in range(plane.down):
        for across in range(plane.across):
            total += pixels[:, down :: plane.down, across :: plane.across]
    total /= plane.down * plane.across
    return total


def _gathered(filled: Image, plane: Plane, places: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return float32 [n, tall, wide, 3]: the pixels that each block covers; edges repeat beyond the picture."""
    height, width = filled.shape[:2]
    tall, wide = 8 * plane.down, 8 * plane.across
    pixels = np.empty((len(places), tall, wide, 3), np.float32)
    whole = (places[:, 0] < height // tall) & (places[:, 1] < width // wide)
    line, column, channel = filled.strides
    shape = (height // tall, width // wide, tall, wide, 3)
    blocks = as_strided(filled, shape, (line * tall, column * wide, line, column, channel), writeable=False)
    pixels[whole] = blocks[places[whole, 0], places[whole, 1]]
    down = np.minimum(places[~whole, :1] * tall + np.arange(tall), height - 1)
    across = np.minimum(places[~whole, 1:] * wide + np.arange(wide), width - 1)
    pixels[~whole] = filled[down[:, :, None], across[:, None, :]]
    return pixels
