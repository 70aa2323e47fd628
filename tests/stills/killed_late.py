"""Back-fills and reprocessings that are killed, and two at once.

    python -m tests.stills.killed_late late|reprocess FOLDER URL SEED KILLS

FOLDER/state holds a day that was run live. The work is done on it undisturbed; then, once for each of KILLS instants
drawn with SEED, on the same day anew by a process that kills itself (SIGKILL) right before that step, and then by one
that runs to the end; and at last by two at once. What each of them leaves lies beside it, under its own name. The
folder is always called the same while it is worked in, since tables hold addresses of pictures. Prints what came of it
as JSON.
"""

import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd  # noqa: F401  pyarrow imports it late; here it is imported once, before the forks
from tests.peers.late_city import SOURCE
from tests.stills.killed_run import forked
from tests.stills.late_runs import AFTER, DAY, made, work_at

from wayside.core.settings import Settings
from wayside.stills import late, reprocess

RUN = "reprocess-1"


def late_day(settings: Settings) -> None:
    work = work_at(settings, AFTER)
    for shard in late.plan(work, SOURCE, DAY):
        late.run_shard(work, shard, load=lambda name: made(settings, name))
    late.publish(work, SOURCE, DAY)


def reprocessed_day(settings: Settings) -> None:
    work = work_at(settings, AFTER)

    def load(_: str) -> object:
        return made(settings, "StubV2")

    how = {"run": RUN, "first": DAY, "last": DAY, "sources": [SOURCE], "mode": "all", "load": load}
    for shard in reprocess.plan(work, **how).shards:
        reprocess.run_shard(work, shard, load=load)
    reprocess.end(work, SOURCE, RUN)


WORK: dict[str, Callable[[Settings], None]] = {"late": late_day, "reprocess": reprocessed_day}


def main(what: str, folder: str, url: str, seed: str, kills: str) -> None:
    signal.alarm(110)  # a run that never comes back must not hold up the tests
    os.environ["WAYSIDE_DEMO_URL"] = url
    reprocess._BLOCK_SLOTS = (2, 2)  # several blocks in the few slots of the day
    state, base = Path(folder, "state"), Path(folder, "base")
    settings = Settings(state=state, fetch_backoff=0.0001, workers=1, device="cpu", shard_cameras=2, _env_file=None)
    state.rename(base)

    def work() -> None:
        WORK[what](settings)

    def leave(name: object) -> None:
        state.rename(Path(folder, str(name)))

    shutil.copytree(base, state)
    steps = forked(state, work)
    leave("undisturbed")
    instants = sorted(random.Random(int(seed)).sample(range(1, steps + 1), int(kills)))
    ended = []
    for instant in instants:
        shutil.copytree(base, state)
        ended.append((forked(state, work, instant), forked(state, work)))
        leave(instant)
    shutil.copytree(base, state)
    context = multiprocessing.get_context("fork")
    racers = [context.Process(target=work) for _ in range(2)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    leave("race")
    raced = [racer.exitcode for racer in racers]
    json.dump({"steps": steps, "instants": instants, "ended": ended, "raced": raced}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
