"""When clean days are out of date."""

from __future__ import annotations

import pytest

from analytics_platform.defs import clean
from analytics_platform.defs.tables import TableAsset
from analytics_platform.transform.cleaning import Cleaning
from analytics_platform.transform.privacy import Privacy


@pytest.mark.parametrize("asset", clean.ASSETS, ids=lambda asset: asset.recipe.table.name)
def test_a_change_of_the_privacy_settings_makes_days_stale(asset: TableAsset) -> None:
    version = asset.recipe.version
    assert version is not None
    privacies = [Privacy(), Privacy(redact=False), Privacy(key=b"k" * 32), Privacy(spans_key=b"k" * 32)]
    choices = [Cleaning(privacy) for privacy in privacies]
    assert len({version("2024-01-01", cleaning=choice) for choice in choices}) == len(choices)
