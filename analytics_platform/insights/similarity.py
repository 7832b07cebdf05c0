"""Similar conversations: one vector per conversation, and an exact search for the nearest vectors.

The search reads the vectors day by day and keeps only the best conversations so far.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analytics_platform.insights.grouping import Conversations, join_messages
from analytics_platform.insights.vectors.unit_length import unit
from analytics_platform.model.tables.insight_tables import (
    CONVERSATION_EMBEDDINGS,
    EMBEDDING_DIMENSIONS,
    MESSAGE_EMBEDDINGS,
)
from analytics_platform.model.tables.raw_tables import DATE_COLUMN

_MOST_WORDS = 40
"""Most words that add to a message's weight, so that a pasted log does not outweigh the question."""
_ROWS_AT_ONCE = 4_096
"""Rows converted to 32 bits at once, few enough for the processor's cache."""
_MARGIN = 2e-3
"""Largest error of a comparison of two quick products: rounding to 16 bits changes a component by up to 2^-11 of its
value, so each of the two stored vectors has a relative error of its length of up to 2^-11."""
_DECIMALS = 9
"""Decimals of a similarity; further decimals differ between processors, and would decide ties."""

FOUND_SCHEMA = pa.schema(
    [
        pa.field("date", DATE_COLUMN.type, nullable=False),
        pa.field("conversation_id", pa.string(), nullable=False),
        pa.field("similarity", pa.float64(), nullable=False),
    ]
)
"""Schema of search results, ordered by similarity, descending; ties by date and conversation_id."""


def conversation_embeddings(messages: pa.Table, message_embeddings: pa.Table) -> pa.Table:
    """Return ``CONVERSATION_EMBEDDINGS``: the weighted mean of a conversation's message vectors, at unit length.

    The weight of a message is its topic weight (``Conversations.topic_weights``) times its number of words, at most 40.

    Args:
        messages: A ``MESSAGES`` table; only message_id, role, position and word_count are used.
        message_embeddings: ``MESSAGE_EMBEDDINGS`` of the same messages.

    Raises:
        ValueError: If ``messages`` lacks an embedded message; names the first missing one.
    """
    said = join_messages(message_embeddings, messages, ("role", "position", "word_count"))
    conversations = Conversations.of(said, said)
    words = np.clip(said["word_count"].to_numpy(), 1, _MOST_WORDS)
    weights = conversations.topic_weights().multiply(words[None, :]).tocsr()
    vectors = unit(np.asarray(weights @ _matrix(said).astype(np.float64)))
    embedding = pa.FixedSizeListArray.from_arrays(
        pa.array(vectors.astype(np.float16).ravel()), type=MESSAGE_EMBEDDINGS.column("embedding").type
    )
    encoders = said.group_by("conversation_id").aggregate([("encoder", "min")])
    rows = pc.index_in(conversations.ids, value_set=encoders["conversation_id"].combine_chunks())
    columns = {
        "date": conversations.dates,
        "conversation_id": conversations.ids,
        "embedding": embedding,
        "encoder": encoders["encoder_min"].take(rows),
    }
    return CONVERSATION_EMBEDDINGS.conform(pa.table(columns))


def nearest(
    conversations: pa.Table, vector: NDArray[np.floating], limit: int, *, without: str | None = None
) -> pa.Table:
    """Return the conversations of a table with the highest cosine similarity to a vector.

    A quick product in single precision selects candidates; their cosines are computed in double precision. The result
    is therefore exact, and does not depend on the other rows of the table.

    Args:
        conversations: ``CONVERSATION_EMBEDDINGS``, or its columns date, conversation_id and embedding.
        vector: A non-zero vector; shape (256,).
        limit: Most rows to return.
        without: Id of a conversation to exclude.

    Returns:
        At most ``limit`` rows of ``FOUND_SCHEMA``; conversations with a zero vector are excluded.
    """
    sought = np.asarray(unit(vector[None, :].astype(np.float64))[0])
    vectors = _matrix(conversations)
    scores = _quick_scores(vectors, sought.astype(np.float32))
    silent = np.flatnonzero(scores == 0)
    scores[silent[~vectors[silent].any(axis=1)]] = -np.inf
    if without is not None:
        scores[pc.equal(conversations["conversation_id"], without).to_numpy()] = -np.inf
    rows = _candidates(scores, limit)
    exact = unit(vectors[rows].astype(np.float64))
    similarity = np.round((exact * sought).sum(axis=1), _DECIMALS) + 0.0  # no negative zero
    chosen = conversations.select(["date", "conversation_id"]).take(pa.array(rows))
    return best([chosen.append_column("similarity", pa.array(similarity)).cast(FOUND_SCHEMA)], limit)


def best(found: Iterable[pa.Table], limit: int) -> pa.Table:
    """Return the ``limit`` best rows of several tables of ``FOUND_SCHEMA``; memory holds one table and these rows."""
    order = [("similarity", "descending"), ("date", "ascending"), ("conversation_id", "ascending")]
    kept = FOUND_SCHEMA.empty_table()
    for table in found:
        kept = pa.concat_tables([kept, table]).sort_by(order).slice(0, limit).combine_chunks()
    return kept


def vector_of(conversations: pa.Table, conversation_id: str) -> NDArray[np.float16] | None:
    """Return a conversation's vector, shape (256,), or None if the table lacks the conversation."""
    row = pc.index(conversations["conversation_id"], conversation_id).as_py()
    return None if row < 0 else _matrix(conversations.slice(row, 1))[0]


def _matrix(table: pa.Table) -> NDArray[np.float16]:
    """Return the vectors of a table; shape (rows, 256)."""
    flat = table["embedding"].combine_chunks().flatten().to_numpy()
    return np.asarray(flat.reshape(len(table), EMBEDDING_DIMENSIONS))


def _quick_scores(vectors: NDArray[np.float16], sought: NDArray[np.float32]) -> NDArray[np.float32]:
    scores = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        scores[start : start + _ROWS_AT_ONCE] = vectors[start : start + _ROWS_AT_ONCE].astype(np.float32) @ sought
    return scores


def _candidates(scores: NDArray[np.float32], limit: int) -> NDArray[np.intp]:
    """Return the rows that may be among the ``limit`` best ones."""
    threshold = np.partition(scores, -limit)[-limit] - _MARGIN if limit < len(scores) else -np.inf
    return np.flatnonzero((scores >= threshold) & (scores > -np.inf))
