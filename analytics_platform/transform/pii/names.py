"""Names of people.

Belongs here: which texts the tagger reads, and from its labels to spans. Does not belong here: the tagger.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.transform.pii.spans import Span
from analytics_platform.transform.pii.tagger import BEGIN, INSIDE, OUTSIDE, PADDING, WORD, Floats, load_tagger

KIND = "NAME"
MINIMUM_CONFIDENCE = 0.5
_LONGEST_TEXT = 20_000  # code points; what follows in a longer text is not looked at, since it is no chat message
_NAME_LIKE = r"\p{Lu}"


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
    labels, confidence = _decode(scores, numbers)
    for first, last in _runs(labels):
        yield (
            rows[numbers[first]],
            (matches[first].start(), matches[last].end(), KIND, float(confidence[first : last + 1].mean())),
        )


def _decode(scores: Floats, numbers: np.ndarray) -> tuple[np.ndarray, Floats]:
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances = odds / odds.sum(axis=1, keepdims=True)
    inside = 1 - chances[:, OUTSIDE]
    labels = np.where(inside >= MINIMUM_CONFIDENCE, np.where(chances[:, BEGIN] >= chances[:, INSIDE], BEGIN, INSIDE), OUTSIDE)
    previous = np.concatenate([[OUTSIDE], labels[:-1]])
    starts = np.concatenate([[True], numbers[1:] != numbers[:-1]])
    labels[(labels == INSIDE) & ((previous == OUTSIDE) | starts)] = BEGIN
    return labels, inside


def _runs(labels: np.ndarray) -> Iterator[tuple[int, int]]:
    for first in np.flatnonzero(labels == BEGIN).tolist():
        last = first
        while last + 1 < len(labels) and labels[last + 1] == INSIDE:
            last += 1
        yield first, last
