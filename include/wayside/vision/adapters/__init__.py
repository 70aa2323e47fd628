"""Adapters: what a family of models wants as input and means by its outputs, one class a family."""

from typing import Final

from wayside.vision.adapters.base import Adapter, Candidates, Fit
from wayside.vision.adapters.detr import Detr
from wayside.vision.adapters.grid import NanoDet, RtmDet, YoloX, YuNet
from wayside.vision.adapters.plain import Wayside
from wayside.vision.cards import ModelCard

_FAMILIES: Final[dict[str, type[Adapter]]] = {
    "detr": Detr,
    "nanodet": NanoDet,
    "rtmdet": RtmDet,
    "wayside": Wayside,
    "yolox": YoloX,
    "yunet": YuNet,
}

__all__ = ["Adapter", "Candidates", "Fit", "adapter_for"]


def adapter_for(card: ModelCard) -> Adapter:
    """Return the adapter of the card's family."""
    return _FAMILIES[card.family](card)
