"""Start Wayside on this machine: the demo city, if a source wants it, and every part of Airflow, with one command.

    python -m wayside_airflow.standalone            start, and stay until Ctrl-C
    python -m wayside_airflow.standalone stop       stop what runs
    python -m wayside_airflow.standalone airflow …  run an `airflow` command with the same settings

All state lies in `.wayside`. Only one instance runs on it at a time, a restart goes on where the last one stopped, and
when it ends no process is left.
"""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Annotated, Final

import typer

from wayside.core.errors import WaysideError
from wayside.core.settings import Settings
from wayside_airflow.api import Api, ApiError
from wayside_airflow.first_look import DAG_ID, first_look
from wayside_airflow.local import API_PORT, DEMO_PORT, USER, Local, free_port
from wayside_airflow.processes import Part, kill, stop

START_TIMEOUT: Final = 180.0
HEALTHY: Final = ("metadatabase", "scheduler", "dag_processor", "triggerer")
COMPONENTS: Final[Mapping[str, Sequence[str]]] = {
    # Logs are read from the disk; the log servers would listen on every interface.
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "triggerer": ("triggerer", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "api-server": ("api-server",),
}
app = typer.Typer(add_completion=False, help="Wayside on this machine: start, stop, and run Airflow commands.")


class StartError(WaysideError):
    """Something that should run does not."""


class TooSlowError(StartError):
    """Something runs, and takes longer than anybody waits."""


@dataclass
class Supervisor:
    """Holds the running parts and looks after them."""

    local: Local
    env: Mapping[str, str]
    parts: list[Part] = field(default_factory=list)

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start one part."""
        self.parts.append(Part.start(name, command, self.env, self.log(name)))

    def log(self, name: str) -> Path:
        """Return where a part writes what it has to say."""
        return self.local.home / "logs" / "parts" / f"{name}.log"

    def run(self, name: str, command: Sequence[str]) -> None:
        """Run a command to its end; raise `StartError` with its last words if it fails."""
        part = Part.start(name, command, self.env, self.log(name))
        try:
            self.wait(f"`{name}`", lambda: not part.alive)
        finally:
            kill([part])
        if part.process.returncode:
            raise StartError(f"`{name}` failed; the end of {part.log}:\n{part.last_words()}")

    def wait(self, what: str, ready: Callable[[], bool], timeout: float = START_TIMEOUT) -> None:
        """Wait until `ready`; raise `StartError` if it takes too long or if a part dies meanwhile.

        An API that does not answer is not ready: on a busy machine it may need many seconds.
        """
        end = time.monotonic() + timeout
        while not _holds(ready):
            self.check()
            if time.monotonic() > end:
                raise TooSlowError(f"{what} took more than {timeout:.0f} seconds; see {self.log('*')}")
            time.sleep(0.3)

    def check(self) -> None:
        """Raise `StartError` if a part ended by itself."""
        for part in self.parts:
            if not part.alive:
                raise StartError(
                    f"{part.name} ended with status {part.process.returncode}; the end of {part.log}:\n"
                    f"{part.last_words()}"
                )

    def stop(self) -> None:
        """Stop the scheduler, so that tasks which end still find all the others, and then these.

        A second Ctrl-C ends everything at once.
        """
        try:
            stop([part for part in self.parts if part.name == "scheduler"])
            stop(self.parts)
        except KeyboardInterrupt:
            kill(self.parts)


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="Port of the UI; the next free one is taken.")] = API_PORT,
) -> None:
    """Start everything and stay until Ctrl-C."""
    if context.invoked_subcommand is None:
        with _said_plainly():
            _start(port)


@app.command("stop")
def stop_running() -> None:
    """Stop what runs on the same state folder."""
    with _said_plainly():
        path = _lock_path(Settings())  # type: ignore[call-arg]
        running = _running(path)
        if running is None:
            typer.echo("Wayside does not run here.")
            return
        os.kill(running["pid"], signal.SIGTERM)
        while _running(path) is not None:
            time.sleep(0.2)
        typer.echo("stopped")


@app.command("airflow", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def airflow_command(context: typer.Context) -> None:
    """Run an `airflow` command with the settings of this instance, say `airflow dags list`."""
    with _said_plainly():
        settings = Settings()  # type: ignore[call-arg]
        running = _running(_lock_path(settings)) or {}
        local = Local(settings, running.get("port", API_PORT), running.get("demo_port", DEMO_PORT))
        done = subprocess.run(_airflow(*context.args), env=local.environment(os.environ), check=False)  # noqa: S603
    raise typer.Exit(done.returncode)


def _start(port: int) -> None:
    settings = Settings()  # type: ignore[call-arg]
    local = Local(settings, free_port(port), free_port(DEMO_PORT))
    with _lock(local), _signals():
        supervisor = Supervisor(local, local.environment(os.environ))
        try:
            _start_parts(supervisor, port)
            _welcome(local)
            _look(supervisor)
            while True:
                supervisor.check()
                time.sleep(1)
        except KeyboardInterrupt:
            typer.echo("\nstopping; Ctrl-C again ends everything at once")
        finally:
            supervisor.stop()
    typer.echo("stopped")


def _start_parts(supervisor: Supervisor, wanted_port: int) -> None:
    local = supervisor.local
    if local.api_port != wanted_port:
        typer.echo(f"port {wanted_port} is taken: the UI is at port {local.api_port}")
    if _wants_demo(supervisor):
        typer.echo(f"starting the demo city at {local.demo_url}")
        supervisor.start("demo-city", [sys.executable, "-m", "wayside.sources.demo", "--port", str(local.demo_port)])
    typer.echo("preparing the database")
    supervisor.run("db migrate", _airflow("db", "migrate"))
    typer.echo("starting Airflow")
    for name, command in COMPONENTS.items():
        supervisor.start(name, _airflow(*command))
    supervisor.run("pools import", _airflow("pools", "import", str(local.settings.config / "pools.json")))
    api = Api(local.url, USER, local.password())
    supervisor.wait("starting Airflow", lambda: api.healthy(HEALTHY))
    supervisor.wait(f"reading the DAG {DAG_ID}", lambda: api.has_dag(DAG_ID))


def _look(supervisor: Supervisor) -> None:
    """Start the first runs; Airflow goes on whatever becomes of them."""
    local = supervisor.local
    try:
        first_look(Api(local.url, USER, local.password()), local.settings, supervisor.wait, typer.echo)
    except (ApiError, TooSlowError) as error:
        typer.echo(f"the first runs are not waited for: {error}")


def _holds(ready: Callable[[], bool]) -> bool:
    try:
        return ready()
    except ApiError:
        return False


def _wants_demo(supervisor: Supervisor) -> bool:
    """Tell whether an enabled source asks the demo city that we would start."""
    from wayside.sources.registry import load_sources

    os.environ["WAYSIDE_DEMO_URL"] = supervisor.local.demo_url
    specs = load_sources(supervisor.local.settings).values()
    return any(spec.enabled and spec.url.startswith(supervisor.local.demo_url) for spec in specs)


def _welcome(local: Local) -> None:
    typer.echo(
        f"""
    Wayside runs at  {local.url}
    user             {USER}
    password         {local.password()}

    Wayside, in the side bar     cameras, pictures and counts
    Dags, ingest_cameras         the runs, every ten minutes; "Trigger" starts one by hand
    logs                         {local.home / "logs"}

    Ctrl-C stops everything.
"""
    )


def _airflow(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "airflow", *arguments]


def _lock_path(settings: Settings) -> Path:
    return settings.state.absolute() / "airflow" / "running.json"


@contextlib.contextmanager
def _lock(local: Local) -> Iterator[None]:
    """Be the only instance on the state folder; the file says who holds it."""
    path = _lock_path(local.settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            running = _read(stream)
            raise StartError(
                f"Wayside already runs on {local.settings.state} (process {running.get('pid')}, {running.get('url')}): "
                "use that one, or stop it first"
            ) from None
        stream.truncate(0)
        document = {"pid": os.getpid(), "url": local.url, "port": local.api_port, "demo_port": local.demo_port}
        json.dump(document, stream)
        stream.flush()
        yield


def _running(path: Path) -> dict[str, int] | None:
    """Return what the running instance says of itself, None if none runs."""
    try:
        with path.open("r", encoding="utf-8") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _read(stream)
    except FileNotFoundError:
        pass
    return None


def _read(stream: IO[str]) -> dict[str, int]:
    stream.seek(0)
    with contextlib.suppress(ValueError):
        document: dict[str, int] = json.load(stream)
        return document
    return {}


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Take a request to end, however it comes, as Ctrl-C; whoever started us with `nohup` means it."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    wanted = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        wanted.append(signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _said_plainly() -> Iterator[None]:
    """End with the text of our own errors, without a traceback."""
    try:
        yield
    except WaysideError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app(prog_name="wayside_airflow.standalone")
