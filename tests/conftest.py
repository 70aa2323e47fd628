"""What every test gets: no trace of the machine it runs on, and state in a temporary folder."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Airflow reads these when it is imported, so they come first.
_HOME = tempfile.TemporaryDirectory(prefix="wayside-tests-")
os.environ |= {
    "AIRFLOW_HOME": _HOME.name,
    "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).resolve().parents[1] / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(Path(__file__).resolve().parents[1] / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
}
# What says where test data and stand-ins are; everything else of ours would change what is tested.
_KEPT = ("WAYSIDE_TEST_DATA", "WAYSIDE_H2_JAR", "WAYSIDE_ORACLE_DSN", "WAYSIDE_ORACLE_USER", "WAYSIDE_ORACLE_PASSWORD")
for _name in [name for name in os.environ if name.startswith("WAYSIDE_") and name not in _KEPT]:
    del os.environ[_name]

import hypothesis  # noqa: E402
import pytest  # noqa: E402

from wayside.core import settings as core_settings  # noqa: E402
from wayside.core.settings import Settings  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]

hypothesis.settings.register_profile("wayside", deadline=None, derandomize=True, database=None, max_examples=60)
hypothesis.settings.load_profile("wayside")


@pytest.fixture(autouse=True)
def _settings_are_read_anew() -> Iterator[None]:
    """The settings of the process are read once; a test that changes the environment must not leave them behind."""
    core_settings.settings.cache_clear()
    yield
    core_settings.settings.cache_clear()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings of a machine of its own: the project's configuration, state in a temporary folder, no waits."""
    return Settings(state=tmp_path / "state", fetch_backoff=0.001, workers=2, device="cpu", _env_file=None)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of the command line, which takes its settings from the environment."""
    folder = tmp_path / "state"
    for name, value in {"STATE": str(folder), "WORKERS": "2", "DEVICE": "cpu", "FETCH_BACKOFF": "0.001"}.items():
        monkeypatch.setenv(f"WAYSIDE_{name}", value)
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real pictures that are no part of the project."""
    folder = Path(os.environ.get("WAYSIDE_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}: set WAYSIDE_TEST_DATA to the folder of the test data")
    return folder


@pytest.fixture(scope="session")
def airflow_db() -> None:
    """A fresh metadata database, one for the tests of all folders: it takes a while to make."""
    from airflow.utils.db import initdb

    initdb()


# What one process sets up for many files: Airflow with its database, and a Java machine. With `--dist loadscope` each
# of these runs in one worker, and every other file in one worker too, so that what a module shares is made once.
TOGETHER = {
    "airflow": ("tests/dags/", "tests/plugins/", "tests/web/"),
    "oracle": ("tests/warehouse/oracle/",),
}


def _group(nodeid: str) -> str:
    file = nodeid.split("::")[0]
    return next((name for name, places in TOGETHER.items() if file.startswith(places)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give workers whole groups; xdist's own way, a suffix of node ids, is lost on this pytest."""
    from xdist.scheduler import LoadScopeScheduling

    class Grouped(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

    return Grouped(config, log) if config.getvalue("dist") == "loadscope" else None


# The files that take longest.
LONG = ("tests/stills/", "tests/photos/test_killed.py", "tests/videos/test_killed.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the groups and the long files, so that no worker is left alone with one at the end."""
    groups = list(TOGETHER)

    def turn(item: pytest.Item) -> int:
        name = _group(item.nodeid)
        return groups.index(name) if name in groups else len(groups) + (not name.startswith(LONG))

    items.sort(key=turn)


SUITES = {
    "BigQuery": ("tests/warehouse/bigquery/", "tests/conformance/", "tests/warehouse/test_sql_engines.py"),
    "Cloud Storage": ("tests/store/test_gcs.py", "tests/store/test_contract.py", "tests/store/test_agreement.py"),
    "Oracle": ("tests/warehouse/oracle/",),
}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many cases the suite of each service ran: one that was skipped must not look like one that held."""
    for name, places in SUITES.items():
        counts = {
            outcome: len([report for report in terminalreporter.stats.get(outcome, []) if _within(report, places)])
            for outcome in ("passed", "failed", "skipped")
        }
        if any(counts.values()):
            told = ", ".join(f"{number} {outcome}" for outcome, number in counts.items() if number)
            terminalreporter.write_line(f"{name}: {told}")


def _within(report: object, places: tuple[str, ...]) -> bool:
    return str(getattr(report, "nodeid", "")).startswith(places)
