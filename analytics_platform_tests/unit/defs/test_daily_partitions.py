"""The daily partitions are Dagster's own, at every moment."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context

from analytics_platform.defs.framework.daily_partitions import daily_partitions

FIRST = dt.date(2024, 2, 27)
LAST = dt.date(2024, 3, 1)


@pytest.mark.parametrize(
    ("kept", "dagsters"),
    [
        (daily_partitions(FIRST, None), dg.DailyPartitionsDefinition("2024-02-27", end_offset=1)),
        (daily_partitions(FIRST, LAST), dg.DailyPartitionsDefinition("2024-02-27", end_date="2024-03-02")),
    ],
    ids=["until today", "until a day"],
)
def test_the_keys_follow_the_time_as_dagsters_do(kept, dagsters):
    """A list kept beyond midnight would leave today out of the graph."""
    moments = ["2024-02-26T12:00", "2024-02-27T00:00", "2024-02-29T23:59", "2024-03-01T00:00", "2024-03-02T01:00"]
    found = []
    for moment in [*moments, *reversed(moments)]:
        with partition_loading_context(dt.datetime.fromisoformat(f"{moment}+00:00")):
            assert kept.get_partition_keys() == dagsters.get_partition_keys()
            found.append(len(kept.get_partition_keys()))
    assert len(set(found)) > 2
    assert kept == dagsters
