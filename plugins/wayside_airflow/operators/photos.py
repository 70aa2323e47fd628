"""Road photos as operators: plan a run over an inbox, anonymise its shards, wait for a person, publish.

What is done is written in `wayside.photos.batch`. A run's job and shards are kept in the lake under its name, so that
tasks that are cleared or tried again go on where they stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.standard.exceptions import HITLTimeoutError
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import BaseOperator, Context

from wayside.core.errors import AuditError, ConfigError
from wayside_airflow.links import PhotosLink, ReviewLink, page
from wayside_airflow.operators.common import Task, TaskOperator, load_tasks, names, save_tasks
from wayside_airflow.ranges import kind_of_run, run_name, who_started

if TYPE_CHECKING:
    from wayside.core.settings import Settings
    from wayside.photos.batch import Batch
    from wayside.photos.job import Job
    from wayside.photos.journal import Note

PUBLISH: Final = "Publish"
DISCARD: Final = "Throw away"
#: Failures that the log of a task names.
_NAMED: Final = 20


class PlanPhotosOperator(BaseOperator):
    """List the inbox, tell what is done, and divide the rest into shards.

    Every field may be empty: then the settings of this installation count, and for the last four the profile.

    Args:
        inbox: folder or `gs://bucket/prefix` with the pictures. (templated)
        outbox: the same, for what is made. (templated)
        archive: the same, for the originals. (templated)
        profile: name or file of a profile. (templated)
        source: name of the inbox in tables and receipts. (templated)
        records: places of the records, separated by commas; `none` for nowhere. (templated)
        previews: places of the previews, separated by commas; `none` for nowhere. (templated)
        delete_input: `yes` or `no`; anything else is what the profile says. (templated)
        redo: the same, for pictures that are done. (templated)
        dry: whether to say only what there is to do. (templated)
    """

    template_fields: Sequence[str] = (
        "inbox", "outbox", "archive", "profile", "source", "records", "previews", "delete_input", "redo", "dry",
    )  # fmt: skip

    def __init__(
        self,
        *,
        inbox: str = "",
        outbox: str = "",
        archive: str = "",
        profile: str = "",
        source: str = "",
        records: str = "",
        previews: str = "",
        delete_input: str = "",
        redo: str = "",
        dry: bool | str = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.inbox = inbox
        self.outbox = outbox
        self.archive = archive
        self.profile = profile
        self.source = source
        self.records = records
        self.previews = previews
        self.delete_input = delete_input
        self.redo = redo
        self.dry = dry

    def execute(self, context: Context) -> list[Task]:
        """Return the tasks; none in a dry run, where there is nothing to do, and where no inbox is set."""
        from wayside.core.settings import Settings
        from wayside.photos.profile import cautions

        settings = Settings()  # type: ignore[call-arg]
        if not (self.inbox or settings.photos_inbox) and kind_of_run(context) == "scheduled":
            self.log.info("no inbox is set: name one in WAYSIDE_PHOTOS_INBOX, and an output in WAYSIDE_PHOTOS_OUTPUT")
            return []
        dry = str(self.dry).lower() != "false"
        batch = open_batch(settings, self._job(context, settings))
        for sentence in cautions(batch.job.profile):
            self.log.warning("%s", sentence)
        plan = batch.plan(dry_run=dry)
        self.log.info(
            "%s pictures in %s: %s done before, %s to do in %s shards; %s other files are left alone%s",
            plan.identified, batch.job.input, plan.done_before, plan.to_do, len(plan.shards), plan.others,
            ". A dry run: nothing was done" if dry else "",
        )  # fmt: skip
        if dry:
            return []
        return save_tasks(batch, run_name(context), [shard.model_dump() for shard in plan.shards], _label)

    def _job(self, context: Context, settings: Settings) -> Job:
        from wayside.photos.job import new_job
        from wayside.photos.profile import load_profile

        scheduled_inbox = not self.inbox or self.inbox == settings.photos_inbox
        job = new_job(
            load_profile(self._profile(settings), settings),
            input=self.inbox or settings.photos_inbox,
            output=self.outbox or (settings.photos_output if scheduled_inbox else ""),
            archive=self.archive or (settings.photos_archive if scheduled_inbox else ""),
            source=self.source,
            run=run_name(context),
            who=who_started(context),
            records=_places(self.records),
            previews=_places(self.previews),
            delete_input=_chosen(self.delete_input),
            redo=_chosen(self.redo),
        )
        check_roots(job, settings)
        return job

    def _profile(self, settings: Settings) -> str:
        """Return the name of the profile; a file is one of the installation's folder alone, whoever starts the run."""
        given = self.profile or settings.photos_profile
        if self.profile and ("/" in given or "\\" in given) and given != settings.photos_profile:
            raise ConfigError(f"profile {given!r}: put the file into include/config/profiles, and give its name")
        return given


class AnonymiseOperator(TaskOperator):
    """Anonymise the pictures of some shards; a picture that fails stops no other."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the number of the task, and of pictures by status."""
        from wayside.photos.plan import Shard

        batch = batch_of_run(context)
        for name in batch.finder.missing:
            self.log.warning("%s is not on this machine, and what it finds stays visible: pull it", name)
        states: Counter[str] = Counter()
        failed: list[str] = []
        for fields in load_tasks(batch, run_name(context))[self.task["task"]]:
            shard = Shard.model_validate(fields)
            for note in batch.do(shard):
                states[note.row["status"]] += 1
                if note.row["status"] == "failed":
                    failed.append(f"{note.photo}: {note.row['detail']}")
            self.log.info("%s: %s", shard.label, dict(states))
        for line in failed[:_NAMED]:
            self.log.warning("failed: %s", line)
        return {"task": self.task["task"], **states}


class ReviewOperator(HITLOperator):
    """Wait for a person, where pictures of the run are held; go on at once where none is.

    The person sees the contact sheet of the page that the text links to, and publishes the run's pictures, all but
    those that the form's field `reject` names (see `params.reject`), or throws them all away.
    """

    operator_extra_links = (ReviewLink(),)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            subject="Look at anonymised pictures before they are published",
            body="Pictures of this run wait: see the contact sheet on the page Photos.",
            options=[PUBLISH, DISCARD],
            **kwargs,
        )
        self.run_shown = ""

    def execute(self, context: Context) -> Any:
        """Wait if pictures are held."""
        batch = _planned(context)
        held = [] if batch is None else _held(batch)
        if not held:
            self.log.info("no picture of this run waits for a person")
            return None
        look_at = sum(bool(note.review) for note in held)
        self.run_shown = run_name(context)
        self.body = (
            f"{len(held)} pictures wait; {look_at} of them should be looked at: see "
            f"[the contact sheet]({page(f'photos/review/{self.run_shown}')})."
        )
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Return the verdict: whether to publish, which pictures not, who said so, and when.

        Raises:
            ConfigError: nobody answered in time. The pictures go on waiting.
        """
        try:
            answer = super().execute_complete(context, event)
        except HITLTimeoutError as error:
            # Not to be tried again by itself: that would ask for as long once more, beyond the end of the run.
            raise ConfigError(
                f"nobody answered within {self.response_timeout}: the pictures go on waiting. Clear `review`, and it "
                f"asks again, or use `wayside review {run_name(context)}`"
            ) from error
        self.run_shown = run_name(context)
        lines = str(answer["params_input"].get("reject") or "").splitlines()
        user = answer["responded_by_user"] or {}
        return {
            "publish": answer["chosen_options"] == [PUBLISH],
            "reject": [line.strip() for line in lines if line.strip()],
            "reviewer": str(user.get("name") or user.get("id") or "unknown"),
            "answered_at": answer["responded_at"].isoformat(),
        }


class PublishPhotosOperator(BaseOperator):
    """Carry a verdict out, if there was one, and publish rows and receipts of everything that is finished.

    Args:
        verdict: what a person said of held pictures; nothing where nobody was asked. (templated)
    """

    template_fields: Sequence[str] = ("verdict",)
    operator_extra_links = (PhotosLink(),)

    def __init__(self, *, verdict: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.verdict = verdict
        self.run_shown = ""

    def execute(self, context: Context) -> dict[str, int]:
        """Return the number of pictures by status.

        Raises:
            AuditError: every picture failed, or some wait that nobody has seen. What is finished is published.
        """
        batch = _planned(context)
        if batch is None:
            self.log.info("nothing was planned, so there is nothing to publish")
            return {}
        held, unseen = _held(batch), 0
        if isinstance(self.verdict, Mapping) and held:
            seen = [note for note in held if _was_there(note, self.verdict)]
            unseen = len(held) - len(seen)
            self._carry_out(batch, seen, self.verdict)
        states = batch.publish()
        self.run_shown = batch.job.run
        self.log.info("published: %s", states)
        self._tell(batch, states, context)
        if unseen:
            raise AuditError(
                f"{unseen} pictures were anonymised after {self.verdict['reviewer']} had answered, so nobody has seen "
                "them, and they go on waiting: clear `review`, and it asks again"
            )
        if states.get("failed") and set(states) == {"failed"}:
            raise AuditError("every picture failed: see the reasons on the page Photos, or in the logs of `anonymise`")
        return states

    def _carry_out(self, batch: Batch, held: Sequence[Note], verdict: Mapping[str, Any]) -> None:
        known = {note.photo for note in held}
        rejected = set(verdict["reject"]) if verdict["publish"] else known
        if unknown := sorted(rejected - known):
            raise ConfigError(
                f"no picture of this run that waits: {', '.join(unknown[:5])}: correct it, and clear `review`"
            )
        batch.release(held, reviewer=verdict["reviewer"], rejected=rejected)
        self.log.info(
            "%s pictures released, %s rejected, by %s", len(known - rejected), len(rejected), verdict["reviewer"]
        )

    def _tell(self, batch: Batch, states: Mapping[str, int], context: Context) -> None:
        """Tell people of failures and of the end, where the profile asks for it; an hour without pictures is no end."""
        from wayside_airflow.notifiers.notify import Notify

        tell = batch.job.profile.tell
        summary = ", ".join(f"{number} {state}" for state, number in states.items())
        if states.get("failed") and tell.errors:
            what_to_do = "see the reasons on the page Photos; mend or remove the pictures, and run it again"
            Notify(kind="noticed", what_to_do=what_to_do, remark=f"pictures failed: {summary}")(context)
        elif states and tell.finish:
            Notify(kind="noticed", what_to_do="nothing", remark=f"{batch.job.source} is finished: {summary}")(context)


def open_batch(settings: Settings, job: Job) -> Batch:
    """Return a run, its buckets opened with the connection of the settings."""
    from wayside.photos.batch import Batch
    from wayside_airflow.hooks.services import storage_client

    buckets = any(place.startswith("gs://") for place in job.addresses.values())
    client = storage_client(settings) if buckets else None
    return Batch(settings, job, client=client)


def batch_of_run(context: Context) -> Batch:
    """Return the run that was planned under this name; raise `AuditError` if there is none."""
    batch = _planned(context)
    if batch is None:
        raise AuditError("there is no plan of this run: read the end of the log of the task plan, and clear that task")
    return batch


def check_roots(job: Job, settings: Settings) -> None:
    """Raise `ConfigError` unless all places of a run lie below those that the installation allows."""
    from wayside.store.places import below

    own = (settings.photos_inbox, settings.photos_output, settings.photos_archive)
    roots = [root for root in (*own, *settings.photos_roots) if root]
    for place in job.addresses.values():
        if not any(below(place, root) for root in roots):
            raise ConfigError(
                f"runs started in Airflow may not use {place}: who looks after the installation can allow it: add "
                "it, or a folder above it, to WAYSIDE_PHOTOS_ROOTS"
            )


def _planned(context: Context) -> Batch | None:
    from wayside.core.settings import Settings
    from wayside.photos.batch import has_job, load_job
    from wayside.warehouse.parquet import open_lake

    settings = Settings()  # type: ignore[call-arg]
    lake, run = open_lake(settings), run_name(context)
    return open_batch(settings, load_job(lake, run)) if has_job(lake, run) else None


def _was_there(note: Note, verdict: Mapping[str, Any]) -> bool:
    """Tell whether a picture was held when a person answered; tasks may be cleared one by one afterwards."""
    return datetime.fromisoformat(note.row["processed_at"]) <= datetime.fromisoformat(verdict["answered_at"])


def _held(batch: Batch) -> list[Note]:
    from wayside.photos.review import waiting

    return waiting(batch.journal.notes(), batch.job.run)


def _places(text: str) -> tuple[str, ...] | None:
    """Read places separated by commas; nothing is what the profile says, `none` is no place."""
    return tuple(name for name in names(text) if name != "none") if text.strip() else None


def _chosen(text: str) -> bool | None:
    return {"yes": True, "no": False}.get(str(text).strip().lower())


def _label(shard: Mapping[str, Any]) -> str:
    return f"{shard['source']} {shard['first'].rpartition('/')[2]}"
