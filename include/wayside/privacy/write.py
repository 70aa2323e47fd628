"""Write the anonymised file: by its coefficients where that is possible, else encoded anew, and say which and why.

A picture is looked at and masked upright. Its coefficients are as stored, so for the lossless way the mask is turned
back and the orientation tag stays; a picture that is encoded anew is upright already and has no such tag. A file that
is not quite as it should be, which decoders put up with, is encoded anew as well.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from wayside.core.errors import ImageError
from wayside.privacy.exifpolicy import kept_exif
from wayside.privacy.jpegfile import JpegFile, build, colour_of, parse
from wayside.privacy.lossless import LosslessImpossible, edit_lossless
from wayside.privacy.objects import Mask
from wayside.privacy.orientation import as_stored, orientation_of
from wayside.privacy.reencode import profile, reencode
from wayside.privacy.settings import Output
from wayside.vision.decode import Image

Mode = Literal["lossless", "reencode"]


@dataclass(frozen=True, slots=True)
class Written:
    """An anonymised file.

    Attributes:
        data: a JPEG file.
        mode: `lossless` or `reencode`.
        mode_reason: why it was encoded anew although `lossless` was asked for; None otherwise.
    """

    data: bytes
    mode: Mode
    mode_reason: str | None


def write_output(original: bytes, filled: Image, mask: Mask, output: Output) -> Written:
    """Return the anonymised file, with the metadata that the policy keeps and no others.

    Args:
        original: the file that was anonymised: JPEG, PNG or WebP.
        filled: uint8 [H, W, 3] blue-green-red, upright, filled where the mask is.
        mask: bool [H, W], upright.
        output: mode, quality, subsampling and policy of metadata.

    Raises:
        ImageError: the metadata to keep do not fit (`metadata`), or JPEG cannot hold a picture of this size.
        ValueError: mask and picture are of different sizes.
    """
    if filled.shape[:2] != mask.shape:
        raise ValueError(f"a mask of {mask.shape} for a picture of {filled.shape[:2]}")
    icc = profile(original) if output.exif.icc == "keep" else b""
    reason = None
    if output.mode == "lossless":
        try:
            edited, orientation = _edited(original, filled, mask)
        except ImageError as error:  # LosslessImpossible, or a file that is not quite a JPEG
            reason = error.message
        else:
            exif = kept_exif(original, output.exif, orientation=orientation)
            return Written(build(edited, colour_of(edited), exif=exif, icc=icc), "lossless", None)
    exif = kept_exif(original, output.exif)
    return Written(reencode(filled, original, output, exif=exif, icc=icc), "reencode", reason)


def _edited(original: bytes, filled: Image, mask: Mask) -> tuple[JpegFile, int]:
    """Return the edited file, and how it is turned."""
    if not original.startswith(b"\xff\xd8\xff"):
        raise LosslessImpossible("not_jpeg", "the picture is no JPEG, so it has no coefficients to keep")
    orientation = orientation_of(original)
    hidden = np.ascontiguousarray(as_stored(mask, orientation))
    stored = np.ascontiguousarray(as_stored(filled, orientation))
    return parse(edit_lossless(original, hidden, stored)), orientation
