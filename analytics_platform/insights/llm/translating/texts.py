"""The texts to translate: which messages are sent, and how they are divided into requests.

A request holds messages of one conversation, so that a translator knows what is talked about. A long text is divided
into pieces; most texts are one piece.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.insights.llm.api.token_estimate import BYTES_PER_TOKEN, estimate_tokens
from analytics_platform.insights.llm.transcript import SPEAKERS, json_line
from analytics_platform.model.word_sets.languages import UNKNOWN
from analytics_platform.model.word_sets.markers import without_markers

COLUMNS = ("date", "conversation_id", "message_id", "position", "language", "text")
MOST_MESSAGES = 20
"""Most pieces of a request: an answer of many entries is more often wrong."""
_PLACEHOLDER = r"<[A-Z_]+>"
_SENTENCE_END = re.compile(r"[.!?…。！？](?=\s|$)|[。！？]|\n")
_SPACE = re.compile(r"\s")


@dataclass(frozen=True)
class Piece:
    """A text to translate.

    Attributes:
        key: Hash of everything that the translation depends on.
        text: The text.
        date: Day of the conversation that asks for the text first.
        conversation_id: Id of this conversation.
    """

    key: str
    text: str
    date: dt.date
    conversation_id: str


def to_translate(messages: pa.Table, target: str) -> pa.Table:
    """Return the messages to translate, ordered by conversation and position, with ``COLUMNS``.

    Messages of tools and systems, messages in the target language or an unknown one, and messages without a letter
    besides markers and placeholders of personal data stay out.

    Args:
        messages: ``MESSAGES``.
        target: ISO 639-1 code of the language to translate into.
    """
    foreign = pc.invert(pc.is_in(messages["language"], value_set=pa.array([target, UNKNOWN])))
    table = messages.filter(pc.and_(foreign, pc.is_in(messages["role"], value_set=pa.array(list(SPEAKERS)))))
    said = pc.replace_substring_regex(without_markers(table["text"]), _PLACEHOLDER, "")
    table = table.filter(pc.match_substring_regex(said, r"\p{L}")).select(COLUMNS)
    return table.sort_by([("conversation_id", "ascending"), ("position", "ascending")]).combine_chunks()


def split_text(text: str, tokens: int) -> list[str]:
    """Return the pieces of a text of at most about ``tokens`` estimated tokens each.

    A piece ends after a sentence, else at a white space, else anywhere. White space at its ends is left out.
    """
    pieces, most = [], int(tokens * BYTES_PER_TOKEN)
    while len(text.encode()) > most:
        head = text.encode()[:most].decode(errors="ignore")
        end = _last(_SENTENCE_END, head) or _last(_SPACE, head) or len(head)
        pieces.append(text[:end].strip())
        text = text[end:]
    return [piece for piece in (*pieces, text.strip()) if piece]


def divide(pieces: Iterable[Piece], tokens: int) -> Iterator[list[Piece]]:
    """Yield the pieces of each request: pieces of one conversation of about ``tokens`` estimated tokens together.

    Args:
        pieces: Pieces, those of a conversation one after the other.
        tokens: Estimated tokens of a request's texts.
    """
    for _, together in groupby(pieces, key=lambda piece: (piece.date, piece.conversation_id)):
        request: list[Piece] = []
        room = tokens
        for piece in together:
            size = estimate_tokens(piece.text)
            if request and (size > room or len(request) == MOST_MESSAGES):
                yield request
                request, room = [], tokens
            request.append(piece)
            room -= size
        yield request


def lines_of(pieces: Sequence[Piece]) -> str:
    """Return one JSON object per piece and line, numbered from 1; no text can close the delimiter or begin a line."""
    return "\n".join(json_line({"number": number, "text": piece.text}) for number, piece in enumerate(pieces, start=1))


def _last(pattern: re.Pattern[str], text: str) -> int:
    """Return the end of the last match in the second half of a text; 0 without a match."""
    return max((match.end() for match in pattern.finditer(text, len(text) // 2)), default=0)
