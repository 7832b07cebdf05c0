"""The key of a message, ``(conversation_id, message_id)``, as one array that tables can be joined by."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def message_keys(table: pa.Table) -> pa.Array:
    """Return one text per row that is equal exactly for rows of the same message.

    A ``message_id`` alone does not identify a message: many sources number the messages of each conversation from 1.

    Args:
        table: Has the columns conversation_id and message_id, without nulls.

    Returns:
        The length of conversation_id, conversation_id and message_id. The length keeps ``("a", "b:c")`` and
        ``("a:b", "c")`` apart.
    """
    conversations, messages = (table[name].combine_chunks() for name in ("conversation_id", "message_id"))
    lengths = pc.cast(pc.binary_length(conversations), pa.string())
    return pc.binary_join_element_wise(lengths, conversations, messages, ":")
