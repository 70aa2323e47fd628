"""The plugin as Airflow loads it: one file, nothing heavy, and pages that exist."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from fastapi.testclient import TestClient

ROOT = Path(__file__).resolve().parents[2]

_LOAD = """
import json, sys
from airflow import plugins_manager
known = set(sys.modules)
plugins, errors = plugins_manager._get_plugins()
info = next(plugin for plugin in plugins_manager.get_plugin_info() if plugin["name"] == "wayside")
print(json.dumps({
    "errors": errors,
    "names": [plugin.name for plugin in plugins if plugin.source],
    "heavy": sorted({"duckdb", "pyarrow", "cv2", "numpy", "fastapi", "onnxruntime"} & (set(sys.modules) - known)),
    "loaded": sorted(set(sys.modules) - known),
    "views": info["external_views"],
    "apps": info["fastapi_apps"],
}))
"""


def test_airflow_loads_one_plugin_and_nothing_heavy(client: TestClient) -> None:
    environment = {
        **os.environ,
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__API__BASE_URL": "https://example.org/airflow/",
        "PYTHONPATH": str(ROOT / "include"),
    }
    done = subprocess.run(
        [sys.executable, "-c", _LOAD], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["errors"] == {}
    assert said["names"].count("wayside") == 1
    assert said["heavy"] == []
    # The package is imported by its name and never executed file by file; the pages wait for the first request.
    assert "wayside_airflow.web.lazy" in said["loaded"]
    assert not {"lazy", "app", "pages", "queries", "wayside_airflow.web.app"} & set(said["loaded"])
    assert [app["url_prefix"] for app in said["apps"]] == ["/wayside", "/wayside-callbacks"]
    (view,) = said["views"]
    for key in ("href", "icon", "icon_dark_mode"):
        path = view[key].removeprefix("/airflow/wayside/")
        assert path != view[key], "below the path where Airflow is served"
        assert client.get(path).status_code == 200


def test_what_pages_load_exists(client: TestClient) -> None:
    for path in ("cameras", "counts", "coverage"):
        for link in re.findall(r'(?:src|href)="/wayside/(static/[^"]+)"', client.get(path).text):
            assert client.get(link).status_code == 200


def test_scripts_import_what_exists(client: TestClient) -> None:
    for script in (ROOT / "plugins" / "wayside_airflow" / "web" / "static").glob("*.js"):
        for name in re.findall(r'from "\./([^"]+)"', script.read_text(encoding="utf-8")):
            assert client.get(f"static/{name}").headers["content-type"].startswith("text/javascript")
