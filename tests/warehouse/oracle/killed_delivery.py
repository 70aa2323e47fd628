"""Deliveries that are killed: `python -m tests.warehouse.oracle.killed_delivery FOLDER SEED KILLS`.

H2 runs as a process of its own. Undisturbed, a client publishes three slots, delivers them, publishes others in their
place and delivers these, once by array binds and once by the direct path; what it says to the database and does to
the disk is counted. Then, once for each of KILLS instants drawn with SEED, a client kills itself (SIGKILL) right
before that step, and another does the same work from the beginning. Prints what is in each database as JSON. A script
of its own, so that it can fork: a process that has a JVM cannot, so each client starts one.
"""

import json
import multiprocessing
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jaydebeapi  # noqa: F401  imported once, before the forks
import pandas as pd  # noqa: F401
from tests.peers import h2
from tests.stills.killed_run import count_steps
from tests.tables import count_rows
from tests.warehouse.oracle.database import SLOT, Database
from tests.warehouse.oracle.faults import Session

from wayside.core.tables import COUNTS
from wayside.warehouse.oracle import OracleTarget
from wayside.warehouse.outbox import deliver
from wayside.warehouse.parquet import ParquetWarehouse, to_arrow
from wayside.warehouse.scope import Scope

SCOPES = [Scope("City", SLOT.shift(step), "StubV1") for step in range(3)]
# Cameras of each slot in the first round and in the second: some go, some come, one slot has none any more.
ROUNDS = (([3, 4, 5], 1, 50_000), ([5, 0, 2], 2, 1))


class Counted:
    """`connect` of a database, each call of whose sessions is a step: as `Faults`, but for one who may die of it."""

    def __init__(self, connect: Callable[[], Any], step: Callable[[], None]) -> None:
        self._connect, self._step = connect, step

    def __call__(self) -> Any:
        self._step()
        return Session(self._connect(), self)  # type: ignore[arg-type]

    def call(self, name: str, session: Any, work: Callable[[], Any]) -> Any:
        self._step()
        return work()


def work(folder: Path, connect: Callable[[], Any]) -> None:
    """Publish and deliver twice, from whatever is there."""
    lake = ParquetWarehouse(folder, outbox=True)
    for cameras, car, direct in ROUNDS:
        for scope, number in zip(SCOPES, cameras, strict=True):
            rows = count_rows(scope, [f"c{place}" for place in range(number)], car=car)
            lake.publish(COUNTS, scope, to_arrow(COUNTS, rows))
        target = OracleTarget(connect, direct_path_rows=direct)
        deliver(lake.outbox, lake, target, [COUNTS])
        target.close()


def client(folder: Path, server: str, instant: int, answer: Any) -> None:
    """Do the work in a process of its own, which dies right before the given step; tell how many steps there were."""
    database = h2.H2(server, folder.name)
    steps = count_steps(folder, instant)
    work(folder, Counted(database.connect, lambda: sys.audit("os.mkdir", str(folder))))
    answer.put(next(steps) - 1)


def finish(folders: list[Path], server: str, answer: Any) -> None:
    """Do the work once more in each folder, and tell what is in its database then."""
    told = []
    for folder in folders:
        database = Database(h2.H2(server, folder.name).connect)
        work(folder, database.connect)
        told.append(
            {
                "rows": sorted([str(row["slot"]), row["camera"], row["car"]] for row in database.rows(COUNTS)),
                "staged": database.staged(COUNTS),
                "waiting": ParquetWarehouse(folder).outbox.pending(COUNTS),
            }
        )
    answer.put(told)


def main(folder: str, seed: str, kills: str) -> None:
    signal.alarm(240)  # a client that never comes back must not hold up the tests
    context = multiprocessing.get_context("fork")

    def run(task: Callable[..., None], *arguments: Any) -> tuple[int | None, Any]:
        answer = context.SimpleQueue()
        process = context.Process(target=task, args=(*arguments, answer))
        process.start()
        process.join()
        return process.exitcode, None if answer.empty() else answer.get()

    with h2.server(Path(folder)) as server:
        undisturbed = Path(folder, "undisturbed")
        ended, steps = run(client, undisturbed, server, 0)
        assert ended == 0, "the undisturbed run failed"
        instants = sorted(random.Random(int(seed)).sample(range(1, steps + 1), int(kills)))
        folders = [Path(folder, f"killed{at}") for at in instants]
        killed = [run(client, place, server, at)[0] for place, at in zip(folders, instants, strict=True)]
        _, told = run(finish, [undisturbed, *folders], server)
    json.dump({"steps": steps, "instants": instants, "killed": killed, "told": told}, sys.stdout)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
