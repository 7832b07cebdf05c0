"""Texts that are one chat: exported by WhatsApp or LINE, or lines that name who speaks."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO, cast

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.file_reading.recognised import TEXT_CHAT, Recognised
from analytics_platform.sources.file_reading.unfolding import numbered, with_mapping
from analytics_platform.sources.formats.content import SourceFile
from analytics_platform.sources.formats.file_records import Record, Records
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.rows import Rows
from analytics_platform.sources.shapes.catalogue import AUTO, LINE, WHATSAPP
from analytics_platform.sources.shapes.exports.line_chat import is_line_chat, line_date_order, read_line_chat
from analytics_platform.sources.shapes.exports.whatsapp import (
    DateOrder,
    chat_name,
    date_order,
    is_whatsapp,
    read_whatsapp,
)
from analytics_platform.sources.shapes.shape import Context
from analytics_platform.sources.shapes.transcripts import MOST_SPEAKERS, is_text_chat, transcript_messages

_MOST_BYTES = 64 << 20
"""Bytes of a text with lines that name who speaks, which is read at once."""


def read_phone_chat(
    stream: io.BufferedReader, sample: bytes, file: SourceFile, mapping: FieldMapping, recognised: Recognised
) -> Iterator[tuple[FieldMapping, Rows]] | None:
    """Return the rows of a chat that WhatsApp or LINE exported; None of another text.

    Args:
        stream: The file's bytes, UTF-8.
        sample: The first of them.
        file: The file.
        mapping: The mapping of the source.
        recognised: Filled with what the file is.
    """
    context, content = Context(file), cast("BinaryIO", stream)
    if file.shape == WHATSAPP or (file.shape == AUTO and is_whatsapp(sample)):
        order = date_order(sample)
        return _with_notes("WhatsApp", read_whatsapp(content, order, context), order, mapping, recognised)
    if file.shape == LINE or (file.shape == AUTO and is_line_chat(sample)):
        order = line_date_order(sample)
        batches = read_line_chat(content, order, chat_name(file) or "line", context)
        return _with_notes("LINE", batches, order, mapping, recognised)
    return None


def _with_notes(
    program: str, batches: Iterator[Records], order: DateOrder, mapping: FieldMapping, recognised: Recognised
) -> Iterator[tuple[FieldMapping, Rows]]:
    recognised.format = recognised.shape = f"{program} chat"
    recognised.notes.append("The first sender is the customer; map the roles of username to say otherwise.")
    if not order.certain:
        day = {"dmy": "day first", "mdy": "month first"}[order.order]
        recognised.notes.append(f"Dates are read {day}; no date of the file's beginning shows which is right.")
    yield from with_mapping(numbered(batches, mapping.columns.values()), mapping, recognised, whole=False)


def read_text_chat(stream: io.BufferedReader, sample: bytes, file: SourceFile, recognised: Recognised) -> Record | None:
    """Return the chat of a text whose lines name who speaks, as a record named after its file; None of another text.

    Args:
        stream: The file's bytes, UTF-8.
        sample: The first of them.
        file: The file.
        recognised: Filled with what the file is.

    Raises:
        SourceError: If the chat is larger than ``_MOST_BYTES``, or only its beginning is one.
    """
    if file.shape != AUTO or file.suffix not in {".txt", ""} or not is_text_chat(sample):
        return None
    recognised.format = "text"
    recognised.notes.append(TEXT_CHAT)
    content = stream.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise SourceError(f"{file.place}: is a chat of more than {_MOST_BYTES >> 20} MiB; cut it into several files")
    messages = transcript_messages(content.decode("utf-8", "replace"))
    if messages is None:
        raise SourceError(
            f"{file.place}: begins as a chat, but does not go on as one: lines without times have at most "
            f"{MOST_SPEAKERS} speakers, each of whom speaks twice; export the chat with times, or as CSV or JSON"
        )
    return {"conversation_id": chat_name(file), "messages": messages}
