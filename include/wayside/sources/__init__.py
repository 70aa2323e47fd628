"""Who offers pictures, and how they are fetched without trusting anybody.

`load_sources` reads what a person wrote down, `open_source` gives the kind that knows how to ask, and `fetch_slot`
turns cameras and a slot into stored pictures and exactly one row a camera.
"""

from wayside.sources.fetch import fetch_range, fetch_slot
from wayside.sources.http import HttpClient
from wayside.sources.reasons import FetchError, Reason
from wayside.sources.registry import load_sources, open_source
from wayside.sources.source import Camera, Offer, Source
from wayside.sources.spec import SourceSpec

__all__ = [
    "Camera",
    "FetchError",
    "HttpClient",
    "Offer",
    "Reason",
    "Source",
    "SourceSpec",
    "fetch_range",
    "fetch_slot",
    "load_sources",
    "open_source",
]
