"""Parameters that several DAGs ask for, with one wording, and what all their tasks have in common.

Each call makes a new parameter: DAGs must not share one, since a run changes it.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import Param

from wayside_airflow.priority import LIVE_FIRST
from wayside_airflow.retries import RETRIES

HOW = "How it is done"


def sources(description: str = "") -> Param:
    """Ask for names of sources; none means all that are enabled."""
    return Param(
        [],
        type=["array", "null"],
        items={"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"},
        title="Sources",
        description=description
        or "Names of sources, one a line. Empty: all that are enabled in include/config/sources.yaml.",
    )


def cameras() -> Param:
    """Ask for ids of cameras; none means all."""
    return Param(
        [],
        type=["array", "null"],
        items={"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,126}$"},
        title="Cameras",
        description="Ids of cameras, one a line. Empty: all of the sources.",
    )


def processors(description: str) -> Param:
    """Ask for numbers of processors."""
    return Param(
        [],
        type=["array", "null"],
        items={"type": "integer", "minimum": 1},
        title="Processors",
        description=f"Numbers of processors, one a line, as the page Zones has them. {description}",
    )


def day(title: str, description: str, *, required: bool = False) -> Param:
    """Ask for a UTC day."""
    kind: Any = "string" if required else ["string", "null"]
    return Param(None, type=kind, format="date", title=title, description=description)


def pipeline(description: str) -> Param:
    """Ask for a pipeline by its id."""
    return Param(
        None,
        type=["string", "null"],
        pattern="^([A-Z][A-Za-z0-9]{0,62}(_[A-Z][A-Za-z0-9]{0,62}){0,7})?$",
        examples=[
            "FaultyImageFilterV1_WaysideV1_StaticObjectFilterV1",
            "FaultyImageFilterV1_YoloxNano_StaticObjectFilterV1",
            "FaultyImageFilterV0_StaticObjectFilterV0",
        ],
        title="Pipeline",
        description=description,
        section=HOW,
    )


def place(title: str, description: str) -> Param:
    """Ask for a folder or a part of a bucket."""
    return Param(
        None,
        type=["string", "null"],
        maxLength=1024,
        title=title,
        description=f"Folder or gs://bucket/prefix. {description}",
    )


def written(title: str, places: str) -> Param:
    """Ask at which places something is written."""
    return Param(
        None,
        type=["string", "null"],
        pattern="^([a-z]+( *, *[a-z]+)*)?$",
        title=title,
        description=f"Where they are written, separated by commas: {places}; or none. Empty: as the profile says.",
        section=HOW,
    )


AS_PROFILE = "as the profile says"


def yes_or_no(title: str, description: str) -> Param:
    """Ask for a yes or a no, or neither: the form takes an empty value for one that is missing."""
    return Param(
        AS_PROFILE,
        type="string",
        enum=[AS_PROFILE, "yes", "no"],
        title=title,
        description=description,
        section=HOW,
    )


def reject() -> Param:
    """Ask a person which held pictures must not be published."""
    return Param(
        "",
        type=["string", "null"],
        format="multiline",
        title="Reject",
        description="Pictures that must not be published, as the contact sheet names them, one a line.",
    )


def why() -> Param:
    """Ask for the reason, which is kept with the run."""
    return Param(
        None,
        type=["string", "null"],
        maxLength=500,
        title="Why",
        description="The reason, in a sentence. It is kept with the run and shown on the page Runs.",
    )


def task_defaults(timeout: timedelta, *, weight: int = 100, delay: timedelta = timedelta(seconds=30)) -> dict[str, Any]:
    """Return the arguments that all tasks of a DAG share: owner, retries by type, a limit of time, a priority."""
    return {
        "owner": "wayside",
        "retries": 2,
        "retry_delay": delay,
        "retry_policy": RETRIES,
        "execution_timeout": timeout,
        "priority_weight": weight,
        "weight_rule": LIVE_FIRST,
    }
