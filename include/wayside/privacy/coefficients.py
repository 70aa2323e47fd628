"""The quantised DCT coefficients of a JPEG file, read and written through libjpeg-turbo.

The library `jpeglib` brings libjpeg-turbo 2.1.0 behind a small C interface. That interface is called directly: the
Python classes above it put each file into the shared temporary folder, where a killed process would leave the original
behind, and they choose the library's version through a global variable. Here the files live in memory (on Linux;
elsewhere in a folder that only this user can read), and any number of threads may read and write at a time.

The interface closes a file that it never opened where a header is broken, so headers are checked here first, and only
the segments that a decoder needs are handed over. Errors in the entropy-coded data are its own to report.
"""

import contextlib
import ctypes
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import jpeglib
import numpy as np
from numpy.typing import NDArray

from wayside.core.errors import ImageError
from wayside.privacy.jpegfile import DHT, DQT, DRI, SOS, JpegFile, build, colour_of, parse

Coefficients = NDArray[np.int16]
Tables = NDArray[np.uint16]

_VERSION: Final = "turbo210"
_GREY, _RGB, _YCBCR = 1, 2, 3
_OPTIMISE: Final = 1 << 6  # the interface's bit for Huffman tables made for this picture
_NAMED: Final = b"RGB"
_LONGEST: Final = 65_500  # the longest side that libjpeg takes
# Tables K.3 to K.6 of T.81 hold so many codes: 12 for DC, 162 for AC. Encoders that make their own rarely need all.
_STANDARD_CODES: Final = {0: 12, 1: 162}


class LosslessImpossible(ImageError):  # noqa: N818 - a verdict on the file, which the caller answers by re-encoding
    """The file cannot be edited by its coefficients; `reason` is a short word, the message says why."""


@dataclass(frozen=True, eq=False, slots=True)
class Plane:
    """One colour plane of a picture.

    Attributes:
        blocks: int16 [rows, columns, 8, 8], quantised coefficients of each block that holds pixels.
        table: uint16 [8, 8], the steps by which they were quantised.
        across: how many pixels of the picture one sample of this plane covers, horizontally.
        down: the same vertically.
    """

    blocks: Coefficients
    table: Tables
    across: int
    down: int


@dataclass(frozen=True, eq=False, slots=True)
class Coded:
    """A picture as coefficients.

    Attributes:
        file: the file that it was read from.
        colour: `grey`, `rgb` or `ycbcr`.
        planes: one, or three in the order of the file.
    """

    file: JpegFile
    colour: str
    planes: tuple[Plane, ...]


def read(data: bytes, size: tuple[int, int]) -> Coded:
    """Read the coefficients of a JPEG file.

    Args:
        data: the bytes of the file.
        size: height and width that the file must have, as stored: memory is taken for no other picture.

    Raises:
        LosslessImpossible: the file is no JPEG, or one whose coefficients cannot be edited: `not_jpeg`, `arithmetic`,
            `lossless_jpeg`, `hierarchical`, `twelve_bit`, `cmyk`, `components`, `sampling`, `size`, `header` or
            `coefficients`.
        ImageError: the file is broken, see `jpegfile.parse`.
    """
    if not data.startswith(b"\xff\xd8\xff"):
        raise LosslessImpossible("not_jpeg", "the picture is no JPEG, so it has no coefficients to keep")
    file = parse(data)
    factors = _factors(file)
    stored = file.frame.height, file.frame.width
    if stored != size or max(stored) > _LONGEST:
        raise LosslessImpossible("size", f"the JPEG stores {stored[1]} x {stored[0]} pixels, not {size[1]} x {size[0]}")
    _check_tables(file)
    blocks = _allocate(file, factors)
    tables = np.zeros((4, 8, 8), np.uint16)
    numbers = np.zeros(4, np.int16)
    planes = [_address(one) for one in blocks] + [None] * (4 - len(blocks))
    with _private_file(_bare(file)) as source:
        done = _library().read_jpeg_dct(source, *planes, _address(tables), _address(numbers))
    if not done:
        raise LosslessImpossible("coefficients", "libjpeg cannot read the coefficients of the picture")
    if any(not tables[part.table].all() for part in file.frame.components):
        raise LosslessImpossible("header", "a quantisation table of the JPEG holds a zero")
    found = zip(blocks, file.frame.components, factors, strict=True)
    return Coded(file, _colour(file), tuple(Plane(one, tables[part.table], *each) for one, part, each in found))


def write(coded: Coded, blocks: Sequence[Coefficients]) -> JpegFile:
    """Return a picture like `coded`, with other coefficients, as a sequential JPEG without restart markers.

    Quantisation tables, sampling and component identifiers stay. Standard Huffman tables stay where the picture has
    them; otherwise they are made to measure, so that the file does not grow.

    Args:
        coded: the picture that was read.
        blocks: for each plane, int16 [rows, columns, 8, 8].

    Raises:
        LosslessImpossible: a coefficient is out of range; `coefficients`.
    """
    frame = coded.file.frame
    whole = [np.ascontiguousarray(one, np.int16) for one in blocks]
    size = (ctypes.c_int * 2)(frame.height, frame.width)
    dimensions = (ctypes.c_int * 8)(*(side for one in whole for side in one.shape[:2]))
    space = {"grey": _GREY, "rgb": _RGB, "ycbcr": _YCBCR}[coded.colour]
    planes = [_address(one) for one in whole] + [None] * (4 - len(whole))
    flags = (ctypes.c_uint(0 if _standard_tables(coded.file) else _OPTIMISE), ctypes.c_uint(0xFFFFFFFF))
    with _private_file(_bare(coded.file)) as source, _private_file(b"") as target:
        done = _library().write_jpeg_dct(
            source, target, *planes, size, dimensions, None, space, len(whole), None, ctypes.c_short(-1), None,
            0, None, None, None, *flags,
        )  # fmt: skip
        data = Path(os.fsdecode(target)).read_bytes()
    if not done:
        raise LosslessImpossible("coefficients", "libjpeg cannot write the coefficients of the picture")
    return parse(data)


def _factors(file: JpegFile) -> list[tuple[int, int]]:
    """Return how many pixels a sample of each plane covers, or say why the picture cannot be edited."""
    frame = file.frame
    if frame.process not in {0xC0, 0xC1, 0xC2}:
        raise LosslessImpossible(*_process(frame.process))
    if frame.precision != 8:
        raise LosslessImpossible("twelve_bit", f"the JPEG has {frame.precision} bits a sample")
    if len(frame.components) == 4:
        raise LosslessImpossible("cmyk", "the JPEG has four colour planes (CMYK)")
    if len(frame.components) not in {1, 3}:
        raise LosslessImpossible("components", f"the JPEG has {len(frame.components)} colour planes")
    most = max(one.horizontal for one in frame.components), max(one.vertical for one in frame.components)
    if any(most[0] % one.horizontal or most[1] % one.vertical for one in frame.components):
        raise LosslessImpossible("sampling", "the sampling factors of the JPEG do not divide each other")
    return [(most[0] // one.horizontal, most[1] // one.vertical) for one in frame.components]


def _process(marker: int) -> tuple[str, str]:
    if marker in {0xC3, 0xCB}:
        return "lossless_jpeg", "the picture is a JPEG of the lossless process, which has no coefficients"
    if marker in {0xC9, 0xCA}:
        return "arithmetic", "the JPEG is coded arithmetically"
    return "hierarchical", "the JPEG is a hierarchical one"


def _colour(file: JpegFile) -> str:
    """Return the colour space as libjpeg guesses it from the JFIF and Adobe segments and the identifiers."""
    components = file.frame.components
    if len(components) == 1:
        return "grey"
    stated = colour_of(file)
    if stated.density is not None:
        return "ycbcr"
    if stated.transform is not None:
        return "rgb" if stated.transform == 0 else "ycbcr"
    return "rgb" if bytes(one.identifier for one in components) == _NAMED else "ycbcr"


def _check_tables(file: JpegFile) -> None:
    """Refuse tables and scan headers that would make libjpeg give up while it reads the header."""
    known = {one.identifier for one in file.frame.components}
    for segment in file.segments:
        wrong = (
            (segment.marker == DQT and not _quantisation_fits(segment.payload))
            or (segment.marker == DHT and not _huffman_fits(segment.payload))
            or (segment.marker == DRI and len(segment.payload) != 2)
            or (segment.marker == SOS and not _scan_fits(segment.payload, known))
        )
        if wrong:
            raise LosslessImpossible("header", f"a table or scan header of the JPEG ({segment.marker:02X}) is broken")
    if len(known) != len(file.frame.components):
        raise LosslessImpossible("header", "two colour planes of the JPEG have the same identifier")


def _quantisation_fits(payload: bytes) -> bool:
    at = 0
    while at < len(payload):
        precision, number = payload[at] >> 4, payload[at] & 15
        if precision > 1 or number > 3:
            return False
        at += 1 + 64 * (1 + precision)
    return bool(payload) and at == len(payload)


def _huffman_fits(payload: bytes) -> bool:
    at = 0
    for kind, number, codes in _huffman_tables(payload):
        if kind > 1 or number > 3 or codes > 256:
            return False
        at += 17 + codes
    return bool(payload) and at == len(payload)


def _huffman_tables(payload: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield class, number and count of codes of each table, as far as they can be read."""
    at = 0
    while at + 17 <= len(payload):
        codes = sum(payload[at + 1 : at + 17])
        yield payload[at] >> 4, payload[at] & 15, codes
        at += 17 + codes


def _scan_fits(payload: bytes, known: set[int]) -> bool:
    count = payload[0] if payload else 0
    if not 1 <= count <= 4 or len(payload) != 4 + 2 * count:
        return False
    chosen = [payload[1 + 2 * number] for number in range(count)]
    return len(set(chosen)) == count and set(chosen) <= known


def _standard_tables(file: JpegFile) -> bool:
    """Return whether the picture looks coded with the tables of annex K, which libjpeg writes by default."""
    found = [table for one in file.segments if one.marker == DHT for table in _huffman_tables(one.payload)]
    standard = all(codes == _STANDARD_CODES.get(kind) for kind, _, codes in found)
    return file.frame.process == 0xC0 and bool(found) and standard


def _allocate(file: JpegFile, factors: Sequence[tuple[int, int]]) -> list[Coefficients]:
    """Return room for the blocks of each plane: a block counts where at least one of its samples is in the picture."""
    height, width = file.frame.height, file.frame.width
    return [np.zeros((-(-height // (8 * down)), -(-width // (8 * across)), 8, 8), np.int16) for across, down in factors]


def _bare(file: JpegFile) -> bytes:
    """Return the file as libjpeg gets it: tables, frame, scans, and what says how to read the colours."""
    return build(file, colour_of(file))


def _address(array: NDArray[Any]) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)


@cache
def _library() -> ctypes.CDLL:
    """Load our own handle of the library, which no other user of `jpeglib` can exchange."""
    folder = Path(jpeglib.__file__).parent / "cjpeglib"
    found = [one for one in sorted(folder.glob(f"cjpeglib_{_VERSION}.*")) if one.suffix in {".so", ".dll", ".pyd"}]
    if not found:
        raise LosslessImpossible("library", f"jpeglib lacks its libjpeg-turbo ({_VERSION})")
    library = ctypes.CDLL(str(found[0]))
    library.read_jpeg_dct.restype = library.write_jpeg_dct.restype = ctypes.c_int
    return library


@contextlib.contextmanager
def _private_file(data: bytes) -> Iterator[bytes]:
    """Give the path of a file that holds `data`, that nobody else can read, and that is gone afterwards."""
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        descriptor = os.memfd_create("wayside")
        with open(descriptor, "wb") as stream:  # noqa: PTH123 - a descriptor has no path
            stream.write(data)
            stream.flush()
            yield os.fsencode(f"/proc/self/fd/{descriptor}")
        return
    with tempfile.TemporaryDirectory(prefix="wayside-") as folder:  # its mode is 0700
        path = Path(folder) / "picture.jpg"
        path.write_bytes(data)
        yield os.fsencode(path)
