"""Whether labels drift: the shares and the confidence of some conversations beside those of the recent past.

Belongs here: the measures, and when a change is worth a person's look. Does not belong here: which days are compared,
and the asset check (``defs.checks.label_drift``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import rel_entr

from analytics_platform.insights.tiers.tier import Floats, Ints

LABELS = ("primary_topic", "intent")
CONFIDENCE = "confidence"
FEWEST = 30
"""Conversations on either side without which nothing is compared."""

_FARTHEST = 0.2
"""Jensen-Shannon distance of shares: 0 where they are the same, 1 where no label is on both sides."""
_MOST_CONFIDENCE = 0.05
"""Change of the mean confidence."""
_ROUNDING = 1e-9
"""Spread of equal values, and difference of their means, that is none: 60 times 0.1 spread by 4e-17."""
_CHANCE = 0.001
_DRAWS = 4_999


@dataclass(frozen=True)
class Change:
    """How far one column is from what it was.

    Attributes:
        column: Which.
        size: Jensen-Shannon distance of the shares of a label, or change of the mean confidence, now less before.
        limit: The size, of either sign, from which on it is worth a look.
        chance: How likely a change of that size is when nothing has changed.
    """

    column: str
    size: float
    limit: float
    chance: float

    @property
    def drifted(self) -> bool:
        """Whether the change is both large and more than chance."""
        return abs(self.size) >= self.limit and self.chance < _CHANCE

    def __str__(self) -> str:
        """Say it in one line."""
        what = "mean confidence changed by" if self.column == CONFIDENCE else f"shares of {self.column} differ by"
        return f"{what} {self.size:.3f} (limit {self.limit:g}), by chance {self.chance:.2g}"


def find_changes(now: pa.Table, before: pa.Table) -> list[Change]:
    """Compare conversations with those of the past.

    Args:
        now: Columns ``primary_topic``, ``intent`` and ``confidence``; at least two rows.
        before: The same columns; at least two rows.
    """
    counts = ((column, count_labels(now[column], before[column])[1]) for column in LABELS)
    changes = [Change(column, distance(*sides), _FARTHEST, _chance_of(sides)) for column, sides in counts]
    values = [side[CONFIDENCE].to_numpy() for side in (now, before)]
    size = float(values[0].mean() - values[1].mean())
    if max(side.std() for side in values) > _ROUNDING:
        from scipy.stats import ttest_ind_from_stats  # noqa: PLC0415  (a second, which every start would pay)

        sides = [(side.mean(), side.std(ddof=1), len(side)) for side in values]
        chance = float(ttest_ind_from_stats(*sides[0], *sides[1], equal_var=False).pvalue)
    else:
        chance = float(abs(size) <= _ROUNDING)
    return [*changes, Change(CONFIDENCE, size, _MOST_CONFIDENCE, chance)]


def count_labels(now: pa.ChunkedArray, before: pa.ChunkedArray) -> tuple[list[str], Ints]:
    """Return the labels of both sides, ascending, and how often each side has them; shape (2, labels)."""
    names = pc.unique(pa.chunked_array([*now.chunks, *before.chunks])).sort()
    codes = (pc.index_in(side, value_set=names).to_numpy() for side in (now, before))
    counts = np.stack([np.bincount(code, minlength=len(names)) for code in codes])
    return names.to_pylist(), counts.astype(np.int64)


def distance(now: Ints, before: Ints) -> float:
    """Return the Jensen-Shannon distance, by logarithms of base 2, of two sides' shares; 0 to 1.

    Args:
        now: How often each label is there; shape (labels,).
        before: As ``now``.
    """
    return float(_distances(now[None], before[None])[0])


def _distances(now: Ints, before: Ints) -> Floats:
    first, second = (side / side.sum(axis=1, keepdims=True) for side in (now, before))
    middle = (first + second) / 2
    divergence = (rel_entr(first, middle) + rel_entr(second, middle)).sum(axis=1) / (2 * np.log(2))
    return np.asarray(np.sqrt(np.clip(divergence, 0, 1)))  # rounding makes it as little as -1e-17 for equal shares


def _chance_of(counts: Ints) -> float:
    """Return how often conversations shuffled between the sides are as far apart, by a permutation test."""
    whole = counts.sum(axis=0)
    draws = np.random.default_rng(0).multivariate_hypergeometric(
        whole, int(counts[0].sum()), size=_DRAWS, method="marginals"
    )
    as_far = _distances(draws, whole - draws) >= distance(*counts) - 1e-12
    return float((1 + as_far.sum()) / (1 + _DRAWS))
