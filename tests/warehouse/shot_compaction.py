"""`python -m tests.warehouse.shot_compaction FOLDER DAY N`: a compaction that dies before the Nth change of a name."""

import os
import signal
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from wayside.warehouse.parquet import ParquetWarehouse


def main(folder: str, before: str, at: str) -> None:
    left = int(at)

    def shot(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **named)

        return step

    os.link = shot(os.link)
    for name in ("replace", "unlink"):
        setattr(Path, name, shot(getattr(Path, name)))
    ParquetWarehouse(Path(folder)).compact(date.fromisoformat(before))


if __name__ == "__main__":
    main(*sys.argv[1:])
