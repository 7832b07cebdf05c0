"""Lists of words of feeling in 33 languages, and their mentions in texts.

English words and their values are VADER's list, ``data/valence.tsv``; ``data/valence_languages.tsv`` has the other
languages and overrides VADER where it names an English term again. Its roles are:

- ``valence``: how positive or negative a term is, -4 to 4;
- ``negation``: turns the term after it (value 1) or before it (value -1);
- ``degree``: makes a neighbouring term stronger or weaker by its value;
- ``contrast``: what follows outweighs what precedes;
- ``courtesy``: politeness; it hides the listed words inside it and weighs nothing;
- ``common``: frequent words, which only tell the text's language.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from analytics_platform.insights.encoders.words import TermMatcher, Words, split_words
from analytics_platform.insights.tiers.tier import Floats, Ints

_DATA = Path(__file__).parents[1] / "data"
_UNSPACED = ("zh", "ja", "ko", "th")
"""Languages whose terms are found anywhere in a text: they are written without spaces or with endings inside words."""
_UNSPACED_SCRIPTS = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}]"
_PARTICLES = {"ar": ("و", "ال", "وال", "ب", "ف"), "he": ("ה", "ו", "ב", "ל", "ש")}  # noqa: RUF001
"""Particles that are written together with the word that follows."""
_SHORTEST_STEM = {"ar": 4}
"""Least letters of a term that also stands for longer words, in languages whose terms need no ``*`` for it."""
_ALEFS = str.maketrans("أإآ", "ااا")  # noqa: RUF001
_HASH_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_Key = tuple[int, int, float]
"""Language, role, and for a negation its side."""
ROLES = ("valence", "negation", "degree", "contrast", "courtesy", "common")
ENGLISH = "en"


@dataclass(frozen=True)
class Mentions:
    """Mentions of listed terms, one entry each.

    Attributes:
        text: Index of the text.
        start: Position of the mention's begin: index of its word, or of its character in an unspaced language.
        end: Position after its end, in the same unit.
        word: Index of the mention's first word in ``Words.codes``.
        language: Index into ``ValenceLists.languages``.
        role: Index into ``ROLES``.
        value: Value of the term.
    """

    text: Ints
    start: Ints
    end: Ints
    word: Ints
    language: Ints
    role: Ints
    value: Floats

    def take(self, rows: np.ndarray) -> Mentions:
        """Return some of the mentions; ``rows`` contains indices or a mask."""
        return Mentions(**{name: column[rows] for name, column in vars(self).items()})


class _Entries:
    """What the lists say about each of some terms: one or more entries of language, role and value."""

    def __init__(self, terms: dict[str, list[tuple[int, int, float]]]) -> None:
        self.terms = list(terms)
        self._offsets = np.concatenate(([0], np.cumsum([len(entries) for entries in terms.values()]))).astype(np.int64)
        flat = [entry for entries in terms.values() for entry in entries]
        self._language = np.array([entry[0] for entry in flat], np.int64)
        self._role = np.array([entry[1] for entry in flat], np.int64)
        self._value = np.array([entry[2] for entry in flat], np.float64)

    def mentions(self, text: Ints, term: Ints, start: Ints, length: Ints, word: Ints) -> Mentions:
        """Return a mention for each entry of each occurrence of a term."""
        counts = np.diff(self._offsets)[term]
        of = np.repeat(np.arange(len(term)), counts)
        entry = np.arange(len(of)) - np.repeat(np.cumsum(counts) - counts, counts) + self._offsets[term][of]
        begin = start[of]
        return Mentions(
            text[of],
            begin,
            begin + length[of],
            word[of],
            self._language[entry],
            self._role[entry],
            self._value[entry],
        )


class ValenceLists:
    """Finds the terms of the lists in texts.

    Attributes:
        languages: ISO 639-1 codes of the languages; English is the first.
    """

    def __init__(self) -> None:
        rows = list(_read_lists())
        self.languages = tuple(dict.fromkeys(row[0] for row in rows))
        words: dict[str, dict[_Key, float]] = defaultdict(dict)
        prefixes: dict[str, dict[_Key, float]] = defaultdict(dict)
        strings: dict[str, dict[_Key, float]] = defaultdict(dict)
        for language, role, value, term in rows:
            side = value if role == "negation" else 0.0  # one word can negate what precedes and what follows
            key = (self.languages.index(language), ROLES.index(role), side)
            if language in _UNSPACED:
                strings[term][key] = value
                continue
            for form in _forms(language, term):
                if form.endswith("*"):
                    prefixes[form[:-1]][key] = value
                else:
                    words[form][key] = value
        self.unspaced = np.array([language in _UNSPACED for language in self.languages])
        self._words, self._prefixes, self._strings = (_Entries(_flatten(one)) for one in (words, prefixes, strings))
        self._matcher = TermMatcher(self._words.terms)
        self._prefix_lengths = {
            length: pa.array([prefix for prefix in self._prefixes.terms if len(prefix) == length], pa.string())
            for length in sorted({len(prefix) for prefix in self._prefixes.terms})
        }
        place = {prefix: row for row, prefix in enumerate(self._prefixes.terms)}
        self._prefix_rows = {
            length: np.array([place[prefix] for prefix in values.to_pylist()], np.int64)
            for length, values in self._prefix_lengths.items()
        }
        self._windows = _hash_terms(self._strings.terms)

    def find(self, words: Words) -> Mentions:
        """Return the mentions of all languages' terms in texts."""
        found = [self._find_words(words), self._find_prefixes(words)]
        unspaced = np.flatnonzero(_mask_unspaced(words))
        if len(unspaced):
            found.append(self._find_strings(words, unspaced))
        columns = {name: np.concatenate([vars(one)[name] for one in found]) for name in vars(found[0])}
        return Mentions(**columns)

    def _find_words(self, words: Words) -> Mentions:
        hits = self._matcher.find(words)
        return self._words.mentions(words.text_of[hits.start], hits.term, hits.start, hits.length, hits.start)

    def _find_prefixes(self, words: Words) -> Mentions:
        """Return mentions of terms with ``*``; of several prefixes of a word, the longest counts."""
        best = np.full(len(words.vocabulary), -1, np.int64)
        for length, prefixes in self._prefix_lengths.items():
            begin = pc.utf8_slice_codeunits(words.vocabulary, 0, length)
            place = pc.fill_null(pc.index_in(begin, value_set=prefixes), -1).to_numpy(zero_copy_only=False)
            hit = place >= 0
            best[hit] = self._prefix_rows[length][place[hit]]
        start = np.flatnonzero(best[words.codes] >= 0)
        term = best[words.codes[start]]
        return self._prefixes.mentions(words.text_of[start], term, start, np.ones(len(start), np.int64), start)

    def _find_strings(self, words: Words, texts: Ints) -> Mentions:
        """Return mentions anywhere in texts with an unspaced script."""
        part = words.take(texts)
        joined = _join_words(part)
        characters = np.frombuffer(" ".join(joined).encode("utf-32-le"), np.uint32).astype(np.uint64)
        lengths = np.array([len(text) for text in joined], np.int64)
        text_of = np.repeat(np.arange(len(joined)), lengths + 1)[: len(characters)]
        is_space = characters == ord(" ")
        first_words = words.offsets[texts]
        starts = np.cumsum(lengths + 1) - (lengths + 1)
        before = np.cumsum(is_space)
        inside = before - before[np.minimum(starts, max(len(characters) - 1, 0))][text_of]
        word_of = first_words[text_of] + inside
        found = []
        for length, (keys, rows) in self._windows.items():
            if len(characters) < length:
                continue
            hashes = _hash_windows(characters, length)
            place = np.minimum(np.searchsorted(keys, hashes), len(keys) - 1)
            start = np.flatnonzero(keys[place] == hashes)
            found.append((rows[place[start]], start, np.full(len(start), length)))
        term, start, width = (np.concatenate(column) for column in zip(*found, strict=True))
        return self._strings.mentions(texts[text_of[start]], term, start, width, word_of[start])


def _read_lists() -> Iterator[tuple[str, str, float, str]]:
    """Yield language, role, value and normalised term; of equal terms with one role, the last counts."""
    tab = csv.ParseOptions(delimiter="\t", quote_char=False)
    ours = csv.read_csv(_DATA / "valence_languages.tsv", parse_options=tab).to_pylist()
    rows = [
        (row["language"], row["role"], float(row["value"]), term) for row in ours for term in row["terms"].split(", ")
    ]
    named = {term for language, role, _, term in rows if language == ENGLISH and role in ("valence", "courtesy")}
    for row in csv.read_csv(_DATA / "valence.tsv", parse_options=tab).to_pylist():
        if row["word"] not in named:
            yield ENGLISH, row["role"], float(row["value"]), row["word"]
    normal = split_words([term.removesuffix("*") for *_, term in rows])
    for row, spelling in zip(rows, _join_words(normal), strict=True):
        yield *row[:3], f"{spelling}*" if row[3].endswith("*") else spelling


def _forms(language: str, term: str) -> list[str]:
    """Return the spellings of a term: with particles that are written together with it, and without Arabic hamza."""
    forms = [f"{particle}{term}" for particle in ("", *_PARTICLES.get(language, ()))]
    forms += [form.translate(_ALEFS) for form in forms] if language == "ar" else []
    if " " not in term and len(term) >= _SHORTEST_STEM.get(language, len(term) + 1):
        forms = [f"{form}*" for form in forms]
    return list(dict.fromkeys(forms))


def _flatten(terms: dict[str, dict[_Key, float]]) -> dict[str, list[tuple[int, int, float]]]:
    return {term: [(*key[:2], value) for key, value in entries.items()] for term, entries in terms.items()}


def _join_words(words: Words) -> list[str]:
    """Return the texts with one space between words."""
    spelled = words.vocabulary.cast(pa.string()).take(pa.array(words.codes))
    lists = pa.ListArray.from_arrays(words.offsets.astype(np.int32), spelled)
    return list(pc.binary_join(lists, " ").to_pylist())


def _mask_unspaced(words: Words) -> np.ndarray:
    """Tell for each text whether it has a word in a script without spaces or with endings inside words."""
    has = pc.match_substring_regex(words.vocabulary, _UNSPACED_SCRIPTS).to_numpy(zero_copy_only=False).astype(np.bool_)
    return np.bincount(words.text_of, has[words.codes], len(words)) > 0


def _hash_windows(characters: np.ndarray, length: int) -> np.ndarray:
    """Return a 64-bit hash of each run of ``length`` characters."""
    count = len(characters) - length + 1
    hashes = np.zeros(count, np.uint64)
    for step in range(length):
        hashes = hashes * _HASH_FACTOR + characters[step : step + count]
    return hashes


def _hash_terms(terms: list[str]) -> dict[int, tuple[np.ndarray, Ints]]:
    """Return the sorted hashes of the terms of each length, and their rows."""
    tables = {}
    for length in sorted({len(term) for term in terms}):
        rows = np.array([row for row, term in enumerate(terms) if len(term) == length], np.int64)
        characters = np.frombuffer("".join(terms[row] for row in rows).encode("utf-32-le"), np.uint32)
        hashes = _hash_windows(characters.astype(np.uint64), length)[::length]
        order = np.argsort(hashes)
        tables[length] = (hashes[order], rows[order])
    return tables


@lru_cache(maxsize=1)
def valence_lists() -> ValenceLists:
    """Return the process's lists, loaded once."""
    return ValenceLists()
