"""The classifier: its experts, what it asks a transformer, and what it answers to texts of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_platform.insights.heads import classifier as classifier_module
from analytics_platform.insights.heads import experts
from analytics_platform.insights.heads.classifier import Classifier, Reads
from analytics_platform.insights.heads.experts import NeighbourExpert
from analytics_platform.insights.heads.features import Features
from analytics_platform.insights.heads.training_set import LabelledVectors, TrainingSet, training_documents
from analytics_platform.insights.taxonomies.taxonomy import OTHER, Label
from analytics_platform.insights.tiers.sentiment import SLICE_PATH
from analytics_platform.insights.tiers.tier import choose
from analytics_platform.insights.vectors.document_vectors import pool_both
from analytics_platform.insights.vectors.static_multilingual import static_encoder
from analytics_platform.insights.vectors.text_encoder import transformer_encoder
from analytics_platform_tests.unit.insights.banking_like import EXAMPLES, LABELS, RELATED, UNRELATED, UNSEEN

pytestmark = pytest.mark.slow  # fits models

REPOSITORY = Path(__file__).parents[3]
ODD_TEXTS = (
    "",
    "   \n\t",
    "x" * 1_000_000,
    "word " * 200_000,
    "\x00\x01\xff\ufffd",
    "👍" * 50,
    "\u202eשלום עולם",
    "नमस्ते",
)


class Oracle:
    """Stands for a transformer: its vectors say the label, and it remembers what it was asked."""

    name = "oracle"
    device: Literal["cpu", "gpu"] = "cpu"

    def __init__(self, good: Sequence[str] = (), english: Oracle | None = None) -> None:
        self.good = set(good)
        self.english_encoder = english
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        return np.array([[1.0, 0.0] if text in self.good else [0.0, 1.0] for text in texts], np.float32)


def voting_vectors(texts: list[str]) -> np.ndarray:
    """Return the vectors by which training documents vote."""
    return pool_both(training_documents(texts, static_encoder()), np.arange(len(texts))).astype(np.float64)


def labelled(count: int) -> tuple[list[str], list[str], Oracle]:
    """Return texts of which all but one in twelve can be told apart by their words, and an oracle that knows all."""
    hints = {"good": "a lovely thing", "bad": "a dreadful mess"}
    labels = [("good", "bad")[number % 2] for number in range(count)]
    texts = [f"{hints[label] if number % 24 > 1 else 'it'} {number}" for number, label in enumerate(labels)]
    return texts, labels, Oracle([text for text, label in zip(texts, labels, strict=True) if label == "good"])


def test_scores_are_those_of_the_features_whichever_way_they_are_computed() -> None:
    texts = pq.read_table(SLICE_PATH)["text"].to_pylist()[:300]
    seen, unseen = (
        training_documents(part, static_encoder()) for part in (texts[:200], [*texts[200:], "", "🦀", "unheardofword"])
    )
    features = Features().fit(seen)
    rows = features.transform(unseen)
    coefficients = np.random.default_rng(0).normal(size=(rows.shape[1], 3)).astype(np.float32)
    np.testing.assert_allclose(features.score(unseen, coefficients), rows @ coefficients, atol=1e-3)


def test_votes_are_the_same_in_any_batch_to_the_last_bit() -> None:
    """Single precision rounds sums in an order that depends on the batch, so cosines must be sums without rounding."""
    random = np.random.default_rng(0)
    vectors = random.normal(size=(300, 256)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    neighbours = NeighbourExpert(1000)
    neighbours.fit(vectors[:200], np.arange(200) % 5, 5, np.ones(200))
    near = neighbours.score(vectors)[1]
    for start, end in ((0, 1), (7, 20), (100, 299)):
        np.testing.assert_array_equal(neighbours.score(vectors[start:end])[1], near[start:end])


def test_scores_of_a_text_left_out_are_those_of_neighbours_fitted_without_it() -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(30, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[15:] = -vectors[:15]  # so that the centre stays where it is
    codes = random.integers(3, size=30)
    left_out = NeighbourExpert(1000).fit(vectors, codes, 3, np.ones(30)).scores
    without = NeighbourExpert(1000)
    others = np.arange(30) != 4
    without.fit(vectors[others], codes[others], 3, np.ones(29))
    scores, _ = without.score(vectors[4:5])
    np.testing.assert_allclose(left_out[4], scores[0], atol=0.1)
    assert np.abs(left_out[4] - scores[0]).max() < np.abs(left_out[4] - left_out[5]).max()


def on_a_circle(count: int) -> np.ndarray:
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, count)
    return np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)


def test_neighbours_are_a_part_of_many_texts_and_score_all_of_them() -> None:
    vectors = on_a_circle(200)
    codes = (vectors[:, 0] > 0).astype(np.int64)
    few, unseen = NeighbourExpert(40), on_a_circle(500)[200:]
    left_out = few.fit(vectors, codes, 2, np.ones(200)).scores
    assert left_out.shape == (200, 2)
    assert (left_out.argmax(axis=1) == codes).mean() > 0.9
    own = np.abs(left_out - few.score(vectors)[0]).max(axis=1) > 1e-6
    assert own.sum() == 40  # those kept are scored without themselves
    assert (few.score(unseen)[0].argmax(axis=1) == (unseen[:, 0] > 0)).mean() > 0.9


def test_texts_scored_in_parts_get_the_same_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = on_a_circle(50)
    neighbours = NeighbourExpert(50)
    neighbours.fit(vectors, (vectors[:, 0] > 0).astype(np.int64), 2, np.ones(50))
    whole = neighbours.score(vectors)
    monkeypatch.setattr(experts, "_TEXTS_AT_ONCE", 7)
    for parts, at_once in zip(neighbours.score(vectors), whole, strict=True):
        np.testing.assert_allclose(parts, at_once, atol=1e-5)


def fit(
    texts: Sequence[str], labels: Sequence[str], oracle: Oracle | None = None, reads: Reads = "nothing"
) -> Classifier:
    return Classifier(static_encoder(), TrainingSet.of_texts(texts, labels), transformer=oracle, reads=reads)


def share_right(head: Classifier, texts: list[str], labels: list[str]) -> float:
    return float((np.asarray(head.labels)[head.predict(texts).argmax(axis=1)] == labels).mean())


def test_long_texts_are_scored_some_at_a_time_with_the_same_answers() -> None:
    """Scoring 20,000 posts of 1,000 characters at once took 600 MB more than fitting had."""

    class Meter(Oracle):
        read: ClassVar[list[int]] = []

        def encode(self, texts: Sequence[str]) -> np.ndarray:
            self.read.append(sum(map(len, texts)))
            return super().encode(texts)

    texts, labels, _ = labelled(96)
    meter = Meter(texts[::2])
    head = fit(texts, labels, meter, "everything")
    posts = [(text + " ").ljust(1_000, "x") for text in texts] * 32
    meter.read.clear()
    answers = head.predict([*posts, *texts])
    assert max(meter.read) <= 2_000_000
    assert sum(meter.read) == sum(map(len, [*posts, *texts]))
    np.testing.assert_allclose(answers[-96:], head.predict(texts), atol=1e-6)


def test_the_cascade_asks_the_transformer_about_few_texts_and_wins_by_it() -> None:
    texts, labels, oracle = labelled(1200)
    static = fit(texts[:800], labels[:800])
    cascade = fit(texts[:800], labels[:800], oracle, "doubtful")
    oracle.asked.clear()
    assert share_right(cascade, texts[800:], labels[800:]) > share_right(static, texts[800:], labels[800:])
    assert 0 < len(oracle.asked) < 0.3 * len(texts[800:])
    assert 0 < cascade.shares["transformer"] <= 0.2 + 1e-9


def test_texts_that_repeat_count_once() -> None:
    texts, labels, _ = labelled(120)
    once = fit(texts, labels).predict(texts)
    often = fit(texts + texts[::2] * 3, labels + labels[::2] * 3).predict(texts)
    np.testing.assert_array_equal(once, often)


def test_the_static_tier_asks_no_transformer() -> None:
    texts, labels, oracle = labelled(300)
    head = fit(texts[:200], labels[:200], oracle)
    assert share_right(head, texts[200:], labels[200:]) > 0.9
    assert not oracle.asked
    assert "transformer" not in head.shares


def test_a_classifier_that_is_to_read_needs_a_transformer() -> None:
    with pytest.raises(ValueError, match="reads='doubtful' needs a transformer"):
        fit(["good", "bad"], ["p", "n"], reads="doubtful")


def test_the_transformer_tier_asks_about_every_text() -> None:
    texts, labels, oracle = labelled(600)
    head = fit(texts[:500], labels[:500], oracle, "everything")
    oracle.asked.clear()
    assert share_right(head, texts[500:], labels[500:]) >= 0.99
    assert oracle.asked == texts[500:]


def test_probabilities_add_up_to_one_and_no_text_gives_no_row() -> None:
    head = fit(["good one", "good two", "bad one", "bad two"], ["p", "p", "n", "n"])
    np.testing.assert_allclose(head.predict(["good", "", "bad thing"]).sum(axis=1), 1)
    assert head.predict([]).shape == (0, 2)


@pytest.mark.parametrize("reads", ["nothing", "doubtful", "everything"])
def test_odd_texts_get_probabilities(reads: Reads) -> None:
    texts, labels, oracle = labelled(60)
    head = fit([*texts, "", "👍"], [*labels, "bad", "good"], oracle, reads)
    probabilities = head.predict(ODD_TEXTS)
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_corrections_above_the_limit_of_exact_votes_are_learnt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """A taxonomy near the limit with some corrections more could not be fitted at all."""
    for module in (experts, classifier_module):
        monkeypatch.setattr(module, "MOST_EXACT", 60)
    texts, labels, _ = labelled(60)
    vectors = voting_vectors(["a strange sight"] * 5)
    training_set = replace(
        TrainingSet.of_texts(texts, labels, OTHER), further=LabelledVectors(vectors, ["bad"] * 5, np.full(5, 2.0))
    )
    made = Classifier(static_encoder(), training_set)
    assert share_right(made, ["a lovely thing", "a strange sight"], ["good", "bad"]) == 1


def test_one_text_more_than_votes_are_exact_for_changes_little(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [(text, label) for label, texts in EXAMPLES.items() for text in texts]
    training_set = TrainingSet.of_texts(*zip(*files, strict=True), OTHER)
    before = Classifier(static_encoder(), training_set).predict(RELATED)
    for module in (experts, classifier_module):
        monkeypatch.setattr(module, "MOST_EXACT", len(files) - 1)
    after = Classifier(static_encoder(), training_set).predict(RELATED)
    assert (choose(after, len(EXAMPLES)) == len(EXAMPLES)).mean() < 0.2
    truth = np.repeat(np.arange(len(EXAMPLES)), len(RELATED) // len(EXAMPLES))
    right = [(choose(confidence, len(EXAMPLES)) == truth).mean() for confidence in (before, after)]
    assert right[1] > right[0] - 0.1


def test_no_neighbour_of_a_training_text_is_the_text_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit a training text counted as its own neighbour, so unseen texts looked new: of texts of 40 labels
    with 85 training texts each, 0.82 instead of 0.93 were answered right, with an ECE of 0.14 instead of 0.02."""
    vectors, codes = on_a_circle(30), np.arange(30) % 3
    exact = NeighbourExpert(30).fit(vectors, codes, 3, np.ones(30))
    monkeypatch.setattr(experts, "MOST_EXACT", 29)
    np.testing.assert_allclose(NeighbourExpert(30).fit(vectors, codes, 3, np.ones(30)).near, exact.near, atol=1e-5)


@pytest.fixture(scope="module")
def banking() -> Classifier:
    return Classifier(static_encoder(), TrainingSet.of_labels(LABELS, OTHER))


def test_five_examples_a_label_are_enough_to_tell_labels_apart(banking: Classifier) -> None:
    """A taxonomy of one's own answered ``other`` for 35 to 77 % of the texts that fit one of its labels."""
    truth = [label for label, texts in UNSEEN.items() for _ in texts]
    answers = np.array(banking.labels)[choose(banking.predict(RELATED), len(LABELS))]
    assert (answers == OTHER).mean() < 0.15
    assert (answers == truth).mean() > 0.75


@pytest.mark.parametrize(("reads", "least"), [("nothing", 0.6), ("doubtful", 0.77)])
def test_english_examples_label_texts_in_other_languages(reads: Reads, least: float) -> None:
    """Words and English vectors had the largest say, and 42 % of the texts in other languages were ``other``."""
    document = yaml.safe_load((REPOSITORY / "training" / "vectors" / "evaluation.yaml").read_text(encoding="utf-8"))
    labels = [Label(label=name, description=name, examples=texts) for name, texts in document["english"].items()]
    others = [(text, name) for by in document["others"].values() for name, texts in by.items() for text in texts]
    transformer = transformer_encoder("cpu") if reads != "nothing" else None
    made = Classifier(static_encoder(), TrainingSet.of_labels(labels, OTHER), transformer=transformer, reads=reads)
    answers = np.array(made.labels)[choose(made.predict([text for text, _ in others]), len(labels))]
    assert (answers == [name for _, name in others]).mean() >= least
    assert (answers == OTHER).mean() < 0.2


def test_a_taxonomy_of_one_label_says_other() -> None:
    """Every text had the only label, with a confidence of 0.92, whatever it said."""
    made = Classifier(static_encoder(), TrainingSet.of_labels(LABELS[:1], OTHER))
    chosen = choose(made.predict([*UNSEEN[LABELS[0].label], *UNRELATED]), 1)
    assert (chosen[: len(UNSEEN[LABELS[0].label])] == 0).mean() > 0.7
    assert (chosen[len(UNSEEN[LABELS[0].label]) :] == 1).mean() > 0.5


POOL = [*RELATED, *UNRELATED, *ODD_TEXTS[:2], *ODD_TEXTS[4:]]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_text_gets_the_same_answer_in_any_batch(banking: Classifier, data: st.DataObject) -> None:
    """A label that changed with a day's other conversations would be computed anew for no reason."""
    whole = np.round(banking.predict(POOL), 4)
    order = data.draw(st.permutations(range(len(POOL))))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(POOL) - 1), max_size=6)))
    for start, end in pairwise([0, *cuts, len(POOL)]):
        rows = order[start:end]
        np.testing.assert_array_equal(np.round(banking.predict([POOL[row] for row in rows]), 4), whole[rows])


def test_a_document_of_one_weighted_part_is_answered_as_the_text(banking: Classifier) -> None:
    documents = training_documents(RELATED, static_encoder())
    alone = banking.classify(documents).confidence
    rows = np.arange(len(RELATED))
    weighted = documents.regroup(sp.csr_matrix((np.full(len(rows), 0.4), (rows, rows))))
    np.testing.assert_allclose(banking.classify(weighted).confidence, alone, atol=0.02)
    np.testing.assert_allclose(banking.predict(RELATED), alone, atol=1e-6)


def test_documents_without_parts_are_answered(banking: Classifier) -> None:
    """A day whose conversations have no text ended in an error."""
    nothing = training_documents([], static_encoder())
    assert banking.classify(nothing).confidence.shape == (0, len(banking.labels))
    silent = banking.classify(nothing.regroup(sp.csr_matrix((3, 0)))).confidence
    np.testing.assert_allclose(silent.sum(axis=1), 1)
    assert banking.explain(nothing.regroup(sp.csr_matrix((3, 0))), np.zeros(3, np.int64)) == [None] * 3


def test_reasons_are_words_of_the_part_that_decides_and_the_remainder_has_none(banking: Classifier) -> None:
    texts = ["good morning to you", "i forgot the pin of my card", "nice weather", "which rate do you use for dollars"]
    documents = training_documents(texts, static_encoder())
    pairs = documents.regroup(sp.csr_matrix([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]))
    columns = np.array([banking.labels.index(name) for name in ("forgotten_pin", "exchange_rate")])
    pin, rate = banking.explain(pairs, columns)
    assert pin is not None
    assert rate is not None
    assert (pin.part, rate.part) == (1, 3)
    assert "pin" in pin.words
    assert {"rate", "dollars"} & set(rate.words)
    assert set(pin.words) <= set(texts[1].split())
    assert set(rate.words) <= set(texts[3].split())
    assert min(pin.weight, rate.weight) > 0
    other = np.full(2, banking.labels.index(OTHER))
    assert banking.explain(pairs, other) == [None, None]


def test_equal_training_sets_give_equal_classifiers(banking: Classifier) -> None:
    again = Classifier(static_encoder(), TrainingSet.of_labels(LABELS, OTHER))
    np.testing.assert_array_equal(again.predict(RELATED), banking.predict(RELATED))


def test_documents_without_a_known_word_do_not_vote_for_each_other() -> None:
    """A correction of one document without a known word gave its label to every other such document."""
    taught = LabelledVectors(np.zeros((1, 512)), ["exchange_rate"], np.full(1, 2.0))
    column = list(EXAMPLES).index("exchange_rate")
    before, after = (
        Classifier(static_encoder(), TrainingSet.of_labels(LABELS, OTHER, further=one)).predict(["\x07\x07"])[:, column]
        for one in (None, taught)
    )
    np.testing.assert_allclose(after, before, atol=0.05)
    neighbours = NeighbourExpert(10)
    vectors = np.vstack([np.eye(4, dtype=np.float32), np.zeros((1, 4), np.float32)])
    neighbours.fit(vectors, np.array([0, 0, 1, 1, 1]), 2, np.ones(5))
    assert neighbours.score(np.zeros((1, 4), np.float32))[1].tolist() == [0.0]


def test_a_document_corrected_to_other_is_other() -> None:
    """Near a document that fits no label, `other` became less probable: the document was taken for a known one."""
    said = ["when does the museum open", "my cat sleeps all day"]
    taught = LabelledVectors(voting_vectors(said), [OTHER] * 2, np.full(2, 2.0))
    answers = Classifier(static_encoder(), TrainingSet.of_labels(LABELS, OTHER, further=taught)).predict(said)
    assert (answers[:, -1] > 0.5).all()


def test_corrected_documents_change_what_is_said_of_texts_like_them() -> None:
    said = ["i want a dark theme", "the colours of the app are too bright"]
    vectors = voting_vectors(said)
    taught = LabelledVectors(vectors, ["exchange_rate"] * 2, np.full(2, 2.0))
    column = list(EXAMPLES).index("exchange_rate")
    before, after = (
        Classifier(static_encoder(), TrainingSet.of_labels(LABELS, OTHER, further=one)).predict(said)[:, column]
        for one in (None, taught)
    )
    assert (after > before + 0.2).all()


def test_a_transformer_of_english_reads_english_texts_and_the_other_one_few_of_them() -> None:
    texts, labels, oracle = labelled(1200)
    oracle.name, oracle.english_encoder = "knows nothing", Oracle(oracle.good)
    oracle.good = set()
    cascade = fit(texts[:800], labels[:800], oracle, "doubtful")
    oracle.asked.clear()
    oracle.english_encoder.asked.clear()
    assert share_right(cascade, texts[800:], labels[800:]) > share_right(fit(texts[:800], labels[:800]), texts, labels)
    assert 0 < len(oracle.asked) + len(oracle.english_encoder.asked) < 400
    assert len(oracle.asked) <= 40
    oracle.english_encoder.asked.clear()
    foreign = ["Wo ist denn nun meine Rechnung?", "у меня не приходит письмо с кодом"]
    short = ["Rechnung fehlt", "Passwort vergessen", "colis perdu", "👍"]  # without a function word of any language
    cascade.predict([*foreign, *short])
    assert oracle.english_encoder.asked == []


def test_a_transformer_of_english_is_not_asked_where_the_training_texts_are_not_english() -> None:
    oracle = Oracle()
    oracle.english_encoder = Oracle()
    texts = [
        f"das ist {'gut und schön' if number % 2 else 'schlecht, und es war nicht das'} {number}"
        for number in range(60)
    ]
    made = fit(texts, [("bad", "good")[number % 2] for number in range(60)], oracle, "everything")
    made.predict(texts)
    assert oracle.asked
    assert oracle.english_encoder.asked == []


def test_what_a_transformer_read_of_corrected_documents_changes_its_votes() -> None:
    """Corrections would teach the static vectors alone, which count little beside a transformer."""
    texts, labels, oracle = labelled(96)
    odd = ["nothing can be known of this one"]
    vectors = voting_vectors(["an unrelated matter"])
    of_bad = oracle.encode(odd)
    found = []
    for read in (None, of_bad, -of_bad):
        taught = LabelledVectors(vectors, ["good"], np.full(1, 50.0), read)
        training_set = replace(TrainingSet.of_texts(texts, labels), further=taught)
        made = Classifier(static_encoder(), training_set, transformer=oracle, reads="everything")
        found.append(made.predict(odd)[0, made.labels.index("good")])
    assert found[1] > max(found[0], found[2]) + 0.1
