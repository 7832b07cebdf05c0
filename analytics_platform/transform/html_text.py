"""Tells whether a text is HTML, and reads HTML by a parser: its words, its code, and its quoted mails.

Chats are full of what only looks like tags (``<stdin>``, ``<your name>``), and mail clients leave elements open, or
write elements of their own. So a text is HTML by the tags that it has, and only then the parser sees it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

_TAG = re.compile(
    r"<(?P<close>/?)(?P<name>[A-Za-z][A-Za-z0-9]*(?:[:-][A-Za-z0-9]+)*)(?:(?P<attributes>\s[^<>]*)|(?P<empty>/))?>"
)
_CUT_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9:-]*(?:\s[^<>]*)?\Z")
_LINE_BREAK_TAG = re.compile(r"</?(?P<name>br|hr|img|wbr)(?:\s[^<>]*|/)?>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"\s[A-Za-z-]+\s*=")
_STYLED = re.compile(r"\s(?:style|class|face|bgcolor|cellpadding|valign)\s*=\s*[\"']", re.IGNORECASE)
_DECLARATION = re.compile(r"<(?:!doctype|\?xml|!\[)[^<>]*>", re.IGNORECASE)

_LINE_BREAKS = frozenset({"br", "hr", "img", "wbr"})
_CODE_ELEMENTS = frozenset({"pre", "script", "style"})
_INLINE = "a abbr b big cite code del em font i ins kbd mark q s samp small span strike strong sub sup tt u var wbr"
_END_OPTIONAL = "br col dd dt hr img input li link meta p tbody td tfoot th thead tr wbr"
_BLOCK = (
    "address article aside blockquote body button caption center colgroup details div dl fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 head header html label legend main nav ol pre script section style summary table "
    "title ul"
)
_VENDOR = "at attachment codeblock emoji mention mx-reply o:p systemeventmessage"
"""Elements of Teams, Outlook and Matrix that also stand in texts without any other element."""
_VENDOR_ELEMENTS = frozenset(_VENDOR.split())
_INLINE_ELEMENTS = frozenset(_INLINE.split()) | _VENDOR_ELEMENTS
_END_OPTIONAL_ELEMENTS = frozenset(_END_OPTIONAL.split()) | _VENDOR_ELEMENTS
_FORMATS = frozenset(_INLINE.split()) - {"wbr"}
_BLOCKS = (_END_OPTIONAL_ELEMENTS | frozenset(_BLOCK.split())) - _VENDOR_ELEMENTS
_ELEMENTS = _INLINE_ELEMENTS | _BLOCKS

_QUOTES = frozenset({"blockquote", "mx-reply"})
_QUOTE_CLASSES = frozenset({
    "moz-cite-prefix", "moz-forward-container", "yahoo_quoted", "zmail_extra", "protonmail_quote", "tutanota_quote",
    "gmail_signature", "moz-signature", "protonmail_signature_block", "front-signature", "front-blockquote",
})  # fmt: skip
_QUOTE_IDS = frozenset({"signature", "x_signature", "mail-editor-reference-message-container"})
_REPLY_MARKS = frozenset({"divrplyfwdmsg", "x_divrplyfwdmsg", "appendonsend", "x_appendonsend"})
"""Identifiers of the elements after which Outlook puts the quoted mail."""

QUOTE_MARK = "\ufdd1"
"""Begins a line that HTML marks as quoted, or as a signature. Unicode reserves it for use within a program."""
_PLACE = "\ufdd0"
"""Stands for NUL, which a parser of HTML drops. Unicode reserves it, too."""
_BLOCK_END = "\n"
_TAGS_PER_PIECE = 10_000
"""Tags that are parsed at once: the parser takes quadratic time in the depth of a tree."""


def strip_html(text: str) -> tuple[str, list[str]]:
    """Strip all tags if the text is HTML; otherwise strip only line breaks and images.

    Args:
        text: A text whose character references are still to be decoded, without ``QUOTE_MARK``.

    Returns:
        The words, with line ends between the blocks of HTML, and the content of code elements; their character
        references are still to be decoded.
    """
    bare = _strip_comments(text) if "<!--" in text else text
    tags = list(_TAG.finditer(bare))
    if not tags:
        return text, []
    if not _is_html(bare, [tag for tag in tags if tag["name"].lower() in _ELEMENTS]):
        return _LINE_BREAK_TAG.sub(lambda tag: "" if tag["name"].lower() in _INLINE_ELEMENTS else "\n", text), []
    names = {tag["name"].lower() for tag in tags}
    if names <= _FORMATS and not any(tag["attributes"] for tag in tags):
        return _TAG.sub("", bare), []  # a tenth of the parser's time, for the most frequent HTML of chats
    reader = _Reader(has_head="head" in names, keeps_lines=names.isdisjoint(_BLOCKS))
    for piece in _pieces(bare, tags):
        reader.read(piece)
    return "".join(reader.words), reader.code


def _is_html(text: str, tags: Sequence[re.Match[str]]) -> bool:
    """Tell whether the tags are markup.

    They are if at least one element is closed, and no element is left open or closed unopened. ``a < b``, ``<stdin>``,
    ``<your name>``, a lone ``<title>`` and half a line of a template therefore count as words. A text that a mail
    client or a limit of length left unbalanced begins with a tag, or has a tag with a style.
    """
    opened: Counter[str] = Counter()
    some_closed = unopened = False
    for tag in tags:
        name = tag["name"].lower()
        if tag["empty"]:
            some_closed |= name in _VENDOR_ELEMENTS
        elif not tag["close"]:
            opened[name] += 1
        elif opened[name]:
            opened[name] -= 1
            some_closed = True
        else:
            unopened = True
    left_open = any(count and name not in _END_OPTIONAL_ELEMENTS for name, count in opened.items())
    if some_closed and not unopened and not left_open:
        return True
    return (not unopened and _is_formatted(tags, some_closed)) or _begins_as_html(text, tags, some_closed)


def _is_formatted(tags: Sequence[re.Match[str]], some_closed: bool) -> bool:
    """Tell whether a text that begins with words has the formats of a mail."""
    if some_closed:
        return any(_STYLED.match(tag["attributes"] or "") for tag in tags)
    names = {tag["name"].lower() for tag in tags}
    attributes = any(_ATTRIBUTE.match(tag["attributes"] or "") for tag in tags)
    return attributes and not names.isdisjoint({"br", "p"}) and not names <= _LINE_BREAKS


def _begins_as_html(text: str, tags: Sequence[re.Match[str]], some_closed: bool) -> bool:
    if not tags or tags[0]["close"] or text[: tags[0].start()].strip() or tags[0]["name"].lower() in _LINE_BREAKS:
        return False
    several = len(tags) > 1 or _cut_tag(text) is not None
    styled = _STYLED.match(tags[0]["attributes"] or "") is not None
    return some_closed or styled or (several and tags[0]["name"].lower() not in _INLINE_ELEMENTS)


def _cut_tag(text: str) -> int | None:
    """Return where the last tag begins, if a limit of length cut the text within it."""
    start = text.rfind("<")
    return start if start >= 0 and _CUT_TAG.match(text, start) else None


def _pieces(text: str, tags: Sequence[re.Match[str]]) -> Iterator[str]:
    """Yield the text in pieces for the parser, with everything escaped that is no tag."""
    text = text[: _cut_tag(text)]
    closed = {tag["name"].lower() for tag in tags if tag["close"]}
    pieces: list[str] = []
    position = 0
    for number, tag in enumerate(tags, 1):
        if _is_tag(tag, closed):
            pieces += [_escape(text[position : tag.start()]), tag[0]]
            position = tag.end()
        if number % _TAGS_PER_PIECE == 0:
            yield "".join(pieces)
            pieces = []
    yield "".join([*pieces, _escape(text[position:])])


def _is_tag(tag: re.Match[str], closed: set[str]) -> bool:
    """Tell whether a tag within HTML is one: ``<stdin>`` is not, an element of a vendor is."""
    name = tag["name"].lower()
    return bool(name in _ELEMENTS or ":" in name or name in closed or tag["empty"] or "=" in (tag["attributes"] or ""))


def _escape(text: str) -> str:
    return _DECLARATION.sub("", text).replace("&", "&amp;").replace("<", "&lt;").replace("\0", _PLACE)


def _unescape(text: str) -> str:
    return text.replace(_PLACE, "\0").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _strip_comments(text: str) -> str:
    first, *others = text.split("<!--")
    return first + "".join(other.partition("-->")[2] if "-->" in other else "<!--" + other for other in others)


_Waiting = tuple[LexborNode | str, bool]
"""An element or text that is still to be read, or words to write; and whether an element around it is quoted."""


@dataclass
class _Reader:
    """Reads trees of HTML.

    Attributes:
        has_head: Whether the text is a document, whose ``head`` is no part of the text. Without one, the parser puts a
            title or a style into a head of its own.
        keeps_lines: Whether a line end of the text ends a line: it does not if blocks do.
        words: Pieces of the words, and the line ends between blocks.
        code: Content of code elements.
        after_reply_mark: Whether the rest of the text is quoted.
        quoting: Whether the last piece of the words is quoted.
    """

    has_head: bool
    keeps_lines: bool
    words: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    after_reply_mark: bool = False
    quoting: bool = False

    def read(self, html: str) -> None:
        """Read one text, without recursion: a text may nest elements as deep as it is long."""
        root = LexborHTMLParser(html).root
        waiting: list[_Waiting] = [(root, False)] if root is not None else []
        while waiting:
            node, quoted = waiting.pop()
            if isinstance(node, str):
                self._write(node, quoted)
            elif node.is_text_node:
                words = (node.text_content or "").replace(_PLACE, "\0")
                self._write(words if self.keeps_lines else words.replace("\n", " "), quoted)
            elif node.is_element_node:
                waiting += self._opened(node, quoted)

    def _write(self, words: str, quoted: bool) -> None:
        if words is _BLOCK_END and self.words and self.words[-1].endswith(("\n", "\n" + QUOTE_MARK)):
            return  # one block within or after another
        quoted |= self.after_reply_mark
        if quoted != self.quoting:
            self.words.append("\n" + QUOTE_MARK * quoted)
            self.quoting = quoted
        self.words.append(words.replace("\n", "\n" + QUOTE_MARK) if quoted else words)

    def _opened(self, node: LexborNode, quoted: bool) -> list[_Waiting]:
        """Return what an element holds, in the order of a stack: its last child first."""
        name = node.tag or ""
        if name == "head" and self.has_head:
            return []
        if name in _CODE_ELEMENTS:
            content = _unescape(node.inner_html or "").strip("\n")
            self.code += [content] * bool(content.strip())
            return [("\n", quoted)]
        attributes = node.attributes
        self.after_reply_mark |= (attributes.get("id") or "").lower() in _REPLY_MARKS
        quoted |= _is_quote(name, attributes)
        if name in _LINE_BREAKS:
            return [(_pictured(attributes) or ("" if name == "wbr" else "\n"), quoted)]
        gap = "" if name in _INLINE_ELEMENTS else " " if name in {"td", "th"} else _BLOCK_END
        children: list[_Waiting] = [(child, quoted) for child in node.iter(include_text=True)]
        return [(gap, quoted), *reversed(children), (gap + _pictured(attributes) * (name == "emoji"), quoted)]


def _pictured(attributes: Mapping[str, str | None]) -> str:
    """Return the emoji that an image stands for; empty for any other image."""
    alternative = attributes.get("alt") or ""
    return "" if any(character.isalnum() for character in alternative) else alternative


def _is_quote(name: str, attributes: Mapping[str, str | None]) -> bool:
    classes = (attributes.get("class") or "").lower().split()
    identifier = (attributes.get("id") or "").lower()
    return name in _QUOTES or identifier in _QUOTE_IDS or not _QUOTE_CLASSES.isdisjoint(classes)
