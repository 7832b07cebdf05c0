"""Similarity to a label's examples: ridge regression in closed form, for urgency and resolution."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from analytics_platform.insights.taxonomies.taxonomy import Label
from analytics_platform.insights.tiers.tier import Floats, Kind

# Chosen for the likelihood of the right labels on 50 hand-labelled conversations, too few for more digits.
_VECTOR_STRENGTH = 8.0
_REMAINDER_STRENGTH: dict[Kind, float] = {"urgency": 4.5, "resolution": 2.0}
"""Log-odds of the remainder label without evidence; a label must exceed it."""
_KEYWORD_SAMPLE_WEIGHT = 0.3
"""Weight of a keyword in the fit, against 1 for an example."""
_RIDGE = 1.0


def fit_prototypes(
    encode: Callable[[Sequence[str]], np.ndarray], labels: Sequence[Label], kind: Kind
) -> tuple[Floats, Floats]:
    """Return weights and bias of the similarity to each label, as log-odds; the last column is the remainder.

    The closed form is solved in double precision, so every machine gets the same weights to twelve digits.

    Args:
        encode: Makes unit-length vectors of texts.
        labels: Labels of one kind.
        kind: ``urgency`` or ``resolution``.

    Returns:
        Weights, shape (256, labels + 1), and bias, shape (labels + 1,).
    """
    texts: list[str] = []
    columns: list[int] = []
    counted: list[float] = []
    for column, label in enumerate(labels):
        for group, weight in (((label.description, *label.examples), 1.0), (label.keywords, _KEYWORD_SAMPLE_WEIGHT)):
            texts += group
            columns += [column] * len(group)
            counted += [weight] * len(group)
    vectors = encode(texts).astype(np.float64)
    weighted = vectors.T * np.array(counted)
    factor = cho_factor(weighted @ vectors + _RIDGE * np.eye(vectors.shape[1]), overwrite_a=True)
    weights = cho_solve(factor, weighted @ np.eye(len(labels))[columns])
    return (
        np.column_stack([weights * _VECTOR_STRENGTH, np.zeros(len(weights))]),
        np.array([0.0] * len(labels) + [_REMAINDER_STRENGTH[kind]]),
    )
