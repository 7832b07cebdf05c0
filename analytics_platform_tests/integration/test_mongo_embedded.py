"""The embedded server as a process: shared, stopped by the last user, started again after a kill."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pymongo
import pytest
from pymongo import MongoClient

from analytics_platform.model.tables.operational_tables import CONVERSATION_CATEGORIES
from analytics_platform.storage.mongo import EmbeddedMongo, EmbeddedMongoError, MongoStore
from analytics_platform.storage.mongo.mongo_errors import MongoUnreachableError

pytestmark = pytest.mark.integration

USER = """
import sys
from pathlib import Path
from analytics_platform.storage.mongo import EmbeddedMongo
embedded = EmbeddedMongo(Path(sys.argv[1]))
print(embedded.acquire(), flush=True)
sys.stdin.read(1)
if sys.argv[2] == "release":
    embedded.release()
"""


@pytest.fixture
def directory(tmp_path):
    directory = tmp_path / "mongo"
    yield directory
    if process := EmbeddedMongo(directory).running():
        process.kill()


@contextmanager
def another_process(directory: Path, ending: str = "release"):
    """A second user of the server; yields it and the URI it was given."""
    command = [sys.executable, "-c", USER, str(directory), ending]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def leave(process: subprocess.Popen[str]) -> None:
    process.stdin.write("x")
    process.stdin.close()
    assert process.wait(60) == 0


def insert(uri: str, identity: str) -> None:
    with MongoClient(uri) as client:
        client.test.things.insert_one({"_id": identity})


def stored(uri: str) -> list[str]:
    with MongoClient(uri) as client:
        return [found["_id"] for found in client.test.things.find().sort("_id")]


def test_data_outlives_the_server_which_has_a_session_of_its_own(directory):
    embedded = EmbeddedMongo(directory)
    with embedded as uri:
        insert(uri, "kept")
        assert os.getsid(embedded.running().pid) != os.getsid(0)  # Ctrl-C in a terminal must not reach it
    assert embedded.running() is None
    with embedded as uri:
        assert stored(uri) == ["kept"]


def test_two_processes_share_one_server_and_the_last_to_leave_stops_it(directory):
    embedded = EmbeddedMongo(directory)
    with another_process(directory) as (other, other_uri):
        uri = embedded.acquire()
        assert uri == other_uri
        server = embedded.running().pid
        leave(other)
        assert embedded.running().pid == server
        assert embedded.acquire() == uri
        embedded.release()
        assert embedded.running().pid == server
        embedded.release()
    assert embedded.running() is None
    embedded.release()


def test_a_process_that_exits_without_releasing_leaves_too(directory):
    with another_process(directory, ending="exit") as (other, uri):
        with EmbeddedMongo(directory) as own:
            assert own == uri
        assert EmbeddedMongo(directory).running() is not None
        leave(other)
    assert EmbeddedMongo(directory).running() is None


def test_two_processes_that_start_at_once_get_the_same_server(directory):
    with ThreadPoolExecutor(2) as pool, ExitStack() as both:
        (one, one_uri), (two, two_uri) = pool.map(lambda _: both.enter_context(another_process(directory)), range(2))
        assert one_uri == two_uri
        leave(one)
        leave(two)
    assert EmbeddedMongo(directory).running() is None


def test_a_server_whose_user_was_killed_is_adopted_and_stopped_by_the_next(directory):
    with another_process(directory) as (other, uri):
        insert(uri, "kept")
        server = EmbeddedMongo(directory).running().pid
        other.kill()
        other.wait()
    embedded = EmbeddedMongo(directory)
    with embedded as own:
        assert own == uri
        assert embedded.running().pid == server
        assert stored(own) == ["kept"]
    assert embedded.running() is None


KILLED_WRITER = """
import sys, time
from pathlib import Path
from pymongo import MongoClient
from analytics_platform.storage.mongo import EmbeddedMongo
client = MongoClient(EmbeddedMongo(Path(sys.argv[1])).acquire())
session = client.start_session()
session.start_transaction()
client.test.numbers.insert_one({"_id": "one", "by": "the killed"}, session=session)
print("open", flush=True)
time.sleep(60)
"""


def test_a_transaction_that_a_killed_user_left_open_holds_up_no_one(directory):
    command = [sys.executable, "-c", KILLED_WRITER, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "open\n"
        process.kill()
    with EmbeddedMongo(directory) as uri, MongoClient(uri) as client:
        with client.start_session() as session, pymongo.timeout(20):  # it would expire after 60 s
            session.with_transaction(
                lambda running: client.test.numbers.insert_one({"_id": "one", "by": "the next"}, session=running)
            )
        assert client.test.numbers.find_one() == {"_id": "one", "by": "the next"}


def test_who_comes_second_ends_no_transaction_of_the_first(directory):
    with EmbeddedMongo(directory) as uri, MongoClient(uri) as client, client.start_session() as session:
        session.start_transaction()
        client.test.numbers.insert_one({"_id": "one"}, session=session)
        with EmbeddedMongo(directory):
            pass
        session.commit_transaction()
        assert client.test.numbers.count_documents({}) == 1


def test_a_killed_server_is_started_again_with_everything_that_was_acknowledged(directory):
    day = dt.date(2026, 1, 5)
    table = CONVERSATION_CATEGORIES.from_rows(
        [{"date": day, "conversation_id": str(n), "topic": "t", "confidence": 0.5, "rank": 1} for n in range(1_200)]
    )
    embedded = EmbeddedMongo(directory)
    with MongoStore(embedded.acquire(), "test") as store:
        store.write(table_name := CONVERSATION_CATEGORIES.name, "2026-01-05", table, "f")
        killed = embedded.running()
        killed.kill()
        psutil.wait_procs([killed], timeout=10)
    with MongoStore(embedded.acquire(), "test") as store:
        assert embedded.running().pid != killed.pid
        assert store.read(table_name, "2026-01-05").equals(table)
    embedded.release()
    assert embedded.running() is not None
    embedded.release()
    assert embedded.running() is None


def test_a_store_whose_server_was_killed_says_so_at_once(directory):
    """A run looked for the killed server until the driver's timeout, 30 s for each of its stores."""
    embedded = EmbeddedMongo(directory)
    with embedded as uri, MongoStore(uri, "test", embedded_in=directory) as store:
        killed = embedded.running()
        killed.kill()
        psutil.wait_procs([killed], timeout=10)
        began = time.monotonic()
        with pytest.raises(MongoUnreachableError, match=r"embedded MongoDB in .*mongo, .* does not answer any more"):
            store.keys(CONVERSATION_CATEGORIES.name)
        assert time.monotonic() - began < 10


def test_a_server_that_runs_without_answering_is_started_again(directory):
    """Its storage can lock itself for good: every run failed until somebody killed the server by hand."""
    with another_process(directory) as (_, uri):
        insert(uri, "kept")
        embedded = EmbeddedMongo(directory, start_seconds=10)
        hung = embedded.running()
        hung.suspend()
        with embedded as started:
            assert embedded.running().pid != hung.pid
            assert stored(started) == ["kept"]


def test_threads_of_a_process_share_its_use(directory):
    embedded = EmbeddedMongo(directory)
    given: list[str] = []
    threads = [threading.Thread(target=lambda: given.append(embedded.acquire())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(given) == 4
    assert len(set(given)) == 1
    for left in (3, 2, 1, 0):
        embedded.release()
        assert (embedded.running() is not None) == bool(left)


def test_two_objects_of_one_process_are_two_users(directory):
    one, two = EmbeddedMongo(directory), EmbeddedMongo(directory)
    one.acquire()
    two.acquire()
    one.release()
    assert two.running() is not None
    two.release()
    assert two.running() is None


def test_data_that_an_unknown_process_holds_is_told_with_its_number(directory):
    """The holder is the same server under another name, so that it is not taken for ours."""
    program = Path(sys.executable).parent / "secantusd-py"
    renamed = directory / "unknown"
    directory.mkdir()
    shutil.copy(program, renamed)
    command = [sys.executable, str(renamed), "--port", "0", "--storage-path", str(directory / "data")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as holder:
        try:
            assert any("listening" in line for line in holder.stderr)
            with pytest.raises(EmbeddedMongoError, match=rf"process {holder.pid} \(.*\) holds .*data; stop it first"):
                EmbeddedMongo(directory).acquire()
        finally:
            holder.kill()
    with EmbeddedMongo(directory) as uri:
        assert stored(uri) == []
