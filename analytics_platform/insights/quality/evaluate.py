"""Evaluation of the engine on labelled texts: accuracy, calibration and speed."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sklearn.metrics import f1_score, roc_auc_score

from analytics_platform.errors import UserError
from analytics_platform.insights.encoders.device import DeviceChoice, resolve_device
from analytics_platform.insights.engine import build_engine, has_words
from analytics_platform.insights.heads.classifier import READS, Classifier, NothingToLearnError
from analytics_platform.insights.heads.training_sample import MOST_LABELS, TrainingSample, draw_sample
from analytics_platform.insights.heads.training_set import TrainingSet
from analytics_platform.insights.taxonomies.taxonomy import OTHER, TaxonomyParts
from analytics_platform.insights.tiers.tier import Floats, Kind, TierError, choose, require_tier
from analytics_platform.insights.vectors.static_multilingual import static_encoder
from analytics_platform.insights.vectors.text_encoder import transformer_encoder
from analytics_platform.system.plain_text import counted

OUT_OF_SCOPE = "oos"
"""Label of texts that fit no label, as in the data set clinc150; ``other`` means the same."""
Score = Callable[[list[str]], Floats]

_BINS = 15
_FIRST_BATCH = 256
"""Texts of the first batch, before the speed is known."""
_BATCH_SECONDS = 2.0
"""Target duration of a batch, and thus the interval of progress messages."""
_MOST_SCORES = 4_000_000
"""Most texts times labels of a batch: 32 MB in double precision, several times over."""
_MOST_AT_ONCE = 4_096
"""Most texts of one call while the speed is measured."""


class EvaluationError(UserError, ValueError):
    """A file cannot be evaluated; the message names the file and its fault."""


def evaluate(
    train: Path,
    test: Path,
    tier: str = "static",
    *,
    device: DeviceChoice = "auto",
    seconds: float = 3.0,
    whole: bool = False,
    on_stage: Callable[[str], object] = str,
) -> dict[str, Any]:
    """Fit the classifier of the engine on one file and score another.

    Args:
        train: Parquet file with columns ``text`` and ``label``; at least two labels. Texts of the label ``oos`` or
            ``other`` fit no label.
        test: Parquet file with the same columns.
        tier: Tier to evaluate: ``static``, ``cascade`` or ``transformer``.
        device: Device of the computation.
        seconds: Least duration of the speed measurement; the test file is repeated as often as necessary.
        whole: Whether to fit on the whole training file with the costliest solvers, without a limit of time or memory,
            instead of on the sample that ``draw_sample`` takes of a large file.
        on_stage: Called with a few words when a stage begins, and with the number of scored texts during scoring.

    Returns:
        The results of ``measure`` and ``time_scoring``, and tier, device, train_rows, fitted_rows (distinct texts that
        the classifier was fitted on), fitting (a sentence about the texts left out; empty if there are none),
        test_rows, classes, fit_seconds, shares (expected share of texts that each expert after the first scores) and
        peak_memory_mb of the process.

    Raises:
        EvaluationError: If a file cannot be read, lacks a column, is empty, has missing values, contains no word, or
            has too many labels.
        TierError: If the tier or device is unknown or not available.
    """
    on_stage(f"loading the tier {tier}")
    require_tier(tier)
    if tier not in READS:
        raise TierError(f"tier {tier!r} cannot be fitted on labelled texts; use {', '.join(READS)}")
    where = resolve_device(device)
    transformer = None if tier == "static" else transformer_encoder(device)
    texts, labels = read_labelled(train)
    test_texts, test_labels = read_labelled(test)
    if len(set(labels)) < 2:
        raise EvaluationError(f"{train}: needs at least two different labels, has {sorted(set(labels))}")
    if len(set(labels)) > MOST_LABELS:
        raise EvaluationError(
            f"{train}: column label has {len(set(labels)):,} different values; at most {MOST_LABELS:,} can be fitted; "
            "merge labels, or keep those with the most texts"
        )
    sample = TrainingSample(texts, labels, "") if whole else draw_sample(texts, labels)
    on_stage(sample.statement.replace("fitted on", "fitting on") or f"fitting on {len(texts):,} texts")
    remainder = next((name for name in (OUT_OF_SCOPE, OTHER) if name in labels), None)
    began = time.perf_counter()
    try:
        classifier = Classifier(
            static_encoder(),
            TrainingSet.of_texts(sample.texts, sample.labels, remainder),
            transformer=transformer,
            reads=READS[tier],
            device=where,
            bounded=not whole,
        )
    except NothingToLearnError as error:
        raise EvaluationError(f"{train}: column text holds no word to learn from") from error
    fit_seconds = time.perf_counter() - began

    def predict(some: list[str]) -> Floats:
        chances = classifier.predict(some)
        if remainder is not None:  # as in the product, a text without words fits no label
            chances[~has_words(some)] = np.eye(len(classifier.labels))[-1]
        return chances

    confidence, speeds, spent = _score(predict, len(classifier.labels), test_texts, on_stage)
    return {
        "tier": tier,
        "device": device,
        **measure(classifier.labels, confidence, test_labels),
        **(speeds if spent >= seconds else time_scoring(predict, test_texts, seconds)),
        "train_rows": len(texts),
        "fitted_rows": len(set(zip(sample.texts, sample.labels, strict=True))),
        "fitting": sample.statement,
        "test_rows": len(test_texts),
        "classes": len(classifier.labels),
        "fit_seconds": fit_seconds,
        "shares": classifier.shares,
        "peak_memory_mb": peak_memory_mb(),
    }


def evaluate_taxonomy(
    taxonomy: TaxonomyParts | None,
    test: Path,
    tier: str = "static",
    kind: Kind = "topic",
    *,
    device: DeviceChoice = "auto",
    seconds: float = 3.0,
    on_stage: Callable[[str], object] = str,
) -> dict[str, Any]:
    """Label the texts of a file as customers' messages by a taxonomy alone, and compare with the file's labels.

    Args:
        taxonomy: Packs and files of the taxonomy; the demo's when None.
        test: Parquet file with columns ``text`` and ``label``; a label is one of the taxonomy's, or ``other``, or
            ``oos``, which means the same.
        tier: Tier of the engine.
        kind: Kind of label: ``topic``, ``intent`` or ``sentiment``.
        device: Device of the computation.
        seconds: Least duration of the speed measurement.
        on_stage: As in ``evaluate``.

    Returns:
        The results of ``measure`` and ``time_scoring``, and tier, kind, other_share (share of texts that are labelled
        ``other``), auroc_other if the file has the label ``other``, test_rows, classes, fit_seconds, peak_memory_mb. If
        a file of sentiments has no label ``neutral``, the sign of the sentiment is judged.

    Raises:
        EvaluationError: If the file cannot be read, lacks a column, is empty, has missing values, or has a label that
            the taxonomy lacks.
        TaxonomyError: If the taxonomy is wrong.
        TierError: If the tier or device is unknown or not available.
    """
    on_stage(f"loading the tier {tier}")
    engine = build_engine(tier, device, taxonomy)
    texts, truth = read_labelled(test)
    began = time.perf_counter()
    on_stage(f"fitting on the {kind}s of the taxonomy")
    labels = engine.classify_texts(kind, texts[:1]).labels
    fit_seconds = time.perf_counter() - began
    if OTHER in labels and OUT_OF_SCOPE not in labels:
        truth = [OTHER if name == OUT_OF_SCOPE else name for name in truth]
    unknown = sorted(set(truth) - set(labels))
    if unknown:
        raise EvaluationError(
            f"{test}: column label has {len(unknown):,} values that are no {kind} of the taxonomy, such as "
            f"{', '.join(map(repr, unknown[:3]))}"
        )
    columns = [place for place, name in enumerate(labels) if kind != "sentiment" or name in truth or "neutral" in truth]
    names = tuple(labels[place] for place in columns)

    def score(some: list[str]) -> Floats:
        confidence = engine.classify_texts(kind, some).confidence[:, columns]
        return np.asarray(confidence / np.maximum(confidence.sum(axis=1, keepdims=True), 1e-12))

    confidence, speeds, spent = _score(score, len(names), texts, on_stage)
    chosen = choose(confidence, names.index(OTHER) if OTHER in names else None)
    is_other = np.array([name == OTHER for name in truth])
    figures: dict[str, Any] = {"other_share": float(np.mean([names[column] == OTHER for column in chosen]))}
    if OTHER in names and 0 < is_other.sum() < len(truth):
        figures["auroc_other"] = float(roc_auc_score(is_other, confidence[:, names.index(OTHER)]))
    return {
        "tier": tier,
        "kind": kind,
        **measure(names, confidence, truth),
        **figures,
        **(speeds if spent >= seconds else time_scoring(score, texts, seconds)),
        "test_rows": len(texts),
        "classes": len(names),
        "fit_seconds": fit_seconds,
        "peak_memory_mb": peak_memory_mb(),
    }


def _score(
    score: Score, labels: int, texts: list[str], on_stage: Callable[[str], object]
) -> tuple[Floats, dict[str, float], float]:
    """Score texts in batches of about two seconds, and report progress and speed.

    Returns:
        Probabilities, shape (texts, labels); the speed as ``time_scoring`` returns it; seconds spent.
    """
    on_stage(f"scoring {len(texts):,} texts")
    parts: list[Floats] = []
    done, batch, began, worked = 0, _FIRST_BATCH, time.perf_counter(), time.process_time()
    while done < len(texts):
        parts.append(score(texts[done : done + batch]))
        done += len(parts[-1])
        speed = done / (time.perf_counter() - began)
        batch = int(min(max(_FIRST_BATCH, _BATCH_SECONDS * speed), max(1, _MOST_SCORES // labels)))
        if done < len(texts):
            on_stage(f"scored {done:,} of {len(texts):,} texts, {speed:,.0f} a second")
    spent, work = time.perf_counter() - began, time.process_time() - worked
    speeds = {"texts_per_second": done / spent, "texts_per_cpu_second": done / max(work, 1e-9), "timed_texts": done}
    return np.concatenate(parts), speeds, spent


def time_scoring(score: Callable[[list[str]], object], texts: list[str], seconds: float) -> dict[str, float]:
    """Score texts repeatedly, with more repetitions each time, until one measurement takes ``seconds``.

    At most ``_MOST_AT_ONCE`` texts are repeated in one call, so that memory does not grow with the speed of the head.

    Returns:
        texts_per_second of elapsed time; texts_per_cpu_second, which depends less on other programs; timed_texts, the
        number of texts in the last measurement, the only one that counts.
    """
    times = 1
    while True:
        repeated = min(times, max(1, _MOST_AT_ONCE // len(texts)))
        many, calls = texts * repeated, math.ceil(times / repeated)
        began, worked = time.perf_counter(), time.process_time()
        for _ in range(calls):
            score(many)
        spent, work = time.perf_counter() - began, time.process_time() - worked
        if spent >= seconds:
            timed = calls * len(many)
            speeds = {"texts_per_second": timed / spent, "texts_per_cpu_second": timed / work}
            return {**speeds, "timed_texts": timed}
        times *= max(2, math.ceil(0.8 * seconds / spent))


def measure(labels: Sequence[str], confidence: Floats, truth: Sequence[str]) -> dict[str, float]:
    """Return accuracy and calibration of answers.

    Args:
        labels: Names of the columns of ``confidence``.
        confidence: Probabilities; shape (texts, labels).
        truth: The right labels; a label that is not in ``labels`` counts as answered wrongly.

    Returns:
        accuracy, macro_f1, ece (15 bins); if ``oos`` is among the right labels, also in_scope_accuracy and oos_auroc,
        the area under the ROC curve of confidence as a detector of in-scope texts.
    """
    names, right_labels = np.asarray(labels, dtype=object), np.asarray(truth, dtype=object)
    chosen = choose(confidence, _closing(labels))
    answers = names[chosen]
    right = answers == right_labels
    present = sorted(set(truth))
    return {
        "accuracy": float(right.mean()),
        "macro_f1": float(f1_score(right_labels, answers, labels=present, average="macro", zero_division=0)),
        "ece": expected_calibration_error(confidence[np.arange(len(chosen)), chosen], right),
        **_out_of_scope(names, confidence, right_labels),
    }


def _closing(labels: Sequence[str]) -> int | None:
    """Return the column of the label of texts that fit no label; None if there is none."""
    return next((place for place, name in enumerate(labels) if name in (OUT_OF_SCOPE, OTHER)), None)


def peak_memory_mb() -> float:
    """Return the peak memory of this process in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def expected_calibration_error(confidence: Floats, right: np.ndarray) -> float:
    """Return the expected calibration error: the mean gap between confidence and accuracy over 15 equal bins."""
    bins = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    gaps = np.bincount(bins, confidence, _BINS) - np.bincount(bins, right.astype(np.float64), _BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def _out_of_scope(names: np.ndarray, confidence: Floats, truth: np.ndarray) -> dict[str, float]:
    """Measure how well confidence in the in-scope labels separates in-scope texts from out-of-scope texts."""
    in_scope = truth != OUT_OF_SCOPE
    proper = names != OUT_OF_SCOPE
    if in_scope.all() or not in_scope.any() or not proper.any():
        return {}
    answers = names[choose(confidence, _closing(names.tolist()))]
    return {
        "in_scope_accuracy": float((answers == truth)[in_scope].mean()),
        "oos_auroc": float(roc_auc_score(in_scope, confidence[:, proper].max(axis=1))),
    }


def read_labelled(path: Path) -> tuple[list[str], list[str]]:
    """Return the texts and labels of a Parquet file.

    Raises:
        EvaluationError: If the file cannot be read, lacks a column, is empty, or has missing values.
    """
    if not path.exists():
        raise EvaluationError(f"{path}: there is no such file; check the path (seen from {Path.cwd()})")
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
            raise EvaluationError(f"{path}: column {name} has {counted(column.null_count, 'missing value')}")
        columns.append(column.to_pylist())
    return columns[0], columns[1]
