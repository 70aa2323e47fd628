"""Road photos a second, from files to anonymised files, against what the machine allows and beside a public anonymiser.

Run `PYTHONPATH=include python -m bench.bench_photos [--json PATH]`; it takes about two minutes on two idle cores. For
planar photos (the real ones of `$WAYSIDE_TEST_DATA`, 2692 x 1032, or drawn ones of 1920 x 1080 where these are not
there) and a panorama of 8192 x 4096 with real people and vehicles planted in it, it takes in turns and in one run

- the whole batch (`Batch`: plan, read, record, anonymise, write, look again, note, publish rows and receipts) with the
  profile `planar` or `360`, on one thread a core;
- `anonymise` alone, from bytes to bytes, on the same threads;
- looking for objects alone; every run of the models alone, on inputs that were prepared before; decoding and encoding
  alone, all on the same threads. The batch is compared with the slower of the last two, and with what is left when
  both share the cores, which no arrangement can beat;
- `deface`, in a process of its own that may use the same cores. It looks for faces only, once, at one scale, writes
  anew what it has blurred, and keeps no records: it does less than we do.

Then one picture after another goes through a batch of one thread, and its time is divided into stages. Rates are
medians of the turns; what is said of processor time holds on a busy machine too.

deface is no requirement of Wayside. Where it is wanted, it gets an environment of its own:

    python -m venv .wayside/bench/deface
    .wayside/bench/deface/bin/pip install deface onnx onnxruntime
"""

import argparse
import contextlib
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, Final

from tests.privacy.panorama import background, cutouts, furnish, spots

from bench.bench_vision import draw_still
from wayside.core.settings import Settings, settings
from wayside.photos import picture as one_picture
from wayside.photos.batch import Batch
from wayside.photos.job import new_job
from wayside.photos.profile import Profile, load_profile
from wayside.privacy import anonymise as anonymising
from wayside.privacy.anonymise import anonymise
from wayside.privacy.find import Finder, load_finder
from wayside.vision.decode import decode, encode_jpeg
from wayside.vision.stream import Failure, stream, usable_cores

ROOT: Final = Path(__file__).resolve().parents[1]
DATA: Final = Path(os.environ.get("WAYSIDE_TEST_DATA", ROOT / ".." / "shared" / "data"))
PEER: Final = ROOT / ".wayside" / "bench" / "deface" / "bin" / "python"
INSTALL: Final = "python -m venv .wayside/bench/deface && .wayside/bench/deface/bin/pip install deface onnx onnxruntime"
PANORAMA: Final = (4096, 8192)
GIB_FOR_PANORAMA: Final = 14
"""Memory that must be free before deface, which looks at every pixel at once, is given a panorama."""


@dataclass(frozen=True)
class Case:
    """Pictures to be done under a profile: how many in a turn, how many turns, and how many deface does in a turn.

    Turns of which the figures are not taken come first, to warm caches and allocators; a panorama does so by itself.
    """

    name: str
    profile: str
    pictures: tuple[bytes, ...]
    turn: int
    rounds: int
    peer: int
    warm: int = 0

    @property
    def all(self) -> list[bytes]:
        """The pictures of a turn."""
        return [self.pictures[at % len(self.pictures)] for at in range(self.turn)]


def planar(rounds: int) -> Case:
    """Take the real photos, or draw some."""
    found = sorted((DATA / "road-photos").glob("*.jpg"))
    if found:
        return Case("planar 2692 x 1032", "planar", tuple(one.read_bytes() for one in found), 16, rounds, 4, warm=1)
    drawn = tuple(draw_still(1920, 1080, seed) for seed in range(4))
    return Case("planar 1920 x 1080, drawn", "planar", drawn, 16, rounds, 4, warm=1)


def panorama(rounds: int) -> Case:
    """Plant real people and vehicles in a panorama, or draw some vehicles."""
    height, width = PANORAMA
    if not (DATA / "detection" / "eval_highway.parquet").is_file():
        return Case("panorama 8192 x 4096, drawn", "360", (draw_still(width, height, 0),), 2, rounds, 1)
    image = background(height, width)
    kinds = [list(islice(cutouts(DATA, [label]), 6)) for label in ("person", "car", "bus", "truck")]
    chosen = [one for turn in zip_longest(*kinds) for one in turn if one is not None]
    places = spots(height, width, load_profile("360", settings()).masking.find.tiling, 120)
    furnish(image, chosen, places[:: max(1, len(places) // 40)])
    return Case("panorama 8192 x 4096", "360", (encode_jpeg(image, 90),), 2, rounds, 1)


class Recorder:
    """Stands before a model's session and keeps what it is given, or counts its time, where it is told to."""

    def __init__(self, session: Any, seconds: Counter[str]) -> None:
        self._session = session
        self._seconds = seconds
        self.kept: list[tuple[Any, Any]] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run(self, feeds: Any) -> Any:
        """Run the model."""
        if self.kept is not None:
            self.kept.append((self._session, feeds))
        start = time.thread_time()
        answer = self._session.run(feeds)
        self._seconds["model"] += time.thread_time() - start
        return answer


@dataclass
class Bench:
    """One case on this machine: the models are loaded once, every turn has folders and a warehouse of its own."""

    case: Case
    folder: Path
    chosen: Settings
    workers: int
    seconds: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.profile: Profile = load_profile(self.case.profile, self.chosen)
        self.finder: Finder = load_finder(self.profile.masking.find, self.chosen)
        self.recorders = []
        for detector in self.finder._detectors:
            detector._session = Recorder(detector._session, self.seconds)  # type: ignore[assignment]
            self.recorders.append(detector._session)
        self.images = [decode(data).image for data in self.case.pictures]
        self.runs = [self._runs(image) for image in self.images]
        self.turns = 0

    def _runs(self, image: Any) -> list[tuple[Any, Any]]:
        """Return every run of a model that one picture takes: the session, and what it is given."""
        kept: list[tuple[Any, Any]] = []
        for one in self.recorders:
            one.kept = kept
        self.finder.find(image)
        for one in self.recorders:
            one.kept = None
        return kept

    def batch(self, pictures: Sequence[bytes], workers: int) -> tuple[float, float]:
        """Do a whole batch; return its seconds, and seconds of processor time."""
        self.turns += 1
        root = self.folder / f"turn-{self.turns}"
        for number, data in enumerate(pictures):
            path = root / "in" / f"FV{number // 4:05}" / f"photo_{number:05}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        places = {"input": str(root / "in"), "output": str(root / "out")}
        job = new_job(self.profile, source="bench", run=f"turn-{self.turns}", who="bench", **places)
        wall, cpu = time.perf_counter(), time.process_time()
        work = Batch(self.chosen.model_copy(update={"state": root / "state"}), job, finder=self.finder)
        for shard in work.plan().shards:
            for _ in work.do(shard, workers=workers):
                pass
        done = work.publish()
        taken = time.perf_counter() - wall, time.process_time() - cpu
        if done != {"done": len(pictures)}:
            sys.exit(f"of {len(pictures)} pictures came {done}")
        return taken

    def each(self, work: Callable[[int], Any]) -> tuple[float, float]:
        """Do something to every picture of a turn, on all threads."""
        places = [at % len(self.case.pictures) for at in range(self.case.turn)]
        wall, cpu = time.perf_counter(), time.process_time()
        done = deque(stream(places, work, workers=self.workers))
        taken = time.perf_counter() - wall, time.process_time() - cpu
        if failed := [one for one in done if isinstance(one, Failure)]:
            raise failed[0].error
        return taken

    def ways(self) -> dict[str, Callable[[], tuple[float, float]]]:
        """Return what is compared."""
        masking, pictures = self.profile.masking, self.case.pictures

        def infer(at: int) -> None:
            for session, feeds in self.runs[at]:
                session.run(feeds)

        return {
            "batch": lambda: self.batch(self.case.all, self.workers),
            "anonymise": lambda: self.each(lambda at: len(anonymise(pictures[at], masking, self.finder).data)),
            "looking": lambda: self.each(lambda at: self.finder.find(self.images[at])),
            "models": lambda: self.each(infer),
            "codec": lambda: self.each(lambda at: len(encode_jpeg(decode(pictures[at]).image, masking.output.quality))),
        }


@contextlib.contextmanager
def divided(seconds: Counter[str]) -> Iterator[None]:
    """Count the processor time of each stage of a batch while it lasts, by functions put in front of its own."""
    stages: list[tuple[Any, str, str]] = [
        (anonymising, "decode", "decode"),
        (Finder, "find", "look in windows"),
        (anonymising, "grown", "grow, unite"),
        (anonymising, "union", "grow, unite"),
        (anonymising, "fill", "fill"),
        (anonymising, "write_output", "write"),
        (anonymising, "scan", "leak scan"),
        (one_picture, "extract", "record"),
        (one_picture, "read_exif", "record"),
        (one_picture, "preview", "preview"),
        (one_picture, "encode_jpeg", "preview"),
        (one_picture, "receipt_of", "receipt"),
        (one_picture.Work, "_put", "files"),
    ]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in stages]

    def timed(call: Any, stage: str) -> Any:
        @functools.wraps(call)
        def around(*args: Any, **options: Any) -> Any:
            start = time.thread_time()
            try:
                return call(*args, **options)
            finally:
                seconds[stage] += time.thread_time() - start

        return around

    for owner, name, stage in stages:
        setattr(owner, name, timed(getattr(owner, name), stage))
    try:
        yield
    finally:
        for owner, name, call in before:
            setattr(owner, name, call)


def stages(bench: Bench) -> dict[str, float]:
    """Return milliseconds of processor time of a picture, by stage, on one thread."""
    pictures = list(bench.case.pictures)
    bench.seconds.clear()
    with divided(bench.seconds):
        _, total = bench.batch(pictures, 1)
    known = {name: 1000 * value / len(pictures) for name, value in bench.seconds.items()}
    model = known.pop("model")
    known["look in windows"] -= model
    rest = 1000 * total / len(pictures) - model - sum(known.values())
    return {"models": model, **known, "plan, notes, rows": rest}


class Peer:
    """deface in a process of its own; `reason` says why there is none."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.reason = None if PEER.is_file() else f"it is not installed: {INSTALL}"
        self.version = ""
        if self.reason is None:
            command = [str(PEER), str(ROOT / "bench" / "peer_deface.py"), str(folder)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            self.version = self._answer().get("version", "")

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.reason = f"it ended by itself, with {self._process.wait()}"
            return {}
        return dict(json.loads(line))

    def do(self, paths: Iterable[Path]) -> tuple[float, float] | None:
        """Do pictures; return seconds, and seconds of processor time, or None where it cannot."""
        if self.reason:
            return None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([str(one) for one in paths]) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        return (answer["seconds"], answer["cpu"]) if answer else None

    def close(self) -> None:
        """Let it end."""
        if self.version and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()


def free_gib() -> float:
    """Return how much memory is free, in GiB."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 2**20 for line in lines if line.startswith("MemAvailable")), 0.0)


def measure(bench: Bench, peer: Peer) -> tuple[dict[str, float], dict[str, float]]:
    """Take all in turns; return medians of pictures a second, and of processor seconds a picture."""
    case, ways = bench.case, bench.ways()
    for number in range(case.peer):
        (bench.folder / f"{number}.jpg").write_bytes(case.pictures[number % len(case.pictures)])
    paths = [bench.folder / f"{number}.jpg" for number in range(case.peer)]
    rates: dict[str, list[float]] = {}
    costs: dict[str, list[float]] = {}
    for turn in range(case.warm + case.rounds):
        taken = {name: (*way(), case.turn) for name, way in ways.items()}
        beside = peer.do(paths)
        if beside:
            taken["deface"] = (*beside, case.peer)
        for name, (wall, cpu, number) in taken.items():
            if turn >= case.warm:
                rates.setdefault(name, []).append(number / wall)
                costs.setdefault(name, []).append(cpu / number)
    middle = statistics.median
    return {name: middle(them) for name, them in rates.items()}, {name: middle(them) for name, them in costs.items()}


def compared(rates: dict[str, float], costs: dict[str, float]) -> dict[str, float]:
    """Compare the batch, and `anonymise`, with each measure."""
    slower, both = min(rates["models"], rates["codec"]), 1 / (1 / rates["models"] + 1 / rates["codec"])
    found = {
        "batch : the slower stage": rates["batch"] / slower,
        "anonymise : the slower stage": rates["anonymise"] / slower,
        "batch : the limit of the cores": rates["batch"] / both,
        "batch : the slower stage, by processor time": max(costs["models"], costs["codec"]) / costs["batch"],
    }
    if "deface" in rates:
        found["batch : deface"] = rates["batch"] / rates["deface"]
        found["batch : deface, by processor time"] = costs["deface"] / costs["batch"]
    return found


NAMES: Final = {
    "batch": "the whole batch",
    "anonymise": "anonymise alone",
    "looking": "looking for objects alone",
    "models": "runs of the models alone",
    "codec": "decode and encode alone",
    "deface": "deface: faces only, one look",
}


def report(bench: Bench, peer: Peer, chosen: str) -> dict[str, Any]:
    """Measure a case and print it."""
    case = bench.case
    print(f"\n{case.name}: {', '.join(one.name for one in bench.finder.models)}; {len(bench.runs[0])} runs a picture")
    enough = case.profile == "planar" or free_gib() >= GIB_FOR_PANORAMA
    reason = peer.reason or (None if enough else f"less than {GIB_FOR_PANORAMA} GiB of memory are free")
    quiet = peer if reason is None else _Nobody()
    rates, costs = measure(bench, quiet)
    for name, rate in rates.items():
        print(f"  {NAMES[name]:<34}{rate:>9.2f} a second{1000 * costs[name]:>11.0f} ms of processor time")
    if reason or peer.reason:
        print(f"  deface is left out: {reason or peer.reason}")
    ratios = compared(rates, costs)
    for name, value in ratios.items():
        print(f"  {name:<48}{value:>6.2f}")
    parts = stages(bench)
    total = sum(parts.values())
    print(f"  one thread, {total:.0f} ms of processor time a picture:")
    for name, value in sorted(parts.items(), key=lambda item: -item[1]):
        print(f"    {name:<24}{value:>8.1f} ms{value / total:>7.0%}")
    return {"profile": chosen, "a_second": rates, "cpu_seconds": costs, "ratios": ratios, "stages_ms": parts}


class _Nobody(Peer):
    """Stands for a deface that is not there."""

    def __init__(self) -> None:
        self.reason = "nobody"


def main() -> None:
    """Measure, print, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--rounds", type=int, default=3, help="turns whose median is taken; a panorama takes one less")
    parser.add_argument("--only", choices=("planar", "360"), help="only this profile")
    options = parser.parse_args()
    chosen, cores = settings(), usable_cores()
    print(f"{cores} cores, load {os.getloadavg()[0]:.1f}")
    figures = {}
    with tempfile.TemporaryDirectory() as scratch:
        peer = Peer(Path(scratch) / "deface")
        print(f"deface {peer.version}" if peer.version else f"deface is left out: {peer.reason}")
        for make, profile, rounds in (
            (planar, "planar", options.rounds),
            (panorama, "360", max(1, options.rounds - 1)),
        ):
            if options.only in {None, profile}:
                folder = Path(scratch) / profile
                folder.mkdir()
                bench = Bench(make(rounds), folder, chosen, cores)
                figures[bench.case.name] = report(bench, peer, profile)
        peer.close()
    if options.json:
        content = {"cores": cores, "load": os.getloadavg()[0], "deface": peer.version, "figures": figures}
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
