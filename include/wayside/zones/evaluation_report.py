"""An evaluation as one HTML page: the figures, hand count and ours along the time, a picture of each miss and extra.

The page is a single file without scripts that opens from disk. Its pictures show a street with whoever is in it, so
what the detector takes for a person, even unsurely, is made a mosaic that cannot be undone, unless somebody asks
otherwise. A person whom the detector does not see at all stays visible: docs/ZONES.md says so too.
"""

import base64
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from secrets import token_bytes
from typing import Any, Final

import cv2
import jinja2
import numpy as np

from wayside.counting.accuracy import Passage
from wayside.counting.events import Look, micros
from wayside.counting.sights import Sight, sights_of
from wayside.counting.tracker import Tracker
from wayside.counting.zones import Line, ZoneSet
from wayside.privacy.fills import fill
from wayside.privacy.masks import grown
from wayside.privacy.objects import Found
from wayside.privacy.settings import Fill, Finding
from wayside.store.files import replace_file
from wayside.vision.decode import Image, encode_jpeg
from wayside.zones.evaluate import Evaluation

MOST_PICTURES: Final = 60
"""More misses and extras than these are listed without a picture."""
TRAIL_S: Final = 1.0
PEOPLE: Final = frozenset({"person", "cyclist", "motorcyclist", "face"})
SURE_ENOUGH: Final = 0.2
"""Least score of what is taken for a person and made unrecognisable."""
NARROWEST: Final = 640
WIDEST: Final = 1280
_QUALITY: Final = 80
_GROW: Final = 0.1
_NEAR: Final = timedelta(seconds=2)  # a look farther away than this shows something else
# Blue, green, red, of Okabe and Ito's palette.
_SHAPE: Final = (66, 228, 240)
_TRACK: Final = (233, 180, 86)
_WEAK: Final = (160, 160, 160)
_EVENT: Final = (0, 94, 213)
_BLACK: Final = (20, 20, 20)
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX

Point = tuple[int, int]


@dataclass(frozen=True)
class _Moment:
    """A look, and by number what was seen of each track in the second up to it, the newest last."""

    look: Look
    trails: dict[int, list[Sight]]


def write_report(found: Evaluation, path: Path, *, show_people: bool = False) -> Path:
    """Write the page.

    Args:
        found: what to show.
        path: the file, or a folder, in which it is called `index.html`; folders are made.
        show_people: leave people visible.

    Returns:
        The file.
    """
    page = path if path.suffix.lower() in {".html", ".htm"} else path / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True
    )
    template = environment.get_template("evaluation.html")
    values = {
        "told": found.as_json(),
        "lanes": _lanes(found),
        "length": found.accuracy.seconds,
        "ticks": _ticks(found.accuracy.seconds),
        "wrong": _wrong(found, show_people=show_people),
        "most": MOST_PICTURES,
        "people": show_people,
    }
    replace_file(page, template.render(values).encode())
    return page


# Along the time


def _lanes(found: Evaluation) -> list[dict[str, Any]]:
    """Return for each zone and line, entries and exits apart, the marks of the hand count and of ours."""
    pairs = found.accuracy.pairs
    by_hand = {pair.hand: "right" if pair.right else "wrong-way" for pair in pairs}
    by_us = {pair.ours: "right" if pair.right else "wrong-way" for pair in pairs}
    extra = set(found.accuracy.extra)
    keys = sorted({(one.zone, one.kind) for one in (*found.hand, *found.ours)})
    lanes = []
    for zone, kind in keys:
        hand = [
            {"at": one.at_s, "state": "doubtful" if one.doubtful else by_hand.get(one, "missed"), "way": one.direction}
            for one in found.hand
            if (one.zone, one.kind) == (zone, kind)
        ]
        ours = [
            {"at": one.at_s, "state": by_us.get(one, "extra" if one in extra else "doubtful"), "way": one.direction}
            for one in found.ours
            if (one.zone, one.kind) == (zone, kind)
        ]
        lanes.append({"zone": zone, "kind": kind, "hand": hand, "ours": ours})
    return lanes


def _ticks(seconds: float) -> list[float]:
    """Return round times, at most a dozen."""
    steps = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200)
    step = next((step for step in steps if seconds / step <= 12), steps[-1])
    return [float(at) for at in range(0, int(seconds) + 1, step)]


# Pictures


def _wrong(found: Evaluation, *, show_people: bool) -> list[dict[str, Any]]:
    """Return the misses, extras and wrong ways, in the order of their times, the first of them with pictures."""
    rows: list[tuple[str, Passage, Passage | None]] = [("missed", one, None) for one in found.accuracy.missed]
    rows += [("extra", one, None) for one in found.accuracy.extra]
    rows += [("wrong way", pair.hand, pair.ours) for pair in found.accuracy.pairs if not pair.right]
    rows.sort(key=lambda row: row[1])
    drawn = _drawn(found, [one.at_s for _, one, _ in rows[:MOST_PICTURES]], show_people=show_people)
    return [{"what": what, "passage": one, "ours": ours, "picture": drawn.get(one.at_s)} for what, one, ours in rows]


def _drawn(found: Evaluation, seconds: Sequence[float], *, show_people: bool) -> dict[float, str]:
    """Draw what was seen at some times; a picture as the text of a `data:` address."""
    if not seconds:
        return {}
    wanted = {at_s: found.start_at + timedelta(seconds=at_s) for at_s in seconds}
    moments = _moments(found, sorted(set(wanted.values())))
    images = found.footage(sorted({moment.look.at for moment in moments.values()}))
    pictures = {}
    for at_s, when in wanted.items():
        moment = moments.get(when)
        image = images.get(moment.look.at) if moment else None
        if moment is not None and image is not None:
            jpeg = encode_jpeg(_draw(image, moment, found, show_people=show_people), _QUALITY)
            pictures[at_s] = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
    return pictures


def _moments(found: Evaluation, times: Sequence[datetime]) -> dict[datetime, _Moment]:
    """Go through all looks as counting does, and keep for each time the nearest one."""
    tracker = Tracker(found.options, found.aspect)
    recent: deque[tuple[int, dict[int, list[Sight]]]] = deque()
    best: dict[datetime, _Moment] = {}
    first = 0
    for look in found.looks():
        us = micros(look.at)
        tracker.forget(us)
        recent.append((us, tracker.update(us, sights_of(look, found.options, found.options.low_score))))
        while recent[0][0] < us - TRAIL_S * 1e6:
            recent.popleft()
        while first < len(times) and times[first] < look.at - _NEAR:
            first += 1
        for when in times[first:]:
            if when > look.at + _NEAR:
                break
            if when not in best or abs(look.at - when) < abs(best[when].look.at - when):
                best[when] = _Moment(look, _trails(recent))
    return best


def _trails(recent: "deque[tuple[int, dict[int, list[Sight]]]]") -> dict[int, list[Sight]]:
    """Put the boxes of each track together; those that waited for a number may be older than the rest."""
    trails: dict[int, list[Sight]] = {}
    for _, seen in recent:
        for number, sights in seen.items():
            trails.setdefault(number, []).extend(sights)
    return trails


def _draw(image: Image, moment: _Moment, found: Evaluation, *, show_people: bool) -> Image:
    look = moment.look
    if not show_people:
        image = _without_people(image, look)
    width = min(max(image.shape[1], NARROWEST), WIDEST)
    size = width, round(image.shape[0] * width / image.shape[1])
    how = cv2.INTER_AREA if width < image.shape[1] else cv2.INTER_CUBIC
    canvas: Image = np.array(cv2.resize(image, size, interpolation=how), np.uint8)
    _draw_shapes(canvas, found.zones)
    here = {number: trail[-1] for number, trail in moment.trails.items() if trail[-1].us == micros(look.at)}
    for sight in sights_of(look, found.options, found.options.low_score):
        if sight not in here.values():
            _box(canvas, sight, _WEAK, f"{sight.label} {sight.score * 100:.0f}")
    for number, trail in moment.trails.items():
        path = np.array([_pixel(canvas, sight.anchor(found.options.anchor)) for sight in trail], np.int32)
        cv2.polylines(canvas, [path], isClosed=False, color=_EVENT, thickness=2, lineType=cv2.LINE_AA)
        if number in here:
            sight = here[number]
            _box(canvas, sight, _TRACK, f"#{number} {sight.label} {sight.score * 100:.0f}")
            cv2.circle(canvas, _pixel(canvas, sight.anchor(found.options.anchor)), 4, _EVENT, cv2.FILLED, cv2.LINE_AA)
    return canvas


def _without_people(image: Image, look: Look) -> Image:
    height, width = image.shape[:2]
    sizes = np.array([width, height] * 2)
    people = [
        Found(label, float(score), tuple(np.rint(np.clip(box, 0, 1) * sizes).astype(int).tolist()), None, "")
        for box, label, score in zip(look.boxes, look.labels, look.scores, strict=True)
        if label in PEOPLE and score >= SURE_ENOUGH
    ]
    finding = Finding(grow=_GROW, face_detector=None, plate_detector=None)
    # The secret is thrown away: nobody can try out who it was.
    return fill(image, grown(people, finding, height, width), Fill(style="mosaic", cell=16), secret=token_bytes(32))


def _draw_shapes(canvas: Image, zones: ZoneSet) -> None:
    for zone in zones.zones:
        corners = np.array([_pixel(canvas, point) for point in zone.polygon], np.int32)
        cv2.polylines(canvas, [corners], isClosed=True, color=_SHAPE, thickness=2, lineType=cv2.LINE_AA)
        _text(canvas, zone.name, (int(corners[0][0]) + 4, int(corners[0][1]) + 16), _SHAPE)
    for line in zones.lines:
        start, end = _pixel(canvas, line.start), _pixel(canvas, line.end)
        cv2.line(canvas, start, end, _SHAPE, 2, cv2.LINE_AA)
        cv2.arrowedLine(canvas, *_forward(canvas, line), _SHAPE, 2, cv2.LINE_AA, tipLength=0.4)
        _text(canvas, line.name, (start[0] + 4, start[1] - 6), _SHAPE)


def _forward(canvas: Image, line: Line) -> tuple[Point, Point]:
    """Return an arrow from the middle of a line to the side to which one goes forward: its right-hand side."""
    (x0, y0), (x1, y1) = _pixel(canvas, line.start), _pixel(canvas, line.end)
    dx, dy = x1 - x0, y1 - y0
    far = 24 / max(1.0, float(np.hypot(dx, dy)))
    middle = (x0 + x1) // 2, (y0 + y1) // 2
    return middle, (round(middle[0] - dy * far), round(middle[1] + dx * far))


def _box(canvas: Image, sight: Sight, colour: tuple[int, int, int], text: str) -> None:
    low, high = _pixel(canvas, sight.box[:2]), _pixel(canvas, sight.box[2:])
    cv2.rectangle(canvas, low, high, colour, 2 if colour is _TRACK else 1)
    _text(canvas, text, (low[0] + 2, max(12, low[1] - 4)), colour)


def _text(canvas: Image, text: str, at: Point, colour: tuple[int, int, int]) -> None:
    for shade, thick in ((_BLACK, 2), (colour, 1)):
        cv2.putText(canvas, text, at, _FONT, 0.45, shade, thick, cv2.LINE_AA)


def _pixel(canvas: Image, point: Sequence[float]) -> Point:
    height, width = canvas.shape[:2]
    return round(point[0] * (width - 1)), round(point[1] * (height - 1))
