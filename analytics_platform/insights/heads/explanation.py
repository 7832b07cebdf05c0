"""Reasons of labels: the part of a document, and the words of this part, that contributed most to its label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from analytics_platform.insights.heads.experts import KeywordExpert
from analytics_platform.insights.heads.linear import heaviest_per_row, heaviest_words, pool_parts, saturate
from analytics_platform.insights.tiers.tier import Documents, Floats, Ints, Reason, Singles

_WORDS_AT_ONCE = 65_536
"""Words whose vectors are multiplied at once, 128 MB."""


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
    meaning = np.asarray(encode_words(documents.words.vocabulary), np.float64)
    entries = documents.weights.tocoo()
    _, lengths = pool_parts(documents)
    scale = entries.data * documents.masses[entries.col] / np.maximum(lengths[entries.row, 0], 1e-9)
    share = np.einsum("ij,ij->i", documents.vectors[entries.col], slopes.vectors[entries.row]) * scale
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


def _best_words(
    documents: Documents, rows: Ints, parts: Ints, columns: Ints, slopes: Slopes, meaning: Floats
) -> list[tuple[str, ...]]:
    """Return the words of each part that contribute most to its document's label."""
    words = documents.words.take_written(parts)
    if not len(words.codes):
        return [()] * len(parts)
    place = pa.compute.index_in(words.vocabulary, value_set=documents.words.vocabulary).to_numpy()
    known, of_word = place[words.codes], rows[words.text_of]
    share = np.empty(len(known))
    for start in range(0, len(known), _WORDS_AT_ONCE):
        some = slice(start, start + _WORDS_AT_ONCE)
        share[some] = np.einsum("ij,ij->i", meaning[known[some]], slopes.vectors[of_word[some]])
    sums = np.linalg.norm(words.incidence() @ meaning[place], axis=1)
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
