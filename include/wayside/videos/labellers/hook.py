"""Hook modules of the video importer: a Python file that hands whole videos to a service of its own.

A hook is loaded from one folder alone, which belongs to whoever runs Wayside: its code runs with the rights of the
worker. It is called as the importer called it, in the same order and with the same arguments; docs/LABELLERS.md lists
what differs. Its results come back by `wayside labels import`.

    <root>/<source>/<hook>/records/<ab>/<SHA-1>.json    what the importer's shelve held of a file
    <root>/<source>/<hook>/runs/<run>.json              cameras as the hook registered them in this run, and errors

A hook may raise, or even end the program: that fails the video it was called for, with its traceback in the log.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from itertools import count
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar, Final

from wayside.core.clock import Clock, utc_now
from wayside.core.errors import ConfigError
from wayside.core.ids import run_id, source_id
from wayside.store.files import replace_file
from wayside.videos.labellers.base import EventPictures, LabelFailure, LabelJob, Labelled, Labeller, SegmentFile
from wayside.videos.labellers.records import Records
from wayside.warehouse.layout import locked

REQUIRED: Final = ("register_camera", "post_video_content")

_NAME: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,62})(?:\.py)?")
_NUMBERS: Final = count()

_log = logging.getLogger(__name__)


class HookError(Exception):
    """A hook raised; the message says what, the log has the traceback."""


class HookLabeller(Labeller):
    """Hands videos to a hook.

    Args:
        module: the loaded hook.
        name: its name, `hook:<file>`.
        root: folder of the state of all hooks.
        clock: tells the time.
    """

    takes_videos: ClassVar[bool] = True

    def __init__(self, module: ModuleType, name: str, root: Path, *, clock: Clock = utc_now) -> None:
        self.name = f"hook:{name}"
        self._module = module
        self._hook = name
        self._root = root
        self._clock = clock
        self._job: LabelJob | None = None
        self._data: dict[str, Any] = {}
        self._state = _new_state()

    def label(self, event: EventPictures) -> Labelled:
        """Return no labels: those of a hook come back by `wayside labels import`."""
        return Labelled(event.event, self.name, None, ())

    def begin(self, job: LabelJob, cameras: Sequence[str], videos: Sequence[SegmentFile] = ()) -> None:
        """Give the hook its data, register each camera and divide the videos among jobs, each once in a run.

        What the hook cannot do is remembered, and fails the videos that it concerns.

        Raises:
            ConfigError: the hook data are no JSON object.
        """
        self._job, self._data = job, _hook_data(job.hook_data)
        with locked(self._folder / "turn"):
            self._state = self._read_state() | {"errors": {}}
            self._try("set_hook_data", {"logger": _log} | self._data)
            for name in dict.fromkeys(cameras):
                if "config" not in self._state["cameras"].get(name, {}):
                    self._state["cameras"][name] = self._registered(name)
            self._try("set_hook_data", {"registered_cameras": self._configs()})
            self._assign(videos)
            self._write_state()

    def post(self, video: SegmentFile) -> LabelFailure | None:
        """Hand over one video, unless that was done; None if the hook took it."""
        camera = self._state["cameras"].get(video.camera) or {"error": "its camera was not registered"}
        if error := camera.get("error") or next(iter(self._state["errors"].values()), None):
            return LabelFailure(video.sha256, "hook_failed", error)
        records = self._records
        record = records.get(video.sha1) or self._record(video)
        if record.get("uploaded_on") is not None:
            return None
        config = camera["config"]
        identity = config.get("camera_id") if isinstance(config, dict) else None
        try:
            taken = self._call(
                "post_video_content",
                video.camera,
                identity,
                str(video.path),
                record["timestamp"],
                location=_location(video),
                **self._where,
            )
        except HookError as error:
            return LabelFailure(video.sha256, "hook_failed", str(error))
        if not taken:
            return LabelFailure(video.sha256, "hook_refused", f"{self.name} did not take {video.file}")
        record["uploaded_on"] = _iso(self._clock())
        records.put(video.sha1, record, self._run)
        return None

    def finish(self) -> bool:
        """Have the hook register the jobs of this run; false if it does not say that it did."""
        if not hasattr(self._module, "register_jobs"):
            return True
        with locked(self._folder / "turn"):
            self._state = self._read_state()
            if self._state["finished"]:
                return True
            records = self._records
            mine = [record for record in records.of_run(self._run) if record.get("uploaded_on") is not None]
            jobs = {(record.get("job_id"), record.get("shard_id")) for record in mine}
            try:
                done = bool(self._call("register_jobs", self._importer(), records, jobs)) if jobs else True
            except HookError:
                done = False
            if not done:
                _log.error("%s: the hook was not able to register its jobs", self.name)
            self._state["finished"] = done
            self._write_state()
            return done

    @property
    def _run(self) -> str:
        if self._job is None:
            raise ConfigError("the labeller does not know its job: call `begin` first")
        return run_id(self._job.run)

    @property
    def _folder(self) -> Path:
        source = self._job.source if self._job else ""
        return self._root / source_id(source) / self._hook

    @property
    def _records(self) -> Records:
        return Records(self._folder / "records")

    @property
    def _where(self) -> dict[str, Any]:
        """Host and port of the importer's command line, which may be told in the hook data."""
        return {"host": self._data.get("host"), "port": self._data.get("port")}

    def _registered(self, camera: str) -> dict[str, Any]:
        """Register a camera; return its configuration, or the error."""
        try:
            config = self._call("register_camera", camera, **self._where)
        except HookError as error:
            return {"error": str(error)}
        if not isinstance(config, dict) or not config.get("camera_id"):
            _log.error("%s: register_camera gave no camera_id for %s", self.name, camera)
        try:
            return {"config": json.loads(json.dumps(config))}
        except (TypeError, ValueError) as error:
            return {"error": f"register_camera answered what is no JSON: {error}"}

    def _configs(self) -> list[Any]:
        return [camera["config"] for camera in self._state["cameras"].values() if "config" in camera]

    def _assign(self, videos: Iterable[SegmentFile]) -> None:
        """Record the videos, and let the hook divide those among jobs that have none yet."""
        records = self._records
        unscheduled = []
        for video in videos:
            record = records.get(video.sha1) or self._record(video)
            records.put(video.sha1, record, self._run)
            if record.get("uploaded_on") is None and not record.get("job_id"):
                unscheduled.append(record)
        if unscheduled and hasattr(self._module, "assign_job_ids"):
            self._try("assign_job_ids", self._importer(), records, unscheduled)
            # The importer went on with the very records that it handed over, whether they were put back or not.
            for record in unscheduled:
                records.put(record["key"], record, self._run)

    def _record(self, video: SegmentFile) -> dict[str, Any]:
        """Return what the importer's shelve held of a file; times are UTC."""
        start = _iso(video.start_at)
        return {
            "camera": video.camera,
            "timestamp": start,
            "lat": video.lat,
            "lng": video.lng,
            "filename": str(video.path),
            "duration": video.duration_s,
            "key": video.sha1,
            "given_name": f"{video.camera}.{start}.{video.sha1}.mp4",
            "discovered_on": _iso(self._clock()),
            "uploaded_on": None,
            "confirmed_on": None,
            "job_id": None,
            "shard_id": None,
            "size": video.bytes,
            "upload_url": None,
        }

    def _importer(self) -> SimpleNamespace:
        """Return what stands for the importer itself, which optional hooks get first."""
        cameras = {name: camera.get("config") for name, camera in self._state["cameras"].items()}
        return SimpleNamespace(module=self._module, cameras=cameras, args=SimpleNamespace(**self._where))

    def _try(self, function: str, *arguments: Any) -> None:
        """Call an optional function, and remember if it raises."""
        if hasattr(self._module, function):
            try:
                self._call(function, *arguments)
            except HookError as error:
                self._state["errors"][function] = str(error)

    def _call(self, function: str, *arguments: Any, **named: Any) -> Any:
        call: Callable[..., Any] = getattr(self._module, function)
        try:
            return call(*arguments, **named)
        except (Exception, SystemExit) as error:
            _log.error("%s: %s raised:\n%s", self.name, function, traceback.format_exc())
            raise HookError(f"{self.name}: {function} raised {type(error).__name__}: {error}") from error

    def _read_state(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._state_file.read_bytes())
        except FileNotFoundError:
            return _new_state()
        return found

    def _write_state(self) -> None:
        replace_file(self._state_file, json.dumps(self._state).encode())

    @property
    def _state_file(self) -> Path:
        return self._folder / "runs" / f"{self._run}.json"


def load_hook(name: str, folder: Path) -> tuple[ModuleType, str]:
    """Load a hook from the folder of hooks.

    Returns:
        The module, and its name without `.py`.

    Raises:
        ConfigError: there is no such file, it cannot be run, or it lacks a function.
    """
    matched = _NAME.fullmatch(name)
    if not matched:
        raise ConfigError(f"hook {name!r} is not valid: the name of a file in {folder}, letters, digits, '_' and '-'")
    stem = matched.group(1)
    path = folder / f"{stem}.py"
    if not path.is_file():
        known = ", ".join(sorted(one.stem for one in folder.glob("*.py"))) or "none"
        raise ConfigError(f"there is no hook {stem} in {folder}; there are: {known}")
    module = _run_file(path)
    if missing := [wanted for wanted in REQUIRED if not callable(getattr(module, wanted, None))]:
        raise ConfigError(f"the hook {path} lacks {' and '.join(missing)}")
    return module, stem


def _run_file(path: Path) -> ModuleType:
    loader = _Uncached(f"wayside_hook_{next(_NUMBERS)}_{path.stem}", str(path))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None  # noqa: S101 - a loader always has one
    module = module_from_spec(spec)
    sys.modules[loader.name] = module
    try:
        loader.exec_module(module)
    except SyntaxError as error:
        told = f"{path}, line {error.lineno}: {error.msg}"
        raise ConfigError(f"the hook cannot be read: {told}. Hooks for Python 2 have to be converted") from error
    except (Exception, SystemExit) as error:
        _log.error("%s raised as it was loaded:\n%s", path, traceback.format_exc())
        raise ConfigError(f"the hook {path} raised {type(error).__name__} as it was loaded: {error}") from error
    return module


class _Uncached(SourceFileLoader):
    """Loads a file without leaving a compiled one beside it: the folder may be read-only."""

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        """Keep nothing."""


def _new_state() -> dict[str, Any]:
    return {"cameras": {}, "errors": {}, "finished": False}


def _hook_data(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the hook data are no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError("the hook data are no JSON object")
    return found


def _location(video: SegmentFile) -> str | None:
    """Return the documented JSON text; None where the name of the file tells no place."""
    if video.lat is None or video.lng is None:
        return None
    return json.dumps({"location": {"lat": video.lat, "lng": video.lng}, "accuracy": None})


def _iso(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
