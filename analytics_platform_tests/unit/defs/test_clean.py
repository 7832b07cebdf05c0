"""When clean days are out of date."""

from __future__ import annotations

import pytest

from analytics_platform.defs.assets import clean_assets
from analytics_platform.defs.framework.table_asset import TableAsset
from analytics_platform.transform.cleaning import Cleaning
from analytics_platform.transform.outcomes import parse_outcomes
from analytics_platform.transform.privacy import Privacy


@pytest.mark.parametrize("asset", clean_assets.ASSETS, ids=lambda asset: asset.recipe.table.name)
def test_a_change_of_the_privacy_settings_makes_days_stale(asset: TableAsset) -> None:
    version = asset.recipe.facts.version
    assert version is not None
    privacies = [Privacy(), Privacy(redact=False), Privacy(key=b"k" * 32), Privacy(spans_key=b"k" * 32)]
    choices = [Cleaning(privacy) for privacy in privacies]
    assert len({str(version("2024-01-01", cleaning=choice)) for choice in choices}) == len(choices)


@pytest.mark.parametrize("asset", clean_assets.ASSETS, ids=lambda asset: asset.recipe.table.name)
def test_what_outcomes_mean_makes_conversations_stale_and_no_messages(asset: TableAsset) -> None:
    """Cleaning every message again because of a word in the settings would take hours for nothing."""
    version = asset.recipe.facts.version
    assert version is not None
    meanings = ["", "closed=success", "closed=failure", "closed=neither", "closed=failure, lost=failure"]
    choices = [Cleaning(outcomes=parse_outcomes(text)) for text in meanings]
    expected = len(choices) if asset is clean_assets.conversations else 1
    assert len({str(version("2024-01-01", cleaning=choice)) for choice in choices}) == expected


def test_the_order_of_outcomes_in_the_setting_makes_nothing_stale() -> None:
    texts = ("a=success, b_c=failure", "B-C=Failure,A=success,")
    one, other = (Cleaning(outcomes=parse_outcomes(text)) for text in texts)
    assert one.outcome_versions == other.outcome_versions
