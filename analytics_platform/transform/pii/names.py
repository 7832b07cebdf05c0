"""Finds names of people: selects the texts that the tagger reads, and turns the tagger's labels into spans."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.transform.pii.spans import Span
from analytics_platform.transform.pii.tagger import BEGIN, INSIDE, OUTSIDE, PADDING, WORD, Floats, load_tagger

KIND = "NAME"
MINIMUM_CONFIDENCE = 0.6
NEIGHBOUR_CONFIDENCE = 0.1
"""Least probability of a word that stands beside a word of at least ``MINIMUM_CONFIDENCE``."""
_LONGEST_TAIL = 3
_LONGEST_TEXT = 20_000  # code points read of a text; a longer text is no chat message
_CAPITAL = r"^\p{Lu}"
_NO_LETTERS = r"[^\p{L}]+"
_CONTEXTS = (("my", "name", "is", None, "."), ("Hi", None, ","), (",", None, "and"))
"""Contexts in which a name is likely. A word that is no name even there, such as ``How`` or ``Monday``, is no reason to
read a text.
"""
_WORTH_READING = 0.3

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]


def find_names(texts: pa.Array) -> Iterator[tuple[int, Span]]:
    """Yield row and span of each name. Only texts with a capitalised word that may be a name are read."""
    heads = pc.utf8_slice_codeunits(texts, 0, _LONGEST_TEXT)
    rows = _worth_reading(heads)
    yield from _tag(rows.tolist(), heads.take(pa.array(rows)).to_pylist())


def _worth_reading(texts: pa.Array) -> Numbers:
    """Return the rows with a capitalised word that the tagger calls a name in a likely context."""
    capitalised = pc.indices_nonzero(pc.match_substring_regex(texts, r"\p{Lu}"))
    words = pc.split_pattern_regex(texts.take(capitalised), _NO_LETTERS)
    distinct = words.flatten().dictionary_encode()
    candidates = np.zeros(len(distinct.dictionary), np.bool_)
    capital = pc.match_substring_regex(distinct.dictionary, _CAPITAL).to_numpy(zero_copy_only=False)
    candidates[capital] = _may_be_names(distinct.dictionary.filter(pa.array(capital)).to_pylist())
    counts = np.concatenate([[0], np.cumsum(candidates[distinct.indices.to_numpy()])])
    ends = words.offsets.to_numpy()
    held = counts[ends[1:] - ends[0]] > counts[ends[:-1] - ends[0]]
    return np.asarray(capitalised.to_numpy()[held], np.int64)


def _may_be_names(words: list[str]) -> Flags:
    tagger = load_tagger()
    known = sorted({word for context in _CONTEXTS for word in context if word})
    vectors = tagger.vectors([*words, *known, PADDING])
    best = np.zeros(len(words))
    for context in _CONTEXTS:
        frame = [len(words) + known.index(word) if word else -1 for word in context]
        places = np.tile(frame, len(words))
        places[places < 0] = np.arange(len(words))
        numbers = np.repeat(np.arange(len(words)), len(frame))
        chances = _chances(tagger.scores(vectors, places, numbers))
        best = np.maximum(best, 1 - chances[frame.index(-1) :: len(frame), OUTSIDE])
    return np.asarray(best >= _WORTH_READING)


def _chances(scores: Floats) -> Floats:
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), np.float32)


def _tag(rows: list[int], texts: list[str]) -> Iterator[tuple[int, Span]]:
    found = [list(WORD.finditer(text)) for text in texts]
    matches = list(chain.from_iterable(found))
    if not matches:
        return
    numbers = np.repeat(np.arange(len(texts)), [len(words) for words in found])
    ids: dict[str, int] = {}
    words = np.fromiter((ids.setdefault(match[0], len(ids)) for match in matches), np.int64, len(matches))
    tagger = load_tagger()
    labels = _chances(tagger.scores(tagger.vectors([*ids, PADDING]), words, numbers))
    chances = 1 - labels[:, OUTSIDE]
    joined = _joined(matches, numbers)
    begins = labels[:, BEGIN] > 2 * labels[:, INSIDE]
    for first, last in _runs(_in_names(chances, joined), begins, joined):
        text, start, end = texts[numbers[first]], matches[first].start(), matches[last].end()
        if _is_name(text, start, end):
            yield rows[numbers[first]], (start, end, KIND, float(chances[first : last + 1].mean()))


def _joined(matches: list[re.Match[str]], numbers: Numbers) -> Flags:
    """Tell for each word whether at most one character separates it from the previous word of the same text."""
    starts = np.fromiter((match.start() for match in matches), np.int64, len(matches))
    ends = np.fromiter((match.end() for match in matches), np.int64, len(matches))
    joined = np.zeros(len(matches), np.bool_)
    joined[1:] = (numbers[1:] == numbers[:-1]) & (starts[1:] - ends[:-1] <= 1)
    return joined


def _is_name(text: str, start: int, end: int) -> bool:
    return any(map(str.isalpha, text[start:end])) and text[end : end + 1] != "@"


def _in_names(chances: Floats, joined: Flags) -> Flags:
    """Return which words belong to names: the likely words, and less likely words joined to them."""
    chosen: Flags = chances >= MINIMUM_CONFIDENCE
    possible = chances >= NEIGHBOUR_CONFIDENCE
    for _ in range(_LONGEST_TAIL):
        beside = np.zeros_like(chosen)
        beside[1:] |= chosen[:-1] & joined[1:]
        beside[:-1] |= chosen[1:] & joined[1:]
        chosen = chosen | (beside & possible)
    return chosen


def _runs(chosen: Flags, begins: Flags, joined: Flags) -> Iterator[tuple[int, int]]:
    """Yield the first and last word of each name. A name begins at a gap, or where the tagger labels a beginning."""
    continues = joined & ~begins & np.concatenate([[False], chosen[:-1]])
    for first in np.flatnonzero(chosen & ~continues).tolist():
        last = first
        while last + 1 < len(chosen) and chosen[last + 1] and continues[last + 1]:
            last += 1
        yield first, last
