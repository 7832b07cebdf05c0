"""Vectors of documents: of many languages and of English words, pooled over their parts, and by transformers."""

from __future__ import annotations

import numpy as np

from analytics_platform.insights.heads.linear import keep_heaviest, pool
from analytics_platform.insights.tiers.tier import Documents, Floats, Ints, Singles
from analytics_platform.insights.vectors.sentence_graph import WIDTH
from analytics_platform.insights.vectors.static_english import english_encoder
from analytics_platform.insights.vectors.text_encoder import TextEncoder
from analytics_platform.insights.vectors.unit_length import unit

_ENGLISH_WEIGHT = 0.7
"""Length of the vector of English words, against 1 for the vector of many languages."""
_MOST_READ = 2
"""Most messages of a conversation that a transformer reads for a topic or an intent."""


def read_rows(transformer: TextEncoder, documents: Documents, rows: Ints) -> Singles:
    """Return a transformer's vectors of some documents; of a conversation it reads the messages that weigh most.

    Returns:
        Unit-length vectors, zeros for a document without parts; shape (rows, dimensions).
    """
    weights = documents.weights[rows]
    if documents.grouped:
        weights = keep_heaviest(weights, _MOST_READ)
    parts = np.unique(weights.indices).astype(np.int64)
    vectors = read_parts(transformer, documents, parts)
    heavy = weights[:, parts].multiply(documents.masses[None, parts]).tocsr()
    return np.asarray(unit(np.asarray(heavy @ vectors)), np.float32)


def read_parts(transformer: TextEncoder, documents: Documents, parts: Ints) -> Floats:
    """Return a transformer's vectors of some parts; the transformer reads each part only once.

    Args:
        transformer: Encodes the texts.
        documents: The documents.
        parts: Indices of distinct parts.

    Returns:
        Unit-length vectors; shape (parts, dimensions).
    """
    if not len(parts):
        return np.zeros((0, WIDTH))
    readings = documents.readings
    places = [(transformer.name, part) for part in parts.tolist()]
    new = [place for place in places if place not in readings]
    if new:
        readings.update(zip(new, transformer.encode([documents.texts[part] for _, part in new]), strict=True))
    return np.array([readings[place] for place in places], np.float64)


def read_both(transformer: TextEncoder, documents: Documents, rows: Ints) -> Singles:
    """Return ``read_rows`` of a transformer and of its English one side by side, as models store them.

    Returns:
        Shape (rows, 768); (rows, 384) where there is no English one.
    """
    encoders = [transformer, *([transformer.english_encoder] if transformer.english_encoder else [])]
    return np.hstack([read_rows(encoder, documents, rows) for encoder in encoders])


def pool_multilingual(documents: Documents, rows: Ints) -> Singles:
    """Return the pooled static vectors of many languages; shape (rows, 256)."""
    return np.asarray(pool(documents)[rows], np.float32)


def pool_english(documents: Documents, rows: Ints) -> Singles:
    """Return the pooled vectors of English words; shape (rows, 256).

    They tell English texts apart that are alike in the vectors of many languages.
    """
    english = english_encoder()
    view = documents.view(english.name, lambda: np.asarray(unit(english.sum_words(documents.words)), np.float32))
    return np.asarray(pool(view)[rows], np.float32)


def pool_both(documents: Documents, rows: Ints) -> Singles:
    """Return ``pool_multilingual`` and ``pool_english`` side by side, as models store them; shape (rows, 512)."""
    english = _ENGLISH_WEIGHT * pool_english(documents, rows)
    return np.asarray(unit(np.hstack([pool_multilingual(documents, rows), english])), np.float32)


def split_pooled(vectors: Floats) -> tuple[Singles, Singles]:
    """Return the two vectors of ``pool_both``, each of unit length; shapes (documents, 256)."""
    first, second = np.hsplit(vectors, 2)
    return np.asarray(unit(first), np.float32), np.asarray(unit(second), np.float32)


def split_read(vectors: Singles | None) -> tuple[Singles | None, Singles | None]:
    """Return the two vectors of ``read_both``; None for what was not read.

    Args:
        vectors: Shape (documents, 768), or (documents, 384) without an English transformer; None if none read them.
    """
    if vectors is None:
        return None, None
    return vectors[:, :WIDTH], vectors[:, WIDTH:] if vectors.shape[1] > WIDTH else None
