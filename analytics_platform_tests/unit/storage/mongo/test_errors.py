from __future__ import annotations

import socket
import time
import traceback

import pymongo
import pytest
from pymongo.errors import AutoReconnect, BulkWriteError, NetworkTimeout, OperationFailure, _OperationCancelled

from analytics_platform.storage.mongo import MongoStore, MongoStoreError, mongo_store
from analytics_platform.storage.mongo.mongo_errors import address, translated
from analytics_platform.storage.mongo.replacement import refuses_transactions
from analytics_platform.storage.partitions import StoreUnreachableError

SECRET = "hunter2"


@pytest.fixture
def silent_port():
    """A port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("mongodb://db.example:27017/?a=b", "db.example:27017"),
        (f"mongodb://ann:{SECRET}@one:1,two:2/admin", "one:1,two:2"),
        (f"mongodb+srv://ann:{SECRET}@db.example/?authSource=admin", "db.example"),
        (f"mongodb://ann:x@{SECRET}@db.example/", "db.example"),
        (f"mongodb://ann:{SECRET}/{SECRET}@db.example/", "(unreadable address)"),
        (f"mongodb://ann:a@{SECRET}/b@db.example/", "(unreadable address)"),
        (f"mongodb://ann:{SECRET}?x@db.example/", "(unreadable address)"),
        (f"mongodb://ann:{SECRET}[@db.example/", "(unreadable address)"),
        (SECRET, "(unreadable address)"),
    ],
)
def test_only_the_hosts_of_an_address_are_shown(uri, shown):
    assert address(uri) == shown
    assert SECRET not in repr(MongoStore(uri, "analytics"))


@pytest.mark.parametrize("port", ["closed_port", "silent_port"])
def test_a_server_that_does_not_answer_is_one_clear_error_within_the_timeout(port, request):
    uri = f"mongodb://ann:{SECRET}@127.0.0.1:{request.getfixturevalue(port)}/?directConnection=true"
    started = time.monotonic()
    with MongoStore(uri, "analytics", timeout_seconds=0.4) as store, pytest.raises(MongoStoreError) as caught:
        store.keys("user_analytics")
    assert time.monotonic() - started < 3
    assert isinstance(caught.value, StoreUnreachableError)
    told = "".join(traceback.format_exception(caught.value))
    assert "within 0.4 s" in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
    assert "list the partitions of user_analytics" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert SECRET not in told


@pytest.mark.parametrize(("port", "silent"), [("closed_port", "any more"), ("silent_port", "within 0.4 s")])
def test_a_silent_embedded_server_is_not_blamed_on_a_setting(port, silent, request, tmp_path):
    """The line asked whether ANALYTICS_MONGO_URI is right, which nobody had set."""
    uri = f"mongodb://127.0.0.1:{request.getfixturevalue(port)}/?directConnection=true"
    store = MongoStore(uri, "analytics", timeout_seconds=0.4, embedded_in=tmp_path)
    with store, pytest.raises(MongoStoreError) as caught:
        store.keys("user_analytics")
    assert str(caught.value).startswith(f"embedded MongoDB in {tmp_path}, list the partitions of user_analytics: ")
    assert f"of this home does not answer {silent}; the next run starts it again" in str(caught.value)
    assert "ANALYTICS_MONGO_URI" not in str(caught.value)


@pytest.mark.parametrize(
    ("embedded", "says"),
    [(True, "the embedded server of this home does not answer any more"), (False, "the server stopped answering")],
)
@pytest.mark.parametrize("error", [AutoReconnect("operation cancelled"), _OperationCancelled("operation cancelled")])
def test_a_cancelled_operation_tells_its_reason(embedded, says, error, tmp_path):
    """The driver cancels an operation when its monitor finds the server silent; its message gives no reason."""
    with (
        pytest.raises(MongoStoreError, match=says),
        translated("host:27017", "write messages", 1.0, tmp_path if embedded else None),
    ):
        raise error


@pytest.mark.parametrize(
    "error", [AutoReconnect("reset"), NetworkTimeout("timed out"), _OperationCancelled("operation cancelled")]
)
def test_a_server_that_stops_answering_counts_as_unreachable(error):
    """Only a server that never answered did, so that callers took an outage in a request for a lasting mistake."""
    with pytest.raises(StoreUnreachableError), translated("host:27017", "read label_feedback", 1.0):
        raise error


@pytest.mark.parametrize(
    "uri",
    [
        f"mongodb://ann:{SECRET}/x@127.0.0.1/",
        f"mongodb://ann:{SECRET}:x@127.0.0.1/",
        f"http://ann:{SECRET}@127.0.0.1/",
        f"mongodb://ann:{SECRET}@127.0.0.1:port/",
    ],
)
def test_a_malformed_address_is_told_by_the_name_of_its_variable_alone(uri):
    store = MongoStore(uri, "analytics", timeout_seconds=0.4)
    with pytest.raises(MongoStoreError, match="ANALYTICS_MONGO_URI: not a MongoDB address") as caught:
        store.ping()
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_store_contacts_nothing_when_made():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        MongoStore(f"mongodb://127.0.0.1:{server.getsockname()[1]}/", "analytics")
        with pytest.raises(TimeoutError):
            server.accept()


def test_an_unknown_collection_is_named_beside_the_known_ones(closed_port):
    store = MongoStore(f"mongodb://127.0.0.1:{closed_port}/", "analytics")
    with pytest.raises(MongoStoreError, match=r"'nope'.*user_analytics"):
        store.keys("nope")


def test_refused_documents_are_named_without_their_content():
    problems = [
        {"code": 121, "op": {"_id": "a", "text": SECRET}, "errInfo": {"details": {"schemaRulesNotSatisfied": []}}},
        {"code": 11000, "op": {"q": {"_id": "b"}, "u": {"text": SECRET}}},
    ]
    with (
        pytest.raises(MongoStoreError, match="2 refused: 'a' fails the validator; 'b': error 11000") as caught,
        translated("here", "write", 1.0),
    ):
        raise BulkWriteError({"writeErrors": problems})
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_what_a_standalone_server_says_is_known_as_having_no_transactions():
    standalone = "Transaction numbers are only allowed on a replica set member or mongos"
    assert refuses_transactions(OperationFailure(standalone, 20))
    assert not refuses_transactions(OperationFailure("WriteConflict", 112))
    assert not refuses_transactions(pymongo.errors.BulkWriteError({"writeErrors": []}))


def test_a_server_that_was_silent_is_asked_one_short_question_until_it_answers(silent_port, monkeypatch):
    """A run waited 30 s for a dead server in each of its assets."""
    monkeypatch.setattr(mongo_store, "_PROBE_SECONDS", 0.2)
    uri = f"mongodb://127.0.0.1:{silent_port}/?directConnection=true"
    with MongoStore(uri, "analytics", timeout_seconds=1.5) as store:
        with pytest.raises(MongoStoreError, match=r"within 1\.5 s"):
            store.keys("user_analytics")
        for _ in range(2):
            with pytest.raises(MongoStoreError, match=r"list the partitions of user_analytics: .*within 0\.2 s"):
                store.keys("user_analytics")
