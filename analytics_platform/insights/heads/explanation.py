"""Reasons of labels: the part of a document, and the words of this part, that contributed most to its label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from analytics_platform.insights.heads.experts import KeywordExpert
from analytics_platform.insights.heads.linear import heaviest_per_row, heaviest_words, saturate
from analytics_platform.insights.tiers.tier import Documents, Floats, Ints, Reason, Singles
from analytics_platform.insights.vectors.unit_length import row_lengths

_ROWS_AT_ONCE = 512
"""Pairs of vectors that are multiplied at once: few enough that both stay in the processor's cache."""


@dataclass(frozen=True)
class Slopes:
    """How the score of each document's label changes with what the document says.

    Attributes:
        vectors: With the pooled static vector; shape (documents, 256).
        words: With each distinct word by itself, for every label; shape (vocabulary, labels).
        keywords: The keywords and their weight; None without keywords.
    """

    vectors: Floats
    words: Singles
    keywords: tuple[KeywordExpert, float] | None


def explain_documents(
    documents: Documents, columns: Ints, slopes: Slopes, encode_words: Callable[[pa.StringArray], np.ndarray]
) -> list[Reason | None]:
    """Return for each document the part and the words that contributed most to its label.

    A contribution is the amount that a part or word adds to the label's score above the mean of all labels, to first
    order where the score is not linear.

    Args:
        documents: The documents.
        columns: Column of the label of each document.
        slopes: The change of the label's score.
        encode_words: Returns word vectors.

    Returns:
        One reason per document; None if no part contributes to the label.
    """
    reasons: list[Reason | None] = [None] * len(documents)
    if not len(documents) or not len(documents.words.vocabulary):
        return reasons
    meaning = np.asarray(documents.words.of_vocabulary(encode_words, encode_words), np.float64)
    entries = documents.weights.tocoo()
    _, lengths = documents.pooled
    scale = entries.data * documents.masses[entries.col] / np.maximum(lengths[entries.row, 0], 1e-9)
    share = _multiply_rows(documents.vectors, entries.col, slopes.vectors, entries.row) * scale
    share += _of_words(documents, entries, columns, slopes)
    keep = share > 0
    shares = sp.csr_matrix((share[keep], (entries.row[keep], entries.col[keep])), shape=documents.weights.shape)
    rows, parts, weights = heaviest_per_row(shares)
    best = _best_words(documents, rows, parts, columns, slopes, meaning)
    for row, part, weight, words in zip(rows, parts, weights, best, strict=True):
        reasons[row] = Reason(int(part), words, float(weight))
    return reasons


def _of_words(documents: Documents, entries: sp.coo_matrix, columns: Ints, slopes: Slopes) -> Floats:
    """Return what the words and keywords of each part add to its document's label; shape (entries,)."""
    incidence = documents.words.incidence()
    parts, labels = entries.col, columns[entries.row]
    lengths = np.sqrt(np.maximum(documents.words.lengths, 1))
    found = np.asarray(incidence @ slopes.words)[parts, labels] / lengths[parts]
    if slopes.keywords is not None:
        expert, weight = slopes.keywords
        counted = saturate(expert.matcher.count(documents.words))
        found = found + weight * np.asarray(counted @ expert.weights)[parts, labels]
    return np.asarray(found * entries.data)


def _multiply_rows(left: Floats, left_rows: Ints, right: Floats, right_rows: Ints) -> Floats:
    """Return the scalar products of some rows of one matrix with some rows of another one."""
    products = np.empty(len(left_rows))
    for start in range(0, len(products), _ROWS_AT_ONCE):
        some = slice(start, start + _ROWS_AT_ONCE)
        products[some] = np.einsum("ij,ij->i", left[left_rows[some]], right[right_rows[some]])
    return products


def _best_words(
    documents: Documents, rows: Ints, parts: Ints, columns: Ints, slopes: Slopes, meaning: Floats
) -> list[tuple[str, ...]]:
    """Return the words of each part that contribute most to its document's label."""
    words = documents.words.take_written(parts)
    if not len(words.codes):
        return [()] * len(parts)
    assert words.source is not None
    place = words.source[1]
    known, of_word = place[words.codes], rows[words.text_of]
    share = _multiply_rows(meaning, known, slopes.vectors, of_word)
    sums = row_lengths(words.incidence() @ meaning[place])[:, 0]
    share /= np.maximum(sums, 1e-9)[words.text_of]
    share += slopes.words[known, columns[of_word]] / np.sqrt(words.lengths)[words.text_of]
    if slopes.keywords is not None:
        expert, weight = slopes.keywords
        found = expert.matcher.find(words)
        for step in range(int(found.length.max(initial=0))):
            inside = step < found.length
            at = found.start[inside] + step
            label = columns[of_word[at]]
            np.add.at(share, at, weight * expert.weights[found.term[inside], label] / found.length[inside])
    return heaviest_words(words, share)
