from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from analytics_platform.insights.encoders.words import split_words
from analytics_platform.insights.tiers.sentiment import SLICE_PATH, WEIGHTS_PATH, load_sentiment, save_sentiment
from analytics_platform.insights.tiers.tier import Documents
from analytics_platform.insights.vectors.static_multilingual import static_encoder
from analytics_platform.model.word_sets.languages import UNKNOWN
from analytics_platform.transform.language import detect_languages


def test_a_head_is_read_as_it_was_written(tmp_path: Path) -> None:
    head = load_sentiment()
    save_sentiment(head, tmp_path / "head.safetensors")
    assert (tmp_path / "head.safetensors").read_bytes() == WEIGHTS_PATH.read_bytes()


def test_the_slice_is_small_and_its_sources_and_licences_are_named() -> None:
    notice = SLICE_PATH.with_name("NOTICE").read_text(encoding="utf-8")
    assert SLICE_PATH.stat().st_size <= 600_000
    for source in pc.unique(pq.read_table(SLICE_PATH)["source"]).to_pylist():
        (line,) = [line for line in notice.splitlines() if line.startswith(source)]
        assert "CC BY 4.0" in line


def test_the_slice_is_english() -> None:
    """A source of several languages had left Vietnamese texts in the slice.

    The detector takes one short English text in a hundred for another language, but none for Vietnamese.
    """
    texts = pq.read_table(SLICE_PATH)["text"].combine_chunks()
    languages = Counter(detect_languages(texts, pa.nulls(len(texts), pa.string())).to_pylist())
    assert languages["vi"] == 0
    assert sum(languages.values()) - languages["en"] - languages[UNKNOWN] < 0.01 * len(texts)


def test_a_foreign_text_in_the_slice_would_be_noticed() -> None:
    foreign = pa.array(["Giờ học hôm nay rất vui, mình không hiểu bài nhưng tôi thích thầy."])
    assert detect_languages(foreign, pa.nulls(1, pa.string())).to_pylist() == ["vi"]


def polarity(*texts: str) -> list[float]:
    encoder, words = static_encoder(), split_words(texts)
    confidence = load_sentiment().classify(Documents.of_single(list(texts), words, encoder.encode(texts))).confidence
    return [float(value) for value in confidence[:, 2] - confidence[:, 0]]


@pytest.mark.parametrize(
    ("praise", "blame"),
    [
        ("Alles funktioniert wunderbar.", "Das Gerät ist leider kaputt."),
        ("Le produit est excellent.", "Le produit est de mauvaise qualité."),
        ("这个产品非常好用", "质量太差了，很失望"),
        ("とても満足しています", "対応が最悪でした"),
        ("المنتج ممتاز", "المنتج سيئ جدا"),
        ("Товар отличный", "Товар ужасный"),
    ],
)
def test_praise_and_blame_are_told_apart_in_other_languages(praise: str, blame: str) -> None:
    """The head was English: nine of ten clear sentences in other languages stayed near 0."""
    good, bad = polarity(praise, blame)
    assert bad < -0.25
    assert good > 0.25


def test_a_text_without_a_word_of_feeling_is_neutral_without_certainty() -> None:
    """A text in a language that the head does not know must not get a sure sentiment."""
    texts = ["Wo finde ich die Rechnung vom März?", "请问发票在哪里下载", "xyzzy qwrt"]
    documents = Documents.of_single(texts, split_words(texts), static_encoder().encode(texts))
    confidence = load_sentiment().classify(documents).confidence
    assert confidence.argmax(axis=1).tolist() == [1, 1, 1]
    assert confidence.max() < 0.95


def test_reasons_quote_the_words_of_feeling_and_no_emoticon() -> None:
    texts = ["Das Gerät ist leider kaputt :(", "this is awful"]
    encoder, words = static_encoder(), split_words(texts)
    documents = Documents.of_single(texts, words, encoder.encode(texts))
    first, second = load_sentiment().explain(documents, np.array([0, 0]), encoder.encode_words)
    assert first is not None
    assert second is not None
    assert "kaputt" in first.words
    assert "sadface" not in first.words
    assert second.words[0] == "awful"
