"""Imports that are killed: `python -m tests.videos.killed_import FOLDER SEED TRIALS FILES`.

Imports an archive undisturbed in FOLDER/undisturbed and counts what this does to the disk and to the ledger. Then, for
each of TRIALS, in a folder of its own: twice with a process that kills itself (SIGKILL) right before a step drawn with
SEED, and then with one that runs to the end. Prints the instants as JSON. What was decoded is written down, beside the
folder, as it begins and once it is safe on the disk.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import traceback
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd  # noqa: F401  pyarrow imports it late; here it is imported once, before the forks
from tests.stills.killed_run import forked
from tests.videos.archive import PATTERN, clips, make_archive
from tests.videos.labelling import label

from wayside.core.settings import Settings
from wayside.videos.importer import Importer
from wayside.videos.job import new_job
from wayside.videos.ledger import Ledger
from wayside.videos.process import Cutter
from wayside.videos.shelf import Shelf

NOW = datetime(2026, 6, 20, 12, tzinfo=UTC)


def run_import(folder: Path) -> None:
    """Do all stages, with a clock that stands still."""
    settings = Settings(state=folder / "state", workers=1, device="cpu", _env_file=None)
    job = new_job(
        source="Boat", run="import-1", who="tests", input=str(folder / "in"), export=str(folder / "out"),
        pattern=PATTERN, labeller="hook:test.py", max_items=15,
    )  # fmt: skip
    work = Importer(settings, job, clock=lambda: NOW)
    work.scan()
    for shard in work.plan():
        for _ in work.process(shard):
            pass
        for event in work.to_label(shard):
            write_down(folder, "ask", event.event)
            work.labelled(event.event, label(event))
            write_down(folder, "answered", event.event)
    work.publish()
    work.export()


def write_down(folder: Path, what: str, which: str) -> None:
    with log(folder).open("a") as stream:
        stream.write(f"{what} {which}\n")


def log(folder: Path) -> Path:
    return folder.with_name(f"log-of-{folder.name}")


def watched(folder: Path) -> None:
    """Write down decodings, and let each statement to the ledger be a step at which the process may die."""
    cut, save, opened = Cutter._cut, Shelf.save_events, Ledger._open

    def noted_cut(self: Cutter, content: Any) -> Any:
        write_down(folder, "decode", content.sha256)
        return cut(self, content)

    def noted_save(self: Shelf, found: Any) -> None:
        save(self, found)
        write_down(folder, "decoded", found.segment)

    def watched_ledger(self: Ledger) -> sqlite3.Connection:
        base = opened(self)
        base.set_trace_callback(lambda _: sys.audit("os.rename", str(self.path)))
        return base

    Cutter._cut, Shelf.save_events, Ledger._open = noted_cut, noted_save, watched_ledger


def main(folder: str, seed: str, trials: str, files: str) -> None:
    signal.alarm(900)  # a run that never comes back must not hold up the tests
    draw, root = random.Random(int(seed)), Path(folder)
    made = clips(root / "clips")
    archive = make_archive(root / "archive", int(files), made)

    def run(name: str, instant: int = 0) -> int:
        def work() -> None:
            try:
                watched(root / name)
                run_import(root / name)
            except BaseException:
                traceback.print_exc()
                raise

        return forked(root / name, work, instant)

    def prepare(name: str) -> None:
        (root / name).mkdir()
        shutil.copytree(archive.root, root / name / "in", copy_function=_linked)

    prepare("undisturbed")
    steps = run("undisturbed")
    ended = {}
    for number in range(int(trials)):
        name = f"trial_{number}"
        prepare(name)
        # The first instant anywhere but in the last third, so that the second finds something left to do.
        instants = draw.randrange(steps // 20, steps * 2 // 3), draw.randrange(1, steps // 4)
        ended[name] = {"instants": instants, "ended": [run(name, instants[0]), run(name, instants[1]), run(name)]}
    told = {name: value for name, value in asdict(archive).items() if name != "root"}
    json.dump({"steps": steps, "trials": ended, "archive": told}, sys.stdout)


def _linked(source: str, target: str) -> None:
    os.link(source, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
