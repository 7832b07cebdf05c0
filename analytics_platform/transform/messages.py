"""Computes the ``messages`` table from raw messages.

This module adds the values that depend on neighbouring messages: position and response time. Values that depend on one
text come from ``transform.text``, ``transform.pii``, ``transform.language`` and ``transform.token_counts``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.model.tables.clean_tables import MESSAGES
from analytics_platform.model.tables.raw_tables import RAW_MESSAGES
from analytics_platform.model.word_sets.markers import without_markers
from analytics_platform.transform.cleaning import DEFAULT_CLEANING, Cleaning
from analytics_platform.transform.language import detect_languages
from analytics_platform.transform.roles import is_agent, is_customer
from analytics_platform.transform.text import clean_texts, count_words
from analytics_platform.transform.token_counts import count_tokens
from analytics_platform.transform.waits import says_something, waits_of

_UNCHANGED = ("date", "conversation_id", "message_id", "role", "agent_id", "model", "channel", "time_source")


def clean_messages(raw_messages: pa.Table, cleaning: Cleaning = DEFAULT_CLEANING) -> pa.Table:
    """Clean the messages of one day.

    Args:
        raw_messages: ``RAW_MESSAGES`` of the day, rows in any order.
        cleaning: Which personal data is redacted, whether it is kept encrypted, and which language detector is used.

    Returns:
        ``MESSAGES``: ordered within each conversation by time, then by the order of the source.

    Raises:
        SchemaError: If the input is not ``RAW_MESSAGES``.
        SealError: If the key for personal data is too short.
    """
    raw = RAW_MESSAGES.conform(raw_messages)
    cleaned = clean_texts(raw["text"])
    protected = cleaning.privacy.protect(raw["message_id"], cleaned.texts, cleaned.code)
    texts, code = protected.texts, protected.code
    spoken = without_markers(texts)
    conversations = _runs(raw["conversation_id"])
    return MESSAGES.conform(
        pa.table(
            {
                **{name: cleaning.privacy.protect_column(name, raw[name]) for name in _UNCHANGED},
                "user_id": cleaning.privacy.pseudonyms(raw["user_id"]),
                "position": _positions(conversations),
                "sent_at": raw["timestamp"],
                "text": texts,
                "code": code,
                "quoted_text": cleaning.privacy.protect_text(cleaned.quoted),
                "pii": protected.kinds,
                "pii_spans": protected.spans,
                "language": detect_languages(spoken, raw["language"].combine_chunks(), cleaning.detector),
                "character_count": pc.utf8_length(texts),
                "word_count": count_words(spoken),
                "token_count": count_tokens(texts),
                "response_seconds": _response_seconds(
                    conversations,
                    raw,
                    is_customer(raw["role"]),
                    is_agent(raw["role"]) & says_something(texts, code),
                ),
            }
        )
    )


def _runs(conversation_ids: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Number the conversations of sorted rows from 0."""
    codes: npt.NDArray[np.int32] = conversation_ids.combine_chunks().dictionary_encode().indices.to_numpy()
    return codes.astype(np.int64)


def _positions(conversations: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Number the rows of each conversation from 0."""
    starts = np.searchsorted(conversations, conversations)
    return np.arange(len(conversations), dtype=np.int64) - starts


def _response_seconds(
    conversations: npt.NDArray[np.int64],
    raw: pa.Table,
    asks: npt.NDArray[np.bool_],
    answers: npt.NDArray[np.bool_],
) -> pa.Array:
    """Return the seconds that the customer had waited, at each message that ends a wait; null at all other messages.

    Null, too, where the source states no time for the message that began the wait or for the one that ended it.
    """
    microseconds = raw["timestamp"].cast(pa.int64()).to_numpy()
    is_timed = pc.equal(raw["time_source"], "message").to_numpy()
    waits = waits_of(conversations, asks, answers)
    seconds = np.full(len(asks), np.nan)
    known = is_timed[waits.began] & is_timed[waits.ended]
    began, ended = waits.began[known], waits.ended[known]
    seconds[ended] = (microseconds[ended] - microseconds[began]) / 1e6
    return pa.array(seconds, from_pandas=True)
