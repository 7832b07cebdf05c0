"""Fitted classifiers in files: the same answers, a file per fit, and files that cannot be trusted."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import orjson
import pytest
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfTransformer

from analytics_platform.insights.heads.classifier import Classifier
from analytics_platform.insights.heads.features import _Tfidf
from analytics_platform.insights.heads.training_set import TrainingSet, training_documents
from analytics_platform.insights.keeping import kept_classifiers
from analytics_platform.insights.keeping.kept_classifiers import MOST_FILES, NOT_KEPT, KeptClassifiers
from analytics_platform.insights.keeping.packing import DamagedStateError, pack, unpack
from analytics_platform.insights.taxonomies.taxonomy import load_taxonomy
from analytics_platform.insights.tiers.static import StaticTier
from analytics_platform.insights.vectors.static_multilingual import static_encoder
from analytics_platform_tests.unit.insights.banking_like import EXAMPLES, RELATED, UNRELATED
from analytics_platform_tests.unit.insights.test_classifier import Oracle

TEXTS = [text for texts in EXAMPLES.values() for text in texts]
NAMES = [name for name, texts in EXAMPLES.items() for _ in texts]
WHAT = ("taxonomy 1", "topic")


class Fits:
    """Gives the training set, and counts how often it is asked."""

    def __init__(self) -> None:
        self.count = 0
        self.set = replace(TrainingSet.of_texts(TEXTS, NAMES), keywords={"lost_card": ("card*", "lost card")})

    def __call__(self) -> TrainingSet:
        self.count += 1
        return self.set


@pytest.fixture
def fits() -> Fits:
    return Fits()


@dataclass(frozen=True)
class Point:
    """A dataclass that a state may contain."""

    x: float
    y: np.ndarray


def answers(classifier: Classifier, texts: list[str]) -> list[object]:
    """Return confidence as bytes and reasons with every digit."""
    documents = training_documents(texts, static_encoder())
    confidence = classifier.classify(documents).confidence
    reasons = classifier.explain(documents, confidence.argmax(axis=1))
    return [confidence.tobytes(), *((one.part, one.words, one.weight.hex()) if one else None for one in reasons)]


@pytest.mark.slow
@pytest.mark.parametrize("transformer", [None, Oracle(TEXTS[:12])], ids=["static", "transformer"])
def test_a_kept_classifier_answers_as_the_fitted_one_to_the_last_digit(tmp_path, fits, transformer):
    """A worker that reads a fit and one that fits must label alike, or a table would depend on who computed it."""
    kept = KeptClassifiers(tmp_path / "classifiers")
    options = {"transformer": transformer, "reads": "everything" if transformer else "nothing"}
    texts = [*RELATED, *UNRELATED, *TEXTS[:12], "", "☎ नमस्ते", "card " * 500]
    made = [kept.classifier(static_encoder(), fits, WHAT, **options) for _ in range(2)]
    assert fits.count == 1
    assert answers(made[0], texts) == answers(made[1], texts)
    assert made[0].labels == made[1].labels
    assert made[0].shares == made[1].shares


@pytest.mark.slow
def test_the_shipped_labels_are_the_same_from_a_kept_classifier(tmp_path):
    texts = [*RELATED, *UNRELATED, "my flight is delayed", "the bag never came", "thank you"]
    tiers = [
        StaticTier(static_encoder(), load_taxonomy(), kept=kept)
        for kept in (NOT_KEPT, KeptClassifiers(tmp_path), KeptClassifiers(tmp_path))
    ]
    documents = training_documents(texts, static_encoder())
    for kind in ("topic", "intent"):
        first, *others = (tier.classify(kind, documents).confidence.tobytes() for tier in tiers)
        assert set(others) == {first}
    assert len(list(tmp_path.glob("*.safetensors"))) == 2


@pytest.mark.slow
def test_another_fit_has_another_file(tmp_path, fits, monkeypatch):
    """A taxonomy, a model or a library that changes must not label by the classifiers of before."""
    kept = KeptClassifiers(tmp_path)
    for what in (WHAT, ("taxonomy 2", "topic"), ("taxonomy 1", "intent")):
        kept.classifier(static_encoder(), fits, what)
    monkeypatch.setattr(kept_classifiers, "_machine", lambda: ("numpy 9",))
    kept.classifier(static_encoder(), fits, WHAT)
    assert fits.count == 4
    assert len(list(tmp_path.glob("*.safetensors"))) == 4


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["cut", "changed number", "changed text", "empty", "text"])
def test_a_damaged_file_is_made_again(tmp_path, fits, damage):
    kept = KeptClassifiers(tmp_path)
    kept.classifier(static_encoder(), fits, WHAT)
    (file,) = tmp_path.glob("*.safetensors")
    whole = file.read_bytes()
    middle = len(whole) // 2
    damaged = {
        "cut": whole[:middle],
        "changed number": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "changed text": whole.replace(b"card", b"cart", 1),
        "empty": b"",
        "text": b"no classifier",
    }
    assert damaged[damage] != whole
    file.write_bytes(damaged[damage])
    kept.classifier(static_encoder(), fits, WHAT)
    assert fits.count == 2
    assert file.read_bytes() == whole


@pytest.mark.slow
def test_the_files_that_were_used_last_stay(tmp_path, fits):
    for number in range(MOST_FILES + 3):
        old = tmp_path / f"{number:032x}.safetensors"
        old.write_bytes(b"")
        os.utime(old, (number, number))
    KeptClassifiers(tmp_path).classifier(static_encoder(), fits, WHAT)
    left = sorted(tmp_path.glob("*.safetensors"), key=lambda file: file.stat().st_mtime)
    assert len(left) == MOST_FILES
    assert left[0].name == f"{4:032x}.safetensors"


@pytest.mark.slow
def test_no_file_keeps_words_of_labelled_files_that_were_changed(tmp_path, fits):
    """A text that a person deleted from a labelled file would stay in the words of a kept classifier."""
    kept = KeptClassifiers(tmp_path)

    def names(labelled: str) -> set[str]:
        kept.classifier(static_encoder(), fits, WHAT, labelled=labelled)
        return {file.name for file in tmp_path.iterdir()} - {".lock"}

    (one,), (two,), (none,) = names("one"), names("two"), names("")
    assert len({one, two, none}) == 3
    assert names("two") == {two, none}
    assert names("") == {none}


@pytest.mark.slow
def test_a_folder_that_cannot_be_made_costs_a_fit_and_nothing_else(tmp_path, fits):
    (tmp_path / "file").write_text("in the way")
    kept = KeptClassifiers(tmp_path / "file" / "classifiers")
    assert kept.classifier(static_encoder(), fits, WHAT).labels == fits.set.labels
    assert fits.count == 1


def test_a_state_comes_back_with_its_numbers_texts_and_order_of_memory():
    random = np.random.default_rng(0)
    state = {
        "fortran": np.asfortranarray(random.normal(size=(5, 3))),
        "single": random.normal(size=(4, 2)).astype(np.float32),
        "texts": ("a", "ü\n", ""),
        "points": (Point(float("inf"), np.arange(3)), Point(0.1, np.zeros(0))),
        "nothing": None,
        "names": {"a": ("b",), "c": ()},
        "count": 3,
    }
    back = unpack(pack(state), [Point])
    assert pack(back) == pack(state)
    assert back["fortran"].flags.f_contiguous
    assert back["single"].dtype == np.float32
    assert [one.x for one in back["points"]] == [float("inf"), 0.1]
    assert (back["texts"], back["nothing"], back["names"], back["count"]) == (
        state["texts"], None, {"a": ("b",), "c": ()}, 3,
    )  # fmt: skip


def test_a_state_of_other_classes_is_refused():
    """A file names classes; only those that the reader lists are made."""
    content = pack({"point": Point(1.0, np.zeros(1))})
    with pytest.raises(DamagedStateError):
        unpack(content, [])
    with pytest.raises(TypeError, match="PosixPath"):
        pack({"path": Path("x")})


def test_a_state_is_json_and_tensors():
    """A pickle would run what a file says."""
    content = pack({"a": np.zeros(2), "b": "text"})
    length = int.from_bytes(content[:8], "little")
    assert orjson.loads(content[8 : 8 + length])["0"]["dtype"] == "F64"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_of_terms_are_those_of_scikit_learn_to_the_last_digit(dtype):
    counts = sp.random(200, 500, density=0.05, format="csr", dtype=dtype, random_state=0)
    counts.data = np.ceil(counts.data * 7).astype(dtype)
    counts = sp.vstack([counts, sp.csr_matrix((2, 500), dtype=dtype)], format="csr")
    expected = TfidfTransformer().fit_transform(counts)
    got = _Tfidf.fit(counts).transform(counts)
    np.testing.assert_array_equal(got.data, expected.data)
    np.testing.assert_array_equal(got.indices, expected.indices)
    assert got.dtype == expected.dtype
