"""The sentiment weights that are shipped are those that the shipped data gives: the whole fit, some seconds of it."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pyarrow.parquet as pq
import pytest

from analytics_platform.insights.tiers.sentiment import SLICE_PATH, fit_sentiment, load_sentiment
from analytics_platform.insights.vectors.static_multilingual import static_encoder

pytestmark = pytest.mark.integration


def test_fitting_again_gives_the_weights_that_are_shipped() -> None:
    fitted, shipped = fit_sentiment(static_encoder(), pq.read_table(SLICE_PATH)), load_sentiment()
    assert fitted.matcher.terms == shipped.matcher.terms
    for field in fields(shipped):
        if isinstance(value := getattr(shipped, field.name), np.ndarray):
            np.testing.assert_allclose(getattr(fitted, field.name), value, atol=5e-3)
