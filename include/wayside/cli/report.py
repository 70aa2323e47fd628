"""The demo's page: pictures with what was found on them, counts over time, and what the cameras did wrong.

One HTML file beside its pictures and Plotly's own script, so that it opens from disk without a network.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wayside.core.slots import Slot
from wayside.core.tables import COUNT_CLASSES

if TYPE_CHECKING:
    from wayside.stills.ingest import Ingest

PICTURES_PER_SOURCE = 12
COLOURS = dict(
    zip(COUNT_CLASSES, ("#d97706", "#2563eb", "#059669", "#7c3aed", "#dc2626", "#64748b", "#0891b2"), strict=True)
)


@dataclass(frozen=True)
class Section:
    """One source on the page: what was analysed with which pipeline, from slot `first` to `last`."""

    source: str
    pipeline: str
    first: Slot
    last: Slot


def write_report(work: "Ingest", sections: list[Section], folder: Path) -> Path:
    """Write the page for `sections` into `folder`, drop the pictures of older ones, and return its path."""
    import jinja2

    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True
    )
    shown: list[dict[str, Any]] = [
        {
            "section": section,
            "chart": _chart(work, section),
            "pictures": _pictures(work, section, folder),
            "faults": _faults(work, section),
        }
        for section in sections
    ]
    page = folder / "index.html"
    page.write_text(environment.get_template("demo.html").render(sections=shown), encoding="utf-8")
    _write_plotly(folder)
    used = {picture["file"] for one in shown for picture in one["pictures"]}
    for path in (folder / "pictures").glob("*.jpg"):
        if path.relative_to(folder).as_posix() not in used:
            path.unlink()
    return page


def _write_plotly(folder: Path) -> None:
    from plotly.offline import get_plotlyjs

    (folder / "plotly.min.js").write_text(get_plotlyjs(), encoding="utf-8")


def _chart(work: "Ingest", section: Section) -> str | None:
    """Return the counts over time as a Plotly fragment; None where there is one slot only."""
    import plotly.graph_objects as go

    if section.first == section.last:
        return None
    sums = ", ".join(f"sum({name})" for name in COUNT_CLASSES)
    with work.warehouse.connect([section.source], None, [section.pipeline]) as database:
        rows = database.execute(
            f"SELECT slot, {sums} FROM counts WHERE slot BETWEEN $first AND $last GROUP BY slot ORDER BY slot",  # noqa: S608
            {"first": section.first.start, "last": section.last.start},
        ).fetchall()
    figure = go.Figure()
    for column, name in enumerate(COUNT_CLASSES, start=1):
        values = [row[column] for row in rows]
        if any(values):
            figure.add_scatter(
                x=[row[0] for row in rows], y=values, name=name, mode="lines", line={"color": COLOURS[name], "width": 2}
            )
    figure.update_layout(
        height=320,
        margin={"l": 40, "r": 10, "t": 10, "b": 30},
        hovermode="x unified",
        template="plotly_white",
        yaxis={"title": "objects on all stills", "rangemode": "tozero"},
        legend={"orientation": "h", "y": 1.12},
    )
    return str(figure.to_html(full_html=False, include_plotlyjs=False, config={"displayModeBar": False}))


def _pictures(work: "Ingest", section: Section, folder: Path) -> list[dict[str, Any]]:
    """Draw and write the busiest picture of each of the busiest cameras."""
    counted = " + ".join(f"coalesce({name}, 0)" for name in COUNT_CLASSES)
    with work.warehouse.connect([section.source], None, [section.pipeline]) as database:
        rows = database.execute(
            f"SELECT camera, max_by(slot, {counted}), max({counted}), any_value(name) "  # noqa: S608
            "FROM counts LEFT JOIN (SELECT camera, name FROM cameras) USING (camera) "
            "WHERE slot BETWEEN $first AND $last AND NOT faulty AND NOT missing "
            "GROUP BY camera ORDER BY 3 DESC, 1 LIMIT $limit",
            {"first": section.first.start, "last": section.last.start, "limit": PICTURES_PER_SOURCE},
        ).fetchall()
    drawn = (_picture(work, section, folder, camera, Slot(moment), name or camera) for camera, moment, _, name in rows)
    return [picture for picture in drawn if picture]


def _picture(
    work: "Ingest", section: Section, folder: Path, camera: str, slot: Slot, name: str
) -> dict[str, Any] | None:
    """Draw one picture and return what the page says of it; None for one that is no longer in the store."""
    import numpy as np

    from wayside.core.tables import DETECTIONS
    from wayside.store import picture_key
    from wayside.vision.annotate import annotate
    from wayside.vision.decode import decode, encode_jpeg
    from wayside.vision.detections import Detections
    from wayside.warehouse.scope import Scope

    stored = work.store.read(picture_key(section.source, slot, camera))
    if stored is None:
        return None
    rows = [
        row
        for row in work.warehouse.read(DETECTIONS, Scope(section.source, slot, section.pipeline)).to_pylist()
        if row["camera"] == camera
    ]
    found = Detections(
        np.array([[row[edge] for edge in ("x1", "y1", "x2", "y2")] for row in rows], np.float32).reshape(-1, 4),
        np.array([row["score"] for row in rows], np.float32),
        tuple(row["label"] for row in rows),
    )
    static = np.array([row["static"] for row in rows], bool)
    file = f"pictures/{section.source}-{slot}-{camera}.jpg"
    (folder / file).write_bytes(encode_jpeg(annotate(decode(stored.data).image, found, static)))
    counted = [label for label, still in zip(found.labels, static, strict=True) if not still]
    counts = {label: counted.count(label) for label in COUNT_CLASSES if label in counted}
    return {"file": file, "name": name, "camera": camera, "slot": slot, "counts": counts, "static": int(static.sum())}


def _faults(work: "Ingest", section: Section) -> list[tuple[str, str, int]]:
    """Return (camera, reason, slots) for pictures that could not be counted, most frequent first."""
    with work.warehouse.connect([section.source], None, [section.pipeline]) as database:
        return list(
            database.execute(
                "SELECT camera, CASE WHEN missing THEN 'missing: ' ELSE 'faulty: ' END || coalesce(reason, 'unknown'), "
                "count(*) "
                "FROM counts WHERE (faulty OR missing) AND slot BETWEEN $first AND $last "
                "GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 12",
                {"first": section.first.start, "last": section.last.start},
            ).fetchall()
        )
