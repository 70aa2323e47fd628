"""Series as files: the CSV that the readers of chrono_lens know, and a page with charts.

The functions take rows of table `timeseries` and return what is to be written. The page is one HTML file with Plotly's
script inside, so that it opens anywhere without a network.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from wayside.core.tables import SERIES_CLASSES

CSV_COLUMNS: Final = ("Location", "Type", "Date", "SA", "Trend", "Original", "Imputed")
_HISTORY = 4  # weeks
_BLUE, _ORANGE, _RED, _GREY = "#2563eb", "#d97706", "#dc2626", "#94a3b8"

Row = dict[str, Any]


def file_name(last: date, suffix: str = "csv") -> str:
    """Return the name of a file whose last day is `last`, as chrono_lens calls it: `Trafcam_data_20260531.csv`."""
    return f"Trafcam_data_{last:%Y%m%d}.{suffix}"


def csv_text(rows: Iterable[Row]) -> str:
    """Write the whole history in the columns of chrono_lens, and the imputed share.

    SA and Trend are whole numbers, as they were there; a value that is not known is empty.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in _ordered(rows):
        writer.writerow(
            (
                row["source"],
                row["series"],
                row["day"].isoformat(),
                *("" if row[name] is None else f"{row[name]:.0f}" for name in ("sa", "trend")),
                "" if row["original"] is None else f"{row['original']:.3f}".rstrip("0").rstrip("."),
                f"{row['imputed_share']:.4f}",
            )
        )
    return text.getvalue()


def as_page(rows: Iterable[Row], notes: Mapping[str, Sequence[str]]) -> str:
    """Write the page: for each source and class the series, how much of it is imputed, and its last four weeks.

    Args:
        rows: rows of table `timeseries`.
        notes: for each source, sentences that belong beside its charts.
    """
    import jinja2
    from plotly.offline import get_plotlyjs

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True
    )
    sources: dict[str, dict[str, list[Row]]] = {}
    for row in _ordered(rows):
        sources.setdefault(row["source"], {}).setdefault(row["series"], []).append(row)
    shown = [
        {
            "source": source,
            "pipeline": next(iter(series.values()))[0]["pipeline"],
            "notes": notes.get(source, ()),
            "charts": [{"name": name, "said": _said(days), "chart": _chart(days)} for name, days in series.items()],
        }
        for source, series in sources.items()
    ]
    return environment.get_template("timeseries.html").render(sources=shown, plotly=get_plotlyjs())


def _ordered(rows: Iterable[Row]) -> list[Row]:
    """Return the rows by source, class and day, classes in the order of the tables."""
    order = {name: place for place, name in enumerate(SERIES_CLASSES)}
    return sorted(rows, key=lambda row: (row["source"], row["pipeline"], order[row["series"]], row["day"]))


def _said(days: list[Row]) -> str:
    """Say in one line what a series is made of."""
    outliers = [row for row in days if row["outlier"]]
    share = sum(row["imputed_share"] for row in days) / len(days)
    told = f"{days[0]['day']} to {days[-1]['day']}, up to {max(row['cameras'] for row in days)} cameras"
    return f"{told}, {100 * share:.1f} % imputed, {len(outliers)} outliers"


def _chart(days: list[Row]) -> str:
    """Return the three charts of a series as one Plotly fragment."""
    from plotly.subplots import make_subplots

    figure = make_subplots(
        rows=2,
        cols=2,
        row_heights=[0.78, 0.22],
        column_widths=[0.7, 0.3],
        specs=[[{}, {"rowspan": 2}], [{}, None]],
        shared_xaxes=True,
        vertical_spacing=0.06,
        horizontal_spacing=0.06,
        subplot_titles=("", f"last {_HISTORY} weeks, by weekday", ""),
    )
    _add_series(figure, days)
    _add_history(figure, days)
    figure.update_layout(
        height=420,
        margin={"l": 50, "r": 10, "t": 30, "b": 30},
        template="plotly_white",
        legend={"orientation": "h", "y": 1.12},
    )
    figure.update_yaxes(title="objects a day", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title="imputed", tickformat=".0%", range=[0, 1], row=2, col=1)
    figure.update_yaxes(rangemode="tozero", row=1, col=2)
    return str(figure.to_html(full_html=False, include_plotlyjs=False, config={"displayModeBar": False}))


def _add_series(figure: Any, days: list[Row]) -> None:
    when = [row["day"] for row in days]
    lines = (
        ("original", "original", {"color": _GREY, "width": 1}),
        ("sa", "seasonally adjusted", {"color": _BLUE, "width": 1.5}),
        ("trend", "trend", {"color": _ORANGE, "width": 2.5}),
    )
    for column, name, line in lines:
        figure.add_scatter(x=when, y=[row[column] for row in days], name=name, mode="lines", line=line, row=1, col=1)
    for kind, name, symbol in (("AO", "day apart (AO)", "circle-open"), ("LS", "new level (LS)", "triangle-up-open")):
        odd = [row for row in days if row["outlier"] == kind]
        if odd:
            figure.add_scatter(
                x=[row["day"] for row in odd],
                y=[row["original"] for row in odd],
                name=name,
                mode="markers",
                marker={"color": _RED, "size": 9, "symbol": symbol},
                row=1,
                col=1,
            )
    shares = [row["imputed_share"] for row in days]
    figure.add_bar(x=when, y=shares, name="imputed", marker={"color": _GREY}, showlegend=False, row=2, col=1)


def _add_history(figure: Any, days: list[Row]) -> None:
    """Lay the last four weeks over each other; the newest is the darkest."""
    last = days[-1]["day"]
    for back in reversed(range(_HISTORY)):
        monday = last - timedelta(days=last.weekday() + 7 * back)
        week = [row for row in days if monday <= row["day"] < monday + timedelta(days=7)]
        figure.add_scatter(
            x=[f"{row['day']:%a}" for row in week],
            y=[row["original"] for row in week],
            name=f"week of {monday:%d %b}",
            mode="lines+markers",
            line={"color": _BLUE, "width": 2 if back == 0 else 1},
            opacity=1.0 - 0.22 * back,
            showlegend=False,
            row=1,
            col=2,
        )
    figure.update_xaxes(
        categoryorder="array", categoryarray=["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], row=1, col=2
    )
