"""Compare encoders by a logistic regression on few English examples; see README.md."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import yaml
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from analytics_platform.insights.vectors.multilingual_transformer import multilingual_encoder
from analytics_platform.insights.vectors.static_multilingual import static_encoder

Vectors = NDArray[np.float32]
Labels = NDArray[np.str_]
Encode = Callable[[list[str]], Vectors]

TEXTS, JUDGED = 4_000, 1_500
DRAWS = {"banking77": 2, "clinc150 domains": 8}
WORDLLAMA_WEIGHT = 0.7


def accuracy(vectors: Vectors, labels: Labels, fitted: NDArray[np.int64], judged: NDArray[np.int64]) -> float:
    """Return the share of the judged texts that a logistic regression on the fitted ones labels as they are."""
    mean = vectors[fitted].mean(axis=0)
    spread = np.sqrt(((vectors[fitted] - mean) ** 2).sum(axis=1).mean())
    scaled = (vectors - mean) / spread
    model = LogisticRegression(C=10, max_iter=200, tol=1e-3).fit(scaled[fitted], labels[fitted])
    return float((model.predict(scaled[judged]) == labels[judged]).mean())


def few_examples(vectors: Vectors, labels: Labels, examples: int, draws: int) -> float:
    """Return the mean accuracy over random draws of so many examples a label."""
    results = []
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        fitted = np.concatenate(
            [rng.permutation(np.flatnonzero(labels == one))[:examples] for one in np.unique(labels)]
        )
        judged = rng.permutation(np.setdiff1d(np.arange(len(labels)), fitted))[:JUDGED]
        results.append(accuracy(vectors, labels, fitted, judged))
    return float(np.mean(results))


def read_sets(data: Path) -> dict[str, tuple[list[str], Labels]]:
    """Return a random part of banking77 and of clinc150's texts in scope, with their labels."""
    banking = pq.read_table(data / "banking77" / "dev.parquet").to_pydict()
    clinc = pq.read_table(data / "clinc150" / "dev.parquet").to_pydict()
    in_scope = [row for row, label in enumerate(clinc["label"]) if label != "oos"]
    sets = {}
    for name, texts, labels in (
        ("banking77", banking["text"], banking["label"]),
        ("clinc150 domains", [clinc["text"][row] for row in in_scope], [clinc["domain"][row] for row in in_scope]),
    ):
        chosen = np.random.default_rng(1).permutation(len(texts))[:TEXTS]
        sets[name] = ([texts[row] for row in chosen], np.array([labels[row] for row in chosen]))
    return sets


def other_languages(encode: Encode) -> float:
    """Return the accuracy on the twelve other languages of evaluation.yaml, fitted on its English texts."""
    document = yaml.safe_load(Path(__file__).with_name("evaluation.yaml").read_text(encoding="utf-8"))
    english = [(text, label) for label, texts in document["english"].items() for text in texts]
    others = [
        (text, label) for labels in document["others"].values() for label, texts in labels.items() for text in texts
    ]
    texts, labels = zip(*english, *others, strict=True)
    rows = np.arange(len(texts))
    return accuracy(encode(list(texts)), np.array(labels), rows[: len(english)], rows[len(english) :])


def main() -> None:
    """Print a row of a Markdown table for each encoder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with banking77 and clinc150")
    options = parser.parse_args()
    wordllama, static = static_encoder(), static_encoder()
    encoders: dict[str, Encode] = {
        "wordllama": wordllama.encode,
        "static_multilingual": static.encode,
        f"static_multilingual and {WORDLLAMA_WEIGHT} x wordllama, side by side": lambda texts: np.concatenate(
            [static.encode(texts), WORDLLAMA_WEIGHT * wordllama.encode(texts)], axis=1
        ),
        "multilingual (e5)": multilingual_encoder().encode,
    }
    sets = read_sets(options.data)
    print("| encoder |", " | ".join(f"{name}, {count}" for name in sets for count in (5, 20)), "| 12 languages |")
    print("|---" * (2 * len(sets) + 2) + "|")
    for name, encode in encoders.items():
        figures = []
        for set_name, (texts, labels) in sets.items():
            vectors = encode(texts)
            figures += [few_examples(vectors, labels, count, DRAWS[set_name]) for count in (5, 20)]
        figures.append(other_languages(encode))
        print(f"| {name} |", " | ".join(f"{figure:.3f}" for figure in figures), "|", flush=True)


if __name__ == "__main__":
    main()
