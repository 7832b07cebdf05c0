"""Characters in data that would command a terminal, or turn the direction of a line, written out."""

from __future__ import annotations

import re

_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"  # but for tabs and line ends
)


def without_controls(text: str) -> str:
    """Write characters that would command the terminal, or turn the direction of a line, out as their code."""
    return _CONTROL.sub(
        lambda found: f"\\x{ord(found[0]):02x}" if found[0] < "\u0100" else f"\\u{ord(found[0]):04x}", text
    )
