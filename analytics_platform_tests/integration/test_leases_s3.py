"""Leases on a real S3 server, and lake files that only their holder may replace."""

from __future__ import annotations

import itertools
import logging
import uuid
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from analytics_platform.storage.lake import Lake, LakeError
from analytics_platform.storage.leases.day_leases import DayLeases
from analytics_platform.storage.leases.held_lease import LeaseLostError
from analytics_platform.storage.leases.registers import LeasesUnreachableError
from analytics_platform.storage.leases.s3_register import S3Register
from analytics_platform.storage.s3_access import S3Access
from analytics_platform_tests.lease_stand_ins import leases_of_sleeper

pytestmark = pytest.mark.integration

DAY, NEXT = "2024-01-05", "2024-01-06"
SECONDS = 2.0


class ForgetfulAccess(S3Access):
    """Access to a server that ignores the conditions of writes, as some do."""

    def put_if(self, key, content, *_):
        return self.client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=content)["ETag"]


@pytest.fixture
def access(s3, request):
    """Return access to a place of the test's own on the server."""

    def make(kind: type[S3Access] = S3Access) -> S3Access:
        options = {"endpoint_url": s3.url, "aws_access_key_id": s3.key, "aws_secret_access_key": s3.secret}
        place = f"{s3.bucket}/{request.node.name}"
        return kind(place, {**options, "region_name": "us-east-1"}, timeout_seconds=10, attempts=3)

    return make


@pytest.fixture
def lake(s3, request):
    """Return one more lake at the test's own place, as another machine opens it."""

    def make() -> Lake:
        place = f"s3://{s3.bucket}/{request.node.name}"
        return Lake.open(place, endpoint_url=s3.url, access_key=s3.key, secret_key=s3.secret)

    return make


@pytest.fixture
def sleeper(lake):
    """A machine that trusts its lease for ever, because it stands still before each write."""
    made = lake()
    made.leases = leases_of_sleeper(made.register(), SECONDS)
    return made


@pytest.fixture
def successor(lake):
    made = lake()
    made.leases = DayLeases(made.register(), seconds=SECONDS)
    return made


def table(*values: int) -> pa.Table:
    return pa.table({"n": pa.array(values, pa.int64())})


def values(lake: Lake, name: str, key: str = DAY) -> list[int]:
    return lake.read(name, key)["n"].to_pylist()


def test_only_the_writer_that_saw_the_latest_text_replaces_it(access):
    register = S3Register(access())
    nothing, version = register.read()
    assert nothing is None
    first = register.replace(b"first", version)
    assert register.replace(b"late", version) is None
    assert register.replace(b"second", first) is not None
    assert register.replace(b"late", first) is None
    assert register.read()[0] == b"second"


def test_no_replacement_of_several_writers_at_once_is_lost(access):
    register = S3Register(access())

    def count(_: int) -> None:
        done = None
        while done is None:
            content, version = register.read()
            number = int((content or b"0").split()[0]) + 1
            done = register.replace(f"{number} {uuid.uuid4()}".encode(), version)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(count, range(9)))
    assert register.read()[0].startswith(b"9 ")


def test_a_server_that_ignores_conditions_is_found_out_and_named(access, caplog):
    """Two machines would both believe that they hold a day."""
    assert S3Register(access()).fault() is None
    forgetful = S3Register(access(ForgetfulAccess))
    assert forgetful.fault() == "4 of 4 writes with If-None-Match succeeded, not one"
    leases = DayLeases(forgetful)
    with caplog.at_level(logging.WARNING), leases.held(DAY, DAY, wait_seconds=0) as lease:
        assert lease is None
    assert "machines that share this lake are not kept apart" in caplog.text
    assert "they are not kept apart" in leases.describe()
    with DayLeases(S3Register(access())).held(DAY, DAY, wait_seconds=0) as lease:
        assert lease is not None, "the server was replaced by one that honours conditions"


def test_keys_that_may_not_write_leases_are_named_without_secrets(s3):
    lake = Lake.open(f"s3://{s3.bucket}/x", endpoint_url=s3.url, access_key=s3.key, secret_key="wr0ng-secret")
    leases = DayLeases(lake.register())
    with pytest.raises(LeasesUnreachableError, match=r"s3://lake/x/_leases/days\.json: cannot be read") as caught:
        leases.held(DAY, DAY, wait_seconds=0).__enter__()
    assert "wr0ng" not in str(caught.value) + repr(lake.register())


def test_the_partitions_of_a_holder_are_replaced_and_new_ones_are_made(successor, lake):
    lake().write("old", DAY, table(1), "before there were leases")
    lake().write("total", "", table(1), "")
    with successor.leases.held(DAY, NEXT, wait_seconds=0):
        for number in (2, 3):
            for name, key in (("old", DAY), ("new", DAY), ("old", NEXT), ("total", "")):
                written = successor.write(name, key, table(number), "print")
                assert lake().info(name, key) == written
                assert values(successor, name, key) == [number]
    assert successor.keys("old") == [DAY, NEXT]


@pytest.mark.parametrize("existed", [False, True])
def test_a_holder_that_stood_still_cannot_write_over_its_successor(sleeper, successor, existed):
    """It had asked for its lease in time, was stopped, and wrote minutes later."""
    if existed:
        successor.write("numbers", DAY, table(0), "")
    with sleeper.leases.held(DAY, NEXT, wait_seconds=0):
        sleeper.write("numbers", NEXT, table(1), "")  # it has seen the table's objects
        with successor.leases.held(DAY, DAY, wait_seconds=60):
            successor.write("numbers", DAY, table(2), "")
            with pytest.raises(LeaseLostError, match=f"{DAY} to {NEXT}: .+ has taken them over"):
                sleeper.write("numbers", DAY, table(3), "")
        with pytest.raises(LeaseLostError):
            sleeper.write("numbers", NEXT, table(3), "")
    assert values(successor, "numbers") == [2]
    assert values(successor, "numbers", NEXT) == [1]


def test_a_holder_replaces_what_a_sleeper_wrote_late(sleeper, successor):
    """The server lets a sleeper write an object that its successor has not written yet."""
    with sleeper.leases.held(DAY, NEXT, wait_seconds=0):
        sleeper.write("numbers", NEXT, table(1), "")
        with successor.leases.held(DAY, NEXT, wait_seconds=60):
            successor.write("numbers", NEXT, table(2), "")
            sleeper.write("numbers", DAY, table(3), "")
            successor.write("numbers", DAY, table(4), "")
            assert values(successor, "numbers") == [4]


def test_a_write_whose_answer_was_lost_counts_as_written(successor, monkeypatch):
    """The driver sends the request again, and the server refuses it, because the object is there already."""
    put_if = S3Access.put_if

    def sent_twice(self, key, *rest):
        return None if put_if(self, key, *rest) and "numbers" in key else put_if(self, key, *rest)

    monkeypatch.setattr(S3Access, "put_if", sent_twice)
    with successor.leases.held(DAY, DAY, wait_seconds=0):
        monkeypatch.setattr(S3Access, "put_if", sent_twice)
        successor.write("numbers", DAY, table(1), "")
        successor.write("numbers", DAY, table(2), "")
    assert values(successor, "numbers") == [2]


def test_an_object_that_another_program_replaces_all_the_time_is_named(successor, lake, monkeypatch):
    other, put_if, numbers = lake(), S3Access.put_if, itertools.count()

    def too_late(self, key, *rest):
        if "numbers" in key:
            other.write("numbers", DAY, table(next(numbers)), "")
        return put_if(self, key, *rest)

    with successor.leases.held(DAY, DAY, wait_seconds=0):
        monkeypatch.setattr(S3Access, "put_if", too_late)
        with pytest.raises(LakeError, match="does another program write this lake"):
            successor.write("numbers", DAY, table(1), "")


def test_a_run_asks_the_server_a_handful_of_times_beside_its_writes(access, s3, request):
    """A lease for each day or partition would double the requests of a run."""
    lake = Lake.open(
        f"s3://{s3.bucket}/{request.node.name}", endpoint_url=s3.url, access_key=s3.key, secret_key=s3.secret
    )
    register = lake.register()
    lake.leases = DayLeases(register)
    with lake.leases.held("2024-01-01", "2024-12-31", wait_seconds=0):
        lake.write("numbers", "2024-01-01", table(0), "")
    asked: list[str] = []
    register.access.client.meta.events.register(
        "before-send.s3", lambda request, **_: asked.append(f"{request.method} {request.url.partition('?')[0]}")
    )
    with lake.leases.held("2024-01-01", "2024-12-31", wait_seconds=0):
        for day in range(1, 29):
            lake.write("numbers", f"2024-01-{day:02}", table(day), "")
    writes = [line for line in asked if line.startswith("PUT") and "numbers" in line]
    assert len(writes) == 28
    assert len(asked) - len(writes) <= 6, asked
