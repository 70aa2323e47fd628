"""Evaluations as operators: check what is asked for, then measure one model at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseOperator, Context

from wayside.core.errors import ConfigError, ModelError
from wayside_airflow.operators.common import names

if TYPE_CHECKING:
    from wayside.core.settings import Settings

#: Pictures between two lines of the log.
_EVERY: Final = 250


class ChooseModelsOperator(BaseOperator):
    """Say which models a run measures, once their weights and the set are found to be there.

    Args:
        models: names of cards, separated by commas. (templated)
        coco: JSON file of the set. (templated)
        pictures: folder of its pictures; empty: `pictures` beside the file. (templated)
        profile: name of a profile; empty: nothing is masked. (templated)
    """

    template_fields: Sequence[str] = ("models", "coco", "pictures", "profile")

    def __init__(self, *, models: str, coco: str, pictures: str = "", profile: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.models = models
        self.coco = coco
        self.pictures = pictures
        self.profile = profile

    def execute(self, context: Context) -> list[str]:
        """Return the names of the models.

        Raises:
            ConfigError: no model is named, the profile is unknown, or the set is not where runs may read.
            ModelError: a model is unknown, or its weights are not here.
        """
        from wayside.core.settings import Settings
        from wayside.photos.profile import load_profile
        from wayside.vision.registry import card, check_licence, find

        settings = Settings()  # type: ignore[call-arg]
        labelled_set(settings, self.coco, self.pictures)
        if self.profile:
            load_profile(_plain(self.profile), settings)
        chosen = names(self.models)
        if not chosen:
            raise ConfigError("no model is named: give one or more, as the page of models lists them")
        for name in chosen:
            model = card(name, settings)
            check_licence(model, settings)
            if find(model, settings) is None:
                raise ModelError(f"the weights of {name} are not on this machine: run `wayside models pull {name}`")
        return chosen


class EvaluateOperator(BaseOperator):
    """Measure one model on a labelled set. Pictures that were looked at before are not looked at again.

    Args:
        model: name of the card. (templated)
        coco: JSON file of the set. (templated)
        pictures: folder of its pictures; empty: `pictures` beside the file. (templated)
        profile: name of a profile, to measure what it hides with this model; empty: boxes and masks only. (templated)
        limit: only the first so many pictures; empty: all. (templated)
    """

    template_fields: Sequence[str] = ("model", "coco", "pictures", "profile", "limit")

    def __init__(
        self, *, model: str, coco: str, pictures: str = "", profile: str = "", limit: str | int = "", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.coco = coco
        self.pictures = pictures
        self.profile = profile
        self.limit = limit

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the name of the evaluation and its first figures, shares of 1; None where there is nothing to say."""
        from wayside.core.settings import Settings
        from wayside.photos.evaluation import Order, evaluate_set
        from wayside.photos.profile import load_profile

        settings = Settings()  # type: ignore[call-arg]
        coco, pictures = labelled_set(settings, self.coco, self.pictures)
        profile = load_profile(_plain(self.profile), settings) if self.profile else None
        order = Order(
            model=self.model,
            coco=coco,
            pictures=pictures,
            finding=profile.masking.find if profile else None,
            limit=int(self.limit) if str(self.limit).strip() else None,
        )
        limits = profile.limits.decoding if profile else None
        result = evaluate_set(order, settings, progress=self._say, limits=limits)
        hidden = result["anonymisation"] and result["anonymisation"]["overall"]
        figures = {
            "ap": result["boxes"]["figures"]["ap"]["value"],
            "masks_ap": result["masks"] and result["masks"]["figures"]["ap"]["value"],
            "hidden": hidden and hidden["share"],
        }
        for what, why in (("pictures failed", result["set"]["failed"]), ("entries left out", result["set"]["faults"])):
            if why:
                self.log.warning("%s: %s", what, why)
        self.log.info("%s: %s; all figures are on the page Evaluations", result["name"], figures)
        return {"name": result["name"], **figures}

    def _say(self, done: int, total: int) -> None:
        if done % _EVERY == 0 or done == total:
            self.log.info("%d of %d pictures", done, total)


def labelled_set(settings: Settings, coco: str, pictures: str) -> tuple[Path, Path]:
    """Return file and folder of a set.

    Raises:
        ConfigError: one is not there, or lies where runs that are started in Airflow may not read: neither below
            `WAYSIDE_PHOTOS_ROOTS` nor in the folder `sets` of the state.
    """
    file = Path(coco)
    folder = Path(pictures) if pictures else file.parent / "pictures"
    roots = [Path(root).resolve() for root in settings.photos_roots if not root.startswith("gs://")]
    roots.append((settings.state / "sets").resolve())
    for path in (file, folder):
        if not path.is_absolute() or not any(path.resolve().is_relative_to(root) for root in roots):
            raise ConfigError(
                f"runs started in Airflow may not read {path}: put the set below {roots[-1]}, or let who looks after "
                "the installation add its folder to WAYSIDE_PHOTOS_ROOTS"
            )
    if not file.is_file() or not folder.is_dir():
        raise ConfigError(f"there is no file {file} with a folder {folder}")
    return file.resolve(), folder.resolve()


def _plain(profile: str) -> str:
    """Return the name of a profile; a file is one of the installation's folder alone, whoever starts the run."""
    if "/" in profile or "\\" in profile:
        raise ConfigError(f"profile {profile!r}: put the file into include/config/profiles, and give its name")
    return profile
