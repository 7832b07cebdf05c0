"""One spelling for words that people write in several ways: without accents and apostrophes."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.insights.encoders.words import Words, normalize

_MARKS = "[\u0300-\u036f\u064b-\u0652']+"
"""Accents of Latin, Greek and Cyrillic letters, vowels of Arabic, and the apostrophe. The marks of Japanese and Indian
scripts stay, because they change the word."""


def fold(words: pa.StringArray) -> pa.StringArray:
    """Return words without accents and apostrophes, so that ``n'est`` equals ``nest`` and ``está`` equals ``esta``.

    >>> fold(pa.array(["doesn't", "está", "für"])).to_pylist()
    ['doesnt', 'esta', 'fur']
    """
    plain = pc.utf8_normalize(words, "NFKD")
    return pc.utf8_normalize(pc.replace_substring_regex(plain, _MARKS, ""), "NFKC")


def fold_terms(terms: Iterable[str]) -> list[str]:
    """Return words and phrases as `fold_words` writes them, with the ``*`` of a beginning."""
    written = list(terms)
    folded = fold(normalize(pa.array([term.removesuffix("*") for term in written], pa.string()))).to_pylist()
    return [term + "*" * given.endswith("*") for term, given in zip(folded, written, strict=True)]


def fold_words(words: Words) -> Words:
    """Return the same texts with folded words, in the same places."""
    encoded = fold(words.vocabulary).dictionary_encode()
    if not len(words.vocabulary):
        return words
    codes = encoded.indices.to_numpy().astype(words.codes.dtype)
    return Words(encoded.dictionary, codes[words.codes], words.offsets)
