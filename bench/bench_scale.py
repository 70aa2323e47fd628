"""One slot of N cameras, fetched over HTTP, analysed and published: seconds by stage and peak memory.

    python -m bench scale                      1,000 cameras
    python -m bench.bench_scale --cameras 10000

The source is a process of its own on this machine that serves pictures drawn beforehand.
"""

import argparse
import asyncio
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

SOURCE = "Demo-city"


@contextmanager
def serving(cameras: int) -> Iterator[str]:
    """Run the source and give its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "bench.peer", str(cameras), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or process.stdout.readline().strip() != "ready":
                raise RuntimeError("the peer did not start")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def measure(cameras: int, state: Path, base: str) -> dict[str, float]:
    """Run three slots and return the seconds of each stage in the last one, whose analysis has both neighbours."""
    from wayside.core.settings import Settings
    from wayside.core.slots import Slot
    from wayside.stills.ingest import Ingest
    from wayside.stills.still import StillPipeline

    os.environ["WAYSIDE_DEMO_URL"] = base
    settings = Settings(state=state)
    work = Ingest(settings)
    seconds: dict[str, float] = {}
    begun = time.perf_counter()
    pipeline = StillPipeline.load(work.pipelines.default, work.pipelines, settings)
    seconds["load the pipeline"] = time.perf_counter() - begun

    async def slot(number: int) -> None:
        when = Slot.parse("20260616T0800Z").shift(number)
        work.clock = lambda: when.start + timedelta(seconds=20)
        with stage("plan"):
            shards = await work.plan(SOURCE, when)
        with stage("fetch"):
            for shard in shards:
                await work.fetch(shard)
        with stage("publish frames"):
            await work.publish_frames(shards)
        with stage("analyse"):
            for shard in shards:
                work.analyse(shard, pipeline)
        with stage("publish counts"):
            row = work.publish_counts(shards, pipeline.name)
        seconds["cameras analysed"] = row["analysed"]
        seconds["objects"] = row["detections"]

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        seconds[name] = time.perf_counter() - start

    for number in range(3):
        urllib.request.urlopen(f"{base}/slot/{number}").close()
        asyncio.run(slot(number))
    seconds["peak memory MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return seconds


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--cameras", type=int, default=1000)
    arguments.add_argument("--json", type=Path)
    chosen = arguments.parse_args()
    state = Path(tempfile.mkdtemp(prefix="wayside-bench-"))
    try:
        with serving(chosen.cameras) as base:
            seconds = measure(chosen.cameras, state, base)
    finally:
        shutil.rmtree(state)
    stages = ("plan", "fetch", "publish frames", "analyse", "publish counts")
    seconds["slot, all stages"] = sum(seconds[name] for name in stages)
    for name, value in seconds.items():
        print(f"{name:20} {value:10.2f}")
    if chosen.json:
        chosen.json.write_text(json.dumps({"cameras": chosen.cameras, **seconds}, indent=1))


if __name__ == "__main__":
    main()
