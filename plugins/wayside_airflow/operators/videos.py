"""Video archives as operators: scan an archive, plan a job, cut its shards into events, label, publish, export.

What is done is written in `wayside.videos.importer`. What a run was told and its shards are kept in the lake under its
name, so that tasks that are cleared or tried again go on where they stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseOperator, Context

from wayside.core.errors import AuditError, ConfigError, TransientError
from wayside_airflow.links import JobLink
from wayside_airflow.operators.common import Task, TaskOperator, load_tasks, save_tasks
from wayside_airflow.ranges import run_name, who_started

if TYPE_CHECKING:
    from wayside.core.settings import Settings
    from wayside.videos.importer import Importer
    from wayside.videos.job import ImportJob
    from wayside.videos.labellers.base import LabelFailure, Labelled, Labeller
    from wayside.videos.labellers.http import HttpLabeller
    from wayside.videos.plan import VideoShard

#: As in `wayside.videos`, which the parser of DAGs need not load for them.
DEFAULT_PATTERN: Final = r".*/(?P<camera>\w+?)\-.*\-(?P<epoch>\d+)\.mp4$"
FORMATS: Final = ("v1", "v2", "csv", "xml")
#: Failures that the log of a task names.
_NAMED: Final = 20


class ScanVideosOperator(BaseOperator):
    """Look through an archive: every file becomes a row of the ledger.

    Args:
        place: folder or `gs://bucket/prefix` with the videos. (templated)
        export: the same, for files of labels; empty for none. (templated)
        pattern: regular expression for the path of a file. (templated)
        zone: time zone of dates in names. (templated)
        suffix: put behind the name of each camera. (templated)
        labeller: who labels the events. (templated)
        whitelist: labels that are exported, one a line; all if empty. (templated)
        formats: formats of the files of labels, separated by commas. (templated)
        hook_data: JSON: sizes of pictures, by camera. (templated)
        source: name of the archive in tables; made of the folder's name if empty. (templated)
        max_items: videos in a shard, at most. (templated)
        max_bytes: bytes of a shard's list, at most. (templated)
        redo: whether what is done is done again. (templated)
    """

    template_fields: Sequence[str] = (
        "place", "export", "pattern", "zone", "suffix", "labeller", "whitelist", "formats", "hook_data", "source",
        "max_items", "max_bytes", "redo",
    )  # fmt: skip

    def __init__(
        self,
        *,
        place: str,
        export: str = "",
        pattern: str = DEFAULT_PATTERN,
        zone: str = "UTC",
        suffix: str = "",
        labeller: str = "onnx",
        whitelist: str = "",
        formats: str = ",".join(FORMATS),
        hook_data: str = "",
        source: str = "",
        max_items: str = "2048",
        max_bytes: str = "1048576",
        redo: str = "false",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.place = place
        self.export = export
        self.pattern = pattern
        self.zone = zone
        self.suffix = suffix
        self.labeller = labeller
        self.whitelist = whitelist
        self.formats = formats
        self.hook_data = hook_data
        self.source = source
        self.max_items = max_items
        self.max_bytes = max_bytes
        self.redo = redo

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many files there are, how many were read, and how many videos are new.

        Raises:
            ConfigError: a parameter is wrong, or a place is not one that runs may use.
        """
        from wayside.core.settings import Settings

        settings = Settings()  # type: ignore[call-arg]
        job = self._job(context)
        check_roots(job, settings)
        importer = open_importer(settings, job)
        # A labeller that cannot work is told now, not after hours of decoding.
        open_run_labeller(settings, job)
        found = importer.scan(self._told)
        for reason, number in sorted(found.quarantined.items(), key=lambda pair: -pair[1]):
            self.log.warning("%s files are quarantined: %s", number, reason)
        self.log.info(
            "%s files in %s, %s of them read: %s videos, %s new; %s have the content of another file",
            found.files, job.input, found.read, found.contents, found.new, found.aliases,
        )  # fmt: skip
        return {"files": found.files, "read": found.read, "videos": found.contents, "new": found.new}

    def _job(self, context: Context) -> ImportJob:
        from wayside.videos.job import new_job

        if not self.place.strip():
            raise ConfigError("input: name the folder of the archive, or gs://bucket/prefix")
        return new_job(
            input=self.place,
            export=self.export,
            source=self.source,
            pattern=self.pattern,
            zone=self.zone,
            suffix=self.suffix,
            labeller=self.labeller,
            whitelist=[line.strip() for line in self.whitelist.splitlines() if line.strip()],
            formats=[name for name in self.formats.split(",") if name],
            hook_data=self.hook_data,
            max_items=int(self.max_items),
            max_bytes=int(self.max_bytes),
            redo=str(self.redo).lower() == "true",
            run=run_name(context),
            who=who_started(context),
        )

    def _told(self, *progress: Any) -> None:
        """Write a line to the log now and then: an archive takes hours to read."""
        done, total = progress[0], progress[1]
        if done and (done == total or done % 500 == 0):
            self.log.info("%s of %s files", done, total)


class PlanVideosOperator(BaseOperator):
    """Divide what is to be done into shards, and open the job."""

    operator_extra_links = (JobLink(),)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run_shown = ""

    def execute(self, context: Context) -> list[Task]:
        """Return the tasks; none where there is nothing to do."""
        importer = importer_of_run(context)
        shards = importer.plan()
        self.run_shown = importer.job.run
        self.log.info(
            "%s videos in %s shards, %.1f hours",
            sum(shard.items for shard in shards), len(shards), sum(shard.seconds for shard in shards) / 3600,
        )  # fmt: skip
        fields = [shard.model_dump(mode="json") for shard in shards]
        return save_tasks(importer, importer.job.run, fields, lambda shard: _shard(shard).label)


class ProcessVideosOperator(TaskOperator):
    """Cut the videos of some shards into events; a video that fails stops no other."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the number of the task, and of videos by outcome."""
        importer = importer_of_run(context)
        outcomes: Counter[str] = Counter()
        events, failed = 0, []
        for shard in shards_of(importer, self.task):
            for done in importer.process(shard):
                outcomes[done.outcome] += 1
                events += done.events
                if done.reason:
                    failed.append(f"{done.file or done.sha256}: {done.reason}: {done.detail}")
            self.log.info("%s: %s, %s events", shard.label, dict(outcomes), events)
        for line in failed[:_NAMED]:
            self.log.warning("%s", line)
        return {"task": self.task["task"], "events": events, **outcomes}


class LabelVideosOperator(TaskOperator):
    """Label the events of some shards. Where a service answers later, no worker waits for it."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the number of the task, and of events by what became of them."""
        from wayside.videos import answering
        from wayside.videos.labellers.http import HttpLabeller

        importer, labeller = self._open(context)
        answering.begin(importer, labeller)
        if isinstance(labeller, HttpLabeller):
            return self._send(importer, labeller)
        said: list[Labelled | LabelFailure] = []
        for shard in shards_of(importer, self.task):
            said += answering.label_shard(importer, labeller, shard)
            self.log.info("%s: %s asked of %s", shard.label, len(said), labeller.name)
        return self._summary(said)

    def collect(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Take the answers once they are there, or their time is over.

        Raises:
            TransientError: events are still open; another try asks again for what was not asked, and waits on.
        """
        from wayside.videos import answering
        from wayside.videos.labellers.http import HttpLabeller

        if event.get("error"):
            self.log.error("the wait broke off: %s", event["error"])
        importer, labeller = self._open(context)
        assert isinstance(labeller, HttpLabeller)  # noqa: S101 - it was one before the wait
        answering.begin(importer, labeller)
        said: list[Labelled | LabelFailure] = []
        left = 0
        for shard in shards_of(importer, self.task):
            taken, still_open = answering.collect_shard(importer, labeller, shard)
            said, left = said + taken, left + still_open
        if left:
            raise TransientError(f"{left} events still wait for {labeller.name}; {len(said)} answers were taken")
        return self._summary(said)

    def _send(self, importer: Importer, labeller: HttpLabeller) -> dict[str, Any]:
        from wayside.videos import answering
        from wayside_airflow.triggers.labels import AnswersTrigger

        sent = [
            one for shard in shards_of(importer, self.task) for one in answering.send_shard(importer, labeller, shard)
        ]
        wait = labeller.wait_for(f"{importer.job.run}-{self.task['task']}", sent)
        self.log.info("%s events sent to %s", len(sent), labeller.name)
        if wait:
            self.defer(trigger=AnswersTrigger(wait), method_name="collect")
        taken = [answering.collect_shard(importer, labeller, shard)[0] for shard in shards_of(importer, self.task)]
        return self._summary([said for some in taken for said in some])

    def _open(self, context: Context) -> tuple[Importer, Labeller]:
        importer = importer_of_run(context)
        return importer, open_run_labeller(importer.settings, importer.job)

    def _summary(self, said: Sequence[Labelled | LabelFailure]) -> dict[str, Any]:
        from wayside.videos.answering import failures

        failed = failures(said)
        for one in failed[:_NAMED]:
            self.log.warning("%s: %s: %s", one.event, one.reason, one.message)
        outcomes = Counter(one.reason for one in failed)
        return {"task": self.task["task"], "labelled": len(said) - len(failed), **outcomes}


class PublishVideosOperator(BaseOperator):
    """Publish files, segments, events and labels of everything that is finished, also of earlier runs."""

    operator_extra_links = (JobLink(),)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run_shown = ""

    def execute(self, context: Context) -> dict[str, int]:
        """Return the number of files by status.

        Raises:
            AuditError: not one file is of use, or a hook did not take note of its videos. What is known is published.
        """
        importer = _begun(context)
        if importer is None:
            self.log.info("no archive was scanned, so there is nothing to publish")
            return {}
        states = importer.publish()
        self.run_shown = importer.job.run
        self.log.info("published: %s", states)
        self._finish(importer)
        if set(states) == {"quarantined"}:
            raise AuditError("not one file of the archive is of use: see the reasons on the page Jobs, and the pattern")
        return states

    def _finish(self, importer: Importer) -> None:
        """Tell a hook that all videos were handed over."""
        from wayside.videos import answering

        labeller = open_run_labeller(importer.settings, importer.job) if importer.has_shards() else None
        if labeller is None or not labeller.takes_videos:
            return
        answering.begin(importer, labeller)
        if not labeller.finish():
            raise AuditError(f"{labeller.name} did not register its jobs: clear this task, and it is asked again")


class ExportVideosOperator(BaseOperator):
    """Write the labels of the archive as files, where the run names an output."""

    def execute(self, context: Context) -> list[str]:
        """Return the addresses of the files."""
        importer = importer_of_run(context)
        written = importer.export()
        if not importer.job.export:
            self.log.info("the run names no output: the page Jobs has the labels")
        for one in written:
            self.log.log(20 if one.uri else 30, "%s", one)
        return [one.uri for one in written if one.uri]


def open_importer(settings: Settings, job: ImportJob) -> Importer:
    """Return a run, its buckets opened with the connection of the settings."""
    from wayside.videos.importer import Importer
    from wayside_airflow.hooks.services import storage_client

    buckets = any(place.startswith("gs://") for place in (job.input, job.export))
    return Importer(settings, job, client=storage_client(settings) if buckets else None)


def open_run_labeller(settings: Settings, job: ImportJob) -> Labeller:
    """Return the labeller of a run; a service is named by an Airflow connection, and answers to this API server."""
    from wayside.videos.labellers.opened import open_labeller
    from wayside_airflow.hooks.labels import answer_address, label_service

    return open_labeller(job.labeller, settings, connection=label_service, address=answer_address)


def importer_of_run(context: Context) -> Importer:
    """Return the run that was scanned under this name; raise `AuditError` if there is none."""
    importer = _begun(context)
    if importer is None:
        raise AuditError("this run has scanned nothing: read the end of the log of the task scan, and clear that task")
    return importer


def shards_of(importer: Importer, task: Task) -> Iterator[VideoShard]:
    """Yield the shards of one task."""
    for fields in load_tasks(importer, importer.job.run)[task["task"]]:
        yield _shard(fields)


def check_roots(job: ImportJob, settings: Settings) -> None:
    """Raise `ConfigError` unless all places of a run lie below those that the installation allows."""
    from wayside.store.places import below

    for place in filter(None, (job.input, job.export)):
        if not any(below(place, root) for root in settings.videos_roots):
            raise ConfigError(
                f"runs started in Airflow may not use {place}: who looks after the installation can allow it: add "
                "it, or a folder above it, to WAYSIDE_VIDEOS_ROOTS"
            )


def _shard(fields: Mapping[str, Any]) -> VideoShard:
    from wayside.videos.plan import VideoShard

    return VideoShard.model_validate(fields)


def _begun(context: Context) -> Importer | None:
    from wayside.core.settings import Settings
    from wayside.videos.importer import has_job, load_job
    from wayside.warehouse.parquet import open_lake

    settings = Settings()  # type: ignore[call-arg]
    lake, run = open_lake(settings), run_name(context)
    return open_importer(settings, load_job(lake, run)) if has_job(lake, run) else None
