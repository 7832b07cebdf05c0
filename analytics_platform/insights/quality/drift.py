"""Label drift: a comparison of recent shares of labels and mean confidence with those of the past.

`defs.checks.label_drift` chooses the days and reports the result.
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
"""Fewest conversations of each side for a comparison."""

_FARTHEST = 0.2
"""Limit of the Jensen-Shannon distance of shares: 0 for equal shares, 1 if the two sides share no label."""
_MOST_CONFIDENCE = 0.05
"""Limit of the change of the mean confidence."""
_ROUNDING = 1e-9
"""Spreads and differences up to this count as 0: rounding gives 60 equal values of 0.1 a spread of 4e-17."""
_CHANCE = 0.001
_DRAWS = 4_999


@dataclass(frozen=True)
class Change:
    """The change of one column.

    Attributes:
        column: Name of the column.
        size: Jensen-Shannon distance of a label's shares, or the mean confidence now minus the mean before.
        limit: Least absolute size that is worth a look.
        chance: Probability of a change of this size or larger if nothing has changed.
    """

    column: str
    size: float
    limit: float
    chance: float

    @property
    def drifted(self) -> bool:
        """Whether the change is large and statistically significant."""
        return abs(self.size) >= self.limit and self.chance < _CHANCE

    def __str__(self) -> str:
        """Return the change as one line."""
        what = "mean confidence changed by" if self.column == CONFIDENCE else f"shares of {self.column} differ by"
        return f"{what} {self.size:.3f} (limit {self.limit:g}), by chance {self.chance:.2g}"


def find_changes(now: pa.Table, before: pa.Table) -> list[Change]:
    """Compare recent conversations with earlier ones, column by column.

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
    """Return the labels of both sides, ascending, and their counts on each side; shape (2, labels)."""
    names = pc.unique(pa.chunked_array([*now.chunks, *before.chunks], now.type)).sort()
    codes = (pc.index_in(side, value_set=names).to_numpy() for side in (now, before))
    counts = np.stack([np.bincount(code, minlength=len(names)) for code in codes])
    return names.to_pylist(), counts.astype(np.int64)


def distance(now: Ints, before: Ints) -> float:
    """Return the Jensen-Shannon distance (logarithms of base 2) of the shares of two sides; 0 to 1.

    Args:
        now: Count of each label; shape (labels,).
        before: Count of each label; shape (labels,).
    """
    return float(_distances(now[None], before[None])[0])


def _distances(now: Ints, before: Ints) -> Floats:
    first, second = (side / side.sum(axis=1, keepdims=True) for side in (now, before))
    middle = (first + second) / 2
    divergence = (rel_entr(first, middle) + rel_entr(second, middle)).sum(axis=1) / (2 * np.log(2))
    return np.asarray(np.sqrt(np.clip(divergence, 0, 1)))  # rounding can give -1e-17 for equal shares


def _chance_of(counts: Ints) -> float:
    """Return the p-value of a permutation test: the share of shuffles whose distance is at least the observed one."""
    whole = counts.sum(axis=0)
    draws = np.random.default_rng(0).multivariate_hypergeometric(
        whole, int(counts[0].sum()), size=_DRAWS, method="marginals"
    )
    as_far = _distances(draws, whole - draws) >= distance(*counts) - 1e-12
    return float((1 + as_far.sum()) / (1 + _DRAWS))
