"""`open_labeller`: from what a run is told to the labeller that does it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from wayside.core.clock import Clock, utc_now
from wayside.core.errors import ConfigError
from wayside.core.settings import Settings
from wayside.videos.labellers.base import Labeller, NoLabeller, signature
from wayside.videos.labellers.callbacks import Callbacks
from wayside.videos.labellers.http import HttpLabeller, Sleep
from wayside.videos.labellers.service import Service, ServiceOptions

MODEL: Final = "WaysideV1"
"""The model of `onnx` where none is named."""

KINDS: Final = "`onnx`, `onnx:<model>`, `http:<connection>`, `http:<address>`, `hook:<file>` or `none`"


def callbacks_of(settings: Settings) -> Callbacks:
    """Return the books of all asks of this installation."""
    return Callbacks(settings.state / "videos" / "callbacks")


def hooks_folder(settings: Settings) -> Path:
    """Return the only folder from which hooks are loaded."""
    return settings.config / "hooks"


def answers_at(base: str) -> Callable[[str], str]:
    """Return what makes of a token the address of its answer, below the address of an Airflow with our plugin."""
    return lambda token: f"{base.rstrip('/')}/wayside-callbacks/labels/{token}"


def open_labeller(
    text: str,
    settings: Settings,
    *,
    connection: Callable[[str], Service] | None = None,
    address: Callable[[str], str] | None = None,
    private_networks: tuple[str, ...] = (),
    clock: Clock = utc_now,
    sleep: Sleep = time.sleep,
) -> Labeller:
    """Open a labeller.

    Args:
        text: `onnx`, `onnx:<model>`, `http:<connection>`, `http:<address>` or `https://…`, `hook:<file>` or `none`.
        settings: where models, hooks and state lie.
        connection: looks up a service by the id of an Airflow connection. Where it is given, a service may not be named
            by its address: who starts a run in Airflow could else send pictures anywhere.
        address: makes of a token the address to which a service answers; None: services have to answer at once.
        private_networks: networks that are not public and in which a service named by its address may lie.
        clock: tells the time.
        sleep: waits so many seconds between tries.

    Raises:
        ConfigError: there is no such kind, hook or connection, or the address may not be used.
        ModelError: the model cannot be used.
    """
    kind, _, rest = text.strip().partition(":")
    match kind:
        case "none" if not rest:
            return NoLabeller()
        case "onnx":
            from wayside.videos.labellers.onnx import OnnxLabeller

            return OnnxLabeller.load(rest or MODEL, settings)
        case "hook" if rest:
            from wayside.videos.labellers.hook import HookLabeller, load_hook

            module, name = load_hook(rest, hooks_folder(settings))
            return HookLabeller(module, name, settings.state / "videos" / "hooks", clock=clock)
        case "http" | "https" if rest:
            service = _service(text.strip(), connection, private_networks)
            return HttpLabeller(service, callbacks_of(settings), address=address, clock=clock, sleep=sleep)
    raise ConfigError(f"labeller {text!r} is not known: write {KINDS}")


def _service(text: str, connection: Callable[[str], Service] | None, networks: tuple[str, ...]) -> Service:
    rest = text.removeprefix("http:")
    url = text if rest.startswith("//") or text.startswith("https:") else rest if "://" in rest else None
    if connection is not None:
        if url is not None:
            raise ConfigError("a run in Airflow names its label service by a connection: http:<connection id>")
        return connection(rest)
    if url is None:
        raise ConfigError(f"there are no Airflow connections here: name the service by its address, not {rest!r}")
    # Whoever types the address of this very machine means it.
    options = ServiceOptions(private_networks=networks, allow_loopback=True)
    return Service(signature(text), url, options=options)
