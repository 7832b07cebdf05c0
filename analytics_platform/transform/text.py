"""Cleans the texts of messages as whole columns: control characters, Unicode form, whitespace; counts words.

``transform.markup`` handles the markup within one text, and ``transform.mail_quotes`` quoted mails and signatures.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.transform.html_text import QUOTE_MARK
from analytics_platform.transform.mail_quotes import FLATTENED, MAY_BE_MAIL, split_quotes
from analytics_platform.transform.markup import SUSPICIOUS, split_markup

CODE_TYPE = pa.list_(pa.field("item", pa.string(), nullable=False))

_IRC_COLOUR = r"\x03(?:[0-9]{1,2}(?:,[0-9]{1,2})?)?|\x04(?:[0-9A-Fa-f]{6})?"
_TERMINAL_SEQUENCE = r"\x1b\[[0-9;?]*[ -/]*[@-~]"
_CONTROL = r"[\x00-\x08\x0e-\x1f\x7f-\x{84}\x{86}-\x{9f}]"
# Soft hyphen, zero-width space, marks and overrides of direction, byte order mark. The joiners U+200C and U+200D
# stay: Persian and many emoji are spelt with them.
_INVISIBLE = r"[\x{AD}\x{61C}\x{200B}\x{200E}\x{200F}\x{202A}-\x{202E}\x{2060}-\x{206F}\x{FEFF}]"
# The marks of sources that ChatGPT and OpenAI's assistants write into an answer: as private-use characters around names
# of search results, as what is left of them in a copied text, as 【12†source】, and as contentReference.
_CITATION = (
    r"\x{E200}[^\x{E200}\x{E201}]*\x{E201}|[\x{E200}-\x{E20F}]"
    r"|\b(?:file)?cite(?:turn\d+[a-z]+\d+)+"
    r"| ?【\d+(?::\d+)?†[^】]*】| ?【oaicite:[^】]*】| ?:?contentReference\[oaicite:\d+\](?:\{index=\d+\})?"
)
_NAMED_ENTITY = (
    r"\x{E200}(?:entity\x{E202}\[\"[^\"]*\", ?\"([^\"]*)\"|url\x{E202}([^\x{E200}-\x{E20F}]*))[^\x{E201}]*\x{E201}"
)
_NO_CHARACTERS = r"[\x{FDD0}-\x{FDEF}]"  # reserved for use within a program, as in transform.html_text
_REMOVED = "|".join([_IRC_COLOUR, _TERMINAL_SEQUENCE, _CONTROL, _INVISIBLE, _NO_CHARACTERS])
_SPACES = (
    r"[\s\x0b\x{85}\p{Z}]{2,}"
    r"|[\t\n\x0b\f\r\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]"
)
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}"
_WORD = rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+"


class CleanTexts(NamedTuple):
    """Texts after cleaning, one entry per text.

    Attributes:
        texts: What the sender wrote.
        code: Their pieces of code (see ``markup.split_markup``).
        quoted: Quoted mails and signatures within them; null where there are none.
    """

    texts: pa.Array
    code: pa.ListArray
    quoted: pa.Array


def clean_texts(texts: pa.ChunkedArray) -> CleanTexts:
    """Clean texts: remove control characters, marks of citations, markup and quoted mails, and collapse spaces.

    The result is in Unicode NFC.

    Args:
        texts: Strings without nulls, of any length and content.
    """
    cleaned = _replace(_replace(texts.combine_chunks(), _NAMED_ENTITY, r"\1\2"), _CITATION, "")
    cleaned = _replace(cleaned, _REMOVED, "")
    suspicious = pc.match_substring_regex(cleaned, SUSPICIOUS)
    parts = [split_markup(text) for text in cleaned.filter(suspicious).to_pylist()]
    cleaned = pc.replace_with_mask(cleaned, suspicious, pa.array([text for text, _ in parts], pa.string()))
    said, quoted = _split_quotes(cleaned)
    quoted = _collapse(quoted) if quoted.null_count < len(quoted) else quoted
    return CleanTexts(_collapse(said), _lists(suspicious, [code for _, code in parts]), quoted)


def _split_quotes(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Separate what the senders wrote from quoted mails and signatures; null for a text without any."""
    of_lines = pc.match_substring(texts, "\n")
    mask = np.zeros(len(texts), np.bool_)
    for rows, pattern in ((of_lines, MAY_BE_MAIL), (pc.invert(of_lines), FLATTENED)):
        mask[np.asarray(rows)] = np.asarray(pc.match_substring_regex(texts.filter(rows), pattern))
    nothing = pa.nulls(len(texts), pa.string())
    if not mask.any():
        return texts, nothing
    parts = [split_quotes(text) for text in texts.filter(mask).to_pylist()]
    said = pa.array([part.replace(QUOTE_MARK, "") for part, _ in parts], pa.string())
    rest = pa.array([part.replace(QUOTE_MARK, "") or None for _, part in parts], pa.string())
    return pc.replace_with_mask(texts, mask, said), pc.replace_with_mask(nothing, mask, rest)


def _collapse(texts: pa.Array) -> pa.Array:
    """Normalise to Unicode NFC, collapse runs of white space to one space, and trim; null stays null."""
    return pc.utf8_trim_whitespace(_replace(pc.utf8_normalize(texts, form="NFC"), _SPACES, " "))


def count_words(texts: pa.Array) -> pa.Array:
    """Count words: character runs between spaces. Each Chinese or Japanese character counts as a word."""
    return pc.count_substring_regex(texts, _WORD)


def _replace(texts: pa.Array, pattern: str, replacement: str) -> pa.Array:
    """Replace a pattern in the matching texts only; finding them is ten times cheaper than rewriting all texts."""
    found = pc.match_substring_regex(texts, pattern)
    return pc.replace_with_mask(
        texts, found, pc.replace_substring_regex(texts.filter(found), pattern=pattern, replacement=replacement)
    )


def _lists(mask: pa.Array, code: list[list[str]]) -> pa.Array:
    """Spread the lists over the rows of the mask; all other rows get an empty list."""
    lengths = np.zeros(len(mask), np.int32)
    lengths[mask.to_numpy(zero_copy_only=False)] = [len(pieces) for pieces in code]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    values = pa.array([piece for pieces in code for piece in pieces], pa.string())
    return pa.ListArray.from_arrays(offsets, values, type=CODE_TYPE)
