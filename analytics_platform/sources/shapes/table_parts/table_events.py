"""Rows that report an event of a conversation and have no text: somebody joined, a ticket was assigned or closed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.sources.mapping import LEFT_OUT
from analytics_platform.sources.rows import Problem, Rows
from analytics_platform.sources.shapes.table_parts.column_names import column_form
from analytics_platform.sources.shapes.table_parts.table_roles import KINDS

EVENT_ROW = "an event without a text"
"""Detail of rows that are left out because they report an event."""
_EVENT_COLUMNS = frozenset({*KINDS, "event", "subtype", "action", "content_type", "contenttype"})
_CALLS = r"(?i)tool|function|call"
"""Kinds of messages of a model that may have no text, because they call a tool, or are what a tool returned."""
_MEDIA = pa.array([
    "image", "photo", "picture", "video", "audio", "voice", "file", "document", "attachment", "sticker", "gif",
    "location",
])  # fmt: skip
"""Kinds of messages that need no text."""


def without_events(rows: Rows, text_column: str, role_column: str) -> Rows:
    """Return rows in which those that report an event are left out, and an image or a file has a marker as its text.

    A row reports an event if it has no text, and a column such as ``type`` or ``event`` says of it what it says of no
    row with a text, and nothing that a person sends.

    Args:
        rows: A batch of rows.
        text_column: Column of texts.
        role_column: Column of roles.
    """
    texts = rows.columns.get(text_column)
    if texts is None or not 0 < texts.null_count < len(texts):
        return rows
    markers = texts
    has_text, is_event = pc.is_valid(texts), pa.repeat(pa.scalar(value=False), len(texts))
    for name, kinds in rows.columns.items():
        if column_form(name.rpartition(".")[2]) in _EVENT_COLUMNS and name not in {text_column, role_column}:
            words = pc.utf8_lower(pc.utf8_trim_whitespace(kinds))
            is_sent = pc.and_not(pc.is_in(words, value_set=_MEDIA), pc.is_valid(markers))
            if pc.any(is_sent).as_py():
                markers = pc.if_else(is_sent, pc.binary_join_element_wise("[", words, "]", ""), markers)
            of_messages = pc.unique(kinds.filter(has_text))
            is_call = pc.fill_null(pc.match_substring_regex(kinds, _CALLS), fill_value=True)
            is_other = pc.invert(pc.or_(is_call, pc.is_in(kinds, value_set=of_messages)))
            is_event = pc.or_(is_event, is_other)
    rows = rows if markers is texts else replace(rows, columns={**rows.columns, text_column: markers})
    places = np.flatnonzero(pc.and_not(is_event, pc.is_valid(markers)).to_numpy(zero_copy_only=False))
    events = {int(number): Problem(LEFT_OUT, EVENT_ROW) for number in rows.numbers[places]}
    return replace(rows, problems={**events, **rows.problems}) if events else rows
