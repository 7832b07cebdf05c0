"""Chats that were written into one cell of a table, line by line: ``Agent: Hello`` or ``[10:01] Anna: Hello``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

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
_NOTICE = re.compile(
    rf"\s*(?:{_OFFSET}\s*|[\[(]?(?:{_DAY}[T,\s]\s*)?{_CLOCK}[\])]?\s*(?:[-\u2013|]\s*)?)?\*{{3}}\s\S.*\s\*{{3}}\s*"
)
"""A line of the program, as Zendesk Chat writes it: ``(08:00:20) *** Tom joined the chat ***``."""
_PIPE = re.compile(r"\s+\|\s+")
MOST_SPEAKERS = 6
"""Most speakers of a chat in one text, unless its lines have times or words for roles."""
_MOST_WORDS, _FEWEST_TURNS = 4, 2

_LEVELS = frozenset({
    "trace", "debug", "info", "notice", "warn", "warning", "error", "severe", "critical", "fatal",
})  # fmt: skip
"""Words for the level of a line in the log of a program."""


@dataclass(frozen=True)
class _Start:
    name: str
    role: str | None
    time: str | None
    has_time: bool
    text: str


@dataclass(frozen=True)
class WrittenChat:
    """A chat that is written into one text.

    Attributes:
        turns: Where each message begins, and its text.
    """

    turns: tuple[tuple[_Start, str], ...]

    @property
    def names(self) -> set[str]:
        """The speakers whose role no word says, as they are compared."""
        return {_plain_name(start.name) for start, _ in self.turns if start.role is None}

    @property
    def is_dialogue(self) -> bool:
        """Whether somebody speaks twice, or a word says who speaks; lines such as ``Name: Ann`` are no chat."""
        return len({start.name for start, _ in self.turns}) < len(self.turns) or any(
            start.role is not None for start, _ in self.turns
        )

    @property
    def is_log(self) -> bool:
        """Whether at least half of the lines begin with a word for a level, as those of a program's log do."""
        return sum(_plain_name(start.name) in _LEVELS for start, _ in self.turns) * 2 >= len(self.turns)

    def messages(
        self,
        people: Mapping[str, Collection[str]] = MappingProxyType({}),
        chats: Mapping[str, int] = MappingProxyType({}),
    ) -> list[Record]:
        """Return the messages.

        A speaker whose name is a word for a role, or who has such a word in brackets, has this role, or else the one
        that ``people`` says. Beside a known customer, others are agents. Among other names, those in more chats than
        the rest are agents; beside known agents, others are customers; else the first speaker is the customer.

        Args:
            people: Role to the names of people with it, such as those in columns beside the chat.
            chats: Name, as in ``names``, to the number of chats in which it speaks.

        Returns:
            Objects with ``role`` and ``content``, of a named speaker also ``user_id`` or ``agent_id``, and with
            ``timestamp`` where the line states day and time.
        """
        roles = _roles([start for start, _ in self.turns], people, chats)
        return [_message(start, text, roles[start.name, start.role]) for start, text in self.turns]


def transcript_messages(cell: str) -> list[Record] | None:
    """Return the messages of a chat that is written into one text; None for another text.

    Args:
        cell: The text.

    Returns:
        As ``WrittenChat.messages``, where nothing but the text says who speaks.
    """
    transcript = read_transcript(cell)
    return None if transcript is None else transcript.messages()


def is_text_chat(sample: bytes) -> bool:
    """Tell whether a text is a chat whose lines name who speaks.

    Args:
        sample: The first bytes of a file, UTF-8; the last line may be cut.
    """
    lines = sample.decode("utf-8", "replace").removeprefix("\ufeff").split("\n")
    transcript = read_transcript("\n".join(lines[:-1] if len(lines) > _FEWEST_TURNS else lines))
    return transcript is not None and transcript.is_dialogue and not transcript.is_log


def read_transcript(cell: str) -> WrittenChat | None:
    """Return the chat that is written into one text; None for another text.

    A line that names no speaker belongs to the message above it.
    """
    lines = [line for line in _BREAK.sub("\n", cell).split("\n") if line.strip() and not _NOTICE.fullmatch(line)]
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
    return WrittenChat(tuple((start, "\n".join(texts)) for start, texts in turns))


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

    With times, these are the lines with a time; otherwise those of words for roles, or if each line has a speaker, or
    each speaker speaks twice, all lines of few speakers. A line such as ``Note: fragile`` within a message names none
    of them.
    """
    if starts and starts[0] is not None and starts[0].has_time:
        return [start is not None and start.has_time for start in starts]
    begun = [start for start in starts if start is not None]
    lines_of = Counter(start.name for start in begun)
    known = [start is not None and start.role is not None for start in starts]
    if known and known[0] and sum(known) >= _FEWEST_TURNS:
        return [start is not None and (start.role is not None or lines_of[start.name] > 1) for start in starts]
    if starts and starts[0] is not None and _FEWEST_TURNS <= len(lines_of) <= MOST_SPEAKERS:
        # Beside lines without a speaker, one that names somebody once may be part of a message.
        is_certain = all(start.role is not None or lines_of[start.name] > 1 for start in begun)
        if len(begun) == len(starts) or (is_certain and len(begun) * 2 >= len(starts)):
            return [start is not None for start in starts]
    return [False] * len(starts)


def _roles(
    starts: Sequence[_Start], people: Mapping[str, Collection[str]], chats: Mapping[str, int]
) -> dict[tuple[str, str | None], str]:
    """Return the role of each speaker, by the name and the role that the line itself states."""
    stated = {(start.name, start.role): start.role for start in starts if start.role is not None}
    names = list(dict.fromkeys(start.name for start in starts if start.role is None))
    noted = {name: role for (name, _), role in stated.items()}
    known: dict[str, str] = {}
    for name in names:
        if name in noted and len(names) > 1:  # the same person, whose role stands only in some lines
            known[name] = noted[name]
        elif name not in noted and (role := _role_among(name, people)):
            known[name] = role
    roles = {*stated.values(), *known.values()}
    others = [name for name in names if name not in known]
    if others and "user" not in roles:
        counts = [chats.get(_plain_name(name), 1) for name in others]
        is_frequent = [count >= _FREQUENT * min(counts) for count in counts]
        if not any(is_frequent) and not roles & {"agent", "assistant"}:
            is_frequent = [place > 0 for place in range(len(others))]
        known |= {name: "agent" if agent else "user" for name, agent in zip(others, is_frequent, strict=True)}
    return stated | {(name, None): known.get(name, "agent") for name in names}


_FREQUENT = 2
"""An agent speaks in as many times more chats than a customer, at least."""


def _role_among(name: str, people: Mapping[str, Collection[str]]) -> str | None:
    """Return the role of the people with a name, or else with this first name or mailbox; None where both have it."""
    plain = _plain_name(name)
    for is_same in (str.__eq__, _is_short_for):
        roles = {role for role, known in people.items() if any(is_same(plain, _plain_name(one)) for one in known)}
        if roles:
            return roles.pop() if len(roles) == 1 else None
    return None


def _is_short_for(name: str, whole: str) -> bool:
    return (
        name in {whole.partition(" ")[0], whole.partition("@")[0], whole.partition(".")[0]}
        or whole == name.partition(" ")[0]
    )


def _plain_name(name: str) -> str:
    return " ".join(name.split()).casefold()


def _message(start: _Start, text: str, role: str) -> Record:
    message: Record = {"role": role, "content": text}
    if start.time is not None:
        message["timestamp"] = start.time
    is_named = _role(start.name) is None
    if is_named and role in {"user", "agent"}:
        message["user_id" if role == "user" else "agent_id"] = start.name
    return message
