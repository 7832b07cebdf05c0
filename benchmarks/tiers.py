"""How right, calibrated and quick each tier is, beside baselines that are fitted and scored in the same run.

Run: ``python benchmarks/tiers.py FOLDER [--systems static,e5+lr] [--out docs/evaluation.md]``. FOLDER has
``banking77``, ``clinc150`` and ``uci_sentiment_sentences``, each with a file ``dev.parquet`` of columns ``text`` and
``label`` (clinc150 also ``domain``). Tiers are measured by the functions behind ``analytics evaluate``. Each system is
a process of its own. Prints Markdown tables, and writes them with date and machine to ``--out``. On two free cores it
takes about ten minutes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from common.intervals import share_with_interval
from common.pages import write_tables
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from analytics_platform.insights.quality.evaluate import evaluate, evaluate_taxonomy, measure
from analytics_platform.insights.taxonomies.taxonomy import OTHER

TIERS = ("static", "cascade")
READERS = ("e5+lr", "minilm+lr")
BASELINES = (*READERS, "tfidf+lr")
OUT_OF_SCOPE = "oos"
TRAINING = Path(__file__).parents[1] / "training"
DRAWS = 2
"""Random choices of examples; accuracy is the mean over them."""
JUDGED = 1_000
"""Most texts that are judged in a draw of few examples."""
MOST_FOR_READERS = 2_000, 500
"""Most texts on which baselines with a transformer are fitted and judged, and only of the first draw; they read every
one."""
Texts = list[str]
Encode = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True)
class Protocol:
    """One measurement: what a system is fitted on, and what it is judged by.

    Attributes:
        name: Row of the table; protocols of one name are draws, and their mean is shown.
        kind: ``taxonomy`` for a taxonomy's examples alone, ``file`` for a labelled file, ``sentiment`` for the shipped
            weights.
        fit: File of a taxonomy, or labelled texts; empty for ``sentiment``.
        judge: Labelled texts.
    """

    name: str
    kind: str
    fit: str
    judge: str


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--systems", default=",".join((*TIERS, *BASELINES)))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        run_one(arguments.one, arguments.folder)
        return
    systems, rows, began = arguments.systems.split(","), [], time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        write_protocols(arguments.folder, Path(scratch))
        for system in systems:
            command = [sys.executable, __file__, scratch, "--one", system]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                for line in process.stdout or ():
                    sys.stderr.write(line)
                    rows.append(json.loads(line))
            if process.returncode:
                raise SystemExit(f"{system} ended with exit code {process.returncode}; its error stands above")
    text = tables(rows, systems) + f"\nThe run took {(time.perf_counter() - began) / 60:.0f} minutes.\n"
    print(text)
    if arguments.out:
        write_tables(arguments.out, text)


def write_protocols(data: Path, folder: Path) -> None:
    """Draw examples and judged texts, and write them with ``protocols.json`` to a folder."""
    banking = read(data / "banking77" / "dev.parquet", "label")
    everything = read(data / "clinc150" / "dev.parquet", "domain")
    scope = np.array(pq.read_table(data / "clinc150" / "dev.parquet")["label"].to_pylist()) != OUT_OF_SCOPE
    clinc = everything[0][scope], everything[1][scope]
    protocols: list[Protocol] = []
    for name, (texts, labels), examples in (
        ("banking77, 5 examples", banking, 5),
        ("banking77, 20 examples", banking, 20),
        ("clinc150, ten domains, 5 examples", clinc, 5),
        ("clinc150, ten domains, 20 examples", clinc, 20),
    ):
        for seed in range(DRAWS):
            fit, judged = draw(labels, examples, seed)
            protocols.append(taxonomy(folder, name, (texts[fit], labels[fit]), (texts[judged], labels[judged])))
    outside = everything[0][~scope]
    fit, judged = draw(clinc[1], 20, 0)
    judged = judged[: 2 * len(outside)]
    mixed = np.concatenate([clinc[0][judged], outside]), np.concatenate([clinc[1][judged], [OTHER] * len(outside)])
    protocols.append(
        taxonomy(folder, "clinc150, ten domains, a third out of scope", (clinc[0][fit], clinc[1][fit]), mixed)
    )
    document = yaml.safe_load((TRAINING / "vectors" / "evaluation.yaml").read_text(encoding="utf-8"))
    english = [(text, label) for label, texts in document["english"].items() for text in texts]
    others = [(text, label) for by in document["others"].values() for label, texts in by.items() for text in texts]
    columns = [tuple(np.array(column) for column in zip(*pairs, strict=True)) for pairs in (english, others)]
    protocols.append(taxonomy(folder, "12 other languages, 20 English examples", columns[0], columns[1]))
    for name, pair in (
        ("banking77, fitted on four fifths", banking),
        ("UCI sentences, fitted on four fifths", read(data / "uci_sentiment_sentences" / "dev.parquet", "label")),
    ):
        is_held = hold_out(pair[1])
        files = [
            save(folder, name, pair[0][rows], pair[1][rows], part) for part, rows in enumerate((~is_held, is_held))
        ]
        protocols.append(Protocol(name, "file", *files))
    lines = (TRAINING / "sentiment" / "sentences.tsv").read_text(encoding="utf-8").splitlines()[1:]
    fields = [line.split("\t") for line in lines]
    clear = [(text, label) for _, label, part, text in fields if part == "final" and label != "neutral"]
    texts, labels = (np.array(column) for column in zip(*clear, strict=True))
    protocols.append(
        Protocol("sign of sentiment, 15 languages", "sentiment", "", save(folder, "sentiment", texts, labels))
    )
    (folder / "protocols.json").write_text(json.dumps([asdict(one) for one in protocols]))


Pair = tuple[NDArray[Any], NDArray[Any]]


def read(path: Path, column: str) -> Pair:
    """Return the texts and one column of a labelled file."""
    table = pq.read_table(path)
    return np.array(table["text"].to_pylist(), object), np.array(table[column].to_pylist(), object)


def draw(labels: NDArray[Any], examples: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows of so many examples of each label, and at most ``JUDGED`` other rows, all at random."""
    order = np.random.default_rng(seed).permutation(len(labels))
    fit = np.concatenate([order[labels[order] == label][:examples] for label in sorted(set(labels))])
    return fit, order[~np.isin(order, fit)][:JUDGED]


def hold_out(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return whether each row is held out: a fifth of each label's rows."""
    order = np.random.default_rng(0).permutation(len(labels))
    held = np.zeros(len(labels), np.bool_)
    for label in sorted(set(labels)):
        rows = order[labels[order] == label]
        held[rows[: len(rows) // 5]] = True
    return held


def taxonomy(folder: Path, name: str, fit: Pair, judge: Pair) -> Protocol:
    """Write a taxonomy of the examples and the judged texts; labels become names as taxonomies have them."""
    topics = [
        {"label": key(label), "description": label.replace("_", " "), "examples": fit[0][fit[1] == label].tolist()}
        for label in sorted(set(fit[1]))
    ]
    intents = [{"label": "ask", "description": "ask", "examples": ["a question"]}]
    path = folder / f"{len(list(folder.iterdir()))}.yaml"
    path.write_text(yaml.safe_dump({"topics": topics, "intents": intents}, allow_unicode=True), encoding="utf-8")
    labels = np.array([key(label) for label in judge[1]], object)
    return Protocol(name, "taxonomy", str(path), save(folder, name, judge[0], labels))


def key(label: str) -> str:
    """Return a label as a taxonomy's name."""
    plain = "".join(letter if letter.isalnum() else "_" for letter in label.lower())
    return "_".join(part for part in plain.split("_") if part)


def save(folder: Path, name: str, texts: NDArray[Any], labels: NDArray[Any], part: int = 0) -> str:
    """Write labelled texts, and return the path."""
    path = folder / f"{key(name)}-{part}-{len(list(folder.iterdir()))}.parquet"
    pq.write_table(pa.table({"text": texts.tolist(), "label": labels.tolist()}), path)
    return str(path)


def run_one(system: str, folder: Path) -> None:
    """Measure one system by every protocol that applies, and print a line of JSON for each."""
    seen: set[str] = set()
    for item in json.loads((folder / "protocols.json").read_text()):
        protocol = Protocol(**item)
        if system in READERS and protocol.name in seen:
            continue
        seen.add(protocol.name)
        if system in TIERS:
            result = measure_tier(system, protocol)
        elif protocol.kind == "sentiment":
            continue
        else:
            result = measure_baseline(system, protocol)
        print(json.dumps({"name": protocol.name, "system": system, **result}), flush=True)


def measure_tier(tier: str, protocol: Protocol) -> dict[str, Any]:
    """Return the figures of ``analytics evaluate``."""
    judge = Path(protocol.judge)
    if protocol.kind == "file":
        return evaluate(Path(protocol.fit), judge, tier, whole=True, seconds=2.0)
    if protocol.kind == "sentiment":
        return evaluate_taxonomy(None, judge, tier, "sentiment", seconds=2.0)
    return evaluate_taxonomy(Path(protocol.fit), judge, tier, "topic", seconds=2.0)


def measure_baseline(system: str, protocol: Protocol) -> dict[str, Any]:
    """Fit and judge a logistic regression."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  (each process loads its own libraries)

    judged, truth = (column.tolist() for column in read(Path(protocol.judge), "label"))
    if protocol.kind == "taxonomy":
        topics = yaml.safe_load(Path(protocol.fit).read_text(encoding="utf-8"))["topics"]
        pairs = [(text, topic["label"]) for topic in topics for text in topic["examples"]]
        texts, labels = (list(column) for column in zip(*pairs, strict=True))
    else:
        texts, labels = (column.tolist() for column in read(Path(protocol.fit), "label"))
    if system == "tfidf+lr":
        model = tfidf()
        model.fit(texts, labels)
        confidence = model.predict_proba(judged)
    else:
        (texts, labels), (judged, truth) = (
            choose_some(*pair, most)
            for pair, most in zip(((texts, labels), (judged, truth)), MOST_FOR_READERS, strict=True)
        )
        encode = encoder(system)
        model = LogisticRegression(C=100 if system == "e5+lr" else 30, max_iter=500).fit(encode(texts), labels)
        confidence = model.predict_proba(encode(judged))
    is_other = np.array(truth) == OTHER
    figures: dict[str, Any] = measure(list(model.classes_), confidence, truth)
    if is_other.any():  # a text that fits no label has a low best probability
        figures["auroc_other"] = float(roc_auc_score(is_other, -confidence.max(axis=1)))
    return {**figures, "test_rows": len(judged)}


def choose_some(texts: Texts, labels: Texts, most: int) -> tuple[Texts, Texts]:
    """Return at most so many texts with their labels, at random."""
    rows = np.sort(np.random.default_rng(0).permutation(len(texts))[:most])
    return [texts[row] for row in rows], [labels[row] for row in rows]


def tfidf() -> Any:
    """Words, word pairs and characters in scikit-learn's own TF-IDF, with logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline, make_union  # noqa: PLC0415

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, dtype=np.float32)
    return make_pipeline(make_union(words, characters), LogisticRegression(C=30, max_iter=200))


@cache
def encoder(system: str) -> Encode:
    """Return a transformer that reads each text only once."""
    if system == "e5+lr":
        from analytics_platform.insights.vectors.multilingual_transformer import multilingual_encoder  # noqa: PLC0415

        model: Any = multilingual_encoder()
    else:
        from analytics_platform.insights.vectors.english_transformer import english_transformer  # noqa: PLC0415

        model = english_transformer()
    seen: dict[str, NDArray[np.float32]] = {}

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        new = [text for text in dict.fromkeys(texts) if text not in seen]
        if new:
            seen.update(zip(new, model.encode(new), strict=True))
        return np.array([seen[text] for text in texts])

    return encode


def tables(rows: list[dict[str, Any]], systems: Sequence[str]) -> str:
    """Return three Markdown tables: accuracy, calibration with recognition of what fits no label, and speed."""
    names = list(dict.fromkeys(row["name"] for row in rows))
    of = {
        (name, system): [r for r in rows if (r["name"], r["system"]) == (name, system)]
        for name in names
        for system in systems
    }
    tiers = [system for system in systems if system in TIERS]

    def table(title: str, columns: Sequence[str], cell: Callable[[list[dict[str, Any]], str], str]) -> str:
        lines = [f"### {title}", "", f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
        for name in names:
            cells = [cell(of[name, column], name) if of[name, column] else "" for column in columns]
            if any(cells):
                lines.append(f"| {name} | {' | '.join(cells)} |")
        return "\n".join(lines) + "\n"

    def mean(found: list[dict[str, Any]], figure: str, form: str = "{:.3f}") -> str:
        values = [row[figure] for row in found if figure in row]
        return form.format(np.mean(values)) if values else ""

    return "\n".join(
        [
            table("Accuracy, with a 95 % interval", systems, lambda found, _: accuracy(found)),
            table("Calibration error (15 bins)", systems, lambda found, _: mean(found, "ece")),
            table("AUROC of what fits no label", systems, lambda found, _: mean(found, "auroc_other")),
            table("Share of `other`", tiers, lambda found, _: mean(found, "other_share")),
            table("Texts per second, and texts per second of one core", tiers, lambda found, _: speed(found)),
        ]
    )


def accuracy(found: list[dict[str, Any]]) -> str:
    """Return the mean accuracy with the interval of resampled texts."""
    return share_with_interval(float(np.mean([row["accuracy"] for row in found])), sum(r["test_rows"] for r in found))


def speed(found: list[dict[str, Any]]) -> str:
    """Return the best of the draws: other programs only ever slow a measurement down."""
    elapsed, work = (max(row[name] for row in found) for name in ("texts_per_second", "texts_per_cpu_second"))
    return f"{elapsed:,.0f}, {work:,.0f}"


if __name__ == "__main__":
    main()
