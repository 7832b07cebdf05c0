"""Choose the labelled texts that a head is fitted on, so that fitting ends within minutes whatever the file holds.

The module bounds the input of ``heads.LabelHead``; the experts bound their own features and solvers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from analytics_platform.insights.encoders.features import LONGEST_TEXT
from analytics_platform.insights.tiers.tier import Ints

MOST_LABELS = 2_000
"""Labels of one file: every expert scores every text for every label."""
_MOST_TEXTS = 10_000
"""Texts to fit on: solving for the neighbours needs the square of their number in memory, 400 MB for 10,000."""
_MOST_CHARACTERS = 1_600_000
"""Characters of all texts together: the transformer reads so many in about 30 s on two free cores."""
_MOST_SCORES = 10_000_000
"""Texts times labels: one score each, 80 MB in double precision."""


class TrainingSample(NamedTuple):
    """The texts that a head is fitted on.

    Attributes:
        texts: Texts, in the order of the file.
        labels: The label of each text.
        statement: One sentence that says what was left out; empty when nothing was.
    """

    texts: list[str]
    labels: list[str]
    statement: str


def draw_sample(texts: Sequence[str], labels: Sequence[str]) -> TrainingSample:
    """Return all texts where they are within the bounds, otherwise the same random choice every time.

    The choice keeps each label's share, and at least two texts of each label that has two.

    Args:
        texts: Texts of a training file.
        labels: One label each; at most ``MOST_LABELS`` different ones.
    """
    pairs = list(dict.fromkeys(zip(texts, labels, strict=True)))
    lengths = np.array([min(len(text), LONGEST_TEXT) for text, _ in pairs], np.int64)
    codes = np.unique(np.array([label for _, label in pairs], object), return_inverse=True)[1]
    most = _most(lengths, codes)
    cut = int((np.array([len(text) for text in texts]) > LONGEST_TEXT).sum())
    parts = [f"of {cut:,} longer texts the first {LONGEST_TEXT:,} characters"] if cut else []
    if len(pairs) <= most:
        statement = f"fitted on {len(texts):,} texts, {parts[0]}" if parts else ""
        return TrainingSample(list(texts), list(labels), statement)
    chosen = _stratified(codes, most)
    first = (
        f"fitted on {len(chosen):,} of {len(texts):,} texts ({len(pairs):,} different ones, "
        f"of on average {lengths.mean():,.0f} characters)"
    )
    return TrainingSample(
        [pairs[row][0] for row in chosen], [pairs[row][1] for row in chosen], ", ".join([first, *parts])
    )


def draw_rows(lengths: Ints, codes: Ints) -> Ints | None:
    """Return the rows to fit on, ascending; None where all of them are within the bounds.

    The choice is the same every time. It keeps each label's share, and at least two rows of each label that has two.

    Args:
        lengths: Characters of each row's text.
        codes: Number of each row's label, from 0 on.
    """
    if not len(codes) or len(codes) <= (most := _most(lengths, codes)):
        return None
    return _stratified(codes, most)


def _most(lengths: Ints, codes: Ints) -> int:
    """Return how many texts of such lengths and labels can be fitted on."""
    return min(
        _MOST_TEXTS,
        _MOST_SCORES // (int(codes.max()) + 1),
        int(_MOST_CHARACTERS / max(float(lengths.mean()), 1.0)),
    )


def _stratified(codes: Ints, most: int) -> Ints:
    """Return rows, ascending: the share ``most / len(codes)`` of each label, at least two where it has two.

    Args:
        codes: Number of each text's label.
        most: Rows wanted; labels with few texts may add to it.
    """
    order = np.random.default_rng(0).permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    counts = np.bincount(codes)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)  # within its label
    quota = np.maximum(counts * most // len(codes), 2)
    return np.sort(order[rank < quota[codes[order]]])
