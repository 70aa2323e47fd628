"""`wayside demo` from end to end, on a small city with the model that comes with the project."""

import contextlib
import hashlib
import logging
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.peers.jamcams import serving
from typer.testing import CliRunner

from wayside.cli import demo, main
from wayside.core.errors import SourceError, TransientError
from wayside.core.settings import settings
from wayside.core.tables import COUNTS, DETECTIONS
from wayside.sources.demo.city import DemoCity
from wayside.stills.ingest import Ingest
from wayside.store import LocalStore, picture_key
from wayside.vision.decode import decode
from wayside.warehouse.parquet import ParquetWarehouse
from wayside.warehouse.scope import Scope

runner = CliRunner()
SLOTS = 4


@pytest.fixture(autouse=True)
def _quiet_again() -> Iterator[None]:
    """The demo quietens a logger for the rest of its process, which here is the tests'."""
    before = logging.getLogger("wayside.sources").level
    yield
    logging.getLogger("wayside.sources").setLevel(before)


@pytest.fixture(autouse=True)
def _small_city(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYSIDE_DEMO_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr("wayside.sources.demo.city.DemoCity", partial(DemoCity, tfl_cameras=3, uo_cameras=2))
    monkeypatch.setattr(demo, "_SLOW", 0.0)


def run(*arguments: str) -> str:
    answer = runner.invoke(main._commands, ["demo", "--slots", str(SLOTS), *arguments])
    assert answer.exit_code == 0, answer.output + repr(answer.exception)
    return answer.stdout


def hashes(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_demo_counts_a_city_and_writes_a_page(state: Path):
    told = run("--no-live")
    assert "Objects counted" in told
    assert re.search(r"pictures\s+│\s+9\s+│\s+6\s", told)
    assert "London" not in told
    page = state / "demo" / "index.html"
    assert f"Pictures with boxes and charts: {page}\n" in told
    html = page.read_text(encoding="utf-8")
    pictures = re.findall(r'<img src="(pictures/[^"]+)"', html)
    assert len(pictures) == 5
    assert all(decode((page.parent / picture).read_bytes()).width in {352, 440} for picture in pictures)
    assert (page.parent / "plotly.min.js").stat().st_size > 10**6
    assert "http://" not in html.replace("http://www.w3.org", ""), "the page opens without a network"
    assert html.count("plotly-graph-div") == 2
    warehouse = ParquetWarehouse(state / "warehouse")
    for source in demo.CITY_SOURCES:
        assert warehouse.slots(COUNTS, source) == [demo.FIRST_SLOT.shift(step) for step in range(SLOTS - 1)]
    with warehouse.connect() as database:
        assert database.execute("SELECT sum(car) + sum(person) > 0 FROM counts").fetchone() == (True,)

    # Once more: the work is found done, nothing changes, and nothing is fetched.
    before = hashes(state / "warehouse" / "published")
    again = run("--no-live")
    assert hashes(state / "warehouse" / "published") == before
    assert "Objects counted" in again
    # And analysed once more on demand, with the same outcome.
    run("--no-live", "--again")
    assert {name: digest for name, digest in hashes(state / "warehouse" / "published").items() if "/." not in name} == {
        name: digest for name, digest in before.items() if "/." not in name
    }
    # A picture that was deleted meanwhile is left out of the page, and what was drawn of it goes.
    store = LocalStore(state / "pictures")
    for key in list(store.keys("Demo-city")):
        store.delete(key)
    run("--no-live")
    left = re.findall(r'<img src="(pictures/[^"]+)"', page.read_text(encoding="utf-8"))
    assert len(left) == 2
    assert {f"pictures/{path.name}" for path in (page.parent / "pictures").iterdir()} == set(left)


@pytest.fixture
def no_city(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the city's own slots, which the test above has seen."""
    monkeypatch.setattr(demo, "_run_city", lambda *_: None)


@pytest.mark.usefixtures("no_city")
@pytest.mark.parametrize(
    ("error", "why"),
    [(SourceError("no [route] to London\nat all"), "no [route] to London"), (TimeoutError(), "no answer")],
)
def test_london_out_of_reach_is_said_and_no_error(monkeypatch: pytest.MonkeyPatch, error: Exception, why: str):
    async def unreachable(_: object) -> None:
        raise error

    monkeypatch.setattr(demo, "_reach_london", unreachable)
    told = run()
    assert f"London's live cameras: not reached ({why}); the demo city alone is shown" in told


@pytest.mark.usefixtures("no_city")
def test_london_in_reach_is_analysed_and_shown(state: Path, monkeypatch: pytest.MonkeyPatch):
    """A peer stands for London; YOLOX-nano cannot be pulled, so our own detector looks."""

    def unreachable(*_: object, **_patience: float) -> None:
        raise TransientError("no network")

    monkeypatch.setattr("wayside.vision.registry.pull", unreachable)
    monkeypatch.setattr(demo, "LONDON", "Demo-city")
    monkeypatch.setattr(demo, "utc_now", lambda: demo.FIRST_SLOT.start)
    monkeypatch.setattr("wayside.stills.ingest.Ingest", partial(Ingest, clock=lambda: demo.FIRST_SLOT.start))
    with serving(6) as city:
        monkeypatch.setenv("WAYSIDE_DEMO_URL", city.url)
        monkeypatch.setattr(demo, "_city", contextlib.nullcontext)
        told = run()
    assert "Detector for London: our own (YOLOX-nano cannot be had: no network)" in told
    assert "London's live cameras: reached, 2 pictures analysed with FaultyImageFilterV1_WaysideV1" in told
    scope = Scope("Demo-city", demo.FIRST_SLOT, "FaultyImageFilterV1_WaysideV1")
    warehouse = ParquetWarehouse(settings().lake)
    assert warehouse.read(COUNTS, scope).num_rows == 6
    assert warehouse.published(DETECTIONS, scope)
    html = (state / "demo" / "index.html").read_text(encoding="utf-8")
    assert "missing: http_404" in html
    assert picture_key("Demo-city", demo.FIRST_SLOT, city.name(5)).split("/")[-1].removesuffix(".jpg") in html
