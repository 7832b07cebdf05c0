"""Similar conversations: one vector per conversation, and the nearest ones to a vector, exactly.

Belongs here: how a conversation's vector is made of its messages', and the search through days of such vectors, of
which only the best so far are kept. Does not belong here: where days are stored, what is shown of a conversation found.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analytics_platform.insights.encoders.encoder import unit
from analytics_platform.insights.grouping import Conversations, join_messages
from analytics_platform.model.insight_tables import CONVERSATION_EMBEDDINGS, EMBEDDING_DIMENSIONS, MESSAGE_EMBEDDINGS
from analytics_platform.model.raw_tables import DATE_COLUMN

_MOST_WORDS = 40
"""Words from which on a message weighs no more, so that a pasted log does not drown the question."""
_ROWS_AT_ONCE = 4_096
"""Rows that are widened to 32 bits at once: few enough for the processor's cache."""
_MARGIN = 2e-3
"""What the quick product may be off by against the cosine: a component of 16 bits is rounded by 2^-11 of itself, so a
stored vector's length is off by no more than that, on either side of the last row that counts."""
_DECIMALS = 9
"""Digits of a similarity: those beyond differ between processors, and would decide ties."""

FOUND_SCHEMA = pa.schema(
    [
        pa.field("date", DATE_COLUMN.type, nullable=False),
        pa.field("conversation_id", pa.string(), nullable=False),
        pa.field("similarity", pa.float64(), nullable=False),
    ]
)
"""What a search finds, the most similar first; ties by date and conversation_id."""


def conversation_embeddings(messages: pa.Table, message_embeddings: pa.Table) -> pa.Table:
    """Return ``CONVERSATION_EMBEDDINGS``: the weighted mean of the messages' vectors, at unit length.

    Messages weigh as they do for the topic (``Conversations.topic_weights``), times their words.

    Args:
        messages: A ``MESSAGES`` table; only message_id, role, position and word_count are used.
        message_embeddings: The ``MESSAGE_EMBEDDINGS`` made of it.

    Raises:
        ValueError: If an embedding is of a message that is not among those given; names the first.
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
    """Return the conversations of a table that are most similar to a vector, by the cosine.

    A quick product in single precision leaves those that may be among them; their cosines are then computed in double
    precision. So the result is exact, and does not depend on what else is in the table.

    Args:
        conversations: ``CONVERSATION_EMBEDDINGS``, or its columns date, conversation_id and embedding.
        vector: Any vector but zeros; shape (256,).
        limit: The most rows to return.
        without: A conversation that is not to be found.

    Returns:
        At most ``limit`` rows of ``FOUND_SCHEMA``; conversations with a vector of zeros are never among them.
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
    """Return the best rows of several tables of ``FOUND_SCHEMA``; no more than ``limit`` are kept meanwhile."""
    order = [("similarity", "descending"), ("date", "ascending"), ("conversation_id", "ascending")]
    kept = FOUND_SCHEMA.empty_table()
    for table in found:
        kept = pa.concat_tables([kept, table]).sort_by(order).slice(0, limit).combine_chunks()
    return kept


def vector_of(conversations: pa.Table, conversation_id: str) -> NDArray[np.float16] | None:
    """Return a conversation's vector, shape (256,), or None when the table does not have it."""
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
    """Return the rows that may be among the first ``limit``."""
    threshold = np.partition(scores, -limit)[-limit] - _MARGIN if limit < len(scores) else -np.inf
    return np.flatnonzero((scores >= threshold) & (scores > -np.inf))
