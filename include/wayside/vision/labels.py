"""Class names: those of the COCO data set, those of Wayside, and the one map between them.

A detector answers in the words of the data it learned from. Wayside keeps six of these words, and everything else
that such a detector can name (a giraffe, a sofa) is dropped before anything is counted.
"""

from typing import Final

# fmt: off
COCO80: Final = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
    "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
    "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple",
    "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch",
    "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard",
    "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)
# fmt: on
"""The 80 names in the order of most detectors' score columns."""

_UNUSED_COCO_IDS: Final = frozenset({0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83})

_names = iter(COCO80)
COCO91: Final = tuple("" if number in _UNUSED_COCO_IDS else next(_names) for number in range(91))
"""The same names at their COCO category numbers 0..90; numbers that COCO never used have an empty name."""

RAW_LABELS: Final = ("bicycle", "bus", "car", "motorcycle", "person", "truck")
"""What Wayside keeps of a detector's classes, before riders are derived."""

COCO_TO_WAYSIDE: Final = {name: name for name in RAW_LABELS} | {"motorbike": "motorcycle", "pedestrian": "person"}
"""Name in a data set -> name in Wayside. A name that is missing here is dropped."""

RIDERS: Final = {"bicycle": "cyclist", "motorcycle": "motorcyclist"}
"""Cycle -> what it becomes together with the person who rides it (`wayside.vision.riders`)."""

LABEL_SETS: Final = {"coco80": COCO80, "coco91": COCO91, "wayside": RAW_LABELS}
"""Shorthands that a model card may write instead of the list of its classes."""


def with_riders(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return `labels` and the riders that can be derived from them, in alphabetical order."""
    derived = {RIDERS[label] for label in labels if label in RIDERS} if "person" in labels else set()
    return tuple(sorted(set(labels) | derived))
