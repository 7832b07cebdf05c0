"""The table of places of personal data in a column of texts, and the redaction of these places.

Positions are Unicode code points, as in Python strings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.model.word_sets.pii_kinds import KINDS

SPANS = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),
    ]
)
"""One row per span: the text's row, start and half-open end in code points, kind, confidence from 0 to 1."""
KIND_LIST = pa.list_(pa.field("item", pa.string(), nullable=False))

Span = tuple[int, int, str, float]
"""Start, end, kind and confidence within one text."""

_RANK = {kind: rank for rank, kind in enumerate(KINDS)}


def disjoint(spans: Iterable[Span]) -> list[Span]:
    """Return spans of one text in order of place, without overlap: the stronger kind wins, then the longer span."""
    kept: list[Span] = []
    for _, group in groupby(sorted(spans, key=itemgetter(0)), _Clusters()):
        cluster = sorted(group, key=lambda span: (_RANK[span[2]], span[0] - span[1], span[0]))
        chosen: list[Span] = []
        for span in cluster:
            if all(span[1] <= other[0] or other[1] <= span[0] for other in chosen):
                chosen.append(span)
        kept += sorted(chosen)
    return kept


class _Clusters:
    """A key function for ``groupby`` that gives overlapping spans, in order of start, the same number."""

    def __init__(self) -> None:
        self._number, self._end = 0, -1

    def __call__(self, span: Span) -> int:
        if span[0] >= self._end:
            self._number += 1
        self._end = max(self._end, span[1])
        return self._number


def spans_table(found: dict[int, list[Span]]) -> pa.Table:
    """Return ``SPANS`` of the spans found per row, ordered by row and place, not overlapping."""
    rows = [(row, *span) for row in sorted(found) for span in disjoint(found[row])]
    columns = zip(*rows, strict=True) if rows else ([] for _ in SPANS)
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, SPANS, strict=True)], schema=SPANS)


def placeholder(kind: str) -> str:
    """Return the text that replaces personal data of a kind, such as ``<EMAIL>``."""
    return f"<{kind}>"


def redact(texts: pa.Array, spans: pa.Table) -> pa.Array:
    """Replace each span by its kind in angle brackets, such as ``<EMAIL>``.

    Args:
        texts: Strings without nulls.
        spans: ``SPANS`` of these texts, ordered by row and place, not overlapping, as ``find_pii`` returns them.

    Returns:
        The texts; a text without a span is unchanged.
    """
    if not spans.num_rows:
        return texts
    rows, starts, ends, kinds = (spans[name].to_pylist() for name in ("row", "start", "end", "kind"))
    originals = _touched(texts, spans)
    pieces: dict[int, list[str]] = {row: [] for row in originals}
    position = dict.fromkeys(originals, 0)
    for row, start, end, kind in zip(rows, starts, ends, kinds, strict=True):
        pieces[row] += [originals[row][position[row] : start], placeholder(kind)]
        position[row] = end
    replaced = ["".join(pieces[row]) + originals[row][position[row] :] for row in originals]
    mask = np.zeros(len(texts), np.bool_)
    mask[list(originals)] = True
    return pc.replace_with_mask(texts, pa.array(mask), pa.array(replaced, texts.type))


def values_found(texts: pa.Array, spans: pa.Table) -> Iterator[tuple[int, int, str, str]]:
    """Yield row, start, kind and original characters of each span; arguments as for ``redact``."""
    originals = _touched(texts, spans)
    columns = (spans[name].to_pylist() for name in ("row", "start", "end", "kind"))
    for row, start, end, kind in zip(*columns, strict=True):
        yield row, start, kind, originals[row][start:end]


def _touched(texts: pa.Array, spans: pa.Table) -> dict[int, str]:
    """Return the texts that have a span, by row, ascending. Texts without a span stay in Arrow."""
    rows = np.unique(spans["row"].to_numpy())
    return dict(zip(rows.tolist(), texts.take(pa.array(rows)).to_pylist(), strict=True))


def kinds_found(spans: pa.Table, size: int) -> pa.Array:
    """Return for each of ``size`` texts the kinds of its spans, in order of place and one entry per span."""
    lengths = np.bincount(spans["row"].to_numpy(), minlength=size)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, spans["kind"].combine_chunks(), type=KIND_LIST)
