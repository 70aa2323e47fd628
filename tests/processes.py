"""Scripts of the tests, run in processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def run_script(module: str, *arguments: object, timeout: float = 120, **environment: str) -> Any:
    """Run `python -m module` with the project on its path, and return the JSON that it prints."""
    path = os.pathsep.join(str(ROOT / part) for part in ("include", "."))
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)
