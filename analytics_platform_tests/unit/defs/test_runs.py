"""Which ranges of days a run is made for."""

from __future__ import annotations

from analytics_platform.defs.framework.day_ranges import few_ranges, ranges

DAYS = ["2024-01-01", "2024-01-02", "2024-01-05", "2024-01-20"]


def test_days_side_by_side_share_a_range():
    assert few_ranges(DAYS, 3) == [("2024-01-01", "2024-01-02"), ("2024-01-05",) * 2, ("2024-01-20",) * 2]


def test_when_ranges_are_too_many_the_smallest_gaps_are_bridged():
    assert few_ranges(DAYS, 2) == [("2024-01-01", "2024-01-05"), ("2024-01-20",) * 2]
    assert few_ranges(DAYS, 1) == [("2024-01-01", "2024-01-20")]


def test_no_days_are_no_range():
    assert few_ranges([], 2) == ranges([]) == []


def test_a_day_beside_those_asked_for_lets_go_of_a_conversation_that_starts_on_one_of_these_now(home):
    home.write(home.row("a", "1", "2024-01-20"), home.row("b", "2", "2024-01-20"), home.row("c", "3", "2024-02-20"))
    home.materialize("2024-01-20", "2024-02-20")
    home.write(
        home.row("a", "0", "2024-01-05"),
        home.row("a", "1", "2024-01-20"),
        home.row("b", "2", "2024-01-20"),
        home.row("c", "3", "2024-02-20", "changed"),
    )
    home.materialize("2024-01-05")

    lake = home.platform.lake
    assert lake.read("raw_messages", "2024-01-05")["message_id"].to_pylist() == ["0", "1"]
    assert lake.read("raw_messages", "2024-01-20")["message_id"].to_pylist() == ["2"]
    assert lake.read("raw_messages", "2024-02-20")["text"].to_pylist() == ["hello"]
