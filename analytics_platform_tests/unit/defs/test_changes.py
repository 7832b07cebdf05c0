"""When a day counts as delivered, and when it is asked for again."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.defs.automation.sensor_state import (
    MAXIMUM_ATTEMPTS,
    SensorState,
    arrived,
    changed_days,
    request_ended,
    request_repeated,
    requested,
)

NOW = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
VERSIONS = st.dictionaries(st.sampled_from(["2024-01-01", "2024-01-02", "2024-01-03"]), st.sampled_from(["a", "b"]))


def test_what_was_asked_for_is_not_delivered_before_it_is_there():
    cursor = requested(SensorState(), ["2024-01-01"], {"2024-01-01": "a"}, NOW)
    assert cursor.delivered == {}
    assert request_ended(cursor, [], NOW).delivered == {"2024-01-01": "a"}


def test_a_day_that_failed_is_asked_for_again_alone_and_ever_later():
    cursor = requested(SensorState(), ["2024-01-01", "2024-01-02"], {"2024-01-01": "a", "2024-01-02": "b"}, NOW)
    cursor = request_ended(cursor, ["2024-01-02"], NOW)
    assert cursor.delivered == {"2024-01-01": "a"}
    assert cursor.request.days == {"2024-01-02": "b"}
    delays = []
    while cursor.request:
        delays.append(cursor.request.again_at - NOW)
        cursor = request_ended(request_repeated(cursor, NOW), ["2024-01-02"], NOW)
    assert len(delays) == MAXIMUM_ATTEMPTS - 1
    assert all(later == 2 * sooner for sooner, later in pairwise(delays))
    assert cursor.failed == {"2024-01-02": "b"}


def test_a_day_given_up_is_asked_for_again_when_it_changes_at_the_source():
    cursor = SensorState(failed={"2024-01-02": "b"})
    assert changed_days(cursor, {"2024-01-02": "b"}) == []
    assert changed_days(cursor, {"2024-01-02": "c"}) == ["2024-01-02"]


def test_a_day_that_the_source_no_longer_has_is_changed_until_it_has_arrived():
    cursor = SensorState(delivered={"2024-01-01": "a"})
    assert changed_days(cursor, {}) == ["2024-01-01"]
    assert changed_days(arrived(cursor, ["2024-01-01"], {}), {}) == []


@given(VERSIONS, VERSIONS)
def test_once_the_changed_days_have_arrived_none_is_changed(delivered, versions):
    cursor = SensorState(delivered=delivered)
    days = changed_days(cursor, versions)
    assert set(days) == {day for day in {*delivered, *versions} if delivered.get(day) != versions.get(day)}
    assert changed_days(arrived(cursor, days, versions), versions) == []


@given(VERSIONS, VERSIONS)
def test_the_memory_survives_being_written_down(delivered, versions):
    cursor = requested(SensorState(delivered=delivered), versions, versions, NOW)
    assert SensorState.from_text(cursor.as_text()) == cursor


def test_a_memory_that_cannot_be_read_is_an_empty_one():
    assert SensorState.from_text(None) == SensorState.from_text("what") == SensorState()
