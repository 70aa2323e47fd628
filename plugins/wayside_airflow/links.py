"""Links from a task to what it made: the pages of the plugin that show a shard, or a source, at one slot."""

from collections.abc import Mapping
from typing import Protocol, cast
from urllib.parse import urlencode, urlsplit

import attrs
from airflow.sdk import BaseOperator, BaseOperatorLink, conf
from airflow.sdk.types import TaskInstanceKey


class Shown(Protocol):
    """An operator that made something which a page shows."""

    def shown(self) -> Mapping[str, str | int]:
        """Return the query of the page that shows it."""


class Worked(Protocol):
    """An operator that worked on the pictures of a run; `run_shown` is empty until there is something to be seen."""

    run_shown: str


def page(name: str, query: Mapping[str, str | int] | None = None) -> str:
    """Return the address of a page of the plugin inside the frame of Airflow's own UI."""
    root = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
    return f"{root}/plugin/wayside/wayside/{name}{f'?{urlencode(query)}' if query else ''}"


@attrs.define
class ShardLink(BaseOperatorLink):
    """From the task of one shard to the pictures of its cameras."""

    name = "Pictures of this shard"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the shard's page."""
        return page("shards", cast("Shown", operator).shown())


@attrs.define
class SourceLink(BaseOperatorLink):
    """From a task that published a source's rows to all of its cameras."""

    name = "Cameras of this source"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the page of cameras."""
        return page("cameras", cast("Shown", operator).shown())


@attrs.define
class PhotosLink(BaseOperatorLink):
    """From the task that published road photos to the pictures of its run."""

    name = "Pictures of this run"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the page of the run's pictures, empty where nothing was published."""
        run = cast("Worked", operator).run_shown
        return page("photos", {"run": run}) if run else ""


@attrs.define
class ReviewLink(BaseOperatorLink):
    """From the task that waits for a person to what the person should look at."""

    name = "Contact sheet"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the contact sheet, empty where no picture waits."""
        run = cast("Worked", operator).run_shown
        return page(f"photos/review/{run}") if run else ""


@attrs.define
class JobLink(BaseOperatorLink):
    """From a task of an import to the page of its job."""

    name = "Job"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the page of the job, empty where nothing was planned."""
        run = cast("Worked", operator).run_shown
        return page(f"jobs/{run}") if run else ""


@attrs.define
class ZonesLink(BaseOperatorLink):
    """From a task that counted to the page of zones."""

    name = "Zones"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the page of zones."""
        return page("zones")
