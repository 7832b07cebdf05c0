"""How right, calibrated, quick and dear each tier is, beside fair baselines fitted and scored in the same run.

Run: ``python benchmarks/tiers.py [--data NAME=FILE.parquet ...] [--tiers static,vader] [--out docs/evaluation.md]``.
Each file needs columns ``text`` and ``label``. A fifth of each label's rows is held out (half of those labelled
``oos``) and scored. Each tier is a process of its own, so that the peak of memory is that tier's. Without ``--data``
the labelled slice that is shipped is used. Prints Markdown tables, and writes them with date and machine to ``--out``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from common.pages import write_tables

from analytics_platform.insights.quality.evaluate import (
    OUT_OF_SCOPE,
    evaluate,
    measure,
    peak_memory_mb,
    read_labelled,
    time_scoring,
)
from analytics_platform.insights.tiers.sentiment import SLICE_PATH

TIERS = ("static", "cascade", "transformer")
BASELINES = ("tfidf+lr", "minilm+lr", "e5+lr", "vader")
COLUMNS = (
    ("accuracy", "accuracy", "{:.3f}"),
    ("in_scope_accuracy", "in scope", "{:.3f}"),
    ("oos_auroc", "AUROC oos", "{:.3f}"),
    ("macro_f1", "macro-F1", "{:.3f}"),
    ("ece", "ECE", "{:.3f}"),
    ("texts_per_second", "texts/s", "{:,.0f}"),
    ("texts_per_cpu_second", "texts per CPU-s", "{:,.0f}"),
    ("read_share", "read by transformer", "{:.1%}"),
    ("peak_memory_mb", "memory MB", "{:,.0f}"),
    ("fit_seconds", "fit s", "{:,.0f}"),
    ("cost", "CPU-h per million texts", "{:.2f}"),
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--tiers", default=",".join((*TIERS, *BASELINES)))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", nargs=3, metavar=("TIER", "TRAIN", "TEST"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        tier, train, test = arguments.one
        print(json.dumps(run_one(tier, Path(train), Path(test))))
        return
    data = dict(item.split("=", 1) for item in arguments.data) or {"shipped slice": str(SLICE_PATH)}
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, file in data.items():
            train, test = split(Path(file), Path(folder))
            for tier in arguments.tiers.split(","):
                command = [sys.executable, __file__, "--one", tier, str(train), str(test)]
                answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                result = json.loads(answer.stdout)
                if result:
                    rows.append({"data": name, **result})
                    print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    text = "\n".join(table(rows, name) for name in data)
    print(text)
    if arguments.out:
        write_tables(arguments.out, text)


def split(file: Path, folder: Path) -> tuple[Path, Path]:
    """Hold out a fifth of each label's rows, half of those out of scope; return the two files."""
    texts, labels = read_labelled(file)
    names = np.asarray(labels, dtype=object)
    order = np.random.default_rng(0).permutation(len(names))
    held = np.zeros(len(names), bool)
    for label in sorted(set(labels)):
        rows = order[names[order] == label]
        held[rows[: len(rows) // (2 if label == OUT_OF_SCOPE else 5)]] = True
    whole = pa.table({"text": texts, "label": labels})
    paths = folder / "train.parquet", folder / "test.parquet"
    pq.write_table(whole.filter(pa.array(~held)), paths[0])
    pq.write_table(whole.filter(pa.array(held)), paths[1])
    return paths


def run_one(tier: str, train: Path, test: Path) -> dict[str, Any]:
    """Fit and score in this process; empty where the tier does not apply."""
    if tier in TIERS:
        result = evaluate(train, test, tier, whole=True)
        result["read_share"] = result["shares"].get("transformer", 0.0)
    else:
        texts, labels = read_labelled(train)
        unseen, truth = read_labelled(test)
        if tier == "vader" and not {"positive", "negative"} <= set(labels):
            return {}
        began = time.perf_counter()
        names, score = {"tfidf+lr": tfidf, "minilm+lr": minilm, "e5+lr": e5, "vader": vader}[tier](texts, labels)
        fitted = time.perf_counter() - began
        result = {"tier": tier, **measure(names, score(unseen), truth), **time_scoring(score, unseen, 3.0)}
        result |= {"fit_seconds": fitted, "peak_memory_mb": peak_memory_mb(), "test_rows": len(unseen)}
        result["read_share"] = float(tier in ("minilm+lr", "e5+lr"))
    result["cost"] = 1e6 / result["texts_per_cpu_second"] / 3600
    return result


Score = Callable[[list[str]], np.ndarray]


def tfidf(texts: list[str], labels: list[str]) -> tuple[list[str], Score]:
    """Words, word pairs and characters in scikit-learn's own TF-IDF, with logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415  (each process loads its own libraries)
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline, make_union  # noqa: PLC0415

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, dtype=np.float32)
    model = make_pipeline(make_union(words, characters), LogisticRegression(C=30, max_iter=200))
    model.fit(texts, labels)
    return list(model.classes_), model.predict_proba


def minilm(texts: list[str], labels: list[str]) -> tuple[list[str], Score]:
    """MiniLM in int8, with logistic regression."""
    from common.minilm import MiniLmEncoder  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    encoder = MiniLmEncoder()
    model = LogisticRegression(C=30, max_iter=500).fit(encoder.encode(texts), labels)
    return list(model.classes_), lambda unseen: model.predict_proba(encoder.encode(unseen))


def e5(texts: list[str], labels: list[str]) -> tuple[list[str], Score]:
    """The transformer of the tiers, with logistic regression."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    from analytics_platform.insights.vectors.multilingual import multilingual_encoder  # noqa: PLC0415

    encoder = multilingual_encoder()
    model = LogisticRegression(C=100, max_iter=500).fit(encoder.encode(texts), labels)
    return list(model.classes_), lambda unseen: model.predict_proba(encoder.encode(unseen))


def vader(texts: list[str], labels: list[str]) -> tuple[list[str], Score]:
    """VADER's own program; its compound score as a probability by logistic regression on one number."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer  # noqa: PLC0415

    analyzer = SentimentIntensityAnalyzer()

    def compound(many: list[str]) -> np.ndarray:
        return np.array([[analyzer.polarity_scores(text)["compound"]] for text in many])

    model = LogisticRegression().fit(compound(texts), labels)
    return list(model.classes_), lambda unseen: model.predict_proba(compound(unseen))


def table(rows: list[dict[str, Any]], name: str) -> str:
    """Return one data set's rows as a Markdown table; columns that none of them fills are left out."""
    mine = [row for row in rows if row["data"] == name]
    columns = [column for column in COLUMNS if any(column[0] in row for row in mine)]
    lines = [f"### {name}, {mine[0]['test_rows']:,} texts held out", ""]
    lines.append("| tier | " + " | ".join(title for _, title, _ in columns) + " |")
    lines.append("|---" * (len(columns) + 1) + "|")
    for row in mine:
        cells = [form.format(row[key]) if key in row else "" for key, _, form in columns]
        lines.append(f"| {row['tier']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
