"""The charts of a report: Altair specifications, and their rendering to SVG without a network.

The renderer takes 1 to 2 ms per text, so axes carry few labels and the page shows the titles. Lines and texts have the
colour ``currentColor``: a chart inline in a page follows the page's light or dark text.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import altair as alt
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import vl_convert as vlc

from analytics_platform.analytics.reports import wording
from analytics_platform.analytics.reports.evidence import OTHER
from analytics_platform.system.plain_text import on_one_line, with_symbols

Chart: TypeAlias = alt.Chart | alt.LayerChart | alt.FacetChart

# Blue, orange and grey: distinct for colour-blind readers, contrast at least 3:1 on white and on the dark page.
ACCENT, WARM, MUTED = "#3b82c4", "#c8622b", "#8a8f98"
_INK = "currentColor"
_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"  # the first is bundled with the renderer: same metrics anywhere
_WIDTH, _HEIGHT = 340, 170  # px of the plotting area
_BESIDE_LABELS, _ROW = 230, 22  # px: width where labels stand beside the bars, height of a bar with its gap
_AXIS = {
    "labelColor": _INK,
    "titleColor": _INK,
    "domainColor": _INK,
    "tickColor": _INK,
    "gridColor": _INK,
    "domainOpacity": 0.4,
    "tickOpacity": 0.4,
    "gridOpacity": 0.12,
    "labelFont": _FONT,
    "titleFont": _FONT,
    "labelFontSize": 12,
    "titleFontSize": 12,
    "titleFontWeight": "normal",
    "labelOverlap": False,
    "labelLimit": 0,  # texts are short already: a limit would have each measured once more
    "titleLimit": 0,
}
_CONFIG = {
    "aria": False,  # the page describes each chart once, instead of every bar
    "background": None,
    "font": _FONT,
    "view": {"stroke": None},
    "axis": _AXIS,
    "title": {"color": _INK, "font": _FONT, "fontSize": 14, "anchor": "start"},
}
TOPICS_SHOWN, _TOPIC_LENGTH = 6, 26
_LARGEST_SHOWN = 12
_ROOM_FOR_LABELS = {"left": 24, "top": 5, "right": 5, "bottom": 5}
"""Pixels around bars with labels; a reader's font may be wider than the one that measured the labels."""
_SENTIMENT_EDGES = np.linspace(-1, 1, 9)


def conversations_per_day(counts: Mapping[dt.date, int], date: dt.date, usual: float | None) -> Chart:
    """Draw a bar per day up to ``date``, with ``date`` highlighted, and the usual number as a dashed line.

    Args:
        counts: Number of conversations of each day with data; a day without data stays a gap.
        date: The reported day; must be the last day in ``counts``.
        usual: The usual number of conversations; None for no line.
    """
    first = min(counts)
    days = [first + dt.timedelta(days=n) for n in range((date - first).days + 1)]
    shown = [_short(day) for day in reversed(days[:: -1 if len(days) <= 6 else -3])]
    rows = [
        {"day": _short(day), "count": count, "part": "this day" if day == date else "days before"}
        for day, count in sorted(counts.items())
    ]
    bars = (
        _chart(rows)
        .mark_bar()
        .encode(
            x=alt.X(
                "day:O", title=None, scale=alt.Scale(domain=[_short(day) for day in days]), axis=_ticks(values=shown)
            ),
            y=_count_axis(max(counts.values())),
            color=_colours({"this day": ACCENT, "days before": MUTED}),
        )
    )
    if usual is None:
        return _sized(bars)
    mean = _chart([{"mean": usual}]).mark_rule(color=_INK, strokeDash=[4, 3], opacity=0.6)
    return _sized(alt.layer(bars, mean.encode(y=alt.Y("mean:Q"))))


def hours_of_day(hourly: Sequence[int]) -> Chart:
    """Draw the number of conversations started in each of the 24 UTC hours."""
    rows = [{"start": hour, "end": hour + 1, "count": count} for hour, count in enumerate(hourly)]
    chart = (
        _chart(rows)
        .mark_bar(color=ACCENT, binSpacing=1)
        .encode(
            x=alt.X(
                "start:Q",
                bin="binned",
                title="hour of the day (UTC)",
                scale=alt.Scale(domain=[0, 24]),
                axis=_ticks(values=[0, 6, 12, 18, 24]),
            ),
            x2=alt.X2("end:Q"),
            y=_count_axis(max(hourly)),
        )
    )
    return _sized(chart)


def topics_of_day(topics: Sequence[Mapping[str, Any]]) -> Chart:
    """Draw the most frequent topics with their numbers; in grey, all further topics together and the topic ``other``.

    Args:
        topics: Structs of ``label`` and ``count``, most frequent first; at least one.
    """
    known = [
        (wording.label(topic["label"], _TOPIC_LENGTH), topic["count"]) for topic in topics if topic["label"] != OTHER
    ]
    bars = [(name, count, False) for name, count in known[:TOPICS_SHOWN]]
    rest = [count for _, count in known[TOPICS_SHOWN:]]
    if rest:
        bars.append((wording.count(len(rest), "further topic"), sum(rest), True))
    unknown = sum(topic["count"] for topic in topics if topic["label"] == OTHER)
    if unknown:
        bars.append(("no known topic", unknown, True))
    return _topic_bars(bars)


def largest_topics(topics: Sequence[Mapping[str, Any]]) -> Chart:
    """Draw the largest topics with their numbers, and no other ones, whose sum would make all bars short.

    Args:
        topics: Structs of ``label`` and ``count``, the largest first; at least one.
    """
    shown = topics[:_LARGEST_SHOWN]
    return _topic_bars([(wording.label(topic["label"], _TOPIC_LENGTH), topic["count"], False) for topic in shown])


def _topic_bars(bars: Sequence[tuple[str, int, bool]]) -> Chart:
    """Draw names and counts; true for a bar in grey."""
    rows = [{"place": place, "count": count, "grey": grey} for place, (_, count, grey) in enumerate(bars)]
    # Before JSON, whose escapes carry control characters past ``_readable``: the renderer aborts the process at one.
    names = json.dumps([with_symbols(f"{name}: {count:,}") for name, count, _ in bars])
    axis = alt.Axis(domain=False, ticks=False, labelPadding=6, labelExpr=f"{names}[datum.value]")
    chart = (
        _chart(rows)
        .mark_bar()
        .encode(
            x=alt.X("count:Q", axis=None),
            # By place, since bars of one name would be one bar.
            y=alt.Y("place:O", sort=None, title=None, axis=axis),
            color=_colours({False: ACCENT, True: MUTED}, field="grey"),
        )
    )
    sized: Chart = _sized(chart, _BESIDE_LABELS, alt.Step(_ROW)).properties(padding=_ROOM_FOR_LABELS)
    return sized


def sentiment_distribution(sentiments: pa.ChunkedArray) -> Chart:
    """Draw the number of conversations in each sentiment interval of width 0.25; missing values are left out.

    Args:
        sentiments: One value from -1 to 1 per conversation.
    """
    counts, edges = np.histogram(pc.drop_null(sentiments).to_numpy(), bins=_SENTIMENT_EDGES)
    tones = ["negative"] * 3 + ["neutral"] * 2 + ["positive"] * 3
    rows = [
        {"from": float(low), "to": float(high), "count": int(count), "tone": tone}
        for low, high, count, tone in zip(edges[:-1], edges[1:], counts, tones, strict=True)
    ]
    chart = (
        _chart(rows)
        .mark_bar(binSpacing=1)
        .encode(
            x=alt.X(
                "from:Q",
                bin="binned",
                title="sentiment, from very negative to very positive",
                axis=_ticks(values=[-1, -0.5, 0, 0.5, 1]),
            ),
            x2=alt.X2("to:Q"),
            y=_count_axis(int(counts.max())),
            color=_colours({"negative": WARM, "neutral": MUTED, "positive": ACCENT}, field="tone"),
        )
    )
    return _sized(chart)


def to_svg(chart: Chart) -> str:
    """Render a chart as SVG text; equal charts give equal text."""
    return str(vlc.vegalite_to_svg(_specification(chart), allowed_base_urls=[]))


def metadata_chart(title: str, svg: str) -> str:
    """Return a rendered chart as Markdown for an asset's metadata: an image in a data URI, which Dagster's UI shows.

    It reuses the page's SVG, so no second rendering is needed. An SVG has a third of a PNG's size and is sharp at any
    zoom.

    Args:
        title: Line above the chart, and its alternative text.
        svg: A chart of this module, from ``to_svg``.
    """
    on_white = svg.replace("<svg ", '<svg style="background:#fff" ', 1)  # the UI may be dark, the ink is black there
    encoded = base64.b64encode(on_white.encode()).decode()
    plain = "".join(character for character in on_one_line(title) if character not in "[]\\*`")
    return f"**{plain}**\n\n![{plain}](data:image/svg+xml;base64,{encoded})"


def _specification(chart: Chart) -> dict[str, Any]:
    specification = _readable(chart.to_dict(validate=False))  # validation would double the time of a small chart
    return {**specification, "config": {**_CONFIG, "background": None}}


def _readable(value: Any) -> Any:
    """Return a part of a specification with control and direction characters of its texts replaced by symbols."""
    if isinstance(value, str):
        return with_symbols(value)
    if isinstance(value, dict):
        return {name: _readable(item) for name, item in value.items()}
    return [_readable(item) for item in value] if isinstance(value, list) else value


def _chart(rows: Iterable[Mapping[str, Any]]) -> alt.Chart:
    return alt.Chart({"values": list(rows)})


def _sized(chart: Chart, width: int = _WIDTH, height: int | alt.Step = _HEIGHT) -> Chart:
    sized: Chart = chart.properties(width=width, height=height)
    return sized


def _count_axis(highest: int) -> alt.Y:
    """Return a count axis with at most four whole-numbered ticks: enough to read a bar, and cheap to render."""
    step = max(1, -(-highest // 3))
    magnitude = 10 ** (len(str(step)) - 1)
    step = -(-step // magnitude) * magnitude
    ticks = [step * n for n in range(4) if step * n <= highest] or [0]
    axis = alt.Axis(values=ticks, format=",d", ticks=False, domain=False, titlePadding=8)
    return alt.Y("count:Q", title="conversations", axis=axis, scale=alt.Scale(domain=[0, max(highest, 1)]))


def _ticks(values: Sequence[Any]) -> alt.Axis:
    return alt.Axis(values=list(values), labelAngle=0, grid=False)


def _colours(colours: Mapping[Any, str], field: str = "part") -> alt.Color:
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    return alt.Color(f"{field}:N", scale=scale, legend=None)


def _short(day: dt.date) -> str:
    return f"{day.day} {day:%b}"
