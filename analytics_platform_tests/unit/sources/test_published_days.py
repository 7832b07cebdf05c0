"""The manifest of published days, and errors of their files."""

from __future__ import annotations

from analytics_platform.sources.day_files import DayPlace
from analytics_platform.sources.published_days import (
    StagedDay,
    manifest_text,
    parse_manifest,
)

DAYS = {
    "2024-01-01": StagedDay("a", 3, 1, places={"raw_messages": DayPlace("00000", 0, 2)}),
    "2024-01-02": StagedDay("b", 3, 1, "days/1"),
}


def test_days_are_parsed_as_they_were_written():
    """Places came back as lists, and a day with places had no hash."""
    days = parse_manifest(manifest_text(DAYS))

    assert days == DAYS
    assert days["2024-01-01"].places["raw_messages"].rows == 2
    assert set(days.values()) == set(DAYS.values())
    assert manifest_text(days) == manifest_text(DAYS)


def test_a_mirror_without_places_is_read():
    """Mirrors had manifests before days shared files."""
    text = '{"2024-01-02": {"version": "b", "rows_read": 3, "duplicates": 1, "part": "days/1"}}'

    assert parse_manifest(text) == {"2024-01-02": DAYS["2024-01-02"]}
