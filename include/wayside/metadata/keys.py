"""The keys of a road photo's record, in the order in which they are written, by layout."""

from typing import Final, Literal

Layout = Literal["v2", "v1", "old"]

_POSE: Final = ("exif_roll", "exif_pitch", "exif_geoidalseparation")
_ERRORS: Final = tuple(f"exif_{axis}rmserror" for axis in ("north", "east", "down", "roll", "pitch", "heading"))
_ROAD: Final = ("exif_fylke", "exif_vegkat", "exif_vegstat", "exif_vegnr")
_SECTION: Final = ("exif_hp", "exif_strekning", "exif_delstrekning")
_JUNCTION: Final = ("exif_ankerpunkt", "exif_kryssdel", "exif_sideanleggsdel")
_WHERE: Final = ("exif_meter", "exif_feltkode", "exif_mappenavn", "exif_filnavn", "exif_strekningreferanse")
_LINK: Final = ("exif_reflinkinfo", "exif_reflinkid", "exif_reflinkposisjon", "exif_roadident")
_END: Final = ("bildeid", "senterlinjeposisjon", "detekterte_objekter", "versjon", "mappenavn")

KEYS_V1: Final = (
    *("exif_tid", "exif_dato", "exif_speed", "exif_heading", "exif_gpsposisjon", "exif_strekningsnavn"),
    *_ROAD,
    *_SECTION,
    *_JUNCTION,
    *_WHERE,
    "exif_imageproperties",
    *_LINK,
    *_POSE,
    *_ERRORS,
    "exif_xptitle",
    "exif_kvalitet",
    *_END,
)
"""The 42 keys of version 1."""

KEYS_V2: Final = (
    *("exif_tid", "exif_dato", "exif_dataeier", "exif_camera"),
    *("exif_imagetype", "exif_imagewidth", "exif_imageheight"),
    *("exif_speed_ms", "exif_heading", "exif_gpsposisjon", "exif_altitude", "exif_moh", "exif_strekningsnavn"),
    *_ROAD,
    "exif_roadtype",
    *_SECTION,
    *_JUNCTION,
    *_WHERE,
    "exif_imageproperties",
    "exif_basislinje",
    *_LINK,
    *_POSE,
    *_ERRORS,
    "exif_xptitle",
    "exif_kvalitet",
    *_END,
    "exif_preview_filnavn",
)
"""The 52 keys of version 2 and of its extractor for old pictures."""

PREVIEW: Final = "exif_preview_filnavn"


def keys_of(layout: Layout) -> tuple[str, ...]:
    """Return the keys of a layout, in order."""
    return KEYS_V1 if layout == "v1" else KEYS_V2
