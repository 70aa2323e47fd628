"""Seconds of video a second: decoding alone, motion alone, inference alone, and the real work that joins them.

Run `PYTHONPATH=include python -m bench.bench_video [--json PATH] [--seconds 20] [--rounds 3]`. For clips that are
drawn, and for the real ones in `$WAYSIDE_TEST_DATA/videos`, it takes in turns and in one run the rates of

- decoding alone: the frames of `--fps` instants a second, every picture being decoded on the way to them;
- motion alone, on frames that lie in memory;
- inference alone, on the same frames, one worker a core, with the model that comes with Wayside;
- events: `frames`, `motion_events` and the pictures of each event, as an import does it, on one core;
- cuts: each event as a small MP4;
- the scan: `scan`, as counting does it, on all cores.

Events are compared with their slower stage and with what one core allows for both; the scan with its slower stage and
with what all cores allow for both, of which decoding takes one core at a time. The figures are medians of the turns.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.media.clips import Move, make_clip

from wayside.core.settings import settings
from wayside.media.cut import cut
from wayside.media.detect import scan
from wayside.media.frames import frames, pictures
from wayside.media.motion import MotionOptions, motion_events
from wayside.media.probe import VideoLimits, probe
from wayside.vision.detector import load_detector
from wayside.vision.stream import stream, usable_cores

CLIPS = {
    "drawn 640x360 H.264": ((640, 360), "libx264"),
    "drawn 1280x720 H.264": ((1280, 720), "libx264"),
    "drawn 1280x720 H.265": ((1280, 720), "libx265"),
}
REAL = ("one-by-one-person-detection", "car-detection", "jamcam_1", "jamcam_2")
SCAN_BAR = 0.8
"""Least share of what the cores allow that a scan should reach."""


def drawn(folder: Path, seconds: float) -> dict[str, Path]:
    """Draw the clips: a quiet scene through which something drives three times."""
    third = seconds / 3
    moves = [
        Move(colour, (0.1, row), (0.9, row), number * third + 0.5 * third, (number + 1) * third)
        for number, (colour, row) in enumerate((("red", 0.3), ("white", 0.5), ("blue", 0.7)))
    ]
    return {
        name: make_clip(
            folder / f"{size[1]}-{codec}.mp4",
            seconds=seconds,
            fps=25,
            size=size,
            codec=codec,
            moves=moves,
            gop=50,
            b_frames=2,
        )
        for name, (size, codec) in CLIPS.items()
    }


def real() -> dict[str, Path]:
    """Return the real clips that are there."""
    root = Path(__file__).resolve().parents[1]
    videos = Path(os.environ.get("WAYSIDE_TEST_DATA", root / ".." / "shared" / "data")) / "videos"
    return {name: path for name in REAL if (path := videos / f"{name}.mp4").is_file()}


def measure(path: Path, fps: float, rounds: int) -> dict[str, float]:
    """Take all rates for one clip, in turns; return their medians, and how many events there are."""
    start_at, options = datetime(2026, 6, 8, 7, tzinfo=UTC), MotionOptions(fps=fps)
    detector = load_detector("WaysideV1", settings(), score=0.1)
    length = probe(path, VideoLimits()).duration_s
    seen = list(frames(path, fps=fps, start_at=start_at))
    events = motion_events(seen, options)
    moving = sum(event.end_us - event.start_us for event in events) / 1e6

    def found() -> None:
        told = motion_events(frames(path, fps=fps, start_at=start_at), options)
        pictures(path, [at for event in told for at in (event.cover_us, *event.sample_us)])

    def cuts() -> None:
        for event in events:
            cut(path, event.start_us / 1e6, event.end_us / 1e6)

    runs: dict[str, tuple[float, Callable[[], object]]] = {
        "decode alone": (length, lambda: deque(frames(path, fps=fps, start_at=start_at), maxlen=0)),
        "motion alone": (length, lambda: motion_events(seen, options)),
        "inference alone": (length, lambda: deque(stream(seen, lambda frame: detector.detect(frame.image)), maxlen=0)),
        "events": (length, found),
        "cuts": (moving, cuts),
        "scan": (length, lambda: scan(path, start_at=start_at, detector=detector, fps=fps)),
    }
    taken: dict[str, list[float]] = {label: [] for label in runs}
    for turn in range(rounds + 1):
        for label, (seconds, run) in runs.items():
            begin = time.perf_counter()
            run()
            if turn:  # the first turn warms caches and allocators
                taken[label].append(seconds / (time.perf_counter() - begin))
    return {label: statistics.median(speeds) for label, speeds in taken.items()} | {"number of events": len(events)}


def ratios(rates: dict[str, float]) -> dict[str, float]:
    """Compare the joined work with its stages."""
    decode, motion, infer = (rates[f"{stage} alone"] for stage in ("decode", "motion", "inference"))
    return {
        "motion of decode": motion / decode,
        "inference of decode": infer / decode,
        "events of the slower stage": rates["events"] / min(decode, motion),
        "events of one core's limit": rates["events"] * (1 / decode + 1 / motion),
        "scan of the slower stage": rates["scan"] / min(decode, infer),
        "scan of the cores' limit": rates["scan"] * (1 / decode / usable_cores() + 1 / infer),
    }


def main() -> None:
    """Measure, print a table, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--seconds", type=float, default=20, help="length of the clips that are drawn")
    parser.add_argument("--fps", type=float, default=5, help="pictures a second that are looked at")
    parser.add_argument("--rounds", type=int, default=3, help="turns whose median is taken")
    options = parser.parse_args()
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        clips = drawn(Path(scratch), options.seconds) | real()
        print(f"{usable_cores()} cores, load {os.getloadavg()[0]:.1f}; {options.fps:g} looks a second")
        for name, path in clips.items():
            rates = measure(path, options.fps, options.rounds)
            figures[name] = rates | ratios(rates)
            print(f"\n{name}: seconds of video a second")
            for label, value in rates.items():
                print(f"  {label:<28}{value:>8.1f}")
            for label, value in ratios(rates).items():
                bar = f"   bar {SCAN_BAR:g}: {'met' if value >= SCAN_BAR else 'NOT met'}" if "cores'" in label else ""
                print(f"  {label:<28}{value:>8.2f}{bar}")
    if options.json:
        content = {"cores": usable_cores(), "load": os.getloadavg()[0], "fps": options.fps, "figures": figures}
        options.json.write_text(json.dumps(content, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
