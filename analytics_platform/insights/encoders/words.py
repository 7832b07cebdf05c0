"""Words of texts: one normal form, one split, and vectorised search for words and phrases."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from numpy.typing import NDArray

Ints = NDArray[np.int64]
T = TypeVar("T")
Scalar = TypeVar("Scalar", bound=np.generic)

MAX_TERM_WORDS = 4
MOST_LETTERS = 64
"""Most characters of a quoted word; a paste without spaces is one word of any length."""
WORDS_REVISION = "words-1"
"""Increase the number when the normal form changes, so that older vectors and labels become stale."""

HAPPY, SAD = "happyface", "sadface"
"""Words that replace emoticons and emoji; texts do not contain them."""

_NORMAL_FORM = (
    (r"(?:https?|ftp)://\S+", " "),
    (r"[:;=]'?-?[)\]]|(?:^|\s)[:;=]-?[dp](?:\s|$)|[😀-😆😊🙂👍❤🎉😍🥰😎]", f" {HAPPY} "),
    (r"[:;=]'?-?[(\[]|[😞😟😠😡😢😭😤👎🙁☹💔]", f" {SAD} "),
    ("[\u2019`\u00b4]", "'"),
    (r"(^|\s)!+([a-z0-9])", r" \2"),  # a command to a bot, such as !help, exclaims nothing
    (r"([?!])", r" \1 "),
    (r"[^\p{L}\p{M}\p{N}'?!]+", " "),
    (r"\B'|'\B", " "),
)


@dataclass(frozen=True)
class Words:
    """Texts split into words.

    Attributes:
        vocabulary: The distinct words.
        codes: Index into the vocabulary of each word of each text, text after text; shape (words,).
        offsets: Start of each text in ``codes``; shape (texts + 1,).
        memory: What ``remember`` computed so far.
        source: Words of which these are a selection, and the index of each word of the vocabulary there; None for
            words that were split from texts.
    """

    vocabulary: pa.StringArray
    codes: Ints
    offsets: Ints
    memory: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)
    source: tuple[Words, Ints] | None = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.offsets) - 1

    @cached_property
    def lengths(self) -> Ints:
        """Number of words of each text; shape (texts,)."""
        return np.diff(self.offsets)

    @cached_property
    def text_of(self) -> Ints:
        """Index of each word's text; shape (words,)."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def remember(self, name: Hashable, compute: Callable[[], T]) -> T:
        """Return a result that depends on these words alone; it is computed once and must not be changed.

        Several classifiers and their explanations ask the same of the same words.

        Args:
            name: Name of the result.
            compute: Makes the result.
        """
        if name not in self.memory:
            self.memory[name] = compute()
        return cast("T", self.memory[name])

    def of_vocabulary(self, name: Hashable, compute: Callable[[pa.StringArray], NDArray[Scalar]]) -> NDArray[Scalar]:
        """Return a result for each word of the vocabulary, remembered; a selection of words takes it from its source.

        Args:
            name: Name of the result.
            compute: Makes an array with one row per word; a row depends on its word alone.
        """
        if self.source is None:
            return self.remember(name, lambda: compute(self.vocabulary))
        words, rows = self.source
        return self.remember(name, lambda: words.of_vocabulary(name, compute)[rows])

    def incidence(self) -> sp.csr_matrix:
        """Return the sparse matrix (texts, vocabulary) with one entry per word occurrence, in order of occurrence."""
        return self.remember("incidence", self._make_incidence)

    def _make_incidence(self) -> sp.csr_matrix:
        ones = np.ones(len(self.codes), np.float32)
        return sp.csr_matrix((ones, self.codes, self.offsets), shape=(len(self), len(self.vocabulary)))

    def places(self, texts: Ints) -> Ints:
        """Return the index in ``codes`` of each word of some texts, text after text; repeats are allowed."""
        lengths = self.lengths[texts]
        ends = np.cumsum(lengths)
        return np.asarray(np.arange(int(lengths.sum())) + np.repeat(self.offsets[texts] - (ends - lengths), lengths))

    def take(self, texts: Ints) -> Words:
        """Return some of the texts.

        Args:
            texts: Indices of texts, in the requested order; repeats are allowed.
        """
        return self._take(texts, np.ones(len(self.vocabulary), np.bool_))

    def take_written(self, texts: Ints) -> Words:
        """Return some of the texts without the words that replace emoticons, for quoting to a reader.

        Args:
            texts: Indices of texts, in the requested order; repeats are allowed.
        """
        return self._take(texts, ~pc.is_in(self.vocabulary, pa.array([HAPPY, SAD])).to_numpy(zero_copy_only=False))

    def _take(self, texts: Ints, wanted: NDArray[np.bool_]) -> Words:
        """Return some of the texts, limited to the wanted words; the vocabulary contains only the returned words."""
        offsets = np.concatenate(([0], np.cumsum(self.lengths[texts])))
        codes = self.codes[self.places(texts)]
        kept = wanted[codes]
        codes = codes[kept]
        place = np.zeros(len(self.vocabulary), np.int64)
        place[codes] = 1
        used = np.flatnonzero(place)
        place[used] = np.arange(len(used))
        ends = np.concatenate(([0], np.cumsum(kept)))[offsets]
        return Words(self.vocabulary.take(pa.array(used)), place[codes], ends, source=(self, used))


def normalize(texts: pa.Array) -> pa.Array:
    """Return texts in lower case, without links and punctuation except ``?``, ``!`` and inner apostrophes.

    Emoticons and common emoji become the words ``happyface`` and ``sadface``.
    """
    texts = pc.utf8_lower(pc.fill_null(texts, ""))
    for pattern, replacement in _NORMAL_FORM:
        texts = pc.replace_substring_regex(texts, pattern, replacement)
    return pc.utf8_trim_whitespace(texts)


def split_words(texts: pa.Array | pa.ChunkedArray | Sequence[str]) -> Words:
    """Split texts into the words of their normal form.

    Args:
        texts: Any number of texts; null counts as empty.
    """
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    elif not isinstance(texts, pa.Array):
        texts = pa.array(texts, pa.string())
    encoded = texts.dictionary_encode(null_encoding="encode")
    words = _split_words(encoded.dictionary)
    if len(encoded.dictionary) == len(texts):
        return words
    place = encoded.indices.to_numpy().astype(np.int64)  # chats repeat themselves
    offsets = np.concatenate(([0], np.cumsum(words.lengths[place])))
    return Words(words.vocabulary, words.codes[words.places(place)], offsets)


def _split_words(texts: pa.Array) -> Words:
    lists = pc.utf8_split_whitespace(normalize(texts))
    encoded = lists.flatten().dictionary_encode()
    codes = encoded.indices.to_numpy().astype(np.int64)
    lengths = pc.list_value_length(lists).to_numpy(zero_copy_only=False).astype(np.int64)
    vocabulary = encoded.dictionary
    blank = pc.equal(vocabulary, "").to_numpy(zero_copy_only=False)
    if blank.any():  # an empty text splits into one empty word
        keep = ~blank[codes]
        lengths = np.bincount(np.repeat(np.arange(len(lengths)), lengths)[keep], minlength=len(lengths))
        codes = (np.cumsum(~blank) - 1)[codes[keep]]
        vocabulary = vocabulary.filter(pa.array(~blank))
    return Words(vocabulary, codes, np.concatenate(([0], np.cumsum(lengths))))


def quoted(words: Iterable[str]) -> list[str]:
    """Return words as reasons store them in every tier: words longer than ``MOST_LETTERS`` are cut."""
    return [word if len(word) <= MOST_LETTERS else f"{word[: MOST_LETTERS - 1]}…" for word in words]


def count_words(terms: Sequence[str]) -> Ints:
    """Return the number of words of each term, without its ``*``; shape (terms,)."""
    return _split_terms(terms).lengths


def require_term(term: str, words: int) -> None:
    """Refuse a term that ``TermMatcher`` cannot find.

    Args:
        term: One to four words, or one word that ends in ``*`` and stands for every word with this prefix.
        words: Number of words of the term.

    Raises:
        ValueError: If the term has no word or too many words.
    """
    if not 1 <= words <= (1 if term.endswith("*") else MAX_TERM_WORDS):
        raise ValueError(f"term {term!r} must have 1 to {MAX_TERM_WORDS} words, one when it ends in *")


def is_matchable(vocabulary: int, longest: int) -> bool:
    """Tell whether one ``TermMatcher`` can find all terms: it encodes the words of a term as one 64-bit integer.

    Args:
        vocabulary: Number of distinct words.
        longest: Number of words of the longest term.
    """
    return bool((vocabulary + 1) ** longest <= np.iinfo(np.int64).max)


def _split_terms(terms: Sequence[str]) -> Words:
    return split_words([term.removesuffix("*") for term in terms])


@dataclass(frozen=True)
class Occurrences:
    """Occurrences of terms, one entry each.

    Attributes:
        term: Index of the term.
        start: Index of the occurrence's first word in ``Words.codes``.
        length: Number of words of the occurrence.
    """

    term: Ints
    start: Ints
    length: Ints


class _Table(NamedTuple):
    """The terms of one length.

    Attributes:
        keys: The words of each term as one integer, ascending.
        terms: Index of each of these terms.
        is_step: Whether a word is the first, second, … word of a term; shape (length, vocabulary + 1).
    """

    keys: Ints
    terms: Ints
    is_step: NDArray[np.bool_]


class TermMatcher:
    """Finds words, phrases and word prefixes in texts.

    Args:
        terms: Distinct terms: one to four words, or one word that ends in ``*`` and stands for every word with this
            prefix.

    Raises:
        ValueError: If a term has no word or too many words.
    """

    def __init__(self, terms: Sequence[str]) -> None:
        self.terms = tuple(terms)
        parts = _split_terms(self.terms)
        for term, count in zip(self.terms, parts.lengths, strict=True):
            require_term(term, int(count))
        self._vocabulary = parts.vocabulary
        self._base = len(parts.vocabulary) + 1
        if not is_matchable(len(parts.vocabulary), int(parts.lengths.max(initial=1))):
            raise ValueError(f"{self._base} different words are too many for terms of {parts.lengths.max()} words")
        keys = self._keys(parts.codes, parts.offsets[:-1], parts.lengths)
        is_prefix = np.array([term.endswith("*") for term in self.terms], dtype=bool)
        self._prefixes = [
            (int(i), parts.vocabulary[parts.codes[parts.offsets[i]]].as_py()) for i in is_prefix.nonzero()[0]
        ]
        self._tables: dict[int, _Table] = {}
        for length in np.unique(parts.lengths[~is_prefix]).tolist():
            chosen = np.flatnonzero((parts.lengths == length) & ~is_prefix)
            order = np.argsort(keys[chosen], kind="stable")
            codes = parts.codes[parts.offsets[chosen][:, None] + np.arange(length)]
            is_step = np.zeros((length, self._base), np.bool_)  # the last column is that of words in no term
            is_step[np.arange(length), codes] = True
            self._tables[length] = _Table(keys[chosen][order], chosen[order], is_step)

    def _keys(self, codes: Ints, starts: Ints, lengths: Ints) -> Ints:
        """Encode the word codes of each span as one integer."""
        keys = np.zeros(len(starts), np.int64)
        for step in range(MAX_TERM_WORDS):
            inside = step < lengths
            keys[inside] = keys[inside] * self._base + codes[starts[inside] + step] + 1
        return keys

    def find(self, words: Words) -> Occurrences:
        """Return every occurrence of every term: prefixes first, then shorter terms before longer ones."""
        known = pc.index_in(words.vocabulary, value_set=self._vocabulary)
        codes = pc.fill_null(known, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        found = [self._find_prefix(words, term, prefix) for term, prefix in self._prefixes]
        found += [self._find_spans(words, codes, length) for length in self._tables]
        if not found:
            nothing = np.zeros(0, np.int64)
            return Occurrences(nothing, nothing, nothing)
        return Occurrences(
            term=np.concatenate([one.term for one in found]),
            start=np.concatenate([one.start for one in found]),
            length=np.concatenate([one.length for one in found]),
        )

    def _find_spans(self, words: Words, codes: Ints, length: int) -> Occurrences:
        """Return the occurrences of the terms of one length.

        Args:
            words: Words of texts.
            codes: Index of each word of their vocabulary in this matcher's vocabulary, -1 for a word in no term.
            length: Number of words of the terms.
        """
        keys, terms, is_step = self._tables[length]
        starts = np.flatnonzero(is_step[0][codes][words.codes])
        starts = starts[starts + length <= words.offsets[1:][words.text_of[starts]]]
        for step in range(1, length):
            starts = starts[is_step[step][codes][words.codes[starts + step]]]
        wanted = np.zeros(len(starts), np.int64)
        for step in range(length):
            wanted = wanted * self._base + codes[words.codes[starts + step]] + 1
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        hit = np.flatnonzero(keys[place] == wanted)
        return Occurrences(terms[place[hit]], starts[hit], np.full(len(hit), length))

    @staticmethod
    def _find_prefix(words: Words, term: int, prefix: str) -> Occurrences:
        begins = pc.starts_with(words.vocabulary, prefix).to_numpy(zero_copy_only=False)
        starts = np.flatnonzero(begins[words.codes])
        return Occurrences(np.full(len(starts), term), starts, np.ones(len(starts), np.int64))

    def count(self, words: Words) -> sp.csr_matrix:
        """Return the number of occurrences of each term in each text; sparse, shape (texts, terms); remembered."""
        return words.remember(self, lambda: self._count(words))

    def _count(self, words: Words) -> sp.csr_matrix:
        found = self.find(words)
        ones = np.ones(len(found.term))
        rows = words.text_of[found.start]
        return sp.csr_matrix((ones, (rows, found.term)), shape=(len(words), len(self.terms)))
