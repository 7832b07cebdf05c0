"""Training sets of classifiers: a taxonomy's texts, the shipped slice, labelled files, and corrected documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow.compute as pc

from analytics_platform.insights.encoders.words import split_words
from analytics_platform.insights.taxonomies.taxonomy import OTHER, Label, Taxonomy
from analytics_platform.insights.tiers.examples import general_texts, shipped_openings, shipped_slice, slice_texts
from analytics_platform.insights.tiers.tier import Documents, Floats, Ints, Kind, Singles
from analytics_platform.insights.vectors.static_multilingual import StaticEncoder
from analytics_platform.insights.vectors.unit_length import unit

_DESCRIPTION_WEIGHT = 0.5
UNKNOWN_TOPICS = 0.12
"""Share of texts that fit no topic, which a classifier of topics assumes."""
_UNKNOWN: dict[Kind, float] = {"topic": UNKNOWN_TOPICS, "intent": 0.03}
"""Share of documents that fit no label. Nearly everything that customers write has one of the intents; any subject
may come up."""
_BESIDE_ONE_LABEL = (200, 400)
"""Number of general texts from which a single label is told apart, and the first of them: the ones before it are tried
as texts that fit no label. Without them every text had the only label, with a confidence of 0.92; with five examples
and 200 texts, texts on the label's subject have it above 0.9 and most others below 0.1."""
_OF_THE_SAMPLE = "demo"
"""Pack whose openings people wrote."""
TEXT_KINDS: tuple[Kind, ...] = ("topic", "intent", "sentiment")
"""Kinds of labels that labelled texts teach."""
OUTCOME_KINDS: tuple[Kind, ...] = ("urgency", "resolution")
"""Kinds of labels that rules over whole conversations decide; labelled conversations and corrections teach beside
them."""
TAUGHT_KINDS = (*TEXT_KINDS, *OUTCOME_KINDS)
"""Kinds of labels that labelled conversations and corrections teach, and on which models are evaluated."""
LONGEST_TEXT = 4096
"""Most characters of a training text that are read; a text states its subject earlier."""


@dataclass(frozen=True)
class LabelledVectors:
    """Labelled documents of which only vectors are known, so that no model stores what a person wrote.

    Attributes:
        vectors: Unit-length vectors of ``document_vectors.pool_both``; shape (documents, 512).
        labels: The right label of each document; ``other`` means similarity to no label.
        weights: Weight of each document, against 1 for an example of the taxonomy; shape (documents,).
        read: Vectors of ``document_vectors.read_both``; None if no transformer read the documents.
        by_llm: Number of documents whose label an LLM gave.
        rules: Of urgency and resolution, the rule that decided each document.
        answers: Of urgency and resolution, the probabilities without what people taught; shape (documents, labels).
    """

    vectors: Floats
    labels: Sequence[str]
    weights: Floats
    read: Singles | None = None
    by_llm: int = 0
    rules: Sequence[str] = ()
    answers: Floats | None = None


@dataclass(frozen=True)
class TrainingSet:
    """The training set of one classifier.

    Attributes:
        labels: Names of the labels, without the remainder.
        remainder: Label of documents that fit no label, such as ``other``; None if every document fits one.
        texts: Training texts.
        taught_labels: The label of each text; the remainder for a text that fits no label.
        weights: Weight of each text, against 1 for an example; shape (texts,).
        typical: Whether a text is like what people write, unlike a description; only these calibrate confidence;
            shape (texts,).
        keywords: Keywords by label; they are evidence by themselves.
        further: Documents known by vectors only.
        unknown: Share of documents that fit no label, as far as known before they are seen.
    """

    labels: tuple[str, ...]
    remainder: str | None
    texts: list[str]
    taught_labels: list[str]
    weights: Floats
    typical: np.ndarray
    keywords: Mapping[str, Sequence[str]] = field(default_factory=dict)
    further: LabelledVectors | None = None
    unknown: float = _UNKNOWN["topic"]

    @classmethod
    def of_texts(cls, texts: Sequence[str], labels: Sequence[str], remainder: str | None = None) -> TrainingSet:
        """Return the training set of labelled texts; a text that repeats with the same label counts once.

        With copies among the training texts, out-of-sample scores would be too good.

        Args:
            texts: Texts.
            labels: One label each.
            remainder: Label among ``labels`` of texts that fit no label; None if there is none.
        """
        pairs = list(dict.fromkeys((text[:LONGEST_TEXT], label) for text, label in zip(texts, labels, strict=True)))
        names = tuple(sorted({label for _, label in pairs} - {remainder}))
        return cls(
            names,
            remainder,
            [text for text, _ in pairs],
            [label for _, label in pairs],
            np.ones(len(pairs)),
            np.ones(len(pairs), np.bool_),
        )

    @classmethod
    def of_labels(
        cls,
        labels: Sequence[Label],
        remainder: str,
        more: Sequence[tuple[str, str, bool]] = (),
        further: LabelledVectors | None = None,
        kind: Kind = "topic",
    ) -> TrainingSet:
        """Return the training set of a taxonomy's labels: names, descriptions, examples and keywords.

        Args:
            labels: Labels of one kind.
            remainder: Label of documents that fit none of them.
            more: Further texts, their labels, and whether they are like what people write here. A text that is an
                example of another label is not: the label given here counts.
            further: Documents known by vectors only.
            kind: Kind of the labels.
        """
        rows: list[tuple[str, str, float, bool]] = []
        for label in labels:
            rows.append(
                (f"{label.label.replace('_', ' ')}: {label.description}", label.label, _DESCRIPTION_WEIGHT, False)
            )
            rows += [(example[:LONGEST_TEXT], label.label, 1.0, True) for example in dict.fromkeys(label.examples)]
        labelled = {text: name for text, name, typical in more if typical}
        rows = [row for row in rows if labelled.get(row[0], row[1]) == row[1] or not row[3]]
        seen = {(text, name) for text, name, _, _ in rows}
        rows += [(text, name, 1.0, typical) for text, name, typical in dict.fromkeys(more) if (text, name) not in seen]
        texts, names, weights, typical = zip(*rows, strict=True)
        return cls(
            tuple(label.label for label in labels),
            remainder,
            list(texts),
            list(names),
            np.array(weights),
            np.array(typical, np.bool_),
            {label.label: label.keywords for label in labels if label.keywords},
            further,
            _UNKNOWN[kind],
        )

    @property
    def codes(self) -> Ints:
        """Index of each text's label; the number of labels for the remainder."""
        place = {name: code for code, name in enumerate(self.labels)}
        return np.array([place.get(name, len(place)) for name in self.taught_labels], np.int64)


def labels_of(content: Taxonomy) -> dict[Kind, tuple[Label, ...]]:
    """Return the labels of each kind that has training documents beyond the taxonomy: topics and intents."""
    return {"topic": content.topics, "intent": content.intents}


def training_sets_of(
    content: Taxonomy,
    taught: Mapping[Kind, LabelledVectors] | None = None,
    labelled: Mapping[Kind, Sequence[tuple[str, str]]] | None = None,
) -> dict[Kind, TrainingSet]:
    """Return the training sets of topic and intent.

    Args:
        content: The taxonomy.
        taught: Corrected documents by kind.
        labelled: Texts of labelled files and their labels, by kind.
    """
    sets: dict[Kind, TrainingSet] = {}
    for kind, labels in labels_of(content).items():
        more = [(text, name, False) for text, name in slice_examples(labels, kind)]
        if len(labels) == 1:
            more += [(text, OTHER, False) for text in general_texts(*_BESIDE_ONE_LABEL)]
        more += [(text[:LONGEST_TEXT], name, typical) for text, name, typical in opening_examples(labels, kind)]
        more += [(text[:LONGEST_TEXT], name, True) for text, name in (labelled or {}).get(kind, ())]
        sets[kind] = TrainingSet.of_labels(labels, OTHER, more, (taught or {}).get(kind), kind)
    return sets


def slice_examples(labels: Sequence[Label], kind: Kind) -> list[tuple[str, str]]:
    """Return texts and labels of the shipped slice for a kind; none if the taxonomy lacks one of the slice's labels.

    In the second case the slice belongs to another taxonomy.
    """
    rows = np.flatnonzero(pc.equal(shipped_slice()["kind"], kind).to_numpy())
    names = shipped_slice()["label"].take(rows).to_pylist()
    if not {label.label for label in labels} >= set(names) - {OTHER}:
        return []
    texts = slice_texts()
    return [(texts[row], name) for row, name in zip(rows, names, strict=True)]


def opening_examples(labels: Sequence[Label], kind: Kind) -> list[tuple[str, str, bool]]:
    """Return openings of shipped conversations, from packs of which the taxonomy has all labels.

    Openings that fit no label teach nothing: they are few and mostly greetings, and with them the pack ``general``
    called half as many questions of general knowledge ``other``.

    Returns:
        Texts, labels, and whether a text calibrates confidence. Written openings do not calibrate topics: half of them
        were meant to be hard, and with them 0.62 was said of topics where 0.71 were right.
    """
    names = {label.label for label in labels}
    rows = shipped_openings().to_pylist()
    examples: list[tuple[str, str, bool]] = []
    for pack in dict.fromkeys(row["pack"] for row in rows):
        of_pack = [row for row in rows if row["pack"] == pack]
        pairs = [(row["text"], row[kind]) for row in of_pack if row[kind] not in (None, OTHER)]
        if names >= {label for _, label in pairs}:
            typical = kind == "intent" or pack == _OF_THE_SAMPLE
            examples += [(text, label, typical) for text, label in pairs]
    return examples


def training_documents(texts: list[str], encoder: StaticEncoder) -> Documents:
    """Return each text as one document."""
    words = split_words(texts)
    return Documents.of_single(texts, words, np.asarray(unit(encoder.sum_words(words)), np.float32))
