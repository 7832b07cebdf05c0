"""Function words of 27 languages: articles, pronouns, prepositions and auxiliary verbs, which explain no label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analytics_platform.insights.encoders.folding import fold
from analytics_platform.insights.encoders.words import Words, normalize
from analytics_platform.insights.tiers.tier import Ints

MARKS = ("?", "!")
"""Words of the normal form that are marks, and are quoted by no reason."""
_FILE = Path(__file__).parent / "function_words.txt"

ENGLISH = 0
"""Number of English among the languages."""
_OF_NO_LANGUAGE = ("ok", "okay")
"""Words of some languages' lists that are written in any language."""


@cache
def function_words() -> Mapping[str, frozenset[str]]:
    """Return the folded function words of each language, by its ISO 639-1 code.

    >>> {"the", "all", "dont"} <= function_words()["en"]
    True
    """
    lists: dict[str, frozenset[str]] = {}
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        code, *words = line.split()
        lists[code] = frozenset(fold(normalize(pa.array(words))).to_pylist()) - {""}
    return lists


@dataclass(frozen=True)
class Languages:
    """The likeliest language of some texts, by their function words.

    Attributes:
        is_function: Whether each word of the vocabulary is a function word of each language; shape (languages, words).
        of_text: Row of ``is_function`` that is each text's language; shape (texts,). English if a text has no function
            word of any language.
        tells: Whether each text has a function word of its language, more than ``ok``; shape (texts,).
    """

    is_function: NDArray[np.bool_]
    of_text: Ints
    tells: NDArray[np.bool_]

    @classmethod
    def of(cls, words: Words) -> Languages:
        """Find the languages of texts; remembered by the words."""
        return words.remember("languages", lambda: cls._of(words))

    @classmethod
    def _of(cls, words: Words) -> Languages:
        is_function = words.of_vocabulary("function words", _find_function_words)
        of_none = words.of_vocabulary(
            "words of no language", lambda vocabulary: _is_in(fold(vocabulary), _OF_NO_LANGUAGE)
        )
        telling = is_function & ~of_none[:, None]
        counts = np.asarray(words.incidence() @ telling.astype(np.float32))
        marks = _is_in(words.vocabulary, MARKS)
        return cls(is_function.T | marks, counts.argmax(axis=1), np.asarray(counts.max(axis=1) > 0))

    def explains(self, text: Ints | int, word: Ints | int) -> NDArray[np.bool_]:
        """Return whether words of the vocabulary are words of content in texts of theirs."""
        return np.asarray(~self.is_function[self.of_text[text], word])


def _find_function_words(vocabulary: pa.StringArray) -> NDArray[np.bool_]:
    """Return whether each word is a function word of each language, English first; shape (words, languages)."""
    folded = fold(vocabulary)
    codes = sorted(function_words(), key=lambda code: code != "en")  # of equal counts the first is taken
    return np.column_stack([_is_in(folded, sorted(function_words()[code])) for code in codes])


def _is_in(words: pa.StringArray, listed: Sequence[str]) -> NDArray[np.bool_]:
    return np.asarray(pc.is_in(words, pa.array(listed)).to_numpy(zero_copy_only=False), np.bool_)


def languages_of_parts(words: Words) -> Ints:
    """Return a number for the language of each text: English if a text has no function word of any language.

    Texts of mostly letters that are not Latin, without a function word, have the number after the last language. The
    words remember the numbers.
    """
    return words.remember("languages of parts", lambda: _languages_of_parts(words))


def is_clearly_english(words: Words) -> NDArray[np.bool_]:
    """Return whether each text has English function words, and as many as of any language; shape (texts,)."""
    languages = Languages.of(words)
    return np.asarray(languages.tells & (languages.of_text == ENGLISH))


def _languages_of_parts(words: Words) -> Ints:
    languages = Languages.of(words)
    other, latin = (
        words.incidence() @ pc.match_substring_regex(words.vocabulary, letters).to_numpy(False).astype(np.float32)
        for letters in (r"[^\P{L}\p{Latin}]", r"\p{Latin}")
    )
    return np.where((other > latin) & (languages.of_text == 0), len(languages.is_function), languages.of_text)
