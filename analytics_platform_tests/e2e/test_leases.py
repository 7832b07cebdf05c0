"""Two machines, each with a home of its own, and one lake on a real S3 server."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator

import orjson
import psutil
import pytest

from analytics_platform.defs.assets.everyday import TABLES
from analytics_platform.model.cadence import Cadence
from analytics_platform.storage.lake import Lake
from analytics_platform_tests.e2e.many_days import DAYS, Content, Runs, output
from analytics_platform_tests.servers import S3Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

REACHED_SECONDS = 300
LEASE_SECONDS = 5
LAKE_TABLES = {asset.recipe.table.name for asset in TABLES if asset.recipe.store == "lake"}
DAILY_TABLES = {
    asset.recipe.table.name
    for asset in TABLES
    if asset.recipe.store == "lake" and asset.recipe.cadence is Cadence.DAILY
}
OF_THE_LAKE = ("--select", "group:raw or group:clean or group:insights or group:topics or group:analytics")
"""Without the warehouse and the pages, which each machine has for itself."""


@pytest.fixture
def s3(tmp_path) -> Iterator[S3Server]:
    (tmp_path / "server").mkdir()
    with S3Server(tmp_path / "server") as server:
        yield server


@pytest.fixture
def lake(s3) -> Lake:
    return Lake.open(f"s3://{s3.bucket}/lake", endpoint_url=s3.url, access_key=s3.key, secret_key=s3.secret)


@pytest.fixture
def variables(s3) -> dict[str, str]:
    """Settings of both machines."""
    return {
        **s3.variables,
        "ANALYTICS_LAKE_URI": f"s3://{s3.bucket}/lake",
        "ANALYTICS_LEASE_SECONDS": str(LEASE_SECONDS),
        "ANALYTICS_MONGO_URI": "off",
        "ANALYTICS_BLOCK_ROWS": "1",  # a run of one block is over before a busy machine sees it at work
    }


@pytest.fixture
def expected(undisturbed: tuple[Content, float]) -> Content:
    """What an undisturbed run leaves in the lake."""
    return {place: digest for place, digest in undisturbed[0].items() if place.split("/")[0] in LAKE_TABLES}


def content(lake: Lake) -> Content:
    return {f"{name}/{key}": lake.info(name, key).content_hash for name in LAKE_TABLES for key in lake.keys(name)}


def objects(s3: S3Server) -> dict[str, tuple[str, object]]:
    """Return ETag and time of every file of the lake's tables."""
    pages = s3.client().get_paginator("list_objects_v2").paginate(Bucket=s3.bucket, Prefix="lake/")
    files = [one for page in pages for one in page["Contents"] if one["Key"].endswith(".parquet")]
    return {one["Key"]: (one["ETag"], one["LastModified"]) for one in files}


def leases(lake: Lake) -> list[dict[str, object]]:
    """Return the leases that are held now."""
    text, _ = lake.register().read()
    return orjson.loads(text)["leases"] if text else []


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + REACHED_SECONDS
    while not reached():
        assert time.monotonic() < deadline, "it was never reached"
        time.sleep(0.05)


def is_at_work(lake: Lake) -> bool:
    """Tell whether a run has stored some days of one of its first tables, and holds its lease."""
    return len(lake.keys("messages")) >= 2 and bool(leases(lake))


def is_within_a_table(lake: Lake) -> bool:
    """Tell whether a run holds its lease, and has stored some days of a table, but not the last two."""
    return bool(leases(lake)) and any(0 < len(lake.keys(name)) < DAYS - 1 for name in DAILY_TABLES)


def suspend_at_work(process_id: int, lake: Lake) -> None:
    """Suspend a run that has days of a table to store; it is suspended during each look, so that it cannot go on.

    Suspended between two tables, it would find the days of the next one stored by its successor, and write nothing.
    """
    run = psutil.Process(process_id)

    def is_suspended_at_work() -> bool:
        run.suspend()
        if is_within_a_table(lake):
            return True
        run.resume()
        time.sleep(0.02)
        return False

    wait_until(is_suspended_at_work)


def is_far_from_its_end(lake: Lake) -> bool:
    """Tell whether the lake lacks days of one of the last tables."""
    return len(lake.keys("daily_metrics")) < DAYS


def test_two_machines_at_once_work_one_after_the_other_and_leave_what_one_leaves(
    expected: Content, runs: Runs, lake: Lake, variables, tmp_path
):
    homes = [tmp_path / "one", tmp_path / "two"]
    both = [runs.start(home, *OF_THE_LAKE, **variables) for home in homes]
    most = 0
    while any(process.is_alive() for process in both):
        most = max(most, len(leases(lake)))
        time.sleep(0.1)
    printed = [output(home) for home in homes]
    assert [process.exitcode for process in both] == [0, 0], printed
    assert most == 1
    assert sum("waiting for process" in text for text in printed) == 1
    assert content(lake) == expected
    assert leases(lake) == []


def test_a_machine_that_is_stopped_past_its_lease_writes_nothing_over_its_successor(
    expected: Content, runs: Runs, lake: Lake, s3: S3Server, variables, tmp_path
):
    """A laptop that slept in the middle of a run wrote over the days of the machine that had taken them over."""
    sleeper, successor = tmp_path / "sleeper", tmp_path / "successor"
    process = runs.start(sleeper, *OF_THE_LAKE, **variables)
    suspend_at_work(process.pid, lake)
    assert process.is_alive()
    assert is_far_from_its_end(lake)
    runs.finish(successor, *OF_THE_LAKE, **variables)
    assert "waiting for process" in output(successor)
    assert content(lake) == expected
    written = objects(s3)
    psutil.Process(process.pid).resume()
    process.join()
    assert process.exitcode not in (0, None)
    said = [line for line in output(sleeper).splitlines() if "lease" in line]
    assert len(said) == 1, output(sleeper)[-3000:]
    assert re.search(r"the lease of this run on these days has expired", said[0])
    assert "Traceback" not in output(sleeper)
    assert content(lake) == expected
    assert objects(s3) == written
    runs.finish(sleeper, *OF_THE_LAKE, **variables)
    assert content(lake) == expected


def test_the_days_of_a_machine_that_died_are_taken_over_when_its_lease_has_expired(
    expected: Content, runs: Runs, lake: Lake, variables, tmp_path
):
    process = runs.start(tmp_path / "dead", *OF_THE_LAKE, **variables)
    wait_until(lambda: is_at_work(lake))
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert len(leases(lake)) == 1
    began = time.monotonic()
    runs.finish(tmp_path / "successor", *OF_THE_LAKE, **variables)
    assert time.monotonic() - began > LEASE_SECONDS
    assert content(lake) == expected
    assert leases(lake) == []
