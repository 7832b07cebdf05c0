from __future__ import annotations

import pytest

from analytics_platform.model.cadence import Cadence


@pytest.mark.parametrize(
    ("cadence", "key"),
    [
        (Cadence.DAILY, "2007-01-01"),
        (Cadence.WEEKLY, "2007-01-01"),
        (Cadence.MONTHLY, "2007-01-01"),
        (Cadence.WHOLE, ""),
    ],
)
def test_the_first_day_of_a_period_names_its_partition(cadence, key):
    assert cadence.partition_of("2007-01-01") == key


@pytest.mark.parametrize(
    ("cadence", "day", "key"),
    [
        (Cadence.WEEKLY, "2007-01-07", "2007-01-01"),
        (Cadence.WEEKLY, "2006-12-31", "2006-12-25"),
        (Cadence.MONTHLY, "2008-02-29", "2008-02-01"),
    ],
)
def test_later_days_of_a_period_share_its_partition(cadence, day, key):
    assert cadence.partition_of(day) == key
