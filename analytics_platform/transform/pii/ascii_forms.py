"""Maps digits of all scripts, and fullwidth letters and signs, to the ASCII characters that the rules expect.

East Asian keyboards write e-mail addresses and numbers in fullwidth characters; Arabic and Indic keyboards write their
own digits. Each such character maps to one ASCII code point, so places in the text stay the same.
"""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pyarrow.compute as pc

_FULLWIDTH = {
    code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F) if chr(code - 0xFEE0) in "@.-_+" or chr(code).isalpha()
}
_DIGITS = {
    code: ord("0") + unicodedata.decimal(chr(code))
    for code in range(0x80, 0x20000)  # no script with digits lies beyond
    if unicodedata.category(chr(code)) == "Nd"
}
_FORMS = _FULLWIDTH | _DIGITS
_ANY = f"[{''.join(map(chr, _FORMS))}]"


def in_ascii_forms(texts: pa.Array) -> pa.Array:
    """Return texts with fullwidth characters and digits of other scripts as ASCII; lengths and places stay the same.

    Args:
        texts: Strings without nulls.
    """
    written = pc.match_substring_regex(texts, _ANY)
    if not pc.any(written).as_py():
        return texts
    folded = [text.translate(_FORMS) for text in texts.filter(written).to_pylist()]  # few texts of most days
    return pc.replace_with_mask(texts, written, pa.array(folded, texts.type))
