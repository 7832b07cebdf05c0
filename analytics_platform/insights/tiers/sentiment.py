"""The sentiment head: negative, neutral or positive, fitted on a small labelled slice shipped with the package.

The slice is English. Texts in other languages are judged by weights of their own, of the words' valence and the static
vectors, which hold in every language; English texts also by the words and word pairs of the slice.

``data/sentiment.parquet`` is the slice (see ``data/NOTICE``), ``data/sentiment.safetensors`` the result of
``fit_sentiment``; a test fits the head again and compares. Run the module to write the second file again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp
from safetensors import safe_open
from safetensors.numpy import save_file
from scipy.special import softmax

from analytics_platform.insights.encoders.device import CPU, Device
from analytics_platform.insights.encoders.valence import Valence, read_valence
from analytics_platform.insights.encoders.words import HAPPY, SAD, TermMatcher, Words, normalize, split_words
from analytics_platform.insights.heads.linear import (
    add_terms,
    heaviest_per_row,
    heaviest_words,
    pool,
    reasons_by_row,
    saturate,
)
from analytics_platform.insights.tiers.tier import SENTIMENT_VALUES, Classified, Documents, Floats, Ints, Reason
from analytics_platform.insights.vectors.static_multilingual import StaticEncoder, static_encoder
from analytics_platform.insights.vectors.unit_length import row_lengths, unit

SLICE_PATH = Path(__file__).parents[1] / "data" / "sentiment.parquet"
WEIGHTS_PATH = Path(__file__).parents[1] / "data" / "sentiment.safetensors"

_VECTOR_SCALE, _OTHER_VECTOR_SCALE = 3.0, 0.5
"""Scales of vector dimensions against terms in the regularisation, in English and in other languages. Static vectors
tell topics rather than feelings; with 0.5 they decide only where words of feeling are missing. With 1, the label of
0.90 of the development sentences was right, with 0.5 of 0.975."""
_VALENCE_SCALE = 3.0
_INVERSE_REGULARISATION = 0.05
_SMALLEST_COUNT = 5
_NEUTRAL_STRENGTH = 0.6
"""Log-odds added to the fitted English bias of neutral, because two fifths of the training texts are neutral, but most
texts of customers are. With it, single words, which are weak evidence, keep a sentiment near 0.
"""
_OTHER_SHARPNESS = 1.7
"""Factor of the logits in other languages: their lists are short and choose clear words, so that a mention is stronger
evidence than one of VADER's words; chosen on the development half of ``training/sentiment/sentences.tsv``."""
_HALF_EVIDENCE = 2.0
"""Sum of values, one strong word, at which a sum of one sign counts half of what it can count."""
_NORMALIZER = 15.0
_VALENCE_SLOPES = np.array([0.26, 0.3, 0.3])
"""Approximate change of each valence feature with a word's value, for reasons."""
_LABELS = tuple(SENTIMENT_VALUES)


class FeelingEvidence(NamedTuple):
    """What the words of documents say about sentiment.

    Attributes:
        features: Balance, positive sum and negative sum of the valence, each from -1 to 1; shape (documents, 3).
        english: Share of each document in English; shape (documents, 1).
    """

    features: Floats
    english: Floats


@dataclass(frozen=True)
class SentimentHead:
    """Weights of the sentiment labels.

    Attributes:
        matcher: Finds the terms.
        vector_weights: Shape (256, labels).
        term_weights: Shape (terms, labels).
        valence_weights: Shape (3, labels).
        bias: Shape (labels,).
        other_vector_weights: Of languages other than English; shape (256, labels).
        other_valence_weights: Of languages other than English; shape (3, labels).
        other_bias: Of languages other than English; shape (labels,).
        device: Device of the dense product.
    """

    matcher: TermMatcher
    vector_weights: Floats
    term_weights: Floats
    valence_weights: Floats
    bias: Floats
    other_vector_weights: Floats
    other_valence_weights: Floats
    other_bias: Floats
    device: Device = CPU
    labels: tuple[str, ...] = _LABELS

    def classify(self, documents: Documents) -> Classified:
        """Return the probabilities of the labels."""
        valence = read_valence(documents.words)
        features, english = weigh_evidence(documents, valence)
        terms = saturate(
            documents.weights @ sp.diags(valence.english.astype(np.float64)) @ self.matcher.count(documents.words)
        )
        both = np.hstack([self.vector_weights, self.other_vector_weights])
        by_vector = self.device.matmul(pool(documents), both)
        count = len(self.labels)
        logits = by_vector[:, :count] + terms @ self.term_weights + features @ self.valence_weights + self.bias
        other = by_vector[:, count:] + features @ self.other_valence_weights + self.other_bias
        return Classified(self.labels, softmax(english * logits + (1 - english) * other, axis=1))

    def explain(
        self, documents: Documents, chosen: Ints, encode_words: Callable[[pa.StringArray], np.ndarray]
    ) -> list[Reason | None]:
        """Return for each document the part and the words that contributed most to the chosen label.

        Args:
            documents: The documents.
            chosen: Column of the chosen label per document.
            encode_words: Returns word vectors.

        Returns:
            One reason per document; None if no part contributes to the chosen label.
        """
        scores = self._score_words(documents.words, encode_words)
        text_of, count = documents.words.text_of, len(documents.words)
        of_part = np.column_stack([np.bincount(text_of, column, count) for column in scores.T])
        entries = documents.weights.tocoo()
        share = of_part[entries.col, chosen[entries.row]] * entries.data
        keep = share > 0
        shares = sp.csr_matrix((share[keep], (entries.row[keep], entries.col[keep])), shape=documents.weights.shape)
        rows, parts, weights = heaviest_per_row(shares)
        words = documents.words.take(parts)
        labels = chosen[rows][words.text_of]
        share = scores[documents.words.places(parts), labels]
        is_face = pc.is_in(words.vocabulary, pa.array([HAPPY, SAD])).to_numpy(zero_copy_only=False)
        share[is_face[words.codes]] = 0  # readers did not write these words
        return reasons_by_row(len(documents), rows, parts, weights, heaviest_words(words, share))

    def _score_words(self, words: Words, encode_words: Callable[[pa.StringArray], np.ndarray]) -> Floats:
        """Return what each word adds to each label above the mean of all labels; shape (words, labels)."""
        valence = read_valence(words)
        english = valence.english[words.text_of][:, None]
        meaning = np.asarray(words.of_vocabulary(encode_words, encode_words), np.float64)
        length = row_lengths(words.incidence() @ meaning)[:, 0]
        scale = (1 / np.maximum(length, 1e-9))[words.text_of][:, None]
        value = valence.by_word[:, None]
        by_value = np.hstack([value, np.maximum(value, 0), np.maximum(-value, 0)]) * _VALENCE_SLOPES
        own = (meaning @ self.vector_weights)[words.codes] * scale + by_value @ self.valence_weights
        found = self.matcher.find(words)
        add_terms(own, found, self.term_weights[found.term])
        other = (meaning @ self.other_vector_weights)[words.codes] * scale + by_value @ self.other_valence_weights
        scores = np.where(english, own, other)
        return np.asarray(scores - scores.mean(axis=1, keepdims=True))


def weigh_evidence(documents: Documents, valence: Valence) -> FeelingEvidence:
    """Return what the parts' valence says about documents."""
    positive, negative = documents.weights @ valence.positive, documents.weights @ valence.negative
    total = positive - negative
    balance = total / np.sqrt(total * total + _NORMALIZER)
    sums = (positive / (positive + _HALF_EVIDENCE), negative / (negative + _HALF_EVIDENCE))
    weight = documents.weights @ np.maximum(documents.masses, 1e-3)
    english = documents.weights @ (np.maximum(documents.masses, 1e-3) * valence.english)
    share = english / np.where(weight > 0, weight, 1)
    return FeelingEvidence(np.column_stack([balance, *sums]), share[:, None])


def fit_sentiment(encoder: StaticEncoder, labelled: pa.Table) -> SentimentHead:
    """Fit the sentiment head; equal input gives an equal head up to the optimiser's tolerance.

    Args:
        encoder: Makes the vectors.
        labelled: Columns ``text`` and ``label``; a label is one of ``SENTIMENT_VALUES``. The texts are English.
    """
    from sklearn.feature_extraction.text import CountVectorizer  # noqa: PLC0415  (seconds; only fitting needs it)

    texts, labels = labelled["text"].combine_chunks(), labelled["label"].to_pylist()
    normal = normalize(texts).to_pylist()
    counter = CountVectorizer(
        tokenizer=str.split,
        token_pattern=None,
        lowercase=False,
        ngram_range=(1, 2),
        min_df=_SMALLEST_COUNT,
        binary=True,
    )
    matcher = TermMatcher(sorted(counter.fit(normal).vocabulary_))
    words = split_words(texts)
    vectors = unit(encoder.sum_words(words).astype(np.float64))
    documents = Documents.of_single(texts.to_pylist(), words, vectors)
    valence = weigh_evidence(documents, read_valence(words)).features * _VALENCE_SCALE
    terms = saturate(matcher.count(words))
    features = sp.hstack([sp.csr_matrix(np.hstack([vectors * _VECTOR_SCALE, valence])), terms]).tocsr()
    weights, bias = _fit(features, labels)
    other, other_bias = _fit(np.hstack([vectors * _OTHER_VECTOR_SCALE, valence]), labels)
    bias[_LABELS.index("neutral")] += _NEUTRAL_STRENGTH
    other, other_bias = other * _OTHER_SHARPNESS, other_bias * _OTHER_SHARPNESS
    vector, by_valence = vectors.shape[1], vectors.shape[1] + valence.shape[1]
    return SentimentHead(
        matcher=matcher,
        vector_weights=weights[:vector] * _VECTOR_SCALE,
        term_weights=weights[by_valence:],
        valence_weights=weights[vector:by_valence] * _VALENCE_SCALE,
        bias=bias,
        other_vector_weights=other[:vector] * _OTHER_VECTOR_SCALE,
        other_valence_weights=other[vector:] * _VALENCE_SCALE,
        other_bias=other_bias,
    )


def _fit(features: sp.csr_matrix | Floats, labels: list[str]) -> tuple[Floats, Floats]:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    model = LogisticRegression(C=_INVERSE_REGULARISATION, max_iter=2000, tol=1e-5).fit(features, labels)
    order = [list(model.classes_).index(label) for label in _LABELS]
    return model.coef_[order].T, model.intercept_[order]


def _tensors() -> list[str]:
    return [one.name for one in fields(SentimentHead) if one.name not in ("matcher", "device", "labels")]


def save_sentiment(head: SentimentHead, path: Path) -> None:
    """Write a fitted head as safetensors in single precision."""
    tensors = {name: np.ascontiguousarray(getattr(head, name), np.float32) for name in _tensors()}
    save_file(tensors, path, metadata={"terms": orjson.dumps(head.matcher.terms).decode()})


def load_sentiment(path: Path = WEIGHTS_PATH) -> SentimentHead:
    """Load a fitted head."""
    with safe_open(path, framework="numpy") as file:
        terms = orjson.loads(file.metadata()["terms"])
        arrays = {name: file.get_tensor(name).astype(np.float64) for name in _tensors()}
    return SentimentHead(matcher=TermMatcher(terms), **arrays)


if __name__ == "__main__":
    save_sentiment(fit_sentiment(static_encoder(), pq.read_table(SLICE_PATH)), WEIGHTS_PATH)
