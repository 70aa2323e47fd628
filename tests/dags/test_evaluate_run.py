"""Models are evaluated from end to end by Airflow itself, without a scheduler; and what a run may not read."""

from pathlib import Path

import pytest
from tests.dags.conftest import run_dag, states, without_retries
from tests.photos.labelled import labelled, with_models
from tests.plugins.conftest import home

from wayside.core.errors import ConfigError, ModelError
from wayside.core.settings import Settings
from wayside.photos import evaluations
from wayside_airflow.operators.evaluate import ChooseModelsOperator, EvaluateOperator, labelled_set

__all__ = ["home"]


@pytest.fixture
def files(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A set where runs may read, and the one model of this home."""
    monkeypatch.setenv("WAYSIDE_DEVICE", "cpu")
    with_models(Settings())
    return labelled(tmp_path / "state" / "sets" / "streets", missed=(40, 50, 90, 80))


@pytest.mark.airflow
@pytest.mark.usefixtures("airflow_db")
def test_a_run_measures_each_model(files: tuple[Path, Path]) -> None:
    told = {"models": ["Users"], "set": str(files[0]), "profile": None, "limit": 3}
    done = run_dag(without_retries("evaluate_model"), told)
    assert states(done) == {"choose": "success", "evaluate Users": "success", "done": "success"}
    (result,) = evaluations.listed(evaluations.root(Settings()))
    assert (result["model"]["name"], result["limit"], result["set"]["looked_at"]) == ("Users", 3, 3)


def test_models_are_chosen_and_the_set_is_looked_for_first(files: tuple[Path, Path]) -> None:
    def choose(models: str = "Users", coco: Path = files[0], **fields: str) -> list[str]:
        return ChooseModelsOperator(task_id="choose", models=models, coco=str(coco), **fields).execute({})

    assert choose("Users, Users") == ["Users"]
    for wrong, error, says in (
        ({"models": " , "}, ConfigError, "no model is named"),
        ({"models": "Nobody"}, ModelError, "Nobody"),
        ({"coco": files[0].with_name("absent.json")}, ConfigError, "there is no file"),
        ({"profile": "absent"}, ConfigError, "no profile"),
        ({"profile": "/etc/other.yaml"}, ConfigError, "give its name"),
    ):
        with pytest.raises(error, match=says):
            choose(**wrong)
    (Settings().models / "users.onnx").unlink()
    with pytest.raises(ModelError, match="models pull Users"):
        choose()


def test_figures_are_handed_on(files: tuple[Path, Path]) -> None:
    made = EvaluateOperator(task_id="evaluate", model="Users", coco=str(files[0]), limit="").execute({})
    assert made["name"].startswith("Users-instances-")
    assert made["ap"] == pytest.approx(2 / 3)
    assert (made["hidden"], made["masks_ap"]) == (None, None)


def test_a_run_reads_only_where_it_may(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = labelled(tmp_path / "elsewhere")
    (files[0].parent / "linked.json").symlink_to(elsewhere[0])
    for coco, pictures in (
        (elsewhere[0], ""),
        (files[0], str(elsewhere[1])),
        (files[0].parent / "linked.json", str(files[1])),
        (files[0].parent / ".." / ".." / ".." / "elsewhere" / "instances.json", ""),
        (Path("instances.json"), ""),
    ):
        with pytest.raises(ConfigError, match="may not read"):
            labelled_set(Settings(), str(coco), pictures)
    monkeypatch.setenv("WAYSIDE_PHOTOS_ROOTS", f'["gs://bucket", "{tmp_path / "elsewhere"}"]')
    assert labelled_set(Settings(), str(elsewhere[0]), "") == elsewhere
