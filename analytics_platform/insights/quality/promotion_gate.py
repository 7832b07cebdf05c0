"""Judging a model by gold labels: its answers, the measures of them, and whether it is no worse than another.

Belongs here: that, for the engine as it is used. Does not belong here: files of labelled texts (``evaluate``).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.insights.engine import InsightEngine
from analytics_platform.insights.heads.label_model import LabelModel
from analytics_platform.insights.tiers.examples import as_messages, version_of
from analytics_platform.insights.tiers.tier import Kind
from analytics_platform.model.learning_tables import MODEL_EVALUATION

_JUDGED: tuple[Kind, ...] = ("topic", "intent", "sentiment")
FEWEST_ITEMS = 20
"""Gold labels of topic and intent together below which no model is promoted: fewer tell nothing."""


def evaluate_model(engine: InsightEngine, model: LabelModel, gold: pa.Table, at: dt.datetime) -> pa.Table:
    """Return ``MODEL_EVALUATION`` of one model on these gold labels, a row per kind of label that there are of.

    Args:
        engine: Labels by that model.
        model: The model.
        gold: ``GOLD_LABELS``; at least one.
        at: Time of the evaluation.
    """
    from analytics_platform.insights.quality.evaluate import measure  # noqa: PLC0415  (scikit-learn takes seconds to import)

    ids, documents = engine.conversation_documents(as_messages(gold))
    rows: list[dict[str, Any]] = []
    for kind in _JUDGED:
        items = gold.filter(pc.equal(gold["kind"], kind))
        place = pc.index_in(items["item"], value_set=ids)
        known = items.filter(pc.is_valid(place))
        if not known.num_rows:
            continue
        answer = engine.tier.classify(kind, documents[kind])
        confidence = np.round(answer.confidence[place.drop_null().to_numpy()], 6)
        truth = known["label"].to_pylist()
        chosen = confidence.argmax(axis=1)
        found = zip(known["item"].to_pylist(), truth, chosen, confidence.max(axis=1), strict=True)
        measures = measure(answer.labels, confidence, truth)
        rows.append(
            {
                "evaluated_at": at,
                "model_id": model.model_id,
                "kind": kind,
                "gold_version": version_of(gold),
                "engine_version": engine.version,
                "taxonomy_version": engine.taxonomy.version,
                "corrections": model.corrections,
                "items": len(truth),
                **{name: measures[name] for name in ("accuracy", "macro_f1", "ece")},
                "outcomes": [
                    {"item": item, "truth": right, "answer": answer.labels[column], "confidence": float(sure)}
                    for item, right, column, sure in found
                ],
            }
        )
    return MODEL_EVALUATION.from_rows(rows)


def evaluations_of(history: pa.Table, model_id: str, gold_version: str) -> dict[str, dict[str, Any]]:
    """Return the newest rows of one model on one set of gold labels by kind.

    Args:
        history: ``MODEL_EVALUATION``, which is ascending by time.
        model_id: The model.
        gold_version: The gold labels.
    """
    wanted = pc.and_(pc.equal(history["model_id"], model_id), pc.equal(history["gold_version"], gold_version))
    return {row["kind"]: row for row in history.filter(wanted).to_pylist()}


def why_worse(history: pa.Table, gold_version: str, candidate: str, references: Sequence[str]) -> list[str]:
    """Return why a model is worse than others, one line each; an empty list means that it is not.

    Compared item by item: where both are right or both are wrong says nothing. Of the items on which they differ,
    chance alone would have the candidate lose ``√n`` more than it wins about one time in six; whoever loses more than
    that is worse. A tolerance of zero would refuse half of the models that are as good. The defaults are among
    the references each time, so that many small losses do not add up.

    Args:
        history: ``MODEL_EVALUATION``.
        gold_version: The gold labels to judge by.
        candidate: Its ``model_id``.
        references: Those that it has to be no worse than.
    """
    mine = evaluations_of(history, candidate, gold_version)
    items = sum(row["items"] for row in mine.values())
    if items < FEWEST_ITEMS:
        return [f"only {items} gold labels to judge by, fewer than {FEWEST_ITEMS}"]
    found = []
    for reference in dict.fromkeys(references):
        theirs = evaluations_of(history, reference, gold_version)
        for kind, row in mine.items():
            lost, won = _differences(row["outcomes"], theirs[kind]["outcomes"])
            if lost - won > math.sqrt(lost + won):
                found.append(
                    f"{kind}: {row['accuracy']:.3f} right, model {reference} {theirs[kind]['accuracy']:.3f}; "
                    f"{lost} gold labels lost, {won} won, of {row['items']}"
                )
    return found


def _differences(mine: Sequence[dict[str, Any]], theirs: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """Return how many items only the other model answers rightly, and how many only this one."""
    right = {entry["item"]: entry["answer"] == entry["truth"] for entry in theirs}
    pairs = [(entry["answer"] == entry["truth"], right[entry["item"]]) for entry in mine]
    return sum(not one and other for one, other in pairs), sum(one and not other for one, other in pairs)
