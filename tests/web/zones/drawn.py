"""What the tests of the pages of zones draw."""

from tests.zones.lakes import LEFT, MIDDLE, PIPELINE, RIGHT

from wayside.counting.zones import ZoneSet

OPTIONS = {"travel": 0.0, "confirm_boxes": 2, "reach": 5.0}
SHAPES = ZoneSet((*LEFT.zones, *RIGHT.zones), MIDDLE.lines)
DRAWN = {
    "zones": [{"name": "door", "polygon": [[0.6, 0], [1, 0], [1, 1], [0.6, 1]]}],
    "lines": [],
    "options": {"mode": "improved", **OPTIONS},
    "pipeline": PIPELINE,
}
