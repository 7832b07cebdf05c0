"""Which ranges of days a run is made for."""

from __future__ import annotations

import pytest

from analytics_platform.defs.framework.day_ranges import few_ranges, ranges
from analytics_platform.defs.resources import platform as platform_module
from analytics_platform.storage.leases.day_leases import DayLeases
from analytics_platform.storage.leases.held_lease import LeaseLostError

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


@pytest.fixture
def shared_home(home, tmp_path, monkeypatch):
    """A home whose lake is in a folder that other machines may share."""
    monkeypatch.setenv("ANALYTICS_LAKE_URI", str(tmp_path / "shared"))
    home.write(home.row("a", "1", "2024-01-05"), home.row("b", "2", "2024-01-07"))
    return type(home)(tmp_path, monkeypatch, home.instance)


@pytest.fixture
def other_machine(shared_home):
    """The leases of another machine on the same lake."""
    return DayLeases(shared_home.platform.lake.register())


def test_a_run_on_days_that_another_machine_holds_waits_and_names_the_holder(shared_home, other_machine, monkeypatch):
    """Machines that shared a lake worked on a day at once; and a run that waited in vain did not say for whom."""
    monkeypatch.setattr(platform_module, "DAYS_WAIT_SECONDS", 0.0)
    with other_machine.held("2024-01-05", "2024-01-06", wait_seconds=0):
        outcome = shared_home.materialize("2024-01-05")
        assert len(outcome.failures) == 1
        assert "still works on 2024-01-05 to 2024-01-06" in outcome.failures[0]
        assert shared_home.materialize("2024-01-07").failures == []
    assert shared_home.platform.lake.keys("raw_messages") == ["2024-01-07"]
    assert shared_home.materialize("2024-01-05").failures == []


def test_a_run_whose_days_were_taken_over_ends_with_one_error(shared_home, other_machine, monkeypatch):
    """Each asset failed with an error of its own, after it had computed its days in vain."""
    lake = shared_home.platform.lake
    write = lake.write

    def taken_over(name, key, *rest):
        register = lake.register()
        content, version = register.read()
        register.replace(content.replace(lake.leases.lease_of(key).entry.identity.encode(), b"gone"), version)
        lake.leases.lease_of(key)._safe_until = 0.0
        return write(name, key, *rest)

    monkeypatch.setattr(lake, "write", taken_over)
    with pytest.raises(LeaseLostError, match="2024-01-05 to 2024-01-05: the lease of this run"):
        shared_home.materialize("2024-01-05")
    assert lake.keys("raw_messages") == []
