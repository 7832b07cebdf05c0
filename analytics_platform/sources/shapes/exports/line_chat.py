"""The text export of a LINE chat: a line with the day above its messages, which have a time, a name and a text."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from analytics_platform.sources.formats.file_records import Record, Records
from analytics_platform.sources.shapes.exports.whatsapp import DateOrder, order_of_dates
from analytics_platform.sources.shapes.exports.whatsapp_lines import media_marker
from analytics_platform.sources.shapes.identity import identify_row
from analytics_platform.sources.shapes.shape import Context

_DAY = re.compile(
    r"(?:[^\W\d_]{2,9}\.?,?\s+)?(?P<date>\d{1,4}(?:[./-]|年\s?|년\s?)\d{1,2}(?:[./-]|月\s?|월\s?)\d{1,4}[日일]?\.?)"
    r"\s*(?:[(\uff08]?[^\W\d_]{1,12}\.?[)\uff09]?)?\s*"
)
_TIME = re.compile(
    r"(?P<early>[AaPp][Mm]|午前|午後|上午|下午|오전|오후)?\s?(?P<hour>\d{1,2}):(?P<minute>\d{2})\s?(?P<late>[AaPp]\.?[Mm]\.?)?"
)
_AFTERNOON = ("p", "午後", "下午", "오후")
_NUMBER = re.compile(r"\d+")
_BRACKETED = re.compile(r"\[([^\[\]\n]{2,40})\]")
_CALL = "☎"
_NAMED, _NOTICE = 3, 2
"""Parts of a line between tabs: time, name and text of a message; time and text of a notice."""
_BATCH = 2000
_LEAST_SHARE = 0.6


@dataclass
class _Open:
    """What was read of a chat so far.

    Attributes:
        day: The day.
        message: The message that the next lines may go on.
        is_quoted: Whether the message stands in quotes that are not closed yet.
        day_within: A day within the quotes, which counts if they are never closed.
    """

    day: str | None = None
    message: Record | None = None
    is_quoted: bool = False
    day_within: str | None = None

    def go_on(self, text: str, day: str | None) -> None:
        """Add a line to the message, which is a day if it is not in quotes."""
        if day is not None:
            self.day_within = day
        if self.message is not None:
            self.message["text"] = f"{self.message['text']}\n{text}"
            self.is_quoted = self.is_quoted and _is_open(self.message["text"])

    def begin(self, message: Record | None) -> None:
        """Put another message, or none, in the place of the last one."""
        if self.is_quoted and self.day_within is not None:
            self.day = self.day_within
        self.message, self.day_within = message, None
        self.is_quoted = message is not None and _is_open(message["text"])


def is_line_chat(sample: bytes) -> bool:
    """Tell whether a text is an exported chat of LINE: it says so, or most of what is below a day has a time and tabs.

    Args:
        sample: The first bytes of the file, UTF-8.
    """
    lines = [line for line in sample.decode("utf-8", "replace").lstrip("\ufeff").splitlines() if line.strip()][:60]
    first = next((number for number, line in enumerate(lines) if _DAY.fullmatch(line)), None)
    if first is None:
        return False
    below = [line for line in lines[first + 1 :] if not _DAY.fullmatch(line)]
    starts = sum(_parts(line) is not None for line in below)
    is_named = lines[0].lstrip().startswith("[LINE]")
    return bool(starts) and (is_named or (first == 0 and starts >= _LEAST_SHARE * len(below)))


def line_date_order(sample: bytes) -> DateOrder:
    """Return the order of the days of a chat.

    Args:
        sample: The first bytes of the file, UTF-8.
    """
    days = [found["date"] for line in sample.decode("utf-8", "replace").splitlines() if (found := _DAY.fullmatch(line))]
    return order_of_dates(days)


def read_line_chat(stream: BinaryIO, order: DateOrder, conversation: str, context: Context) -> Iterator[Records]:
    """Yield the messages of a chat as records.

    The chat is one conversation. Its first sender is the customer, every other one an agent, unless a mapping says
    otherwise; a notice without a sender, and a call, have the role system. A message above the first day has a time
    without a day, so that its row goes into quarantine.

    Args:
        stream: The file's bytes, UTF-8.
        order: Order of the days.
        conversation: Name of the chat.
        context: The file.
    """
    chat = _Open()
    batch: list[Record] = []
    for line in stream:
        text = line.decode("utf-8", "replace").rstrip("\r\n").lstrip("\ufeff")
        parts = _parts(text)
        found = None if parts else _DAY.fullmatch(text)
        day = None if found is None else _iso(found["date"], order)
        if parts is None and (day is None or chat.is_quoted):
            chat.go_on(text, day)
            continue
        if chat.message is not None:
            batch.append(_finished(chat.message, conversation, context))
        chat.begin(None)
        chat.day = day or chat.day
        if parts is not None:
            chat.begin(_begun(parts, chat.day))
        if len(batch) >= _BATCH:
            yield Records(batch)
            batch = []
    if chat.message is not None:
        batch.append(_finished(chat.message, conversation, context))
    if batch:
        yield Records(batch)


def _parts(line: str) -> tuple[re.Match[str], list[str]] | None:
    """Return the time of a line with which a message or a notice begins, and what stands behind it."""
    cells = line.split("\t", _NAMED - 1)
    time = _TIME.fullmatch(cells[0].strip()) if len(cells) >= _NOTICE else None
    return None if time is None else (time, cells[1:])


def _is_open(text: str) -> bool:
    """Tell whether a text of several lines goes on, which stands in quotes."""
    return text.startswith('"') and text.count('"') % 2 == 1


def _begun(parts: tuple[re.Match[str], list[str]], day: str | None) -> Record:
    time, cells = parts
    hour, half = int(time["hour"]), (time["early"] or time["late"] or "").lower()
    if half:
        hour = hour % 12 + (12 if half.startswith(_AFTERNOON) else 0)
    sender, text = cells if len(cells) == _NOTICE else ("", cells[0])
    clock = f"{hour:02}:{time['minute']}"
    return {
        "timestamp": clock if day is None else f"{day}T{clock}",
        "username": sender.strip() or None,
        "text": text,
    }


def _finished(message: Record, conversation: str, context: Context) -> Record:
    text, sender = message["text"].strip(), message["username"]
    if "\n" in text and text[:1] == '"' == text[-1:]:
        text = text[1:-1].replace('""', '"')
    is_event = sender is None or text.startswith(_CALL)
    customer = None if is_event else context.memory.setdefault("customer", sender)
    role = "system" if is_event else "user" if sender == customer else "agent"
    bracketed = _BRACKETED.fullmatch(text)
    marker = media_marker(bracketed.group(1), is_marked=True) if bracketed else None
    return {
        **message,
        "conversation_id": conversation,
        "text": marker or text or None,
        "message": text or None,
        "role": role,
        "user_id": sender if role == "user" else None,
        "agent_id": sender if role == "agent" else None,
        "channel": "line",
        "message_id": identify_row(context, conversation, message["timestamp"], sender, text),
    }


def _iso(date: str, order: DateOrder) -> str:
    """Return a day as ISO 8601; as the file says it if there is no such day."""
    numbers = dict(zip(order.order, map(int, _NUMBER.findall(date)), strict=True))
    try:
        return dt.date(numbers["y"] + (2000 if numbers["y"] < 100 else 0), numbers["m"], numbers["d"]).isoformat()
    except ValueError:
        return date
