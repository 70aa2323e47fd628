"""The demo city: its cameras, its streets and its faults.

`DemoCity` stands for two publishers at once: cameras shaped like TfL's JamCams and cameras shaped like the Urban
Observatory's. A camera costs nothing until somebody asks for it, so a city may have ten thousand. A few known cameras
misbehave on a daily timetable (`DemoCity.faults`), because a pipeline that never met a bad camera is not tested.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from wayside.sources.demo.dice import Dice, seed_of

TFL, UO = "tfl", "uo"
SIZES = {TFL: (352, 288), UO: (640, 480)}
CENTRES = {TFL: (51.5, -0.1), UO: (54.97, -1.61)}
UPDATE = timedelta(minutes=5)

FIRST = ("Alder", "Barrow", "Cinder", "Dunlin", "Elm", "Ferry", "Garth", "Harrow", "Ivy", "Juniper", "Kestrel", "Larch",
         "Mercer", "Nettle", "Orchard", "Pilgrim", "Quarry", "Rowan", "Saddler", "Tanner", "Umber", "Vine", "Weaver",
         "Yarrow")  # fmt: skip
LAST = ("Street", "Road", "Lane", "Way", "Avenue", "Hill", "Bank", "Gate", "Terrace", "Row", "Parade", "Bridge")
SHORT = {"Street": "St", "Road": "Rd", "Lane": "Ln", "Avenue": "Av", "Terrace": "Ter", "Bridge": "Br"}


@dataclass(frozen=True)
class DemoCamera:
    """One camera (one view, for the touring cameras of the Urban Observatory)."""

    city_seed: int
    region: str
    index: int
    id: str
    name: str
    crossing: str
    view: int | None
    lat: float
    lon: float
    moves: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of its pictures."""
        return SIZES[self.region]

    @property
    def street_seed(self) -> int:
        """The seed of the street it looks at."""
        return seed_of(self.city_seed, self.region, self.id)

    @property
    def folder(self) -> str:
        """The physical camera, without the view: the folder of its pictures."""
        return self.id.split(":")[0]


@dataclass(frozen=True)
class Fault:
    """One camera's misbehaviour, every day between two hours (UTC)."""

    camera_id: str
    kind: str
    start: float
    stop: float
    about: str

    def active(self, when: datetime) -> bool:
        """Whether it shows at a moment."""
        utc = when.astimezone(UTC)
        hour = utc.hour + utc.minute / 60 + utc.second / 3600
        return self.start <= hour < self.stop


MOVED = 3
_TFL_FAULTS = (
    (1, "dead", 15.0, 24.0, "answers 404 from 15:00 to midnight"),
    (2, "frozen", 8.0, 13.0, "sends the picture of 08:00 until 13:00, byte for byte"),
    (3, "in-use", 10.0, 11.5, "shows a grey card while an operator uses the camera"),
    (4, "slow", 0.0, 24.0, "answers after a delay"),
    (5, "truncated", 0.0, 24.0, "now and then sends only the first part of its picture"),
)
_UO_FAULTS = (
    (1, "half-frozen", 12.0, 16.0, "the lower third of the picture is one grey band"),
    (2, "late", 9.0, 17.0, "its pictures arrive four hours late, in the history only"),
    (MOVED, "moved", 12.0, 24.0, "looks another way from noon to midnight"),
    (4, "silent", 0.0, 24.0, "has sent nothing for weeks: no latest picture, an empty history"),
)
LATE_BY = timedelta(hours=4)


@dataclass(frozen=True)
class DemoCity:
    """An invented city. Equal arguments give an equal city, down to the last byte of every picture."""

    seed: int = 7
    tfl_cameras: int = 24
    uo_cameras: int = 12
    with_faults: bool = True

    def cameras(self, region: str | None = None) -> Iterator[DemoCamera]:
        """All cameras, or those of one region ("tfl" or "uo"), made one at a time."""
        if region in {None, TFL}:
            yield from (self.tfl(index) for index in range(self.tfl_cameras))
        if region in {None, UO}:
            yield from (self.uo(index) for index in range(self.uo_cameras))

    def tfl(self, index: int) -> DemoCamera:
        """One TfL-like camera by number; its id looks like 00002.00450."""
        if not 0 <= index < self.tfl_cameras:
            raise KeyError(f"no TfL-like camera number {index}: the city has {self.tfl_cameras}")
        return _camera(self.seed, TFL, index, f"00002.{index * 10 + 450:05d}", None)

    def uo(self, index: int) -> DemoCamera:
        """One view of an Urban-Observatory-like camera by number; its id looks like NC_A167E1 or NC_A167E1:V02."""
        if not 0 <= index < self.uo_cameras:
            raise KeyError(f"no UO-like camera number {index}: the city has {self.uo_cameras}")
        block, place = divmod(index, 4)
        # Four feeds in a row: one camera without views, one with a single view, one that tours two views.
        body, view = ((0, None), (1, 1), (2, 1), (2, 2))[place]
        number = block * 3 + body
        prefix = ("NC", "GH", "NT", "ST")[number % 4]
        name = f"{prefix}_A{100 + number // 26 % 9000}{chr(65 + number % 26)}1"
        moves = self.with_faults and index == MOVED
        return _camera(self.seed, UO, index, name if view is None else f"{name}:V{view:02d}", view, moves)

    def camera(self, camera_id: str) -> DemoCamera:
        """The camera with an id; KeyError when the city has none such."""
        if camera_id.startswith("00002."):
            number = camera_id[6:]
            if number.isascii() and number.isdigit() and (int(number) - 450) % 10 == 0:
                found = self.tfl((int(number) - 450) // 10)
                if found.id == camera_id:
                    return found
            raise KeyError(camera_id)
        return self.uo(_uo_index(camera_id, self.uo_cameras, self.seed))

    def faults(self) -> list[Fault]:
        """Which cameras misbehave, when and how."""
        if not self.with_faults:
            return []
        tfl = [(self.tfl(row[0]), row) for row in _TFL_FAULTS if row[0] < self.tfl_cameras]
        uo = [(self.uo(row[0]), row) for row in _UO_FAULTS if row[0] < self.uo_cameras]
        return [Fault(camera.id, *row[1:]) for camera, row in tfl + uo]

    def fault(self, camera: DemoCamera, when: datetime) -> Fault | None:
        """The fault that shows on a camera at a moment, if any."""
        known = _fault_table(self)
        found = known.get(camera.id)
        return found if found is not None and found.active(when) else None

    def taken_at(self, camera: DemoCamera, when: datetime) -> datetime:
        """The moment of the camera's last picture at or before `when`."""
        step = int(UPDATE.total_seconds())
        number = int(when.timestamp() // step)
        dice = Dice(seed_of("shutter", camera.street_seed))
        for candidate in (number, number - 1):
            moment = candidate * step + _offset(camera, dice.at(candidate))
            if moment <= when.timestamp():
                return datetime.fromtimestamp(moment, tz=UTC)
        return datetime.fromtimestamp((number - 1) * step, tz=UTC)

    def taken_between(self, camera: DemoCamera, start: datetime, end: datetime) -> list[datetime]:
        """The moments of all pictures from start to end, both included, oldest first."""
        moments: list[datetime] = []
        moment = self.taken_at(camera, end)
        while moment >= start:
            moments.append(moment)
            moment = self.taken_at(camera, moment - timedelta(seconds=1))
        return moments[::-1]


def _offset(camera: DemoCamera, throw: float) -> int:
    """Seconds into the five minutes at which the shutter opens; two views of one camera take turns."""
    if camera.region == TFL:
        return int(throw * 40)
    if camera.view is None:
        return int(throw * 240)
    return int(throw * 110) + (150 if camera.view == 2 else 0)


@lru_cache(maxsize=8)
def _fault_table(city: DemoCity) -> dict[str, Fault]:
    return {fault.camera_id: fault for fault in city.faults()}


def _uo_index(camera_id: str, count: int, seed: int) -> int:
    """The feed number behind a UO-like id."""
    table = _uo_table(count, seed)
    return table[camera_id]


@lru_cache(maxsize=4)
def _uo_table(count: int, seed: int) -> dict[str, int]:
    city = DemoCity(seed, 0, count)
    return {city.uo(index).id: index for index in range(count)}


def _camera(seed: int, region: str, index: int, camera_id: str, view: int | None, moves: bool = False) -> DemoCamera:
    dice = Dice(seed_of("camera", seed, region, camera_id.split(":")[0]))
    street = f"{dice.pick(FIRST)} {dice.pick(LAST)}"
    other = f"{dice.pick(FIRST)} {dice.pick(LAST)}"
    lat, lon = CENTRES[region]
    lat, lon = round(lat + dice.between(-0.09, 0.09), 5), round(lon + dice.between(-0.2, 0.2), 5)
    return DemoCamera(seed, region, index, camera_id, street, other, view, lat, lon, moves)


def short_name(name: str) -> str:
    """A street name as a camera's caption abbreviates it."""
    first, last = name.split()
    return f"{first} {SHORT.get(last, last)}"
