"""Charts of a model's evaluation on gold labels: confusion, reliability, and accuracy over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np

from analytics_platform.analytics.reports.charts import ACCENT, MUTED, Chart

_BINS = 10
_CELL = 18  # px

Outcomes = Sequence[Mapping[str, Any]]
"""Structs of ``item``, ``truth`` (the gold label), ``answer`` (the model's label) and ``confidence``."""


def confusion(outcomes: Outcomes) -> Chart:
    """Draw the number of items for each pair of gold label and answer; right answers are on the diagonal."""
    counts = Counter((entry["truth"], entry["answer"]) for entry in outcomes)
    rows = [{"right": truth, "answer": answer, "count": count} for (truth, answer), count in sorted(counts.items())]
    labels = sorted({label for pair in counts for label in pair})
    base = alt.Chart({"values": rows}).encode(
        x=alt.X("answer:N", scale=alt.Scale(domain=labels), axis=alt.Axis(labelAngle=-60), title="answer"),
        y=alt.Y("right:N", scale=alt.Scale(domain=labels), title="right label"),
    )
    cells = base.mark_rect(color=ACCENT).encode(opacity=alt.Opacity("count:Q", legend=None))
    chart: Chart = alt.layer(cells, base.mark_text(fontSize=10).encode(text="count:Q")).properties(
        width=alt.Step(_CELL), height=alt.Step(_CELL)
    )
    return chart


def reliability(outcomes: Outcomes) -> Chart:
    """Draw the share of right answers against the confidence; the dashed line shows perfect calibration."""
    sure = np.array([entry["confidence"] for entry in outcomes])
    right = np.array([entry["truth"] == entry["answer"] for entry in outcomes])
    bins = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    rows = [
        {
            "confidence": float(sure[bins == n].mean()),
            "right": float(right[bins == n].mean()),
            "items": int((bins == n).sum()),
        }
        for n in sorted(set(bins.tolist()))
    ]
    scale = alt.Scale(domain=[0, 1])
    points = (
        alt.Chart({"values": rows})
        .mark_circle(color=ACCENT)
        .encode(
            x=alt.X("confidence:Q", scale=scale, title="confidence"),
            y=alt.Y("right:Q", scale=scale, title="share right"),
            size=alt.Size("items:Q", legend=None),
        )
    )
    ideal = alt.Chart({"values": [{"at": 0}, {"at": 1}]}).mark_line(color=MUTED, strokeDash=[4, 3])
    return alt.layer(ideal.encode(x="at:Q", y="at:Q"), points)


def history(evaluations: Sequence[Mapping[str, Any]]) -> Chart:
    """Draw the accuracy of every evaluation in order of time, one line per kind of label."""
    counts: Counter[str] = Counter()
    rows = []
    for entry in evaluations:
        counts[entry["kind"]] += 1
        rows.append({"number": counts[entry["kind"]], "accuracy": entry["accuracy"], "kind": entry["kind"]})
    chart: Chart = (
        alt.Chart({"values": rows})
        .mark_line(point=True)
        .encode(
            x=alt.X("number:O", title="evaluation", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("accuracy:Q", scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("kind:N", title=None),
        )
    )
    return chart
