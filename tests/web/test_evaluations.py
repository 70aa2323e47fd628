"""The pages of evaluations: the list, one evaluation, its pictures, and what is refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.photos.labelled import labelled, order, with_models

from wayside.core.settings import Settings
from wayside.photos import evaluations
from wayside.photos.evaluation import evaluate_set
from wayside.store import LocalStore
from wayside.warehouse.parquet import ParquetWarehouse
from wayside_airflow.web.app import create_app, get_access


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("WAYSIDE_STATE", str(tmp_path / "state"))
    return with_models(Settings(home=tmp_path, device="cpu", workers=1, _env_file=None))


@pytest.fixture
def browser(tmp_path: Path, chosen: Settings) -> Iterator[TestClient]:
    app = create_app(
        warehouse=lambda: ParquetWarehouse(tmp_path / "warehouse"), store=lambda: LocalStore(tmp_path / "pictures")
    )
    app.dependency_overrides[get_access] = lambda: None
    with TestClient(app, headers={"accept": "text/html"}) as client:
        yield client


@pytest.fixture
def result(chosen: Settings, tmp_path: Path) -> dict[str, Any]:
    files = labelled(tmp_path / "set", missed=(40, 50, 90, 80), masks=True)
    (files[1] / "3.jpg").write_bytes(b"nonsense")
    return evaluate_set(order(chosen, files), chosen)


def test_an_empty_page_says_what_leaves_figures_here(browser: TestClient) -> None:
    page = browser.get("evaluations")
    assert page.status_code == 200
    assert "Nothing has been evaluated yet" in page.text
    assert browser.get("api/evaluations").json() == {"evaluations": []}


def test_the_list(browser: TestClient, result: dict[str, Any]) -> None:
    page = browser.get("evaluations").text
    assert f"/evaluations/{result['name']}?" in page
    assert "Users on instances" in page
    # Of two cars and one person that could be looked at and one truck, the truck shows.
    assert "75.0 % <small>30.1 to 95.4 %</small>" in page
    assert [one["name"] for one in browser.get("api/evaluations").json()["evaluations"]] == [result["name"]]


def test_one_evaluation_is_told_whole(browser: TestClient, result: dict[str, Any]) -> None:
    page = browser.get(f"evaluations/{result['name']}").text
    for words in (
        "3 of 4 pictures",
        "not an image <b>1</b>",
        "AP of truck",
        "the model gives boxes",
        "1 of 1 objects show",
        "1,500 px",
        "24 to 48 px",
    ):
        assert words in page, words
    assert f"/pictures/evaluations/{result['name']}/1.jpg" in page
    assert browser.get(f"api/evaluations/{result['name']}").json()["key"] == result["key"]


def test_its_pictures_are_those_that_were_drawn(browser: TestClient, chosen: Settings, result: dict[str, Any]) -> None:
    answer = browser.get(f"pictures/evaluations/{result['name']}/1.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    path = evaluations.worst_picture(evaluations.root(chosen), result["name"], 1)
    assert answer.content == path.read_bytes()
    assert browser.get(f"pictures/evaluations/{result['name']}/2.jpg").status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("evaluations/Users-set-0123456789ab", 404),
        ("evaluations/%2e%2e%2fsecret", 404),
        ("evaluations/secret", 400),
        ("api/evaluations/secret", 400),
        ("pictures/evaluations/secret/1.jpg", 400),
        ("pictures/evaluations/Users-set-0123456789ab/..%2f1.jpg", 400),
    ],
)
def test_what_is_no_evaluation_is_refused(browser: TestClient, path: str, status: int) -> None:
    assert browser.get(path).status_code == status


def test_a_result_of_another_version_is_said_and_left_out(browser: TestClient, chosen: Settings) -> None:
    folder = evaluations.root(chosen) / "Users-set-0123456789ab"
    folder.mkdir(parents=True)
    (folder / "result.json").write_text('{"schema": 99}')
    assert "Nothing has been evaluated yet" in browser.get("evaluations").text
    answer = browser.get("evaluations/Users-set-0123456789ab")
    assert answer.status_code == 500
    assert "evaluate again" in answer.text
