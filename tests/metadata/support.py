"""Makes road photos for tests: JPEG files with EXIF, road XML, thumbnail, MPF, XMP, comment and trailer, as asked for.

`jpeg_with_exif(...)` is what most tests want: everything that it plants is an argument, nothing else is in the file.
`tiff(...)` writes the bare EXIF block in either byte order, `add_segments` puts segments into any JPEG. All names and
registration numbers are invented.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from xml.sax.saxutils import escape, quoteattr

import cv2
import numpy as np

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SRATIONAL = 1, 2, 3, 4, 5, 7, 10
_WIDTHS = {BYTE: 1, ASCII: 1, SHORT: 2, LONG: 4, RATIONAL: 8, UNDEFINED: 1, SRATIONAL: 8}
_CODES = {SHORT: "H", LONG: "I", RATIONAL: "I", SRATIONAL: "i"}

MAKE, MODEL, ORIENTATION, SOFTWARE, DATE_TIME, ARTIST = 271, 272, 274, 305, 306, 315
IMAGE_PROPERTIES, REFLINK_INFO, XP_TITLE = 40055, 40056, 40091
EXPOSURE_TIME, DATE_TIME_ORIGINAL, MAKER_NOTE, USER_COMMENT = 33434, 36867, 37500, 37510
_EXIF_IFD, _GPS_IFD, _THUMBNAIL_AT, _THUMBNAIL_BYTES = 34665, 34853, 513, 514
BOM = "\ufeff"

DRIVER, CAR, REMARK = "Kari Testsjåfør", "ZZ 12345", "Ringte Ola på vei inn"
"""Planted personal texts; none may be in an output."""

GPS: Mapping[int, tuple[int, object]] = {
    0: (BYTE, [2, 2, 0, 0]),
    1: (ASCII, "N "),
    2: (RATIONAL, [(61, 1), (12, 1), (529572, 10000)]),
    3: (ASCII, "E "),
    4: (RATIONAL, [(6, 1), (33, 1), (590181, 10000)]),
    5: (BYTE, [0]),
    6: (RATIONAL, [(488563, 10000)]),
    12: (ASCII, "K"),
    13: (RATIONAL, [(2500, 100)]),
    17: (RATIONAL, [(30229, 100)]),
}
"""A position at 61.2147 N, 6.5664 E, with padded references as the real cameras write them."""

Tags = Mapping[int, tuple[int, object]]


def tiff(
    ifd0: Tags | None = None,
    *,
    exif: Tags | None = None,
    gps: Tags | None = None,
    ifd1: Tags | None = None,
    thumbnail: bytes | None = None,
    order: str = ">",
) -> bytes:
    """Return a TIFF block: tag -> (type, value); text, numbers, pairs for rationals, or bytes as they are.

    `order` is ">" (Motorola, as the road cameras write) or "<" (Intel).
    """
    head = (b"MM\x00*" if order == ">" else b"II*\x00") + struct.pack(order + "I", 8)
    main = dict(ifd0 or {})
    for tag, part in ((_EXIF_IFD, exif), (_GPS_IFD, gps)):
        if part is not None:
            main[tag] = (LONG, [0])  # room for the offset, which is known below
    blocks = bytearray(head)
    at = 8
    place = at + len(_ifd(main, at, 0, order))
    for tag, part in ((_EXIF_IFD, exif), (_GPS_IFD, gps)):
        if part is not None:
            main[tag] = (LONG, [place])
            place += len(_ifd(part, place, 0, order))
    last = dict(ifd1 or {})
    if thumbnail is not None:
        last |= {_THUMBNAIL_AT: (LONG, [0]), _THUMBNAIL_BYTES: (LONG, [len(thumbnail)])}
        last[_THUMBNAIL_AT] = (LONG, [place + len(_ifd(last, place, 0, order))])
    blocks += _ifd(main, at, place if last else 0, order)
    for part in (exif, gps):
        if part is not None:
            blocks += _ifd(part, len(blocks), 0, order)
    if last:
        blocks += _ifd(last, len(blocks), 0, order) + (thumbnail or b"")
    return bytes(blocks)


def jpeg_with_exif(
    image: np.ndarray | None = None,
    *,
    jpeg: bytes | None = None,
    size: tuple[int, int] = (64, 48),
    quality: int = 90,
    options: Sequence[int] = (),
    order: str = ">",
    orientation: int | None = None,
    make: str | None = None,
    model: str | None = None,
    taken: str | None = "2020:06:02 09:42:46",
    xp_title: str | None = None,
    gps: bool | Tags = False,
    image_properties: str | None = None,
    reflink: str | None = None,
    driver: str | None = None,
    bom: bool = True,
    ifd0: Tags | None = None,
    exif: Tags | None = None,
    thumbnail: bytes | np.ndarray | None = None,
    xmp: str | None = None,
    mpf: bytes | np.ndarray | None = None,
    icc: bytes | None = None,
    comment: str | None = None,
    trailer: bytes = b"",
    with_exif: bool = True,
) -> bytes:
    """Return a JPEG with what the arguments name, in the order of real files: APP1, XMP, ICC, MPF, comment, picture.

    Args:
        image: uint8 [H,W,3] BGR or [H,W] grey, as stored (before orientation); by default a gradient of `size`.
        jpeg: a ready JPEG into which the segments go, instead of `image`.
        size: width and height of the default picture.
        quality: JPEG quality.
        options: further parameters of `cv2.imencode`, e.g. `(cv2.IMWRITE_JPEG_PROGRESSIVE, 1)`.
        order: byte order of the EXIF block.
        orientation: EXIF orientation 1..8.
        make: maker of the camera.
        model: camera.
        taken: DateTimeOriginal.
        xp_title: title, written as UTF-16LE without a terminator.
        gps: True for `GPS`, or tags of your own.
        image_properties: XML of tag 40055, see `image_properties_xml`.
        reflink: XML of tag 40056, see `reflink_xml` and `norway2_xml`.
        driver: shorthand for `image_properties_xml(driver=driver)`.
        bom: whether the XML starts with a byte order mark.
        ifd0: further tags of the main directory.
        exif: further tags of the EXIF directory.
        thumbnail: JPEG bytes, or a picture, in IFD1.
        xmp: an XMP packet in an APP1 segment of its own.
        mpf: a second picture, behind the end of the first, with an MPF index in APP2.
        icc: a colour profile, in one APP2 segment.
        comment: a COM segment.
        trailer: bytes behind the end of the picture.
        with_exif: False leaves the EXIF block out altogether.
    """
    plain = encode(image if image is not None else gradient(*size), quality, options) if jpeg is None else jpeg
    texts = {
        IMAGE_PROPERTIES: image_properties_xml(driver=driver) if driver and not image_properties else image_properties,
        REFLINK_INFO: reflink,
    }
    main: dict[int, tuple[int, object]] = dict(ifd0 or {})
    main |= {tag: (BYTE, ((BOM if bom else "") + text).encode()) for tag, text in texts.items() if text is not None}
    main |= {tag: (ASCII, text) for tag, text in ((MAKE, make), (MODEL, model)) if text is not None}
    if orientation is not None:
        main[ORIENTATION] = (SHORT, [orientation])
    if xp_title is not None:
        main[XP_TITLE] = (BYTE, xp_title.encode("utf-16-le"))
    taken_tag: Tags = {DATE_TIME_ORIGINAL: (ASCII, taken)} if taken is not None else {}
    block = tiff(
        main,
        exif={**taken_tag, **(exif or {})} or None,
        gps=GPS if gps is True else gps or None,
        thumbnail=encode(thumbnail) if isinstance(thumbnail, np.ndarray) else thumbnail,
        order=order,
    )
    segments = [(0xE1, b"Exif\x00\x00" + block)] if with_exif else []
    if xmp is not None:
        segments.append((0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + xmp.encode()))
    if icc is not None:
        segments.append((0xE2, b"ICC_PROFILE\x00\x01\x01" + icc))
    second = encode(mpf) if isinstance(mpf, np.ndarray) else mpf
    if comment is not None:
        segments.append((0xFE, comment.encode()))
    if second is None:
        return add_segments(plain, segments) + trailer
    return _with_second(plain, segments, second) + trailer


def add_segments(jpeg: bytes, segments: Iterable[tuple[int, bytes]]) -> bytes:
    """Return the JPEG with segments (marker's second byte, payload) put behind its start and its APP0, if any."""
    at = 2
    if jpeg[2:4] == b"\xff\xe0":
        at = 4 + int.from_bytes(jpeg[4:6], "big")
    return jpeg[:at] + b"".join(segment(marker, payload) for marker, payload in segments) + jpeg[at:]


def segment(marker: int, payload: bytes) -> bytes:
    """Return a JPEG segment; its payload is 65,533 bytes at the most."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2) + payload


def encode(image: np.ndarray, quality: int = 90, options: Sequence[int] = ()) -> bytes:
    """Return the picture, uint8 [H,W,3] BGR or [H,W], as a JPEG file without metadata."""
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality, *options])
    assert done
    return data.tobytes()


def gradient(width: int = 64, height: int = 48) -> np.ndarray:
    """Return a picture in which every place looks different: uint8 [H,W,3] BGR."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.dstack((x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), (x + y) % 256)).astype(np.uint8)


def xml_text(root: str, children: Sequence[Sequence[object]], attributes: Mapping[str, str] | None = None) -> str:
    """Return compact XML as the recorder writes it: `children` are [name, text or None or children of its own]."""
    names = {
        "xmlns:xsd": "http://www.w3.org/2001/XMLSchema",
        "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
        **(attributes or {}),
    }
    written = "".join(f" {name}={quoteattr(value)}" for name, value in names.items())
    return f'<?xml version="1.0" encoding="utf-8"?><{root}{written}>{_elements(children)}</{root}>'


def image_properties_xml(
    *,
    name: str = r"C:\DATA\ViaPPS\2020_06_02\FV00013\S1\D1\F1_2020_06_02\FV00013_S1D1_m00014_f1.jpg",
    driver: str | None = DRIVER,
    car: str | None = CAR,
    comment: str | None = REMARK,
    note: str | None = None,
    date: str = "2020-06-02T09:42:46.3948628",
    road: str = "FV013",
    hp: str = "S1D1",
    meter: str = "14.344072423939158",
) -> str:
    """Return an ImageProperties text of the usual shape, with personal texts planted."""
    road_values = [["VCCountyNo", "46"], ["VCArea", "DRAGSVIK"], ["VCRoad", road], ["VCHP", hp]]
    road_values += [["VCLane", "1"], ["VCLaneName", "1"], ["VCMeter", meter]]
    people = [["EquipmentID", "P14"], ["Driver", driver], ["CarID", car], ["Comment", comment]]
    children: list[list[object]] = [
        ["ImageName", name],
        ["Speed", "12.5"],
        ["Latitude", "61°12'52.9572\"N"],
        ["Heading", "302.295333221872"],
        ["VegComValues", road_values],
        ["BaseLinePosition", "1306"],
        ["BaseLineTickInterval", "227"],
        ["BaseLineTickOffset", "0"],
        ["TiltPoint", "1341"],
        ["Tilt", "0"],
        ["GeoTag", [["dLatitude", "61.2147"], ["dLongitude", "6.5664"], ["dAltitude", "48.85"]]],
        ["Surroundings", people],
        ["SoundFile", None],
        ["Note", note],
        ["Comment", comment],
        ["Version", "5.0"],
    ]
    return xml_text("ImageProperties", children, {"Date": date})


def reflink_xml(link: str = "626912", position: str = "0.31971110855938645") -> str:
    """Return a ReflinkInfo text of March 2020."""
    return xml_text("ReflinkInfo", [["ActivFileVersion", "1"], ["ReflinkId", link], ["ReflinkPosition", position]])


def norway2_xml(
    gnss: Mapping[str, str | None] | None = None,
    image_info: Mapping[str, str] | None = None,
    ident: str | None = "FV13 S1D1 m14",
) -> str:
    """Return an AdditionalInfoNorway2 text; `gnss` overrides children of GnssInfo, `image_info` adds ImageInfo."""
    values: dict[str, str | None] = {
        "Latitude": "61.214710343813685",
        "Longitude": "6.5663939242382572",
        "Altitude": "48.856250803013438",
        "Roll": "0.29638936011912509",
        "Pitch": "1.596333137040062",
        "Heading": "302.295333221872",
        "Speed": "0",
        "GeoidalSeparation": "45.455001831054688",
        **{f"{axis}RmsError": "0.024" for axis in ("North", "East", "Down", "Roll", "Pitch", "Heading")},
        **(gnss or {}),
    }
    road = [["ReflinkId", "384067"], ["ReflinkPosition", "0.027226146823267947"], ["RoadIdent", ident]]
    children: list[list[object]] = [["ActivFileVersion", "1"], ["RoadInfo", road]]
    children.append(["GnssInfo", [list(item) for item in values.items()]])
    if image_info is not None:
        children.append(["ImageInfo", [list(item) for item in image_info.items()]])
    return xml_text("AdditionalInfoNorway2", children)


def _elements(children: Sequence[Sequence[object]]) -> str:
    written = []
    for name, content in children:
        if content is None:
            written.append(f"<{name} />")
        else:
            inner = escape(content) if isinstance(content, str) else _elements(content)  # type: ignore[arg-type]
            written.append(f"<{name}>{inner}</{name}>")
    return "".join(written)


def _ifd(tags: Tags, at: int, following: int, order: str) -> bytes:
    """Return a directory that will lie at offset `at`, and behind it what does not fit into its entries."""
    entries, beyond = bytearray(struct.pack(order + "H", len(tags))), bytearray()
    start = at + 2 + 12 * len(tags) + 4
    for tag in sorted(tags):
        kind, value = tags[tag]
        raw = _raw(kind, value, order)
        entries += struct.pack(order + "HHI", tag, kind, len(raw) // _WIDTHS[kind])
        if len(raw) <= 4:
            entries += raw.ljust(4, b"\x00")
        else:
            entries += struct.pack(order + "I", start + len(beyond))
            beyond += raw + b"\x00" * (len(raw) % 2)
    return bytes(entries + struct.pack(order + "I", following) + beyond)


def _raw(kind: int, value: object, order: str) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode() + (b"\x00" if kind == ASCII else b"")
    numbers: list[object] = []
    for item in value:  # type: ignore[attr-defined]
        part = (item.numerator, item.denominator) if isinstance(item, Fraction) else item
        numbers += part if isinstance(part, tuple) else [part]
    if kind in {BYTE, UNDEFINED}:
        return bytes(numbers)  # type: ignore[arg-type]
    return struct.pack(f"{order}{len(numbers)}{_CODES[kind]}", *numbers)


def _with_second(plain: bytes, segments: list[tuple[int, bytes]], second: bytes) -> bytes:
    """Return both pictures in one file, with the MPF index (CIPA DC-007) that leads to the second."""

    def index(size: int, offset: int) -> bytes:
        pictures = struct.pack(">IIIHH", 0x030000, size, 0, 0, 0) + struct.pack(">IIIHH", 0, len(second), offset, 0, 0)
        return b"MPF\x00" + tiff({0xB000: (UNDEFINED, b"0100"), 0xB001: (LONG, [2]), 0xB002: (UNDEFINED, pictures)})

    size = len(add_segments(plain, [*segments, (0xE2, index(0, 0))]))
    # Offsets of MPF count from the byte order mark of the index itself.
    first = add_segments(plain, [*segments, (0xE2, index(size, 0))])
    start = first.index(b"MPF\x00") + 4
    return add_segments(plain, [*segments, (0xE2, index(size, size - start))]) + second
