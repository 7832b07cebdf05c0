"""Runs that are killed at random moments, and runs that meet: what they leave equals what an undisturbed run leaves."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from analytics_platform_tests.e2e.conftest import THREE_DAYS
from analytics_platform_tests.e2e.many_days import content, output, stored
from analytics_platform_tests.sizes import by_day_or_night

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

KILLS = by_day_or_night(5, 30)


def test_after_kill_9_at_random_moments_everything_is_as_after_an_undisturbed_run(undisturbed, runs, tmp_path):
    expected, seconds = undisturbed
    chance, kills, homes = random.Random(), 0, 0
    while kills < KILLS:
        homes += 1
        home = tmp_path / f"home{homes}"
        while kills < KILLS:
            process = runs.start(home)
            process.join(chance.uniform(0, seconds / 2))
            if process.exitcode is not None:
                break
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            kills += 1
        runs.finish(home)
        assert content(home) == expected, f"after {kills} kills"


def test_two_runs_of_the_same_days_at_once_both_end_well_and_leave_what_one_leaves(undisturbed, runs, tmp_path):
    home = tmp_path / "home"
    both = [runs.start(home), runs.start(home)]
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0], output(home)[-4000:]
    assert content(home) == undisturbed[0]


@pytest.mark.parametrize("appeared", ["lake/messages", "warehouse.duckdb.build/warehouse.duckdb", "reports"])
def test_after_kill_9_a_run_again_gives_what_an_undisturbed_run_gives(three_days, analytics, begin, tmp_path, appeared):
    process = begin(tmp_path, *THREE_DAYS)
    while not (tmp_path / appeared).exists():
        assert process.is_alive(), "the run ended before it could be killed"
        time.sleep(0.02)
    process.kill()
    process.join()
    assert analytics(tmp_path, *THREE_DAYS, "--json").json()["failures"] == []
    assert stored(tmp_path) == three_days
