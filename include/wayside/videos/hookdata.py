"""Hook data of the video importer: a JSON object that says, for all cameras and for each, how events are wanted.

    {"plan": "pro", "img_y_size_cover": 1080, "cameras": {"CAMERA_FRONT": {"plan": "basic"}}}

A camera's own value stands over the one for all. The sizes of covers and samples are followed; the plan, and the size
at which pictures are taken out of a video, are checked and told with the job. Tokens and addresses, which such files
may hold as well, are dropped as they are read: they are neither stored nor logged.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from wayside.core.errors import ConfigError
from wayside.videos.jsontext import load_json

MAX_CHARACTERS: Final = 2**20
SMALLEST, LARGEST = 16, 8192
"""Pixels that a size may have."""

_SIZES: Final = {
    "img_x_size_extraction": "extraction_x",
    "img_y_size_extraction": "extraction_y",
    "img_x_size_cover": "cover_x",
    "img_y_size_cover": "cover_y",
    "img_x_size": "image_x",
    "img_y_size": "image_y",
}
_DROPPED: Final = frozenset({"access_token", "device_id", "ip_address", "test"})
_CAMERAS: Final = "cameras"


class Plan(StrEnum):
    """How much is wanted of a camera."""

    BASIC = "basic"
    PLUS = "plus"
    PRO = "pro"


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """What is wanted of one camera; sizes in pixels, None where nothing is said.

    Attributes:
        plan: basic, plus or pro.
        extraction_x, extraction_y: at which pictures are taken out; here it is always the size of the video.
        cover_x, cover_y: the largest that the cover of an event may be.
        image_x, image_y: the same of its other pictures.
    """

    plan: Plan = Plan.PLUS
    extraction_x: int | None = None
    extraction_y: int | None = None
    cover_x: int | None = None
    cover_y: int | None = None
    image_x: int | None = None
    image_y: int | None = None


def fitted(width: int, height: int, most_x: int | None, most_y: int | None) -> tuple[int, int]:
    """Return the largest size of the same shape that fits into `most_x` x `most_y`, at most the size itself."""
    factor = min(1.0, (most_x or width) / width, (most_y or height) / height)
    return max(1, round(width * factor)), max(1, round(height * factor))


@dataclass(frozen=True)
class HookData:
    """Hook data as far as it means something here.

    Attributes:
        everywhere: values for all cameras, by the name of their key.
        cameras: values of single cameras, by name (with the suffix, where there is one).
        warnings: what was taken for granted or is not understood; names of keys, never their values.
    """

    everywhere: Mapping[str, str | int] = field(default_factory=dict)
    cameras: Mapping[str, Mapping[str, str | int]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @classmethod
    def parse(cls, *texts: str) -> "HookData":
        """Read one or more JSON objects; a key of a later one stands over the same key of an earlier one.

        The video importer took those of a file (`-f`) first and those of the command line (`-d`) second.

        Raises:
            ConfigError: no JSON (with line and column), no object, an unknown plan, or a size that is none.
        """
        said: dict[str, Any] = {}
        for text in texts:
            said |= _object(text)
        cameras = said.pop(_CAMERAS, None)
        if not isinstance(cameras, dict | None):
            raise ConfigError('hook data: `cameras` is no object: write {"CAMERA_FRONT": {"plan": "basic"}}')
        odd: set[str] = set()
        everywhere = _values("", said, odd)
        own = {name: _values(f" of camera {name!r}", values, odd) for name, values in (cameras or {}).items()}
        warnings = [f"hook data: {key} means nothing here" for key in sorted(odd)]
        if "plan" not in everywhere and not (own and all("plan" in values for values in own.values())):
            warnings.append("hook data: no plan is given, so it is plus")
        return cls(everywhere, own, tuple(warnings))

    def of(self, camera: str) -> CameraPlan:
        """Return what is wanted of a camera."""
        values = {**self.everywhere, **self.cameras.get(camera, {})}
        sizes = {name: values.get(key) for key, name in _SIZES.items()}
        return CameraPlan(Plan(values.get("plan", Plan.PLUS)), **sizes)  # type: ignore[arg-type]

    def as_json(self) -> str:
        """Return the values as a JSON text of one form, which `parse` reads back; nothing secret is in it."""
        document = dict(self.everywhere) | ({_CAMERAS: dict(self.cameras)} if self.cameras else {})
        return json.dumps(document, sort_keys=True, ensure_ascii=False)

    def config_of(self, camera: str) -> dict[str, str | int]:
        """Return the plan and the sizes of a camera under the names of their keys, as a job lists them."""
        wanted = asdict(self.of(camera))
        sizes = {key: wanted[name] for key, name in _SIZES.items() if wanted[name] is not None}
        return {"name": camera, "plan": str(wanted["plan"]), **sizes}


def _object(text: str) -> dict[str, Any]:
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"hook data: longer than {MAX_CHARACTERS} characters")
    if not text.strip():
        return {}
    said = load_json(text.removeprefix("\ufeff"), "hook data")
    if not isinstance(said, dict):
        raise ConfigError('hook data: write a JSON object, {"plan": "plus"}')
    return said


def _values(whose: str, said: object, odd: set[str]) -> dict[str, str | int]:
    if not isinstance(said, dict):
        raise ConfigError(f"hook data: the value{whose} is no object")
    found: dict[str, str | int] = {}
    for key, value in said.items():
        if key == "plan":
            found[key] = _plan(whose, value)
        elif key in _SIZES:
            found[key] = _size(f"{key}{whose}", value)
        elif key not in _DROPPED:
            odd.add(key)
    return found


def _plan(whose: str, value: object) -> str:
    if isinstance(value, str) and value.lower() in set(Plan):
        return value.lower()
    raise ConfigError(f"hook data: the plan{whose} is {str(value)[:40]!r}: choose basic, plus or pro")


def _size(what: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not SMALLEST <= value <= LARGEST:
        raise ConfigError(f"hook data: {what} is {str(value)[:40]!r}: write whole pixels, {SMALLEST} to {LARGEST}")
    return value
