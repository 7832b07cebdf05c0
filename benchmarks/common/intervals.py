"""Shares of right answers with bootstrapped intervals."""

from __future__ import annotations

import numpy as np

RESAMPLES = 10_000


def share_with_interval(share: float, count: int) -> str:
    """Return a share and the 95 % interval of resampled items, such as ``0.724 (0.70 to 0.74)``.

    To draw items with replacement and count the right ones is to draw from a binomial distribution.

    Args:
        share: Share of the right items.
        count: Number of items.
    """
    drawn = np.random.default_rng(0).binomial(count, share, RESAMPLES) / count
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{share:.3f} ({low:.2f} to {high:.2f})"
