"""How right, how calibrated and how quick a tier is on labelled texts.

Belongs here: reading labelled texts and the measures. Does not belong here: the classifier (``heads``).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sklearn.metrics import f1_score, roc_auc_score

from analytics_platform.insights.encoder import static_encoder
from analytics_platform.insights.heads import LabelHead
from analytics_platform.insights.tier import Floats, require_tier

OUT_OF_SCOPE = "oos"
"""The label of texts that belong to no class, as clinc150 names it."""

_BINS = 15


class EvaluationError(ValueError):
    """A file cannot be evaluated; the message names the file and what is wrong with it."""


def evaluate(train: Path, test: Path, tier: str = "static") -> dict[str, Any]:
    """Fit the label heads on one file and score another.

    Args:
        train: Parquet file with columns ``text`` and ``label``; at least two labels.
        test: Parquet file with the same columns.
        tier: Which tier answers.

    Returns:
        accuracy, macro_f1, ece (15 bins), texts_per_second (scoring only), tier, train_rows, test_rows, classes;
        with a label ``oos`` in the test file also in_scope_accuracy and oos_auroc, the area under the curve of
        confidence as a detector of texts in scope.

    Raises:
        EvaluationError: If a file cannot be read, lacks a column, is empty, or has missing values.
        TierError: If the tier is unknown or not available.
    """
    require_tier(tier)
    texts, labels = _read(train)
    test_texts, test_labels = _read(test)
    if len(set(labels)) < 2:
        raise EvaluationError(f"{train}: needs at least two different labels, has {sorted(set(labels))}")
    head = LabelHead(static_encoder()).fit(texts, labels)
    began = time.perf_counter()
    confidence = head.predict(test_texts)
    seconds = time.perf_counter() - began
    names, truth = np.asarray(head.labels, dtype=object), np.asarray(test_labels, dtype=object)
    answers = names[confidence.argmax(axis=1)]
    right = answers == truth
    return {
        "tier": tier,
        "accuracy": float(right.mean()),
        "macro_f1": float(f1_score(truth, answers, labels=sorted(set(test_labels)), average="macro", zero_division=0)),
        "ece": expected_calibration_error(confidence.max(axis=1), right),
        "texts_per_second": len(test_texts) / seconds,
        "train_rows": len(texts),
        "test_rows": len(test_texts),
        "classes": len(names),
        **_out_of_scope(names, confidence, truth),
    }


def expected_calibration_error(confidence: Floats, right: np.ndarray) -> float:
    """Return the mean distance between confidence and share of right answers, over 15 bins of equal width."""
    bins = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    gaps = np.bincount(bins, confidence, _BINS) - np.bincount(bins, right.astype(np.float64), _BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def _out_of_scope(names: np.ndarray, confidence: Floats, truth: np.ndarray) -> dict[str, float]:
    """Measure how well confidence in the classes proper tells texts in scope from those out of scope."""
    in_scope = truth != OUT_OF_SCOPE
    if in_scope.all() or not in_scope.any():
        return {}
    proper = names != OUT_OF_SCOPE
    answers = names[confidence.argmax(axis=1)]
    return {
        "in_scope_accuracy": float((answers == truth)[in_scope].mean()),
        "oos_auroc": float(roc_auc_score(in_scope, confidence[:, proper].max(axis=1))),
    }


def _read(path: Path) -> tuple[list[str], list[str]]:
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise EvaluationError(f"{path}: cannot be read as Parquet: {error}") from error
    missing = [name for name in ("text", "label") if name not in table.column_names]
    if missing:
        raise EvaluationError(f"{path}: lacks {', '.join(missing)}; it has {', '.join(table.column_names)}")
    if not table.num_rows:
        raise EvaluationError(f"{path}: has no rows")
    columns = []
    for name in ("text", "label"):
        try:
            column = pc.cast(table[name], pa.string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise EvaluationError(f"{path}: column {name} is not text: {error}") from error
        if column.null_count:
            raise EvaluationError(f"{path}: column {name} has {column.null_count} missing values")
        columns.append(column.to_pylist())
    return columns[0], columns[1]
