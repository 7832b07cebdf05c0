"""The promotion gate: evaluate a model on gold labels, and compare it with other models."""

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
from analytics_platform.insights.heads.training_set import OUTCOME_KINDS, TAUGHT_KINDS
from analytics_platform.insights.taxonomies.taxonomy import OTHER
from analytics_platform.insights.tiers.examples import as_messages, version_of
from analytics_platform.insights.tiers.tier import choose
from analytics_platform.model.tables.learning_tables import MODEL_EVALUATION

FEWEST_ITEMS = 20
"""Fewest evaluated gold labels, over all kinds together, for promoting a model; fewer are too little evidence."""


def evaluate_model(engine: InsightEngine, model: LabelModel, gold: pa.Table, at: dt.datetime) -> pa.Table:
    """Return ``MODEL_EVALUATION`` of one model on gold labels, one row per kind of label in the gold labels.

    Args:
        engine: Engine with this model.
        model: The model.
        gold: ``GOLD_LABELS``; without any, there is nothing to return.
        at: Time of the evaluation.
    """
    from analytics_platform.insights.quality.evaluate import measure  # noqa: PLC0415  (scikit-learn takes seconds to import)

    if not gold.num_rows:
        return MODEL_EVALUATION.empty()
    messages = as_messages(gold)
    ids, documents = engine.conversation_documents(messages)
    outcomes = (
        engine.judge_outcomes(messages) if pc.any(pc.is_in(gold["kind"], pa.array(OUTCOME_KINDS))).as_py() else {}
    )
    rows: list[dict[str, Any]] = []
    for kind in TAUGHT_KINDS:
        items = gold.filter(pc.equal(gold["kind"], kind))
        place = pc.index_in(items["item"], value_set=ids)
        known = items.filter(pc.is_valid(place))
        if not known.num_rows:
            continue
        answer = outcomes[kind].answer if kind in outcomes else engine.tier.classify(kind, documents[kind])
        confidence = np.round(answer.confidence[place.drop_null().to_numpy()], 6)
        truth = known["label"].to_pylist()
        chosen = choose(confidence, answer.labels.index(OTHER) if OTHER in answer.labels else None)
        sure = confidence[np.arange(len(chosen)), chosen]
        found = zip(known["item"].to_pylist(), truth, chosen, sure, strict=True)
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
                    {"item": item, "truth": right, "answer": answer.labels[column], "confidence": float(one)}
                    for item, right, column, one in found
                ],
            }
        )
    return MODEL_EVALUATION.from_rows(rows)


def evaluations_of(history: pa.Table, model_id: str, gold_version: str) -> dict[str, dict[str, Any]]:
    """Return the newest evaluation of one model on one set of gold labels, by kind.

    Args:
        history: ``MODEL_EVALUATION``, ascending by time.
        model_id: The model.
        gold_version: Version of the gold labels.
    """
    wanted = pc.and_(pc.equal(history["model_id"], model_id), pc.equal(history["gold_version"], gold_version))
    return {row["kind"]: row for row in history.filter(wanted).to_pylist()}


def why_worse(history: pa.Table, gold_version: str, candidate: str, references: Sequence[str]) -> list[str]:
    """Return the reasons why a model is worse than its references, one line each; empty if it is not worse.

    The comparison is by item; items that both models answer rightly, or both wrongly, do not count. Of ``n`` items on
    which the models differ, two equally good models give the candidate a net loss above ``√n`` about one time in six; a
    candidate with a larger net loss is worse. A tolerance of zero would refuse half of the equally good models. The
    default model is always among the references, so that many small losses do not add up.

    Args:
        history: ``MODEL_EVALUATION``.
        gold_version: Version of the gold labels.
        candidate: ``model_id`` of the candidate.
        references: ``model_id`` of each reference.
    """
    mine = evaluations_of(history, candidate, gold_version)
    items = sum(row["items"] for row in mine.values())
    if items < FEWEST_ITEMS:
        problem = (
            f"only {items} gold labels to judge by, fewer than {FEWEST_ITEMS}: correct more conversations, of which "
            "one in five is held out, or name labelled files in ANALYTICS_TRAINING"
        )
        return [problem]
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
    """Return the number of items that only the other model answers rightly, and that only this model does."""
    right = {entry["item"]: entry["answer"] == entry["truth"] for entry in theirs}
    pairs = [(entry["answer"] == entry["truth"], right[entry["item"]]) for entry in mine]
    return sum(not one and other for one, other in pairs), sum(one and not other for one, other in pairs)
