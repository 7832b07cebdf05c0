"""Choose the labelled texts that a head is fitted on, so that fitting takes minutes for a file of any size.

The module bounds the input of ``classifier.Classifier``; the experts bound their own features and solvers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from analytics_platform.insights.heads.training_set import LONGEST_TEXT
from analytics_platform.insights.tiers.tier import Ints

MOST_LABELS = 2_000
"""Most labels of one file, because every expert scores every text for every label."""
_MOST_TEXTS = 10_000
"""Most texts of a fit; solving for the neighbours needs memory for the square of their number, 400 MB for 10,000."""
_MOST_CHARACTERS = 1_600_000
"""Most characters of all texts together; the transformer reads them in about 30 s on two free cores."""
_MOST_SCORES = 10_000_000
"""Most texts times labels; one score each takes 80 MB in double precision."""


class TrainingSample(NamedTuple):
    """The texts that a head is fitted on.

    Attributes:
        texts: Texts, in the order of the file.
        labels: The label of each text.
        statement: One sentence about the texts left out; empty when all texts are used.
    """

    texts: list[str]
    labels: list[str]
    statement: str


def draw_sample(texts: Sequence[str], labels: Sequence[str]) -> TrainingSample:
    """Return all texts if they are within the bounds, otherwise a random choice that is the same in every call.

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
    """Return the rows to fit on, ascending; None if all rows are within the bounds.

    The choice is the same in every call. It keeps each label's share, and at least two rows of each label that has two.

    Args:
        lengths: Number of characters of each row's text.
        codes: Index of each row's label, from 0.
    """
    if not len(codes) or len(codes) <= (most := _most(lengths, codes)):
        return None
    return _stratified(codes, most)


def _most(lengths: Ints, codes: Ints) -> int:
    """Return the largest number of texts of such lengths and labels that a fit may use."""
    return min(
        _MOST_TEXTS,
        _MOST_SCORES // (int(codes.max()) + 1),
        int(_MOST_CHARACTERS / max(float(lengths.mean()), 1.0)),
    )


def _stratified(codes: Ints, most: int) -> Ints:
    """Return rows, ascending: the share ``most / len(codes)`` of each label, but at least two rows of a label with two.

    Args:
        codes: Index of each text's label.
        most: Target number of rows; labels with few texts may increase it.
    """
    order = np.random.default_rng(0).permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    counts = np.bincount(codes)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)  # within its label
    quota = np.maximum(counts * most // len(codes), 2)
    return np.sort(order[rank < quota[codes[order]]])
