"""One picture from its bytes to anonymised bytes: decode, find, grow, fill, write, and look for leaks.

Nothing is handed out that the leak scanner objects to.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wayside.core.errors import ImageError, LeakError
from wayside.privacy.fills import fill, fill_refusal
from wayside.privacy.find import Finder
from wayside.privacy.leaks import COSMETIC, Leak, scan
from wayside.privacy.masks import grown
from wayside.privacy.objects import Mask, Masked, union
from wayside.privacy.settings import Masking
from wayside.privacy.write import write_output
from wayside.vision.decode import Image, Limits, decode


@dataclass(frozen=True, eq=False)
class Anonymised:
    """An anonymised picture.

    Attributes:
        data: the file, a JPEG.
        filled: uint8 [H, W, 3] blue green red, upright: what the file shows.
        mask: bool [H, W], True where the picture is hidden.
        masked: every object that is hidden, best score first.
        mode: `lossless` or `reencode`.
        mode_reason: why it was re-encoded where lossless was asked for.
    """

    data: bytes
    filled: Image
    mask: Mask
    masked: tuple[Masked, ...]
    mode: str
    mode_reason: str | None

    @property
    def height(self) -> int:
        """Pixels, upright."""
        return int(self.filled.shape[0])

    @property
    def width(self) -> int:
        """Pixels, upright."""
        return int(self.filled.shape[1])

    @property
    def hidden_share(self) -> float:
        """Share of the picture that is hidden, 0..1."""
        return float(np.count_nonzero(self.mask)) / self.mask.size


def anonymise(
    data: bytes,
    masking: Masking,
    finder: Finder,
    *,
    limits: Limits | None = None,
    texts: Sequence[str] = (),
    draw: bool = True,
) -> Anonymised:
    """Hide what must not be seen in one picture.

    Args:
        data: the bytes of a JPEG, PNG or WebP file.
        masking: what is hidden, and how.
        finder: finds it; made of `masking.find`.
        limits: caps on bytes and pixels.
        texts: personal texts of the picture's metadata, which must not be in the result.
        draw: False hides nothing, and only tells what was found; metadata go all the same.

    Raises:
        ImageError: it is no whole picture within the limits, or one that cannot be handled, or (`LeakError`) what came
            of it would give something away.
        ModelError: a model does not answer like its family.
    """
    image = decode(data, limits=limits).image
    height, width = image.shape[:2]
    if (refusal := fill_refusal(masking.fill, width)) and draw:
        raise ImageError("fill_refused", refusal)
    masked = tuple(grown(finder.find(image), masking.find, height, width))
    hidden = masked if draw else ()
    mask = union(hidden, height, width)
    # The noise of a mosaic is secret and never kept: who has it could take it away again.
    filled = fill(image, hidden, masking.fill, secret=secrets.token_bytes(32), hidden=mask) if hidden else image
    written = write_output(data, filled, mask, masking.output)
    policy = masking.output.exif
    found = scan(written.data, original=image, mask=mask, filled=filled, texts=texts, policy=policy, limits=limits)
    # Whoever chose a blur was told that it can be undone; anything else is a reason not to publish.
    leaks = [leak for leak in found if leak.kind != COSMETIC or not masking.fill.cosmetic]
    if leaks:
        raise LeakError(f"not published, because it would give something away: {_told(leaks)}")
    return Anonymised(written.data, filled, mask, masked, written.mode, written.mode_reason)


def _told(leaks: Sequence[Leak]) -> str:
    return "; ".join(f"{leak.kind} ({leak.detail})" for leak in leaks[:5])
