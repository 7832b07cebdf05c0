"""Transcripts of conversations for an LLM: numbered lines of JSON, cut to a budget of tokens.

A transcript contains no identifiers: messages are numbered, so that two conversations of the same words are one
question, and an answer can refer only to shown messages. The text depends only on the messages and the budget.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.insights.llm.api.token_estimate import BYTES_PER_TOKEN, estimate_tokens

SPEAKERS = {"user": "customer", "assistant": "assistant", "agent": "agent"}
_OPENING, _ENDING = 2, 4
"""Numbers of first and last messages that are kept before all others."""
_LARGEST_SHARE = 8
"""A message of a cut conversation may use one eighth of the budget, so that opening and ending always fit."""
_GAP = " […] "
_LINE_OVERHEAD = 16
"""Tokens of a line's JSON in addition to its text."""


@dataclass(frozen=True)
class TranscriptLine:
    """One message.

    Attributes:
        number: Position among the conversation's spoken messages, from 1.
        message_id: Id of the message.
        speaker: Speaker, in the prompt's words.
        text: Shown text, possibly shortened.
    """

    number: int
    message_id: str
    speaker: str
    text: str

    @property
    def tokens(self) -> int:
        """Estimated tokens of the line."""
        return _LINE_OVERHEAD + estimate_tokens(self.text)


@dataclass(frozen=True)
class Transcript:
    """One conversation.

    Attributes:
        date: Day of the conversation.
        conversation_id: Id of the conversation.
        lines: Shown messages, in order; empty for a conversation without spoken text.
        was_cut: Whether messages were left out or shortened.
    """

    date: dt.date
    conversation_id: str
    lines: tuple[TranscriptLine, ...]
    was_cut: bool = False

    @cached_property
    def by_number(self) -> dict[int, TranscriptLine]:
        """The shown lines by number."""
        return {line.number: line for line in self.lines}

    @cached_property
    def text(self) -> str:
        """One JSON object per line; ``<`` and ``>`` are escaped, so that no message can close the delimiter."""
        return "\n".join(json_line(entry) for entry in self._entries())

    def _entries(self) -> Iterator[dict[str, object]]:
        expected = 1
        for line in self.lines:
            if line.number > expected:
                yield {"left_out": line.number - expected}
            yield {"number": line.number, "speaker": line.speaker, "text": line.text}
            expected = line.number + 1


def read_transcripts(messages: pa.Table, budget: int) -> list[Transcript]:
    """Return the conversations of a ``MESSAGES`` table, ordered by id, cut to ``budget`` estimated tokens each."""
    table = messages.select(["date", "conversation_id", "message_id", "position", "role", "text"])
    table = table.sort_by([("conversation_id", "ascending"), ("position", "ascending")]).combine_chunks()
    dates, ids, roles = (table[name].to_pylist() for name in ("date", "conversation_id", "role"))
    message_ids, texts = (table[name].to_pylist() for name in ("message_id", "text"))
    spoken = pc.and_(
        pc.is_in(table["role"], value_set=pa.array(list(SPEAKERS))),
        pc.not_equal(pc.utf8_trim_whitespace(table["text"]), ""),
    ).to_numpy()
    encoded = table["conversation_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    bounds = np.append(np.flatnonzero(np.diff(encoded, prepend=-1)), len(table)) if len(table) else np.zeros(1, int)
    transcripts = []
    for start, end in pairwise(bounds):
        rows = start + np.flatnonzero(spoken[start:end])
        lines = [
            TranscriptLine(n, message_ids[row], SPEAKERS[roles[row]], texts[row]) for n, row in enumerate(rows, start=1)
        ]
        kept = _cut(lines, budget)
        transcripts.append(Transcript(dates[start], ids[start], tuple(kept), was_cut=kept != lines))
    return transcripts


def _cut(lines: list[TranscriptLine], budget: int) -> list[TranscriptLine]:
    """Return the lines that fit: first opening and ending, then the customer's, then others; long lines shortened."""
    if sum(line.tokens for line in lines) <= budget:
        return lines
    shortened = [replace(line, text=_shorten(line.text, budget // _LARGEST_SHARE - _LINE_OVERHEAD)) for line in lines]
    kept, left = set[int](), budget
    for place in _by_importance(shortened):
        if shortened[place].tokens <= left:
            kept.add(place)
            left -= shortened[place].tokens
    return [shortened[place] for place in sorted(kept)]


def _by_importance(lines: Sequence[TranscriptLine]) -> list[int]:
    places = range(len(lines))
    ends = [*places[:_OPENING], *reversed(places[-_ENDING:])]
    customer = [place for place in places if lines[place].speaker == "customer"]
    return list(dict.fromkeys([*ends, *customer, *reversed(places)]))


def _shorten(text: str, tokens: int) -> str:
    """Return the beginning and the end of a text, two thirds and one third of the bytes that the tokens allow."""
    if estimate_tokens(text) <= tokens:
        return text
    raw, room = text.encode(), int(tokens * BYTES_PER_TOKEN) - len(_GAP.encode())
    head = room * 2 // 3
    return raw[:head].decode(errors="ignore") + _GAP + raw[len(raw) - (room - head) :].decode(errors="ignore")


def json_line(entry: dict[str, object]) -> str:
    """Return an entry as JSON on one line, in which no text can close a delimiter of angle brackets."""
    return orjson.dumps(entry).decode().replace("<", "\\u003c").replace(">", "\\u003e")
