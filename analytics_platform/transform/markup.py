"""Separates one text into words, code and markup.

The rules of this module need the whole text, so they run only on texts with a suspicious character. Every rule takes
time linear in the length of the text. ``transform.html_text`` tells whether a text is HTML, and reads it.
"""

from __future__ import annotations

import html
import re
from html.entities import html5

from analytics_platform.transform.html_text import strip_html

SUSPICIOUS = r"[<&`]"
"""A text without any of these characters holds no markup."""

_FENCE = re.compile(r"`{3,}")
_INFO_LINE = re.compile(r"[ \t]*+[\w+#.-]*+[ \t]*+\n")
# Not after a word character, as in the nickname pip` or in Time`s up.
_INLINE_CODE = re.compile(r"(?<![\w`])(`{1,2})(?!\s)([^`\n]+)(?<!\s)\1(?!`)")
_KEPT = re.compile("\x00([0-9]+)\x00")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def split_markup(text: str) -> tuple[str, list[str]]:
    """Separate the words of a text from its code and markup.

    Fenced blocks and the content of ``pre``, ``script`` and ``style`` leave the text. Inline code loses its backticks
    and stays in the text; the HTML rules do not change it. Character references are decoded once.

    Args:
        text: A text without control characters other than tab and line ends.

    Returns:
        The text without markup, and its code: blocks first, then inline code, each in order. A line that an HTML mail
        marks as quoted, or as a signature, begins with ``html_text.QUOTE_MARK``.
    """
    text, blocks = _take_fences(text.replace("\r\n", "\n"))
    text, spans = _keep_inline_code(text)
    text, html_blocks = strip_html(text)

    def restore(kept: str) -> str:
        return _KEPT.sub(lambda place: spans[int(place[1])], _ENTITY.sub(_decode, kept))

    return restore(text), [*blocks, *map(restore, html_blocks), *spans]


def _take_fences(text: str) -> tuple[str, list[str]]:
    """Take out the code between fences of three or more backticks, at the start of a line or within it."""
    pieces = _FENCE.split(text)
    if len(pieces) % 2 == 0:  # the last fence is not closed: a block cut short, unless it stands within a sentence
        if pieces[-2] and not pieces[-2].endswith("\n"):
            pieces[-2:] = [pieces[-2] + "```" + pieces[-1]]
        else:
            pieces.append("")
    blocks = [_without_info_line(piece).strip("\n") for piece in pieces[1::2]]
    return " ".join(pieces[0::2]), [block for block in blocks if block.strip()]


def _without_info_line(block: str) -> str:
    """Drop the rest of the opening fence's line when it is one word, such as the name of a language."""
    info = _INFO_LINE.match(block)
    return block[info.end() :] if info else block


def _keep_inline_code(text: str) -> tuple[str, list[str]]:
    """Replace inline code by numbered placeholders, so that the HTML rules do not change it."""
    spans: list[str] = []

    def keep(match: re.Match[str]) -> str:
        spans.append(match[2])
        return f"\x00{len(spans) - 1}\x00"

    return _INLINE_CODE.sub(keep, text), spans


def _decode(entity: re.Match[str]) -> str:
    """Decode a character reference that HTML defines; one for a control character becomes empty, any other stays."""
    if entity[0][1] != "#" and entity[0][1:] not in html5:
        return entity[0]
    decoded = html.unescape(entity[0])
    return decoded if decoded.isprintable() or decoded.isspace() else ""
