"""Retention as operators: say what would be deleted, delete that and nothing else, compact and tidy up.

What is done is written in `wayside.stills.expire` and `wayside.stills.tidy`. The decisions of a run are kept in the
lake under its name: the task that deletes carries out what the one before has told, and looks again at each.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, Context, conf

from wayside.core.clock import utc_now
from wayside_airflow.operators.common import chosen_sources, ingest_stages
from wayside_airflow.ranges import run_name


class PlanExpiryOperator(BaseOperator):
    """Decide which pictures of the sources have expired, and note it in `expiries`. Nothing is deleted.

    Args:
        sources: names of sources, separated by commas; all that say `keep_days` if empty. (templated)
    """

    template_fields: Sequence[str] = ("sources",)

    def __init__(self, *, sources: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sources = sources

    def execute(self, context: Context) -> list[str]:
        """Return the sources that keep pictures for a limited time."""
        from wayside.sources.registry import load_sources
        from wayside.stills import expire

        work, run, now = ingest_stages(), run_name(context), utc_now()
        specs = load_sources(work.settings)
        self._tell_forgotten(set(work.store.folders("")) - set(specs))
        named = chosen_sources(work.settings, self.sources) if self.sources else list(specs)
        found = []
        for name in named:
            keep_days = specs[name].keep_days
            if keep_days is None:
                self.log.info("%s keeps its pictures: it has no `keep_days` in sources.yaml", name)
                continue
            decisions = expire.plan_expiry(work.store, work.warehouse, specs[name], keep_days, now)
            for decision in decisions:
                expire.note(work.warehouse, decision, run, now)
                self.log.info("would delete: %s", decision)
            work.warehouse.save_plan(_name(run, name), [decision.as_json() for decision in decisions])
            pictures, size = sum(one.pictures for one in decisions), sum(one.bytes for one in decisions)
            self.log.info("%s: %d pictures, %.1f MB, older than %d days", name, pictures, size / 1e6, keep_days)
            found.append(name)
        return found

    def _tell_forgotten(self, sources: Collection[str]) -> None:
        for name in sorted(sources):
            self.log.warning(
                "pictures of %s are kept for good: sources.yaml does not name it any more; put it back with "
                "`keep_days` and `enabled: false`, and they expire",
                name,
            )


class ExpireOperator(BaseOperator):
    """Delete the pictures of one source that the run has decided on.

    Args:
        source: name of the source. (templated)
        dry: whether to delete nothing. (templated)
    """

    template_fields: Sequence[str] = ("source", "dry")

    def __init__(self, *, source: str, dry: bool | str = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.dry = dry

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the source and how many pictures and bytes went."""
        from wayside.stills import expire

        work, run = ingest_stages(), run_name(context)
        decisions = [expire.Decision.from_json(one) for one in work.warehouse.load_plan(_name(run, self.source))]
        gone = {"pictures": 0, "bytes": 0}
        if str(self.dry).lower() != "false":
            self.log.info("this is a dry run: nothing of %s is deleted", self.source)
            return {"source": self.source, **gone}
        for decision in decisions:
            row = expire.apply(work.store, work.warehouse, decision, run, utc_now())
            if row is None:
                continue
            self.log.info("%s: %s", row["action"], decision)
            if row["action"] == "deleted":
                gone = {"pictures": gone["pictures"] + row["pictures"], "bytes": gone["bytes"] + row["bytes"]}
        return {"source": self.source, **gone}


class ExpireCoversOperator(BaseOperator):
    """Remove pictures and cuts of video events that are older than the setting `covers_days`; the events stay.

    Stills of zones and pictures of faces go too: for how long these are kept is said by zones and their processors.

    Args:
        dry: whether to delete nothing. (templated)
    """

    template_fields: Sequence[str] = ("dry",)

    def __init__(self, *, dry: bool | str = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dry = dry

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many files went, and how many bytes of events."""
        from wayside.core.settings import Settings
        from wayside.videos import tidy
        from wayside.warehouse.parquet import open_lake
        from wayside.zones.registry import Registry
        from wayside.zones.tidy import prune_pictures

        settings, now = Settings(), utc_now()  # type: ignore[call-arg]
        old = tidy.plan(settings, now)
        self.log.info("older than %s days: %s", settings.covers_days, tidy.counted(old))
        if str(self.dry).lower() != "false":
            self.log.info("this is a dry run: nothing is deleted")
            return {"files": 0, "bytes": 0}
        gone = tidy.carry_out(settings, old, now)
        lake = open_lake(settings)
        pictures = prune_pictures(lake, Registry(lake, settings), now)
        self.log.info("deleted: %s; %d stills and pictures of faces of zones", gone, pictures)
        return {"files": sum(gone.files.values()) + pictures, "bytes": sum(gone.bytes.values())}


class CompactOperator(BaseOperator):
    """Make one file of each table, source and day of what was published slot by slot.

    Args:
        days: days that ended at least so many days ago are compacted. (templated)
    """

    template_fields: Sequence[str] = ("days",)

    def __init__(self, *, days: int | str = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.days = days

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many days were compacted, out of how many files."""
        done = ingest_stages().warehouse.compact(utc_now().date() - timedelta(days=max(1, int(self.days))))
        self.log.info("%d files of slots went into %d files of days", done.slots, done.days)
        return {"days": done.days, "files": done.slots}


class TidyOperator(BaseOperator):
    """Remove staged parts, plans and logs that nobody needs any more. No row of a table changes.

    Args:
        log_days: days for which log files of tasks are kept. (templated)
    """

    template_fields: Sequence[str] = ("log_days",)

    def __init__(self, *, log_days: int | str = 30, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.log_days = log_days

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many files and bytes went."""
        from wayside.stills import tidy

        lake, now = ingest_stages().warehouse, utc_now()
        removed = {
            "staging": tidy.prune_staging(lake, now),
            "published": tidy.prune_lasting(lake, now),
            "outbox": tidy.prune_outbox(lake, now),
        }
        logs = Path(str(conf.get("logging", "base_log_folder", fallback="") or ""))
        if logs.is_absolute() and logs.is_dir():
            removed["logs"] = tidy.prune_logs(logs, now, int(self.log_days))
        for name, what in removed.items():
            self.log.info("%s: %s", name, what)
        return {
            "files": sum(what.files for what in removed.values()),
            "bytes": sum(what.bytes for what in removed.values()),
        }


def _name(run: str, source: str) -> str:
    return f"expiry-{run}.{source}"
