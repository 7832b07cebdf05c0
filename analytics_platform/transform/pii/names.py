"""Names of people.

Belongs here: which texts the tagger reads, and from its labels to spans. Does not belong here: the tagger.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.transform.pii.spans import Span
from analytics_platform.transform.pii.tagger import BEGIN, INSIDE, OUTSIDE, PADDING, WORD, Floats, load_tagger

KIND = "NAME"
MINIMUM_CONFIDENCE = 0.6
NEIGHBOUR_CONFIDENCE = 0.1
"""How sure the tagger must be of a word, and of a word beside such a word."""
_LONGEST_TAIL = 3
_LONGEST_TEXT = 20_000  # code points; what follows in a longer text is not looked at, since it is no chat message
_NAME_LIKE = r"\p{Lu}"

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]


def find_names(texts: pa.Array) -> Iterator[tuple[int, Span]]:
    """Yield row and span of each name found."""
    rows = pc.indices_nonzero(pc.match_substring_regex(texts, _NAME_LIKE))
    yield from _tag(rows.to_pylist(), pc.utf8_slice_codeunits(texts.take(rows), 0, _LONGEST_TEXT).to_pylist())


def _tag(rows: list[int], texts: list[str]) -> Iterator[tuple[int, Span]]:
    matches = [match for text in texts for match in WORD.finditer(text)]
    if not matches:
        return
    lengths = [sum(1 for _ in WORD.finditer(text)) for text in texts]
    numbers = np.repeat(np.arange(len(texts)), lengths)
    ids: dict[str, int] = {}
    words = np.fromiter((ids.setdefault(match[0], len(ids)) for match in matches), np.int64, len(matches))
    tagger = load_tagger()
    scores = tagger.scores(tagger.vectors([*ids, PADDING]), words, numbers)
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    labels = odds / odds.sum(axis=1, keepdims=True)
    chances = 1 - labels[:, OUTSIDE]
    joined = _joined(matches, numbers)
    begins = labels[:, BEGIN] > 2 * labels[:, INSIDE]
    for first, last in _runs(_in_names(chances, joined), begins, joined):
        text, start, end = texts[numbers[first]], matches[first].start(), matches[last].end()
        if _is_name(text, start, end):
            yield rows[numbers[first]], (start, end, KIND, float(chances[first : last + 1].mean()))


def _joined(matches: list[re.Match[str]], numbers: Numbers) -> Flags:
    """Tell for each word whether only one space, or none, parts it from the one before in the same text."""
    starts = np.fromiter((match.start() for match in matches), np.int64, len(matches))
    ends = np.fromiter((match.end() for match in matches), np.int64, len(matches))
    joined = np.zeros(len(matches), np.bool_)
    joined[1:] = (numbers[1:] == numbers[:-1]) & (starts[1:] - ends[:-1] <= 1)
    return joined


def _is_name(text: str, start: int, end: int) -> bool:
    return any(map(str.isalpha, text[start:end])) and text[end : end + 1] != "@"


def _in_names(chances: Floats, joined: Flags) -> Flags:
    """Return which words are names: the likely ones, and less likely neighbours within the same name."""
    chosen: Flags = chances >= MINIMUM_CONFIDENCE
    possible = chances >= NEIGHBOUR_CONFIDENCE
    for _ in range(_LONGEST_TAIL):
        beside = np.zeros_like(chosen)
        beside[1:] |= chosen[:-1] & joined[1:]
        beside[:-1] |= chosen[1:] & joined[1:]
        chosen = chosen | (beside & possible)
    return chosen


def _runs(chosen: Flags, begins: Flags, joined: Flags) -> Iterator[tuple[int, int]]:
    """Yield first and last word of each name; a new one begins where the tagger says so, or after a gap."""
    continues = joined & ~begins & np.concatenate([[False], chosen[:-1]])
    for first in np.flatnonzero(chosen & ~continues).tolist():
        last = first
        while last + 1 < len(chosen) and chosen[last + 1] and continues[last + 1]:
            last += 1
        yield first, last
