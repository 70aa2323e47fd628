"""The geometry and the steps of the zone editor, in JavaScript: run by node, where there is one."""

import shutil
import subprocess
from pathlib import Path

import pytest

from wayside_airflow.web.context import HERE


@pytest.mark.skipif(
    shutil.which("node") is None, reason="there is no node here; the server checks what is saved anyway"
)
def test_the_editors_geometry_and_steps(tmp_path: Path) -> None:
    for name in ("zone-geometry.js", "zone-drawing.js"):
        shutil.copy(HERE / "static" / name, tmp_path)
    shutil.copy(Path(__file__).with_name("zone_editor.mjs"), tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    # In one process: its output is then that of all tests.
    told = subprocess.run(
        [shutil.which("node") or "node", "zone_editor.mjs"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "# fail 0" in told.stdout
