"""The nightly job removes what killed processes left, and only that."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import time

import dagster as dg
import pytest
from dagster._utils.schedules import cron_string_iterator

from analytics_platform.definitions import build_definitions
from analytics_platform.defs.assets.everyday import TABLES
from analytics_platform.defs.automation.housekeeping import housekeeping_schedule
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.settings.loader import load_settings


@pytest.fixture
def schedule(tmp_path, monkeypatch):
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path))
    return housekeeping_schedule(Platform(load_settings()), TABLES)


def test_the_job_sweeps_lake_and_reports_and_says_how_much(schedule, tmp_path):
    long_ago = time.time() - 7 * 3600
    folders = ("lake/raw_messages", "reports", "reports/daily")  # pages are staged beside those of their kind
    left = [tmp_path / folder / f".{'0a' * 16}.tmp" for folder in folders]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        os.utime(path, (long_ago, long_ago))
    result = schedule.job.execute_in_process(instance=dg.DagsterInstance.ephemeral())
    outputs = [event for event in result.all_node_events if event.is_successful_output]
    removed = {output.step_key: output.step_output_data.metadata["removed"].value for output in outputs}
    assert removed == {"remove_leftovers": 3, "remove_runs": 0}
    assert not any(path.exists() for path in left)


def test_it_runs_every_night_without_anybody_switching_it_on(tmp_path, monkeypatch):
    """The daemon starts what the code location says is running, at the times of its cron expression."""
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path))
    definitions = build_definitions(Platform(load_settings()))
    schedule = definitions.resolve_schedule_def("housekeeping_schedule")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    week = dt.datetime(2026, 10, 24, 12, tzinfo=dt.UTC)  # a clock that changes for winter must not skip a night
    times = cron_string_iterator(week.timestamp(), schedule.cron_schedule, schedule.execution_timezone)
    ticks = list(itertools.islice(times, 7))
    assert {later - earlier for earlier, later in itertools.pairwise(ticks)} == {dt.timedelta(days=1)}
    assert {tick.hour for tick in ticks} <= set(range(6))
    tick = schedule.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=ticks[0]))
    assert len(tick.run_requests) == 1
    assert definitions.resolve_job_def(schedule.job_name).name == "nightly_housekeeping"
