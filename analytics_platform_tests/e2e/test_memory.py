"""How much memory a run takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics_platform_tests.sizes import by_day_or_night

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


def generated_days(path: Path, days: int, messages_per_day: int) -> Path:
    """Write ``days`` days of equal size."""
    rows = [
        f"c{day}-{n // 6},{'user' if n % 2 == 0 else 'agent'},how do i mount disk {n} on day {day}?,"
        f"{(1704067200 + day * 86400 + n * 60 + 3600)}"
        for day in range(days)
        for n in range(messages_per_day)
    ]
    path.write_text("conversation_id,role,text,timestamp\n" + "\n".join(rows) + "\n")
    return path


FEW, MANY = by_day_or_night(4, 10), by_day_or_night(24, 120)
MESSAGES_PER_DAY = by_day_or_night(500, 400)
BLOCK_ROWS = by_day_or_night("1000", "2000")
"""So few that the short range fills a block for each of two workers."""
MOST = by_day_or_night(1.125, 1.25)
"""Largest peak of the long range, as a multiple of the short one's: 12 kB more for each further message by day."""


def test_a_long_range_needs_hardly_more_memory_than_a_short_one(installed_analytics, tmp_path):
    peaks = {}
    for days in (FEW, MANY):
        home = tmp_path / str(days)
        home.mkdir()
        path = generated_days(home / "chats.csv", days, messages_per_day=MESSAGES_PER_DAY)
        source = {"ANALYTICS_SOURCE": "files", "ANALYTICS_SOURCE_PATH": str(path)}
        finished = installed_analytics(home, "run", "--json", ANALYTICS_BLOCK_ROWS=BLOCK_ROWS, **source)
        result = finished.json()
        assert result["failures"] == []
        assert {t["asset"]: t["partitions"] for t in result["tables"]}["conversations"] == days
        peaks[days] = finished.peak_megabytes
    assert peaks[MANY] < MOST * peaks[FEW], peaks
