"""What the sensor asks for, on a real lake, a real instance, and files that change."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from analytics_platform.defs.automation.sensor_state import FIRST_DELAY, SensorState
from analytics_platform.defs.automation.source_sensor import SENSOR
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.settings.loader import Settings
from analytics_platform.sources.base import SourceError


def test_exactly_the_days_that_changed_are_asked_for(home):
    home.write(home.row("a", "1", "2024-01-05"), home.row("b", "2", "2024-01-06"), home.row("c", "3", "2024-03-01"))
    first = home.tick()
    assert home.ranges(first) == [("2024-01-05", "2024-01-06"), ("2024-03-01", "2024-03-01")]
    home.run(first)
    assert home.tick() == []
    assert sorted(home.cursor.delivered) == ["2024-01-05", "2024-01-06", "2024-03-01"]

    home.write(
        home.row("a", "1", "2024-01-05"), home.row("b", "2", "2024-01-06", "changed"), home.row("c", "3", "2024-03-01")
    )
    assert home.ranges(home.tick()) == [("2024-01-06", "2024-01-06")]


def test_the_memory_advances_only_when_the_lake_holds_what_was_asked_for(home):
    home.write(home.row("a", "1", "2024-01-05"))
    asked = home.tick()
    assert home.tick() == []
    assert home.reason == "waiting for the runs to be launched"
    assert home.cursor.delivered == {}
    home.run(asked)
    home.tick()
    assert list(home.cursor.delivered) == ["2024-01-05"]


def test_a_run_that_failed_is_asked_for_again_after_a_while(home, monkeypatch):
    home.write(home.row("a", "1", "2024-01-05"))
    asked = home.tick()
    with monkeypatch.context() as broken:
        broken.setattr(type(home.platform.lake), "write", lambda *_: (_ for _ in ()).thhome.row(OSError("disk full")))
        home.run(asked)
    assert home.tick() == []
    assert "requested again at" in home.reason
    home.now += FIRST_DELAY
    again = home.tick()
    assert home.ranges(again) == home.ranges(asked)
    assert again[0].run_key != asked[0].run_key
    home.run(again)
    home.tick()
    assert list(home.cursor.delivered) == ["2024-01-05"]


def test_a_day_that_the_source_no_longer_has_is_asked_for_and_becomes_empty(home):
    home.write(home.row("a", "1", "2024-01-05"), home.row("b", "2", "2024-01-06"))
    home.run(home.tick())
    home.tick()
    home.write(home.row("a", "1", "2024-01-05"))
    asked = home.tick()
    assert home.ranges(asked) == [("2024-01-06", "2024-01-06")]
    home.run(asked)
    home.tick()
    assert home.platform.lake.read("raw_messages", "2024-01-06").num_rows == 0
    assert list(home.cursor.delivered) == ["2024-01-05"]


def test_days_that_are_current_already_are_not_asked_for_by_a_sensor_that_remembers_nothing(home):
    home.write(home.row("a", "1", "2024-01-05"))
    home.run(home.tick())
    home.cursor = SensorState()
    assert home.tick() == []
    assert list(home.cursor.delivered) == ["2024-01-05"]


def test_a_change_while_the_runs_are_going_is_asked_for_after_them(home):
    home.write(home.row("a", "1", "2024-01-05"))
    asked = home.tick()
    home.write(home.row("a", "1", "2024-01-05", "changed"))
    home.tick()
    assert home.reason == "waiting for the runs to be launched"
    home.run(asked)  # reads the source as it is by now
    assert home.tick() == []
    assert home.tick() == []
    assert home.platform.lake.read("raw_messages", "2024-01-05")["text"].to_pylist() == ["changed"]


def test_a_source_that_cannot_be_read_is_a_skipped_tick_and_no_change(home):
    sensor = home.definitions.resolve_sensor_def(SENSOR)
    context = dg.build_sensor_context(
        instance=home.instance, cursor=SensorState(delivered={"2024-01-05": "a"}).as_text()
    )
    result = sensor.evaluate_tick(context)
    assert "matches no file" in result.skip_message
    assert result.cursor is None or "2024-01-05" in result.cursor
    with pytest.raises(SourceError):
        home.tick()


def test_a_sensor_that_runs_for_days_reads_the_new_ones(home, monkeypatch):
    """It kept the last day of its first look, so it staged the source otherwise than the runs that it asked for."""
    last_day = [dt.date(2024, 1, 5)]
    monkeypatch.setattr(Settings, "last_day", property(lambda _: last_day[0]))
    home.write(home.row("a", "1", "2024-01-05"), home.row("b", "2", "2024-01-06"))
    assert home.ranges(home.tick()) == [("2024-01-05", "2024-01-05")]
    assert list(home.platform.source.days()) == ["2024-01-05"]

    last_day[0] = dt.date(2024, 1, 6)

    assert list(home.platform.source.days()) == ["2024-01-05", "2024-01-06"]


def test_between_two_ticks_nothing_of_the_source_is_held(home):
    """A web server that runs for weeks would keep the texts of its last look."""
    home.write(home.row("a", "1", "2024-01-05"))
    home.tick()
    home.write(home.row("a", "1", "2024-01-05", "another text"))
    other = Platform(home.platform.settings)
    other.fresh_source()
    other.close()
    stagings = [path for path in home.platform.settings.staging_dir.glob("files/*") if path.is_dir()]
    assert len(stagings) == 1
