"""Pipelines by name: which stages a still goes through, read from `include/config/pipelines.yaml`.

An id names its stages in order, `FaultyImageFilterV1_WaysideV1_StaticObjectFilterV1`. It is valid if the file lists
it and every stage is defined there; nothing is ever derived from it by dropping characters.
"""

from collections import Counter
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from wayside.core.errors import ConfigError
from wayside.core.ids import pipeline_id
from wayside.core.yamlfile import read_yaml

StageKind = Literal["faulty_v0", "faulty_v1", "detector", "static_v0", "static_v1"]
_ORDER = {"faulty_v0": 0, "faulty_v1": 0, "detector": 1, "static_v0": 2, "static_v1": 2}


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Stage(_Strict):
    """One stage: what kind it is, a detector's model, a filter's settings (see the filter for their names)."""

    kind: StageKind
    model: str | None = None
    settings: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _model_for_detectors_only(self) -> "Stage":
        if (self.kind == "detector") != (self.model is not None):
            raise ValueError("a stage of kind `detector` needs a model, and no other stage takes one")
        return self


class PipelineEntry(_Strict):
    """One pipeline as the file lists it."""

    description: str


class PipelinesFile(_Strict):
    """The whole file."""

    default: str
    stages: dict[str, Stage]
    pipelines: dict[str, PipelineEntry]

    @model_validator(mode="after")
    def _consistent(self) -> "PipelinesFile":
        for name in (self.default, *self.pipelines):
            self.stages_of(name)
        folded = Counter(name.casefold() for name in self.pipelines)
        if doubled := [name for name, times in folded.items() if times > 1]:
            raise ValueError(f"pipelines differ only in capitals: {doubled}")
        return self

    def stages_of(self, pipeline: str) -> list[tuple[str, Stage]]:
        """Return the stages of a listed pipeline in order; raise `ConfigError` if the id does not hold."""
        pipeline_id(pipeline)
        if pipeline not in self.pipelines:
            raise ConfigError(f"pipeline {pipeline!r} is not listed; there are {', '.join(sorted(self.pipelines))}")
        names = pipeline.split("_")
        if unknown := [name for name in names if name not in self.stages]:
            raise ConfigError(f"pipeline {pipeline} has unknown stages {unknown}")
        stages = [(name, self.stages[name]) for name in names]
        order = [_ORDER[stage.kind] for _, stage in stages]
        if order != sorted(order) or len(set(order)) != len(order):
            raise ConfigError(
                f"pipeline {pipeline} is out of order: at most one filter for faulty pictures, one detector and "
                "one filter for static objects, in this order"
            )
        return stages


def load_pipelines(path: Path) -> PipelinesFile:
    """Read the file; raise `ConfigError` that names the file and all that is wrong with it."""
    document = read_yaml(path)
    try:
        return PipelinesFile.model_validate(document)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}" for fault in error.errors())
        raise ConfigError(f"{path}: {'; '.join(faults)}") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
