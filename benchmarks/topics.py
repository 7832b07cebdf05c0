"""How well topics are discovered, beside k-means with the true number of topics and BERTopic, on the same vectors.

Run: ``python benchmarks/topics.py FOLDER [--more a.parquet,b.parquet] [--out docs/evaluation.md]``. FOLDER has
``banking77``, ``clinc150`` and ``sgd_dialogues``, each with a file ``dev.parquet``; ``--more`` names further files with
columns ``text`` and ``label``. BERTopic is measured if it is installed, without its LLM, with default parameters.
Prints Markdown tables, and writes them with date and machine to ``--out``. On two free cores it takes about 15 minutes.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml
from common.pages import write_tables
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from analytics_platform.insights.discovery.discover import Discovery, Encode, discover
from analytics_platform.insights.discovery.topic_model import OUTLIER, TopicModel
from analytics_platform.insights.vectors.multilingual_transformer import multilingual_encoder
from analytics_platform.insights.vectors.static_multilingual import static_encoder
from analytics_platform.operations.discovering.topic_file import discover_file

DATA = ("banking77", "clinc150", "sgd_dialogues")
OUT_OF_SCOPE = "oos"
LANGUAGES = ("en", "de", "fr", "es", "it", "pt")
SENTENCES = Path(__file__).parents[1] / "training" / "vectors" / "evaluation.yaml"
NEW_KINDS = 10
"""Kinds that are left out, one after the other, to see whether a topic of them is new."""
NEW_TEXTS = 30
OLD_TEXTS = 3_000
SEED = 1


@dataclass(frozen=True)
class Labelled:
    """Distinct labelled texts with their vectors.

    Attributes:
        name: Row of the tables.
        texts: The texts.
        labels: Label of each text.
        vectors: Vectors of multilingual-e5-small; shape (texts, 384).
    """

    name: str
    texts: NDArray[np.object_]
    labels: NDArray[np.object_]
    vectors: NDArray[np.float32]

    def take(self, chosen: NDArray[np.int64], name: str) -> Labelled:
        """Return some of the texts."""
        return Labelled(name, self.texts[chosen], self.labels[chosen], self.vectors[chosen])

    def encode(self) -> Encode:
        """Return an encoder that looks the vectors up, so that only discovery is timed."""
        place = {text: number for number, text in enumerate(self.texts)}
        padded = np.concatenate([self.vectors, np.zeros((1, self.vectors.shape[1]), np.float32)])
        return lambda texts: padded[[place.get(text, -1) for text in texts]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--more", default="")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--million", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.million:
        print(json.dumps(measure_million(arguments.million)))
        return
    banking, clinc, dialogues = (arguments.folder / name / "dev.parquet" for name in DATA)
    whole = [encode_labelled(*read(banking), "banking77"), encode_labelled(*read(clinc), "clinc150")]
    parts = [
        part(whole[0], 40),
        part(whole[1], 30),
        part(encode_labelled(*read_openings(dialogues), "SGD openings"), 100),
    ]
    parts += [
        part(encode_labelled(*read(Path(path)), Path(path).stem), 100) for path in arguments.more.split(",") if path
    ]
    text = "\n".join([quality([*parts, *whole]), continuing(parts), languages(), sizes()])
    print(text)
    if arguments.out:
        write_tables(arguments.out, text, "topics")


def read(path: Path) -> tuple[list[str], list[str]]:
    """Return texts and labels of a file."""
    table = pq.read_table(path, columns=["text", "label"])
    return table["text"].to_pylist(), table["label"].to_pylist()


def read_openings(path: Path) -> tuple[list[str], list[str]]:
    """Return the first turn of each dialogue and its intent."""
    table = pq.read_table(path, columns=["text", "gold_intent", "turn_index"])
    table = table.filter(pc.equal(table["turn_index"], 0))
    return table["text"].to_pylist(), table["gold_intent"].to_pylist()


def encode_labelled(texts: list[str], labels: list[str], name: str) -> Labelled:
    """Return the distinct texts without those out of scope, with their vectors."""
    rows = {text: label for text, label in zip(texts, labels, strict=True) if label != OUT_OF_SCOPE}
    print(f"encoding {len(rows):,} texts of {name}", file=sys.stderr)
    vectors = multilingual_encoder().encode(list(rows))
    return Labelled(name, np.array(list(rows), object), np.array(list(rows.values()), object), vectors)


def part(labelled: Labelled, most: int) -> Labelled:
    """Return at most so many random texts of each label."""
    random = np.random.default_rng(SEED)
    chosen = [random.permutation(np.flatnonzero(labelled.labels == one))[:most] for one in np.unique(labelled.labels)]
    return labelled.take(random.permutation(np.concatenate(chosen)), f"{labelled.name}, {most} texts a kind")


def run(texts: Sequence[str], encode: Encode, previous: TopicModel | None = None) -> Discovery:
    """Discover topics; earlier ones go through their stored form."""
    stored = None if previous is None else TopicModel.from_text(previous.to_text())
    return discover(pa.array(list(texts), pa.string()), multilingual_encoder().name, encode, stored)


def quality(sets: list[Labelled]) -> str:
    """Return a table of agreement with the labels, outliers and agreement of two orders."""
    rows = [["texts", "kinds", "system", "topics", "NMI", "outliers", "ARI of two orders", "seconds"]]
    for one in sets:
        kinds = len(np.unique(one.labels))
        lead = [f"{one.name} ({len(one.texts):,})", str(kinds)]
        order = np.random.default_rng(SEED).permutation(len(one.texts))
        for system in systems(kinds):
            began = time.perf_counter()
            first = system["cluster"](one)
            seconds = time.perf_counter() - began
            second = system["cluster"](one.take(order, one.name))
            rows.append(
                [
                    *lead,
                    system["name"],
                    str(len(np.unique(first[first != OUTLIER]))),
                    f"{normalized_mutual_info_score(one.labels, first):.3f}",
                    f"{(first == OUTLIER).mean():.1%}",
                    f"{adjusted_rand_score(first[order], second):.3f}",
                    f"{seconds:.1f}",
                ]
            )
            print(" | ".join(rows[-1]), file=sys.stderr)
    return "### Agreement with the labels\n\n" + markdown(rows)


def systems(kinds: int) -> list[dict[str, Any]]:
    """Return name and function of each system; a function returns a topic for each text."""
    static = static_encoder()

    def with_static(one: Labelled) -> NDArray[np.int64]:
        return discover(pa.array(one.texts.tolist()), static.name, static.encode).topics

    def bertopic(one: Labelled) -> NDArray[np.int64]:
        model = importlib.import_module("bertopic").BERTopic(embedding_model=None)
        return np.array(model.fit_transform(one.texts.tolist(), one.vectors)[0])

    listed: list[dict[str, Any]] = [
        {"name": "discover", "cluster": lambda one: run(one.texts, one.encode()).topics},
        {"name": "discover, static", "cluster": with_static},
        {
            "name": "k-means, true number",
            "cluster": lambda one: KMeans(kinds, n_init=3, random_state=0).fit_predict(one.vectors),
        },
    ]
    try:
        importlib.import_module("bertopic")
    except ImportError:
        print("bertopic is not installed, and is left out", file=sys.stderr)
    else:
        listed.append({"name": "BERTopic", "cluster": bertopic})
    return listed


def continuing(sets: list[Labelled]) -> str:
    """Return a table of what becomes of earlier topics when texts are added."""
    rows = [
        [
            "texts",
            "10 % more texts of the same kinds: earlier texts that keep their id",
            "new topics",
            f"{NEW_TEXTS} texts of a new kind beside {OLD_TEXTS:,} earlier ones: new topic with most of them",
            "the same beside other texts",
            "topics new without a new kind, per call",
        ]
    ]
    for one in sets:
        whole = one
        random = np.random.default_rng(SEED)
        order = random.permutation(len(whole.texts))
        old, more = order[: len(order) * 10 // 11], order[len(order) * 10 // 11 :]
        first = run(whole.texts[old], whole.encode())
        second = run(whole.texts[np.concatenate([old, more])], whole.encode(), first.model)
        kept = (second.topics[: len(old)] == first.topics).mean()
        beside, others, needless = new_kinds(whole)
        rows.append(
            [
                one.name,
                f"{kept:.2%}",
                str(second.new),
                f"{beside} of {NEW_KINDS}",
                f"{others} of {NEW_KINDS}",
                f"{needless:.1f}",
            ]
        )
        print(" | ".join(rows[-1]), file=sys.stderr)
    return "### Ids that stay, and new topics\n\n" + markdown(rows)


def new_kinds(labelled: Labelled) -> tuple[int, int, float]:
    """Return how many of ten left-out kinds became a topic, in two settings, and needless new topics per call."""
    random = np.random.default_rng(SEED)
    encode = labelled.encode()
    beside = others = needless = 0
    for kind in random.choice(np.unique(labelled.labels), NEW_KINDS, replace=False):
        is_kind = labelled.labels == kind
        new = random.permutation(np.flatnonzero(is_kind))[:NEW_TEXTS]
        rest = random.permutation(np.flatnonzero(~is_kind))
        half = min(OLD_TEXTS, len(rest) // 2)
        for most, base in ((min(OLD_TEXTS, len(rest)), None), (half, rest[half : 2 * half])):
            old = rest[:most]
            first = run(labelled.texts[old], encode)
            again = old if base is None else base
            second = run(labelled.texts[np.concatenate([again, new])], encode, first.model)
            won = second.topics[len(again) :]
            won = won[won >= len(first.model.ids)]
            is_topic = len(won) > 0 and np.bincount(won).max() > len(new) / 2
            beside += int(is_topic and base is None)
            others += int(is_topic and base is not None)
            needless += max(0, second.new - int(is_topic))
    return beside, others, needless / (2 * NEW_KINDS)


def languages() -> str:
    """Return a table of topics in one language among texts of six languages."""
    document = yaml.safe_load(SENTENCES.read_text(encoding="utf-8"))
    rows = [(text, label, "en") for label, texts in document["english"].items() for text in texts]
    for language, labels in document["others"].items():
        rows += [(text, label, language) for label, texts in labels.items() for text in texts]
    rows = [row for row in rows if row[2] in LANGUAGES]
    texts, labels, spoken = (np.array(column, object) for column in zip(*rows, strict=True))
    table = [
        [
            "texts",
            "encoder",
            "topics",
            "NMI with the subject",
            "NMI with the language",
            "topics with over 90 % in one language",
        ]
    ]
    for name, encoder in (("multilingual-e5-small", multilingual_encoder()), ("static", static_encoder())):
        topics = discover(pa.array(texts.tolist()), encoder.name, encoder.encode).topics
        sizes = [
            np.unique(spoken[topics == one], return_counts=True)[1] for one in np.unique(topics[topics != OUTLIER])
        ]
        one_language = np.mean([counts.max() > 0.9 * counts.sum() for counts in sizes])
        table.append(
            [
                f"8 subjects in {len(LANGUAGES)} languages ({len(texts)})",
                name,
                str(len(sizes)),
                f"{normalized_mutual_info_score(labels, topics):.3f}",
                f"{normalized_mutual_info_score(spoken, topics):.3f}",
                f"{one_language:.0%}",
            ]
        )
    shares = ", ".join(f"{language} {np.mean(spoken == language):.0%}" for language in LANGUAGES)
    return "### Languages\n\n" + markdown(table) + f"\nShares of the languages: {shares}.\n"


def sizes() -> str:
    """Return a table of time and memory of a million texts, and the time of a day of 5,000 conversations."""
    random = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "million.parquet"
        words = np.array([f"{a}{b}" for a in ("ka", "lo", "mi", "nu", "re", "su") for b in range(400)], object)
        chosen = np.minimum(
            random.geometric(0.004, (1_000_000, 8)) + 11 * random.integers(0, 200, (1_000_000, 1)), 2_399
        )
        pq.write_table(pa.table({"text": [" ".join(row) for row in words[chosen]]}), path)
        command = [sys.executable, __file__, folder, "--million", str(path)]
        result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    rows = [["what", "seconds", "peak MB"]]
    rows.append(["1,000,000 different texts, static tier, from file to file", *(f"{one:,.0f}" for one in result[:2])])
    rows.append(["5,000 vectors assigned to the topics of this file", f"{result[2]:.2f}", ""])
    return "### Size\n\n" + markdown(rows)


def measure_million(path: Path) -> tuple[float, float, float]:
    """Return seconds and peak MB of the discovery of a file, and seconds of assigning 5,000 vectors."""
    out = path.with_name("out.parquet")
    result = discover_file(path, out, tier="static")
    model = TopicModel.from_text(pq.read_schema(out).metadata[b"analytics.topics"].decode())
    vectors = static_encoder().encode(pq.read_table(path)["text"][:5_000])
    began = time.perf_counter()
    model.assign(model.space.place(vectors))
    return result.seconds, result.peak_mb, time.perf_counter() - began


def markdown(rows: list[list[str]]) -> str:
    """Return rows as a Markdown table; the first one is the head."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]) + "\n"


if __name__ == "__main__":
    main()
