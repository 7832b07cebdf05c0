"""The export of a WhatsApp chat (``_chat.txt``): dates of the phone's locale, and messages over several lines."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from analytics_platform.sources.formats.content import SourceFile
from analytics_platform.sources.formats.file_records import Record, Records
from analytics_platform.sources.shapes.exports.whatsapp_lines import LEFT_TO_RIGHT, is_notice, said
from analytics_platform.sources.shapes.identity import identify_row
from analytics_platform.sources.shapes.shape import Context

_INVISIBLE = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_SPACES = re.compile("[\u00a0\u202f\u2009]")
_MORNING = ("ص", "πμ", "sa", "오전", "上午", "午前", "凌晨", "清晨", "早上")
_AFTERNOON = ("م", "μμ", "ch", "오후", "下午", "午後", "中午", "傍晚", "晚上")
"""Words for the half of the day beside am and pm: Arabic, Greek, Vietnamese, Korean, Chinese, Japanese."""
_START = re.compile(
    rf"""\[?(?P<stated>(?P<date>\d{{1,4}}(?:[./-]|[년年])\ ?\d{{1,2}}(?:[./-]|[월月])\ ?\d{{1,4}}[.일日]?)
    (?:[,،]\ ?|\ |(?=[^\W\d]))\ ?(?:(?P<early>{"|".join((*_MORNING, *_AFTERNOON))})\ ?|[^\W\d_]{{1,4}}\.?,?\ )?
    (?P<hour>\d{{1,2}})(?:[:.]|\ h\ )(?P<minute>\d{{2}})(?:[:.](?P<second>\d{{2}}))?
    (?:\ ?(?:(?P<late>[AaPp]\.?\ ?[Mm]\.?|[πμ]\.μ\.|SA|CH|ص|م)|ч\.|h))?)
    (?:\]\ ?|\ -\ |(?(early),\ (?=[^:\n]{{1,40}}:\ )|(?!)))(?P<rest>.*)""",
    re.VERBOSE | re.DOTALL,
)
"""The beginning of a message. Between date and time may stand a word, such as ``à`` or ``klo``."""
_NUMBER = re.compile(r"\d+")
_BATCH = 2000
_FIRST_BUDDHIST_YEAR, _BUDDHIST_YEARS = 2500, 543
"""Phones set to Thai count years from the death of the Buddha."""


@dataclass(frozen=True)
class DateOrder:
    """In which order a chat's dates name day, month and year.

    Attributes:
        order: ``dmy``, ``mdy`` or ``ymd``.
        certain: Whether a date of the sample excludes the other orders.
    """

    order: str
    certain: bool


def is_whatsapp(sample: bytes) -> bool:
    """Tell whether a text is an exported chat: most of its first lines begin with a date, or the first two do.

    Args:
        sample: The first bytes of the file, UTF-8.
    """
    lines = [_plain(line) for line in sample.decode("utf-8", "replace").splitlines() if line.strip()][:40]
    starts = [bool(_START.fullmatch(line)) for line in lines]
    return bool(starts) and starts[0] and (sum(starts) * 4 >= len(starts))


def date_order(sample: bytes) -> DateOrder:
    """Return the order of the dates of a chat, from the numbers above 12 among them.

    Args:
        sample: The first bytes of the file, UTF-8.
    """
    starts = [
        match for line in sample.decode("utf-8", "replace").splitlines() if (match := _START.fullmatch(_plain(line)))
    ]
    # Elsewhere in the world, phones write am and pm in small letters or with points.
    american = any(match["late"] in {"AM", "PM"} and "/" in match["date"] for match in starts)
    return order_of_dates([match["date"] for match in starts], otherwise="mdy" if american else "dmy")


def order_of_dates(dates: Iterable[str], otherwise: str = "dmy") -> DateOrder:
    """Return the order of dates, from the years of four digits and the numbers above 12 among them.

    Args:
        dates: Dates with three numbers each.
        otherwise: The order of dates that show none.
    """
    found = [_NUMBER.findall(date) for date in dates]
    if any(len(parts[0]) == 4 for parts in found):
        return DateOrder("ymd", certain=True)
    if any(int(parts[0]) > 12 for parts in found):
        return DateOrder("dmy", certain=True)
    if any(int(parts[1]) > 12 for parts in found):
        return DateOrder("mdy", certain=True)
    return DateOrder(otherwise, certain=False)


def chat_name(file: SourceFile) -> str:
    """Return the name of a chat: that of its file, or of the folder or zip of a ``_chat.txt``, as iPhones name each."""
    name = file.label
    if name.rpartition("/")[2] == "_chat.txt":
        name = file.folder_name or (file.path.stem if file.member else "")
    return re.sub(r"\.txt$", "", name.rpartition("/")[2])


def read_whatsapp(stream: BinaryIO, order: DateOrder, context: Context) -> Iterator[Records]:
    """Yield the messages of a chat as records.

    The chat is one conversation. A message's id comes from its time, sender and text, so that a second export adds the
    messages that are new. The chat's first sender is the customer, every other one an agent, unless a mapping says
    otherwise; a line without a sender, and a notice such as that of a deleted message, has the role system. The
    columns ``date``, ``username`` and ``message`` keep what the file says, for mappings.

    Args:
        stream: The file's bytes, UTF-8.
        order: Order of the dates.
        context: The file.
    """
    conversation = chat_name(context.file) or "whatsapp"
    batch: list[Record] = []
    message: Record | None = None
    for line in stream:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        start = _START.fullmatch(_plain(text))
        if start is None:
            if message is not None:
                message["text"] = f"{message['text'] or ''}\n{_INVISIBLE.sub('', text)}"
            continue
        if message is not None:
            batch.append(_finished(message, context))
        if len(batch) >= _BATCH:
            yield Records(batch)
            batch = []
        message = _message(start, _INVISIBLE.sub("", text)[slice(*start.span("stated"))], order, conversation)
        message["is_marked"] = text.partition(": ")[2].startswith(LEFT_TO_RIGHT)
    if message is not None:
        batch.append(_finished(message, context))
    if batch:
        yield Records(batch)


def _plain(line: str) -> str:
    return _SPACES.sub(" ", _INVISIBLE.sub("", line))


def _message(start: re.Match[str], stated: str, order: DateOrder, conversation: str) -> Record:
    sender, colon, text = start["rest"].partition(": ")
    if not colon and start["rest"].endswith(":"):
        sender, colon, text = start["rest"][:-1], ":", ""
    if not colon:
        sender, text = "", start["rest"]
    return {
        "conversation_id": conversation,
        "text": text,
        "timestamp": _time(start, order),
        "channel": "whatsapp",
        "date": stated,
        "username": sender or None,
    }


def _finished(message: Record, context: Context) -> Record:
    text = (message["text"] or "").strip()
    is_marked, sender = message.pop("is_marked"), message["username"]
    is_event = sender is None or is_notice(text, is_marked=is_marked)
    customer = None if is_event else context.memory.setdefault("customer", sender)
    role = "system" if is_event else "user" if sender == customer else "agent"
    message["role"] = role
    message["user_id"] = sender if role == "user" else None
    message["agent_id"] = sender if role == "agent" else None
    message["text"] = (text if is_event else said(text, is_marked=is_marked)) or None
    message["message"] = message["text"]
    # The role is left out: it depends on who speaks first in a file.
    content = (message[name] for name in ("conversation_id", "timestamp", "username", "text"))
    message["message_id"] = identify_row(context, *content)
    return message


def _time(start: re.Match[str], order: DateOrder) -> str:
    """Return the time as ISO 8601 without a zone; as the file says it if there is no such time."""
    numbers = dict(zip(order.order, map(int, _NUMBER.findall(start["date"])), strict=True))
    year = numbers["y"] + (2000 if numbers["y"] < 100 else 0)
    year -= _BUDDHIST_YEARS if year > _FIRST_BUDDHIST_YEAR else 0
    hour = int(start["hour"])
    half = (start["early"] or start["late"] or "").lower().replace(".", "")
    if half:
        hour = hour % 12 + (12 if half.startswith(("p", *_AFTERNOON)) else 0)
    try:
        return dt.datetime(  # noqa: DTZ001  # the phone's time; the mapping states its zone
            year, numbers["m"], numbers["d"], hour, int(start["minute"]), int(start["second"] or 0)
        ).isoformat()
    except ValueError:
        return start["date"]
