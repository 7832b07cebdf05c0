"""Stores that are killed in the middle of a run, and come back or not: nothing hangs, and nothing is lost."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pymongo import MongoClient

from analytics_platform.storage.lake import Lake
from analytics_platform.storage.mongo import EmbeddedMongo
from analytics_platform_tests.e2e.many_days import Content, Runs, content, output
from analytics_platform_tests.servers import MongoServer, S3Server
from analytics_platform_tests.sizes import by_day_or_night

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

REACHED_SECONDS = 300
FAILURE = re.compile(r"^failed: \w+: .*(MongoDB at|embedded MongoDB|lake/|S3).+$")


@pytest.fixture
def expected(undisturbed: tuple[Content, float]) -> Content:
    """What an undisturbed run leaves."""
    return undisturbed[0]


@pytest.fixture
def mongo(tmp_path) -> Iterator[MongoServer]:
    (tmp_path / "server").mkdir()
    with MongoServer(tmp_path / "server") as server:
        yield server


@pytest.fixture
def s3(tmp_path) -> Iterator[S3Server]:
    (tmp_path / "server").mkdir()
    with S3Server(tmp_path / "server") as server:
        yield server


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + REACHED_SECONDS
    while not reached():
        assert time.monotonic() < deadline, "the run never got there"
        time.sleep(0.02)


def stored_in_mongo(uri: str) -> int:
    with MongoClient(uri, timeoutMS=10_000) as client:
        return client["analytics"]["_partitions"].count_documents({})


def assert_failed_in_clear_lines(said: str) -> None:
    """Each asset that failed has one line that names the store; there is no trace."""
    assert "Traceback" not in said
    failures = [line for line in said.splitlines() if line.startswith("failed: ")]
    assert failures, said[-3000:]
    assert [line for line in failures if not FAILURE.match(line)] == []
    assets = [line.split(": ")[1] for line in failures]
    assert len(assets) == len(set(assets))


def restored(runs: Runs, process, home: Path, **variables: str) -> None:
    """End a run, which recovers or says what failed; when it failed, run again."""
    process.join()
    if process.exitcode:
        assert process.exitcode == 1
        assert_failed_in_clear_lines(output(home))
        runs.finish(home, **variables)


def test_a_run_outlives_a_mongodb_that_is_killed_and_started_again(expected, runs, mongo, tmp_path):
    home, variables = tmp_path / "home", {"ANALYTICS_MONGO_URI": mongo.uri}
    process = runs.start(home, **variables)
    wait_until(lambda: stored_in_mongo(mongo.uri) >= 15)
    mongo.kill()
    assert process.is_alive()
    mongo.start()
    restored(runs, process, home, **variables)
    assert content(home, mongo_uri=mongo.uri) == expected


def test_a_run_that_loses_mongodb_for_good_says_so_for_each_asset_and_the_next_one_catches_up(
    expected, runs, mongo, tmp_path
):
    home, variables = tmp_path / "home", {"ANALYTICS_MONGO_URI": f"{mongo.uri}&timeoutMS=3000"}
    process = runs.start(home, **variables)
    wait_until(lambda: stored_in_mongo(mongo.uri) >= 15)
    mongo.kill()
    process.join()
    assert process.exitcode == 1
    assert_failed_in_clear_lines(output(home))
    mongo.start()
    runs.finish(home, **variables)
    assert content(home, mongo_uri=mongo.uri) == expected


def test_a_run_whose_embedded_mongodb_is_killed_says_so_and_the_next_one_starts_it_again(expected, runs, tmp_path):
    home = tmp_path / "home"
    server = EmbeddedMongo(home / "mongo")
    process = runs.start(home)
    wait_until(lambda: (home / "lake" / "message_insights").exists() and server.running() is not None)
    server.running().kill()
    process.join()
    assert process.exitcode == 1
    assert_failed_in_clear_lines(output(home))
    runs.finish(home)
    assert content(home) == expected


@pytest.mark.parametrize(
    "table", by_day_or_night(["message_embeddings"], ["raw_messages", "message_embeddings", "daily_metrics"])
)
def test_a_run_outlives_an_s3_that_is_killed_and_started_again(table, expected, runs, s3, tmp_path):
    home, variables = tmp_path / "home", {**s3.variables, "ANALYTICS_LAKE_URI": f"s3://{s3.bucket}/lake"}
    lake = Lake.open(f"s3://{s3.bucket}/lake", endpoint_url=s3.url, access_key=s3.key, secret_key=s3.secret)
    process = runs.start(home, **variables)
    wait_until(lambda: len(lake.keys(table)) >= 3)
    s3.kill()
    assert process.is_alive()
    s3.start()
    restored(runs, process, home, **variables)
    assert content(home, lake=lake) == expected
