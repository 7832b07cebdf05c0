"""Escapes characters in data that would control a terminal, end a line, or reverse the direction of a line.

Such characters occur in texts, ids, labels and file names. Terminals, logs, alerts and Dagster show the code of the
character; HTML and SVG show a symbol.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"  # but for tabs and line ends
)
_MARKS = dict.fromkeys(map(ord, "\u061c\u200e\u200f\ufeff"), "")
"""Invisible marks that are legitimate in Arabic and Hebrew. A text isolated in HTML reads the same without them."""
_LINE_ENDS = dict.fromkeys(map(ord, "\x0b\x0c\r\x1c\x1d\x1e\x85\u2028\u2029"), " ")
_SYMBOL = "\N{REPLACEMENT CHARACTER}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 row``, ``1,204 rows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def agreeing(number: int, one: str, several: str) -> str:
    """Return the form of a verb or a pronoun that agrees with a number: ``has`` for 1, else ``have``."""
    return one if number == 1 else several


def without_controls(text: str) -> str:
    """Replace each character that controls a terminal or the direction of a line by its hexadecimal code."""
    return _CONTROL.sub(
        lambda found: f"\\x{ord(found[0]):02x}" if found[0] < "\u0100" else f"\\u{ord(found[0]):04x}", text
    )


def on_one_line(text: str) -> str:
    """Replace control and direction characters by their codes, line ends and tabs included."""
    return without_controls(text).replace("\n", "\\n").replace("\t", "\\t")


def with_symbols(text: str) -> str:
    """Replace each control or direction character by a symbol, for HTML or SVG; the result is not yet escaped for HTML.

    Marks without a width are dropped, and unusual line ends become spaces.
    """
    return _CONTROL.sub(_SYMBOL, text.translate(_MARKS).translate(_LINE_ENDS))


def with_json_escapes(document: str) -> str:
    """Escape control and direction characters in the strings of a JSON document; parsed, the document is the same."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def plain_metadata(value: Any) -> Any:
    """Return metadata with every text on one line, also within lists and mappings; other values are unchanged."""
    if isinstance(value, str):
        return on_one_line(value)
    if isinstance(value, Mapping):
        return {plain_metadata(name): plain_metadata(item) for name, item in value.items()}
    return [plain_metadata(item) for item in value] if isinstance(value, list) else value
