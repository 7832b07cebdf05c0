"""Days that MongoDB never held are inserted; whatever is there already, or stops the writer, is borne all the same."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pymongo import MongoClient, monitoring
from pymongo.collection import Collection as DriverCollection

from analytics_platform.storage.mongo import EmbeddedMongo, MongoStore, MongoStoreError, mongo_store
from analytics_platform.storage.mongo.migrations import LEDGER
from analytics_platform_tests.integration.test_mongo_store import CATEGORIES, DAY, NEXT_DAY, categories

pytestmark = pytest.mark.integration

EARLIER_DAY = "2026-01-04"


@dataclass
class Requests(monitoring.CommandListener):
    """Notes the requests for the documents of a collection."""

    names: list[str] = field(default_factory=list)
    statements: list[int] = field(default_factory=list)
    bypasses: list[bool] = field(default_factory=list)

    def clear(self) -> None:
        """Forget the requests."""
        self.names.clear()
        self.statements.clear()
        self.bypasses.clear()

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command.get(event.command_name) == CATEGORIES:
            self.names.append(event.command_name)
            self.statements.append(len(event.command.get("updates") or event.command.get("documents") or []))
            self.bypasses.append(bool(event.command.get("bypassDocumentValidation")))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with EmbeddedMongo(tmp_path_factory.mktemp("home") / "mongo") as uri:
        yield uri


@pytest.fixture
def database(uri: str) -> Iterator[Any]:
    with MongoClient[Any](uri, tz_aware=True, timeoutMS=60_000) as client:
        yield client[f"test_{uuid.uuid4().hex}"]


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Requests:
    seen = Requests()
    monkeypatch.setattr(mongo_store, "MongoClient", partial(MongoClient, event_listeners=[seen]))
    return seen


@pytest.fixture(params=[True, False], ids=["transaction", "in_order"])
def store(uri: str, database: Any, requests: Requests, request: pytest.FixtureRequest) -> Iterator[MongoStore]:
    with MongoStore(uri, database.name, transactions=request.param, embedded_in=Path("embedded")) as store:
        store.migrate()
        requests.clear()
        yield store


def test_a_new_day_is_counted_and_inserted_but_not_read(store, requests):
    rows = categories(DAY, range(1_100))
    info = store.write(CATEGORIES, DAY, rows, "f")
    assert requests.names[:4] == ["aggregate", "insert", "insert", "insert"]
    assert requests.names[4:] in ([], ["aggregate"])  # outside a transaction the server counts once more
    assert store.info(CATEGORIES, DAY) == info
    assert store.read(CATEGORIES, DAY) == rows
    requests.clear()
    store.write(CATEGORIES, DAY, categories(DAY, range(1_101)), "g")
    assert "find" in requests.names


def test_a_document_stored_under_another_day_moves_to_the_new_one(store, database):
    store.write(CATEGORIES, DAY, categories(DAY, range(700)), "f")
    moved = categories(NEXT_DAY, range(650, 1_400))
    store.write(CATEGORIES, NEXT_DAY, moved, "f")
    assert store.read(CATEGORIES, NEXT_DAY) == moved
    assert database[CATEGORIES].count_documents({}) == 1_400


def test_a_day_whose_documents_the_ledger_does_not_know_is_replaced(store, database):
    """A killed writer leaves such documents; inserting beside them would leave those that are wanted no longer."""
    store.write(CATEGORIES, DAY, categories(DAY, range(20)), "f")
    database[LEDGER].delete_many({})
    store.write(CATEGORIES, DAY, categories(DAY, range(10, 30)), "g")
    assert database[CATEGORIES].count_documents({}) == 20


@pytest.mark.parametrize("rows", [800, 1_600], ids=["one_page", "pages"])
@pytest.mark.parametrize("store", [False], indirect=True, ids=["in_order"])
def test_a_writer_that_ends_while_it_inserts_leaves_a_day_that_is_not_stored(store, database, monkeypatch, rows):
    steps = iter(range(1))
    bulk_write = DriverCollection.bulk_write

    def killed_at_the_second(self: Any, *arguments: Any, **options: Any) -> Any:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return bulk_write(self, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(DriverCollection, "bulk_write", killed_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            store.write(CATEGORIES, DAY, categories(DAY, range(rows)), "f")
    assert store.keys(CATEGORIES) == []
    assert database[CATEGORIES].count_documents({}) == 500
    fewer = categories(DAY, range(100, 120))
    store.write(CATEGORIES, DAY, fewer, "g")
    assert store.read(CATEGORIES, DAY) == fewer
    assert database[CATEGORIES].count_documents({}) == 20
    assert [entry["_id"] for entry in database[LEDGER].find()] == [f"{CATEGORIES}/{DAY}"]


def test_the_embedded_server_validates_only_what_the_store_has_not_checked(store, database, requests):
    store.write(CATEGORIES, DAY, categories(DAY, range(3)), "f")
    store.write(CATEGORIES, DAY, categories(DAY, range(3), confidence=0.25), "g")
    assert [requests.bypasses[requests.names.index(name)] for name in ("insert", "update")] == [True, True]
    bad = pa.concat_tables([categories(NEXT_DAY, range(5, 10)), categories(NEXT_DAY, range(10, 12), rank=0)])
    with pytest.raises(MongoStoreError, match=r"refused: 'c00010:billing' fails the validator at rank"):
        store.write(CATEGORIES, NEXT_DAY, bad, "f")
    assert store.info(CATEGORIES, NEXT_DAY) is None


def test_a_server_of_ones_own_validates_every_document(uri, database, requests):
    """A user who may only read and write may not bypass a validator."""
    with MongoStore(uri, database.name) as store:
        store.write(CATEGORIES, DAY, categories(DAY, range(3)), "f")
        store.write(CATEGORIES, DAY, categories(DAY, range(3), confidence=0.25), "g")
    assert {"insert", "update"} <= set(requests.names)
    assert not any(requests.bypasses)


@pytest.mark.parametrize("store", [False], indirect=True, ids=["in_order"])
def test_no_request_waits_for_the_disk_hundreds_of_times(store, requests):
    """The server syncs the disk after each replaced document: a busy disk made 500 of them take longer than 30 s."""
    store.write(CATEGORIES, DAY, categories(DAY, range(500)), "f")
    requests.clear()
    store.write(CATEGORIES, DAY, categories(DAY, range(500), confidence=0.25), "g")
    updates = [count for name, count in zip(requests.names, requests.statements, strict=True) if name == "update"]
    assert sum(updates) == 500
    assert max(updates) <= 50


def test_days_before_a_day_are_deleted_and_an_interrupted_deletion_is_completed(store, database, monkeypatch):
    for number, day in enumerate([EARLIER_DAY, DAY, NEXT_DAY]):
        store.write(CATEGORIES, day, categories(day, range(number * 10, number * 10 + 10)), "f")
    with monkeypatch.context() as patched:
        patched.setattr(DriverCollection, "delete_many", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.delete_before(CATEGORIES, NEXT_DAY)
    assert store.keys(CATEGORIES) == [DAY, NEXT_DAY]
    assert database[CATEGORIES].count_documents({}) == 30
    assert store.delete_before(CATEGORIES, NEXT_DAY) == [EARLIER_DAY, DAY]
    assert database[CATEGORIES].count_documents({}) == 10
    assert store.delete_before(CATEGORIES, NEXT_DAY) == []


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_partition_is_as_written_until_its_entry_or_the_number_of_its_documents_changes(store, database):
    info = store.write(CATEGORIES, DAY, categories(DAY, range(20)), "f", {"a": "b"})
    assert store.is_as_written(CATEGORIES, info)
    removed = database[CATEGORIES].find_one_and_delete({"_id": "c00003:billing"})
    assert not store.is_as_written(CATEGORIES, info)
    database[CATEGORIES].insert_one(removed)
    assert store.is_as_written(CATEGORIES, info)
    store.write(CATEGORIES, DAY, categories(DAY, range(20)), "g", {"a": "b"})
    assert not store.is_as_written(CATEGORIES, info)
