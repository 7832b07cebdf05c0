from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import pyarrow.parquet as pq
import pytest

from analytics_platform.insights.encoders import student
from analytics_platform.insights.encoders.encoder import static_encoder
from analytics_platform.insights.encoders.features import Features, prepare
from analytics_platform.insights.encoders.student import Student, general_texts
from analytics_platform.insights.heads import experts, label_heads
from analytics_platform.insights.heads.experts import NeighbourExpert
from analytics_platform.insights.heads.label_heads import LabelHead, Reads, build_head
from analytics_platform.insights.tiers.sentiment import SLICE_PATH
from analytics_platform.insights.tiers.tier import TierError

pytestmark = pytest.mark.slow  # fits models

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

    def __init__(self, good: Sequence[str] = ()) -> None:
        self.good = set(good)
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        return np.array([[1.0, 0.0] if text in self.good else [0.0, 1.0] for text in texts], np.float32)


def labelled(count: int) -> tuple[list[str], list[str], Oracle]:
    """Return texts of which all but one in twelve can be told apart by their words, and an oracle that knows all."""
    hints = {"good": "a lovely thing", "bad": "a dreadful mess"}
    labels = [("good", "bad")[number % 2] for number in range(count)]
    texts = [f"{hints[label] if number % 24 > 1 else 'it'} {number}" for number, label in enumerate(labels)]
    return texts, labels, Oracle([text for text, label in zip(texts, labels, strict=True) if label == "good"])


def test_scores_are_those_of_the_features_whichever_way_they_are_computed() -> None:
    texts = pq.read_table(SLICE_PATH)["text"].to_pylist()[:300]
    seen, unseen = (
        prepare(part, static_encoder()) for part in (texts[:200], [*texts[200:], "", "🦀", "unheardofword"])
    )
    features = Features().fit(seen)
    rows = features.transform(unseen)
    coefficients = np.random.default_rng(0).normal(size=(rows.shape[1], 3)).astype(np.float32)
    np.testing.assert_allclose(features.score(unseen, coefficients), rows @ coefficients, atol=1e-3)


def test_scores_of_a_text_left_out_are_those_of_neighbours_fitted_without_it() -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(30, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[15:] = -vectors[:15]  # so that the centre stays where it is
    codes = random.integers(3, size=30)
    left_out = NeighbourExpert(1000).fit(vectors, codes, 3)
    without = NeighbourExpert(1000)
    others = np.arange(30) != 4
    without.fit(vectors[others], codes[others], 3)
    np.testing.assert_allclose(left_out[4], without.score(vectors[4:5])[0], atol=0.1)
    assert np.abs(left_out[4] - without.score(vectors[4:5])[0]).max() < np.abs(left_out[4] - left_out[5]).max()


def on_a_circle(count: int) -> np.ndarray:
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, count)
    return np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)


def test_neighbours_are_a_part_of_many_texts_and_score_all_of_them() -> None:
    vectors = on_a_circle(200)
    codes = (vectors[:, 0] > 0).astype(np.int64)
    few, unseen = NeighbourExpert(40), on_a_circle(500)[200:]
    left_out = few.fit(vectors, codes, 2)
    assert left_out.shape == (200, 2)
    assert (left_out.argmax(axis=1) == codes).mean() > 0.9
    own = np.abs(left_out - few.score(vectors)).max(axis=1) > 1e-6
    assert own.sum() == 40  # those kept are scored without themselves
    assert (few.score(unseen).argmax(axis=1) == (unseen[:, 0] > 0)).mean() > 0.9


def test_texts_scored_in_parts_get_the_same_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = on_a_circle(50)
    neighbours = NeighbourExpert(50)
    neighbours.fit(vectors, (vectors[:, 0] > 0).astype(np.int64), 2)
    whole = neighbours.score(vectors)
    monkeypatch.setattr(experts, "_TEXTS_AT_ONCE", 7)
    np.testing.assert_allclose(neighbours.score(vectors), whole, atol=1e-5)


def share_right(head: LabelHead, texts: list[str], labels: list[str]) -> float:
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
    head = LabelHead(static_encoder(), meter, reads="everything").fit(texts, labels)
    posts = [(text + " ").ljust(1_000, "x") for text in texts] * 32
    meter.read.clear()
    answers = head.predict([*posts, *texts])
    assert max(meter.read) <= 2_000_000
    assert sum(meter.read) == sum(map(len, [*posts, *texts]))
    np.testing.assert_allclose(answers[-96:], head.predict(texts), atol=1e-6)


def test_the_cascade_asks_the_transformer_about_few_texts_and_wins_by_it() -> None:
    texts, labels, oracle = labelled(1200)
    static = LabelHead(static_encoder()).fit(texts[:800], labels[:800])
    cascade = LabelHead(static_encoder(), oracle, reads="doubtful").fit(texts[:800], labels[:800])
    oracle.asked.clear()
    assert share_right(cascade, texts[800:], labels[800:]) > share_right(static, texts[800:], labels[800:])
    assert 0 < len(oracle.asked) < 0.15 * len(texts[800:])
    assert 0 < cascade.shares["transformer"] <= 0.085 + 1e-9


def test_texts_that_repeat_count_once() -> None:
    texts, labels, _ = labelled(120)
    once = LabelHead(static_encoder()).fit(texts, labels).predict(texts)
    often = LabelHead(static_encoder()).fit(texts + texts[::2] * 3, labels + labels[::2] * 3).predict(texts)
    np.testing.assert_array_equal(once, often)


def test_the_static_tier_learns_from_the_transformer_and_asks_it_nothing_when_scoring() -> None:
    texts, labels, oracle = labelled(300)
    head = LabelHead(static_encoder(), oracle).fit(texts[:200], labels[:200])
    assert oracle.asked == texts[:200]
    oracle.asked.clear()
    assert share_right(head, texts[200:], labels[200:]) > 0.9
    assert not oracle.asked
    assert "transformer" not in head.shares


class Spinner:
    """Stands for a transformer whose vectors a linear map can know: the static vectors, turned."""

    name = "spinner"
    device: Literal["cpu", "gpu"] = "cpu"

    def __init__(self) -> None:
        self.turn = np.linalg.qr(np.random.default_rng(0).normal(size=(256, 256)))[0].astype(np.float32)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        return prepare(texts, static_encoder()).vectors @ self.turn


@pytest.mark.parametrize("few", [False, True])
def test_a_student_guesses_vectors_of_texts_it_has_not_seen(few: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(student, "_FEWEST_READ", 600)
    texts = pq.read_table(SLICE_PATH)["text"].to_pylist()[:1100]
    transformer, seen, unseen = Spinner(), texts[: 100 if few else 500], prepare(texts[500:600], static_encoder())
    guesses = Student(static_encoder(), transformer, texts[600:])
    of_seen = guesses.fit(seen, transformer.encode(seen))
    alike = guesses.encode(unseen) @ guesses.encode(unseen).T
    truth = transformer.encode(unseen.texts)
    pairs = np.triu_indices(100, 1)
    assert np.corrcoef(alike[pairs], (truth @ truth.T)[pairs])[0, 1] > 0.8
    assert of_seen.shape == (len(seen), 128)
    np.testing.assert_allclose(np.linalg.norm(of_seen, axis=1), 1, atol=1e-4)


def test_a_student_of_many_texts_reads_some_and_guesses_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(student, "_FEWEST_READ", 20)
    monkeypatch.setattr(student, "_MOST_READ", 60)
    texts, _, oracle = labelled(200)
    guesses = Student(static_encoder(), oracle, ["never read"]).fit(texts)
    assert (len(oracle.asked), len(guesses)) == (60, 200)
    assert set(oracle.asked) < set(texts)
    known = Student(static_encoder(), oracle).fit(texts, oracle.encode(texts))
    np.testing.assert_array_equal(guesses, known)


def test_the_static_tier_has_no_more_texts_read_than_its_student_learns_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(student, "_MOST_READ", 60)
    texts, labels, oracle = labelled(200)
    LabelHead(static_encoder(), oracle).fit(texts, labels)
    assert len(oracle.asked) == 60


def test_general_texts_are_as_many_as_a_student_needs() -> None:
    assert len(general_texts()) > 5_000


def test_a_head_that_is_to_read_needs_a_transformer() -> None:
    with pytest.raises(ValueError, match="reads='doubtful' needs a transformer"):
        LabelHead(static_encoder(), reads="doubtful")


def test_without_the_transformer_only_the_static_tier_is_built(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(_: str) -> None:
        raise TierError("transformer: not installed")

    monkeypatch.setattr(label_heads, "transformer_encoder", missing)
    assert not build_head("static").has_student
    assert "transformer: not installed; the tier static is fitted without" in caplog.text
    with pytest.raises(TierError, match="not installed"):
        build_head("cascade")


def test_the_static_tier_is_taught_on_the_cpu_wherever_it_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(label_heads, "resolve_device", lambda _: experts.CPU)
    monkeypatch.setattr(label_heads, "transformer_encoder", lambda device: asked.append(device) or Oracle())
    assert build_head("static", "gpu").has_student
    build_head("cascade", "gpu")
    assert asked == ["cpu", "gpu"]


def test_the_transformer_tier_asks_about_every_text() -> None:
    texts, labels, oracle = labelled(300)
    head = LabelHead(static_encoder(), oracle, reads="everything").fit(texts[:200], labels[:200])
    oracle.asked.clear()
    assert share_right(head, texts[200:], labels[200:]) == 1
    assert oracle.asked == texts[200:]


def test_probabilities_add_up_to_one_and_no_text_gives_no_row() -> None:
    head = LabelHead(static_encoder()).fit(["good one", "good two", "bad one", "bad two"], ["p", "p", "n", "n"])
    np.testing.assert_allclose(head.predict(["good", "", "bad thing"]).sum(axis=1), 1)
    assert head.predict([]).shape == (0, 2)


@pytest.mark.parametrize("reads", ["nothing", "doubtful", "everything"])
def test_odd_texts_get_probabilities(reads: Reads) -> None:
    texts, labels, oracle = labelled(60)
    head = LabelHead(static_encoder(), oracle, reads=reads).fit([*texts, "", "👍"], [*labels, "bad", "good"])
    probabilities = head.predict(ODD_TEXTS)
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
