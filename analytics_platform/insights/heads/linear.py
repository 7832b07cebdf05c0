"""A linear head over pooled vectors and terms: each answer is a sum, so its reasons are exact.

The weights come from ``tiers.static`` (the taxonomy) and ``tiers.sentiment`` (labelled texts).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from scipy.special import softmax

from analytics_platform.insights.encoders.device import CPU, Device
from analytics_platform.insights.encoders.words import Occurrences, TermMatcher, Words
from analytics_platform.insights.tiers.tier import Classified, Documents, Floats, Ints, Reason
from analytics_platform.insights.vectors.unit_length import row_lengths

_WORDS_PER_REASON = 4


def saturate(counts: sp.csr_matrix) -> sp.csr_matrix:
    """Return counts with diminishing increments: 1 becomes 1, 2 becomes 1.33, large counts approach 2."""
    result = counts.tocsr(copy=True)
    result.data = 2 * result.data / (1 + result.data)
    return result


@dataclass(frozen=True)
class LinearHead:
    """Weights of one kind of label.

    Attributes:
        labels: Names of the labels, one per column.
        matcher: Finds the terms.
        vector_weights: Shape (256, labels).
        term_weights: Shape (terms, labels).
        bias: Shape (labels,).
        device: Device of the dense product.
    """

    labels: tuple[str, ...]
    matcher: TermMatcher
    vector_weights: Floats
    term_weights: Floats
    bias: Floats
    device: Device = CPU

    def classify(self, documents: Documents) -> Classified:
        """Return the probabilities of the labels; their calibration depends on the weights.

        The computation is in double precision and the caller rounds, so that results do not depend on threads and
        batches.
        """
        terms = saturate(documents.weights @ self.matcher.count(documents.words))
        logits = self.device.matmul(pool(documents), self.vector_weights) + terms @ self.term_weights + self.bias
        return Classified(self.labels, softmax(logits, axis=1))

    def explain(
        self, documents: Documents, chosen: Ints, encode_words: Callable[[pa.StringArray], np.ndarray]
    ) -> list[Reason | None]:
        """Return for each document the part and the words that contributed most to the chosen label.

        The contribution of a part or word is the amount that it adds to the label's score above the mean of all labels.

        Args:
            documents: The documents.
            chosen: Column of the chosen label per document.
            encode_words: Returns word vectors.

        Returns:
            One reason per document; None if no part contributes to the chosen label.
        """
        vectors = self.vector_weights - self.vector_weights.mean(axis=1, keepdims=True)
        terms = self.term_weights - self.term_weights.mean(axis=1, keepdims=True)
        shares = self._part_shares(documents, chosen, vectors, terms)
        rows, parts, weights = heaviest_per_row(shares)
        best = self._best_words(documents.words, parts, chosen[rows], vectors, terms, encode_words)
        return reasons_by_row(len(documents), rows, parts, weights, best)

    def _part_shares(self, documents: Documents, chosen: Ints, vectors: Floats, terms: Floats) -> sp.csr_matrix:
        """Return each part's contribution to its document's chosen label; sparse, positive entries only."""
        weights = documents.weights.tocoo()
        label = chosen[weights.row]
        _, lengths = documents.pooled
        scale = _divide((weights.data * documents.masses[weights.col])[:, None], lengths[weights.row])[:, 0]
        by_vector = self.device.matmul(documents.vectors, vectors)[weights.col, label] * scale
        counts = self.matcher.count(documents.words)
        pooled = documents.weights @ counts
        per_count = saturate(pooled)
        per_count.data = per_count.data / pooled.data  # each mention's equal share of the saturated evidence
        of_entry = counts[weights.col].multiply(per_count[weights.row]).multiply(weights.data[:, None]).tocoo()
        by_terms = np.bincount(
            of_entry.row, of_entry.data * terms[of_entry.col, label[of_entry.row]], minlength=len(label)
        )
        share = by_vector + by_terms
        keep = share > 0
        return sp.csr_matrix((share[keep], (weights.row[keep], weights.col[keep])), shape=documents.weights.shape)

    def _best_words(
        self,
        words: Words,
        parts: Ints,
        chosen: Ints,
        vectors: Floats,
        terms: Floats,
        encode_words: Callable[[pa.StringArray], np.ndarray],
    ) -> list[tuple[str, ...]]:
        """Return the words of each part that contribute most to the label chosen for the part."""
        subset = words.take_written(parts)
        meaning = np.asarray(subset.of_vocabulary(encode_words, encode_words), np.float64)
        label = chosen[subset.text_of]
        length = row_lengths(subset.incidence() @ meaning)[:, 0]
        share = (meaning @ vectors)[subset.codes, label] / np.maximum(length, 1e-9)[subset.text_of]
        found = self.matcher.find(subset)
        add_terms(share, found, terms[found.term, label[found.start]])
        return heaviest_words(subset, share)


def reasons_by_row(
    count: int, rows: Ints, parts: Ints, weights: Floats, words: Sequence[tuple[str, ...]]
) -> list[Reason | None]:
    """Return one reason per document, None for a document without one.

    Args:
        count: Number of documents.
        rows: Documents with a reason.
        parts: Part of each of them that contributes most.
        weights: Contribution of these parts.
        words: Words of these parts that contribute most.
    """
    reasons: list[Reason | None] = [None] * count
    for row, part, weight, quoted in zip(rows, parts, weights, words, strict=True):
        reasons[row] = Reason(int(part), quoted, float(weight))
    return reasons


def add_terms(share: Floats, found: Occurrences, of_occurrence: Floats) -> None:
    """Add what each found term contributes to its words in equal parts, in place.

    Args:
        share: Contribution of each word, or of each word to each label; shape (words,) or (words, labels).
        found: The terms among the words.
        of_occurrence: Contribution of each found term; shape (occurrences,) or (occurrences, labels).
    """
    per_word = (of_occurrence.T / found.length).T
    for step in range(int(found.length.max(initial=0))):
        inside = step < found.length
        np.add.at(share, found.start[inside] + step, per_word[inside])


def heaviest_words(words: Words, share: Floats) -> list[tuple[str, ...]]:
    """Return each text's distinct words with the largest positive shares, largest first, ties by first occurrence."""
    count = max(len(words.vocabulary), 1)
    keys, first, of_word = np.unique(words.text_of * count + words.codes, return_index=True, return_inverse=True)
    total = np.bincount(of_word, share, len(keys))
    text = keys // count
    order = np.lexsort((first, -np.round(total, 9), text))
    order = order[total[order] > 0]
    rank = np.arange(len(order)) - np.searchsorted(text[order], text[order])
    order = order[rank < _WORDS_PER_REASON]
    names = words.vocabulary.take(pa.array(keys[order] % count)).to_pylist()
    bounds = np.searchsorted(text[order], np.arange(len(words) + 1)).tolist()
    return [tuple(names[start:end]) for start, end in pairwise(bounds)]


def pool(documents: Documents) -> Floats:
    """Return the unit-length vector of each document, zeros for a document without one; shape (documents, 256)."""
    return documents.pooled[0]


def _divide(values: Floats, by: Floats) -> Floats:
    return values / np.where(by > 0, by, 1)


def keep_heaviest(weights: sp.csr_matrix, most: int) -> sp.csr_matrix:
    """Return weights with at most some entries in each row, the largest ones; of equal ones the first.

    Args:
        weights: Weight of each part in each document; shape (documents, parts).
        most: Most entries of a row.
    """
    entries = weights.tocoo()
    order = np.lexsort((entries.col, -np.round(entries.data, 9), entries.row))
    rows = entries.row[order]
    kept = order[np.arange(len(rows)) - np.searchsorted(rows, rows) < most]
    places = entries.row[kept], entries.col[kept]
    return sp.csr_matrix((entries.data[kept], places), shape=weights.shape)


def heaviest_per_row(matrix: sp.csr_matrix) -> tuple[Ints, Ints, Floats]:
    """Return row, column and value of each row's largest entry, the first of equal ones; empty rows are left out."""
    entries = matrix.tocoo()
    order = np.lexsort((entries.col, -np.round(entries.data, 9), entries.row))
    rows, first = np.unique(entries.row[order], return_index=True)
    best = order[first]
    return rows.astype(np.int64), entries.col[best].astype(np.int64), entries.data[best]
