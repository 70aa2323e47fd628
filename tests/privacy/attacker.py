"""An attacker on hidden number plates, who knows everything but the secret of the fill.

He knows the lettering, the scene, where the plate hangs to about a pixel, the mask, the fill and its settings. He draws
every candidate at several places, hides each as the victim was hidden, and takes the candidate that comes nearest to
what was published. The victim was photographed with noise, a little shifted and scaled, and saved as JPEG. It is the
best case for an attacker, so what he gets is an upper bound. `bench/bench_attack.py` runs him at length.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont
from tests.privacy.hidden import boxed

from wayside.privacy.fills import fill
from wayside.privacy.objects import Masked
from wayside.privacy.settings import Fill
from wayside.vision.decode import Image

PLATE = (120, 28)  # width and height in pixels
LARGE = 4  # a plate is drawn so many times larger, and shrunk
SHIFT, SCALE, NOISE, QUALITY = 1.2, 0.0125, 2.0, 85
Filter = Callable[[Image], Image]
LETTERS = "ABCDEFGHJKLNPRSTUVXYZ"


@dataclass(frozen=True)
class Scene:
    """A plate in a picture: whether the mask covers it alone, or all of the vehicle that it hangs on."""

    width: int
    height: int
    hidden: Masked

    def show(self, text: str, shift: tuple[float, float] = (0, 0), scale: float = 1) -> Image:
        """Take a picture of a plate, without noise."""
        factor = scale / LARGE
        left = (self.width - PLATE[0] * scale) / 2 + shift[0]
        top = (self.height - PLATE[1] * scale) / 2 + shift[1]
        matrix = np.array([[factor, 0, left], [0, factor, top]])
        body = _body(self.width, self.height)
        grey = body.copy()
        cv2.warpAffine(_plate(text), matrix, (self.width, self.height), grey, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)
        return np.dstack([grey, grey, grey])


ALONE = Scene(160, 64, boxed(16, 14, 144, 50, "plate"))
ON_A_VEHICLE = Scene(240, 130, boxed(12, 10, 228, 120, "car"))


def candidates(count: int, seed: int = 1) -> list[str]:
    """Return different plates of two letters and five digits."""
    chance = np.random.default_rng(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(chance.choice(list(LETTERS), 2)) + f"{chance.integers(10_000, 100_000)}"] = None
    return list(found)


def hide(scene: Scene, how: Fill, secret: bytes = b"a secret of the run") -> Filter:
    """Hide as the product does."""
    return lambda image: fill(image, [scene.hidden], how, secret=secret)


def expected(scene: Scene, how: Fill) -> Filter:
    """Hide as well as somebody can who lacks the secret: a mosaic without its noise; anything else as it is."""
    if how.style != "mosaic":
        return hide(scene, how)
    return lambda image: mosaic(image, how.cell)


def mosaic(image: Image, cell: int) -> Image:
    """Return plain cells without noise."""
    shown = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    for top, left in itertools.product(range(0, image.shape[0], cell), range(0, image.shape[1], cell)):
        part = shown[top : top + cell, left : left + cell]
        part[:] = np.rint(part.mean())
    return shown


class Attack:
    """An attack on plates of one scene, all candidates drawn.

    Args:
        scene: the picture.
        names: all candidates.
        shifts: where the attacker tries, in pixels, both ways.
        scales: how large he tries.
    """

    def __init__(
        self,
        scene: Scene,
        names: Sequence[str],
        shifts: Sequence[float] = (-0.8, 0, 0.8),
        scales: Sequence[float] = (1,),
    ) -> None:
        self.scene, self.names = scene, names
        tries = [(place, scale) for scale in scales for place in itertools.product(shifts, shifts)]
        self.drawn = [scene.show(name, *attempt) for name in names for attempt in tries]

    def ranks(self, victims: int, hidden: Filter, known: Filter, *, cell: int = 1, seed: int = 2) -> np.ndarray:
        """Attack some plates; return for each how many candidates are held for likelier, 0 being found out.

        Args:
            victims: how many are attacked.
            hidden: hides the victims.
            known: hides as the attacker can.
            cell: side of cells whose values he compares, each counting once; 1 compares pixels.
            seed: of the noise.
        """
        chance = np.random.default_rng(seed)
        numbers = chance.integers(0, len(self.names), victims)
        photographed = [self._photographed(number, chance) for number in numbers]
        published = np.stack([_seen(self.scene, _saved(hidden(image)), cell) for image in photographed])
        distances = np.empty((len(self.names), victims))
        tries = len(self.drawn) // len(self.names)
        for place in range(len(self.names)):
            some = self.drawn[place * tries : (place + 1) * tries]
            templates = np.stack([_seen(self.scene, known(image), cell) for image in some])
            # Without BLAS, whose threads fight for the cores with whatever else runs.
            products = np.einsum("td,vd->tv", templates, published)
            distances[place] = ((templates**2).sum(axis=1)[:, None] - 2 * products).min(axis=0)
        found = []
        for number, row in zip(numbers, distances.T, strict=True):
            # Of candidates that look the same he can but guess.
            order = np.lexsort((chance.random(len(self.names)), np.round(row - row.min(), 3)))
            found.append(int(np.flatnonzero(order == number)[0]))
        return np.array(found)

    def _photographed(self, number: int, chance: np.random.Generator) -> Image:
        shift, scale = chance.uniform(-SHIFT, SHIFT, 2), 1 + chance.uniform(-SCALE, SCALE)
        clean = self.scene.show(self.names[number], (shift[0], shift[1]), scale)
        return np.clip(clean + chance.normal(0, NOISE, clean.shape), 0, 255).astype(np.uint8)


def _seen(scene: Scene, image: Image, cell: int) -> np.ndarray:
    """Return what there is to compare: grey values under the mask, or of each cell of it the mean."""
    ((left, top, mask),) = scene.hidden.pieces
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float64)
    if cell == 1:
        return grey[top : top + mask.shape[0], left : left + mask.shape[1]].ravel()
    rows = [slice(max(a, top), min(a + cell, top + mask.shape[0])) for a in range(0, scene.height, cell)]
    columns = [slice(max(a, left), min(a + cell, left + mask.shape[1])) for a in range(0, scene.width, cell)]
    parts = [grey[row, column] for row in rows for column in columns]
    return np.array([part.mean() for part in parts if part.size])


def _saved(image: Image) -> Image:
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


@cache
def _body(width: int, height: int) -> Image:
    """Return paint that shines."""
    row, column = np.mgrid[:height, :width]
    return np.asarray(70 + 25 * np.sin(row / 17) + 15 * np.cos(column / 29), np.uint8)


@cache
def _plate(text: str) -> Image:
    """Draw a plate, black on white in a black frame, soft enough to be shrunk."""
    size = PLATE[0] * LARGE, PLATE[1] * LARGE
    picture = Picture.new("L", size, 235)
    drawn = ImageDraw.Draw(picture)
    drawn.rectangle((0, 0, size[0] - 1, size[1] - 1), outline=20, width=LARGE)
    font = ImageFont.load_default(size=23 * LARGE)
    drawn.text((size[0] / 2, size[1] / 2), f"{text[:2]} {text[2:]}", fill=20, font=font, anchor="mm")
    return np.asarray(cv2.GaussianBlur(np.asarray(picture, np.uint8), (0, 0), LARGE / 2.5), np.uint8)
