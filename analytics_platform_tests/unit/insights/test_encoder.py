from __future__ import annotations

import importlib.util

import numpy as np
import pyarrow as pa
import pytest

from analytics_platform.insights.vectors.static_english import EncoderError, EnglishEncoder
from analytics_platform.insights.vectors.static_multilingual import static_encoder

TEXTS = ["how do i mount a cdrom?", "", "mounting a cd drive", "my flight was delayed", "🦀", "日本", "x" * 1_000_000]


def test_vectors_have_unit_length_or_are_all_zeros_where_nothing_is_known() -> None:
    vectors = static_encoder().encode(TEXTS)
    assert vectors.shape == (len(TEXTS), 256)
    assert vectors.dtype == np.float32
    lengths = np.linalg.norm(vectors, axis=1)
    assert lengths[[1, 4]].tolist() == [0, 0]
    np.testing.assert_allclose(lengths[[0, 2, 3, 5, 6]], 1, atol=1e-5)


def test_texts_of_one_meaning_are_nearer_than_others() -> None:
    one, _, same, other = static_encoder().encode(TEXTS[:4])
    assert one @ same > 0.4 > one @ other


def test_a_text_has_the_same_vector_bit_for_bit_in_any_batch() -> None:
    encoder = static_encoder()
    together = encoder.encode([*TEXTS, *reversed(TEXTS)])
    for i, text in enumerate(TEXTS):
        alone = encoder.encode([text])[0]
        assert np.array_equal(alone, together[i])
        assert np.array_equal(alone, together[-1 - i])


def test_lists_arrays_and_chunks_encode_alike() -> None:
    encoder = static_encoder()
    expected = encoder.encode(TEXTS[:4])
    assert np.array_equal(encoder.encode(pa.array(TEXTS[:4])), expected)
    assert np.array_equal(encoder.encode(pa.chunked_array([TEXTS[:1], TEXTS[1:4]])), expected)
    assert encoder.encode([]).shape == (0, 256)
    assert encoder.encode(pa.chunked_array([], pa.string())).shape == (0, 256)


def test_a_text_without_a_space_encodes_although_long() -> None:
    assert static_encoder().encode(["日本語" * 300_000]).any()


def test_missing_vectors_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(EncoderError, match="wordllama is not installed"):
        EnglishEncoder()
