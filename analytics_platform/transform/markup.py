"""Separates one text into words, code and HTML markup.

The rules of this module need the whole text, so they run only on texts with a suspicious character. Every rule takes
time linear in the length of the text.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from html.entities import html5

SUSPICIOUS = r"[<&`]"
"""A text without any of these characters holds no markup."""

_FENCE = re.compile(r"`{3,}")
_INFO_LINE = re.compile(r"[ \t]*+[\w+#.-]*+[ \t]*+\n")
# Not after a word character, as in the nickname pip` or in Time`s up.
_INLINE_CODE = re.compile(r"(?<![\w`])(`{1,2})(?!\s)([^`\n]+)(?<!\s)\1(?!`)")
_KEPT = re.compile("\x00([0-9]+)\x00")
_TAG = re.compile(r"<(?P<close>/?)(?P<name>[A-Za-z][A-Za-z0-9]*)(?:\s[^<>]*|/)?>")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")

_LINE_BREAKS = frozenset({"br", "hr", "img", "wbr"})
_CODE_ELEMENTS = frozenset({"pre", "script", "style"})
_INLINE = "a abbr b big cite code del em font i ins kbd mark q s samp small span strike strong sub sup tt u var wbr"
_END_OPTIONAL = "br col dd dt hr img input li link meta p tbody td tfoot th thead tr wbr"
_BLOCK = (
    "address article aside blockquote body button caption center colgroup details div dl fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 head header html label legend main nav ol pre script section style summary table "
    "title ul"
)
_INLINE_ELEMENTS = frozenset(_INLINE.split())
_END_OPTIONAL_ELEMENTS = frozenset(_END_OPTIONAL.split())
_ELEMENTS = _INLINE_ELEMENTS | _END_OPTIONAL_ELEMENTS | frozenset(_BLOCK.split())


def split_markup(text: str) -> tuple[str, list[str]]:
    """Separate the words of a text from its code and markup.

    Fenced blocks and the content of ``pre``, ``script`` and ``style`` leave the text. Inline code loses its backticks
    and stays in the text; the HTML rules do not change it. Character references are decoded once.

    Args:
        text: A text without control characters other than tab and line ends.

    Returns:
        The text without markup, and its code: blocks first, then inline code, each in order.
    """
    text, blocks = _take_fences(text.replace("\r\n", "\n"))
    text, spans = _keep_inline_code(text)
    text, html_blocks = _strip_html(text)

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


def _strip_html(text: str) -> tuple[str, list[str]]:
    """Strip all tags if the text is HTML; otherwise strip only line breaks and images."""
    bare = _strip_comments(text)
    tags = _find_tags(bare, _ELEMENTS)
    if _is_html(tags):
        return _strip_tags(bare, tags)
    return _strip_tags(text, _find_tags(text, _LINE_BREAKS))


def _find_tags(text: str, names: frozenset[str]) -> list[re.Match[str]]:
    return [tag for tag in _TAG.finditer(text) if tag["name"].lower() in names]


def _is_html(tags: list[re.Match[str]]) -> bool:
    """Tell whether the tags are markup: at least one element is closed, and no element is left open or closed unopened.

    ``a < b``, ``<stdin>``, ``<your name>``, a lone ``<title>`` and half a line of a template therefore count as words.
    """
    opened: Counter[str] = Counter()
    some_closed = False
    for tag in tags:
        name = tag["name"].lower()
        if not tag["close"]:
            opened[name] += 1
        elif opened[name]:
            opened[name] -= 1
            some_closed = True
        else:
            return False
    return some_closed and all(not count or name in _END_OPTIONAL_ELEMENTS for name, count in opened.items())


def _strip_tags(text: str, tags: list[re.Match[str]]) -> tuple[str, list[str]]:
    """Remove the tags, and take out the content of code elements."""
    kept, code, position, inside = [], [], 0, ""
    for tag in tags:
        name = tag["name"].lower()
        before = text[position : tag.start()]
        if inside:
            if name != inside or not tag["close"]:
                continue  # a tag within code is code
            code.append(before.strip("\n"))
            inside = ""
        else:
            kept += [before, "" if name in _INLINE_ELEMENTS else " "]
            inside = name if name in _CODE_ELEMENTS and not tag["close"] else ""
        position = tag.end()
    kept.append(text[position:])
    return "".join(kept), [block for block in code if block.strip()]


def _strip_comments(text: str) -> str:
    first, *others = text.split("<!--")
    return first + "".join(other.partition("-->")[2] if "-->" in other else "<!--" + other for other in others)


def _decode(entity: re.Match[str]) -> str:
    """Decode a character reference that HTML defines; one for a control character becomes empty, any other stays."""
    if entity[0][1] != "#" and entity[0][1:] not in html5:
        return entity[0]
    decoded = html.unescape(entity[0])
    return decoded if decoded.isprintable() or decoded.isspace() else ""
