"""Find the customer's waits in conversations: which message begins a wait, and which answer ends it.

The rules read who speaks and whether a message says something, not when: a wait exists without times, too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_TOOL_CALLS = r"^(?:\[tool call: [^\]]*\] ?)+$"
"""A text that is nothing but the markers that the sources write for tool calls."""


class Waits(NamedTuple):
    """The waits that an answer ended.

    Attributes:
        began: Row of the customer's first message of each wait.
        ended: Row of the answer that ended it.
    """

    began: npt.NDArray[np.int64]
    ended: npt.NDArray[np.int64]


def says_something(texts: pa.ChunkedArray, code: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Return which messages have words or code, and are not only calls of tools.

    Args:
        texts: Cleaned texts.
        code: Pieces of code of each message.
    """
    has_words = pc.and_not(pc.greater(pc.binary_length(texts), 0), pc.match_substring_regex(texts, _TOOL_CALLS))
    said: npt.NDArray[np.bool_] = pc.or_(has_words, pc.greater(pc.list_value_length(code), 0)).to_numpy(
        zero_copy_only=False
    )
    return said


def waits_of(
    conversations: npt.NDArray[np.int64], asks: npt.NDArray[np.bool_], answers: npt.NDArray[np.bool_]
) -> Waits:
    """Return the waits that an answer ended.

    A wait begins with the customer's first message after an answer (or after the start) and ends with the next answer.
    System and tool messages, and assistant messages without text and code (tool calls), neither begin nor end a wait.

    Args:
        conversations: Number of each message's conversation; messages are sorted by conversation and place.
        asks: Whether the customer sent the message.
        answers: Whether the answering side sent it, and it says something.
    """
    rows = np.flatnonzero(asks | answers)
    asking, conversation = asks[rows], conversations[rows]
    after_asking = np.zeros(len(rows), np.bool_)
    after_asking[1:] = asking[:-1] & (conversation[1:] == conversation[:-1])
    wait_began = np.maximum.accumulate(np.where(asking & ~after_asking, np.arange(len(rows)), 0))
    ends_wait = ~asking & after_asking
    return Waits(rows[wait_began[ends_wait]], rows[ends_wait])
