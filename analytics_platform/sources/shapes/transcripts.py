"""Chats that were written into one cell of a table, line by line: ``Agent: Hello`` or ``[10:01] Anna: Hello``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.row_rules.role_words import default_role_words, plain_word

_BREAK = re.compile(r"<br\s*/?>|</?(?:p|div)\b[^<>]*>|\r\n?", re.IGNORECASE)
_OFFSET = r"\(\s*(?:\d+\s?h\s*)?(?:\d+\s?m\s*)?\d+\s?s\s*\)"
"""Time since the chat began, as Salesforce writes it: ``( 1m 5s )``."""
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?(?:\s?[AaPp]\.?[Mm]\b\.?)?(?:Z|\s?[+-]\d{2}:?\d{2})?"
_DAY = r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})"
_LINE = re.compile(
    rf"""\s*(?P<offset>{_OFFSET}\s*)?(?:[\[(]?(?P<time>(?P<day>{_DAY}[T,\s]\s*)?{_CLOCK})[\])]?\s*(?:[-\u2013|]\s*)?)?
    (?P<name>[^\W\d_][^:\n\[\](){{}}<>]{{0,39}}?)\s*(?:[\[(](?P<note>[^\[\]()\n]{{1,40}})[\])]\s*)?
    [:>]\s+(?P<text>\S.*)?""",
    re.VERBOSE,
)
"""A line with which a message begins: a time, who speaks, and perhaps in brackets the speaker's role."""
_HEADING = re.compile(
    rf"\s*(?P<name>[^\W\d_][^:\n\[\](){{}}<>]{{0,39}}?)[,\s]\s*[\[(]?(?P<time>(?P<day>{_DAY}[T,\s]\s*)?{_CLOCK})[\])]?:?\s*"
)
"""A line of its own above a message: who speaks, and when."""
_PIPE = re.compile(r"\s+\|\s+")
_MOST_SPEAKERS, _MOST_WORDS, _FEWEST_TURNS = 6, 4, 2


@dataclass(frozen=True)
class _Start:
    name: str
    role: str | None
    time: str | None
    has_time: bool
    text: str


def transcript_messages(cell: str) -> list[Record] | None:
    """Return the messages of a chat that is written into one text; None for another text.

    A speaker whose name is a word for a role, or who has such a word in brackets, has this role. Beside a known
    customer, others are agents; beside known agents, others are customers; among names alone, the first speaker is the
    customer. A line that names no speaker belongs to the message above it.

    Args:
        cell: The text.

    Returns:
        Objects with ``role`` and ``content``, of a named speaker also ``user_id`` or ``agent_id``, and with
        ``timestamp`` where the line states day and time.
    """
    lines = [line for line in _BREAK.sub("\n", cell).split("\n") if line.strip()]
    if len(lines) == 1 and all(_role_of_start(piece) for piece in _PIPE.split(lines[0])):
        lines = _PIPE.split(lines[0])
    starts = [_start(line) for line in lines]
    timed = [index for index, start in enumerate(starts) if start is not None and start.has_time]
    if len(timed) >= _FEWEST_TURNS:  # what stands above the first time is no message: "Chat started: …"
        lines, starts = lines[timed[0] :], starts[timed[0] :]
    is_turn = _turns(starts)
    if sum(is_turn) < _FEWEST_TURNS or not is_turn[0]:
        return None
    turns: list[tuple[_Start, list[str]]] = []
    for line, start, begins in zip(lines, starts, is_turn, strict=True):
        if begins and start is not None:
            turns.append((start, [start.text] if start.text else []))
        else:
            turns[-1][1].append(line.strip())
    roles = _roles([start for start, _ in turns])
    return [_message(start, "\n".join(texts), roles[start.name]) for start, texts in turns]


def _role_of_start(line: str) -> str | None:
    start = _start(line)
    return start.role if start is not None else None


def _start(line: str) -> _Start | None:
    heading = _HEADING.fullmatch(line)
    if heading is not None and len(heading["name"].split()) <= _MOST_WORDS:
        name = heading["name"].strip()
        role = _role(name) or _role(name.split()[0])
        return _Start(name, role, heading["time"] if heading["day"] else None, has_time=True, text="")
    found = _LINE.fullmatch(line)
    if found is None or len(found["name"].split()) > _MOST_WORDS:
        return None
    role = _role(found["note"] or "") or _role(found["name"]) or _role(found["name"].split()[0])
    time = found["time"] if found["day"] else None
    has_time = found["time"] is not None or found["offset"] is not None
    return _Start(found["name"].strip(), role, time, has_time, (found["text"] or "").strip())


def _role(word: str) -> str | None:
    return default_role_words().get(plain_word(word))


def _turns(starts: list[_Start | None]) -> list[bool]:
    """Return which lines begin a message.

    With times, these are the lines with a time; otherwise those of words for roles, or if each line has a speaker, all
    lines of few speakers. A line such as ``Note: fragile`` within a message names none of them.
    """
    if starts and starts[0] is not None and starts[0].has_time:
        return [start is not None and start.has_time for start in starts]
    known = [start is not None and start.role is not None for start in starts]
    if known and known[0] and sum(known) >= _FEWEST_TURNS:
        names = {start.name for start in starts if start is not None and start.role is None}
        repeated = {name for name in names if sum(start is not None and start.name == name for start in starts) > 1}
        return [start is not None and (start.role is not None or start.name in repeated) for start in starts]
    names = {start.name for start in starts if start is not None}
    if all(start is not None for start in starts) and _FEWEST_TURNS <= len(names) <= _MOST_SPEAKERS:
        return [True] * len(starts)
    return [False] * len(starts)


def _roles(starts: list[_Start]) -> dict[str, str]:
    """Return the role of each speaker."""
    stated = {start.name: start.role for start in starts if start.role is not None}
    others = [name for name in dict.fromkeys(start.name for start in starts) if name not in stated]
    has_customer, has_agent = "user" in stated.values(), {"agent", "assistant"} & {*stated.values()}
    derived = dict.fromkeys(others, "user" if has_agent and not has_customer else "agent")
    if others and not has_customer and not has_agent:
        derived[others[0]] = "user"
    return stated | derived


def _message(start: _Start, text: str, role: str) -> Record:
    message: Record = {"role": role, "content": text}
    if start.time is not None:
        message["timestamp"] = start.time
    is_named = _role(start.name) is None
    if is_named and role in {"user", "agent"}:
        message["user_id" if role == "user" else "agent_id"] = start.name
    return message
