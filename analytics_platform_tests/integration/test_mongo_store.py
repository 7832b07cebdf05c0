"""The store against SecantusDB, the embedded server, with transactions and, told to do without, in order."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pyarrow as pa
import pytest
from bson import Binary, Code, Decimal128, MaxKey, MinKey, ObjectId, Regex, Timestamp
from pymongo import MongoClient, monitoring
from pymongo.collection import Collection as DriverCollection
from pymongo.errors import WriteError

from analytics_platform.model.tables.operational_tables import (
    ANALYTICS_REPORTS,
    CONVERSATION_CATEGORIES,
    DAILY_REPORTS,
    USER_PROFILES,
)
from analytics_platform.storage.content_hash import content_hash
from analytics_platform.storage.mongo import (
    COLLECTIONS,
    EmbeddedMongo,
    MongoStore,
    MongoStoreError,
    id_pages,
    mongo_store,
    replacement,
)
from analytics_platform.storage.mongo.collections import Collection
from analytics_platform.storage.mongo.id_pages import PAGE_ROWS
from analytics_platform.storage.mongo.ledger.ledger_snapshot import LedgerSnapshot
from analytics_platform.storage.mongo.migrations import LEDGER, MIGRATIONS, RECORD, Migration, migrate
from analytics_platform.storage.mongo.server import end_sessions
from analytics_platform.storage.mongo.wire_documents import document_ids
from analytics_platform_tests.servers import MongoServer
from analytics_platform_tests.sizes import by_day_or_night

pytestmark = pytest.mark.integration

CATEGORIES = CONVERSATION_CATEGORIES.name
DAY, NEXT_DAY = "2026-01-05", "2026-01-06"


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    with EmbeddedMongo(tmp_path_factory.mktemp("home") / "mongo") as uri:
        yield uri


@pytest.fixture
def database(uri):
    """An empty database of the test's own, as a client sees it."""
    with MongoClient(uri, tz_aware=True, timeoutMS=60_000) as client:
        yield client[f"test_{uuid.uuid4().hex}"]


@pytest.fixture(params=[True, False], ids=["transaction", "in_order"])
def store(uri, database, request):
    with MongoStore(uri, database.name, transactions=request.param) as store:
        yield store


def categories(day: str, numbers: range, confidence: float = 0.5, rank: int = 1) -> pa.Table:
    return CONVERSATION_CATEGORIES.from_rows(
        [
            {
                "date": dt.date.fromisoformat(day),
                "conversation_id": f"c{number:05}",
                "topic": "billing",
                "confidence": confidence,
                "rank": rank,
            }
            for number in numbers
        ]
    )


def report(kind: str, day: str) -> pa.Table:
    date = dt.date.fromisoformat(day)
    return ANALYTICS_REPORTS.from_rows(
        [
            {
                "kind": kind,
                "date": date,
                "period_start": date,
                "period_end": date,
                "title": "A day",
                "summary": "Quiet.",
                "metrics": [{"name": "conversations", "value": 3.0, "unit": None, "change": None}],
                "findings": ["Nothing."],
                "discovered_topics": [],
                "topics": [{"label": "billing", "count": 3}],
                "html": "a.html",
            }
        ]
    )


def test_a_partition_comes_back_exactly_and_is_listed(store, database):
    table = categories(DAY, range(1_100))
    assert store.keys(CATEGORIES) == []
    assert store.info(CATEGORIES, DAY) is None
    info = store.write(CATEGORIES, DAY, table, "provenance", {"read.rows": "7", "$odd": "x"})
    assert store.read(CATEGORIES, DAY).equals(table)
    assert (info.rows, info.content_hash, info.provenance) == (1_100, content_hash(table), "provenance")
    assert info.bytes > 1_100 * 50
    assert store.info(CATEGORIES, DAY) == info
    assert database["_partitions"].find_one({"_id": f"{CATEGORIES}/{DAY}"})["fingerprint"] == "provenance"
    store.write(CATEGORIES, NEXT_DAY, categories(NEXT_DAY, range(0)), "f")
    assert store.keys(CATEGORIES) == [DAY, NEXT_DAY]
    assert store.read(CATEGORIES, NEXT_DAY).equals(CONVERSATION_CATEGORIES.empty())


def test_a_nul_character_comes_back_in_identifiers_and_values(store):
    given = categories(DAY, range(2)).to_pydict() | {"conversation_id": ["a\0", "a\0b"], "topic": ["\0", "x\0y"]}
    table = CONVERSATION_CATEGORIES.conform(pa.table(given, schema=CONVERSATION_CATEGORIES.arrow_schema))
    store.write(CATEGORIES, DAY, table, "f")
    store.write(CATEGORIES, DAY, table.slice(1), "g")
    assert store.read(CATEGORIES, DAY).equals(table.slice(1))


def test_some_columns_are_read_in_the_order_of_the_table(store):
    store.write(CATEGORIES, DAY, categories(DAY, range(3)), "f")
    assert store.read(CATEGORIES, DAY, ["rank", "conversation_id"]).to_pydict() == {
        "rank": [1, 1, 1],
        "conversation_id": ["c00000", "c00001", "c00002"],
    }


def test_a_partition_that_is_not_stored_is_a_key_error_that_says_what_to_do(store):
    with pytest.raises(KeyError, match="no partition '2026-01-05'; materialize it first"):
        store.read(CATEGORIES, DAY)


def test_replacing_a_partition_leaves_exactly_its_new_documents_and_no_other_days(store, database):
    store.write(CATEGORIES, NEXT_DAY, categories(NEXT_DAY, range(500, 510)), "f")
    store.write(CATEGORIES, DAY, categories(DAY, range(100)), "f")
    replaced = categories(DAY, range(50, 150), confidence=0.75)
    store.write(CATEGORIES, DAY, replaced, "g")
    assert store.read(CATEGORIES, DAY).equals(replaced)
    assert database[CATEGORIES].count_documents({}) == 110


def test_writing_twice_leaves_identical_documents(store, database):
    def everything():
        return {name: list(database[name].find().sort("_id")) for name in (CATEGORIES, LEDGER)}

    store.write(CATEGORIES, DAY, categories(DAY, range(20)), "f", {"a": "b"})
    first = everything()
    store.write(CATEGORIES, DAY, categories(DAY, range(20)), "f", {"a": "b"})
    assert everything() == first


def test_a_conversation_that_moved_to_another_day_is_there_once_and_survives_its_old_day(store, database):
    store.write(CATEGORIES, DAY, categories(DAY, range(10)), "f")
    moved = categories(NEXT_DAY, range(5, 15))
    store.write(CATEGORIES, NEXT_DAY, moved, "f")
    assert database[CATEGORIES].count_documents({}) == 15
    store.write(CATEGORIES, DAY, categories(DAY, range(5)), "g")
    assert store.read(CATEGORIES, NEXT_DAY).equals(moved)
    assert store.read(CATEGORIES, DAY).num_rows == 5


def test_a_day_takes_documents_of_another_and_changes_its_own_at_once(store, database):
    store.write(CATEGORIES, DAY, categories(DAY, range(5)), "f")
    store.write(CATEGORIES, NEXT_DAY, categories(NEXT_DAY, range(5, 10)), "f")
    rows = [{**row, "confidence": 0.125} for row in categories(DAY, range(10)).to_pylist()]
    wanted = CONVERSATION_CATEGORIES.from_rows(rows)
    started = time.monotonic()
    store.write(CATEGORIES, DAY, wanted, "g")
    assert time.monotonic() - started < 60  # the driver once tried the same again for two minutes
    assert store.read(CATEGORIES, DAY).equals(wanted)
    assert database[CATEGORIES].count_documents({}) == 10


def test_an_unpartitioned_collection_is_replaced_as_a_whole(store, database):
    users = USER_PROFILES.name
    row = {
        **{column.name: 0 if column.type == pa.int64() else None for column in USER_PROFILES.columns},
        "first_date": dt.date(2026, 1, 5),
        "last_date": dt.date(2026, 1, 5),
        "topics": [],
        "hourly_conversations": [0] * 24,
        "weekday_conversations": [0] * 7,
    }
    both = USER_PROFILES.from_rows([{**row, "user_id": "ann"}, {**row, "user_id": "bob"}])
    store.write(users, "", both, "f")
    assert store.keys(users) == [""]
    assert store.read(users, "").equals(both)
    store.write(users, "", both.slice(1), "g")
    assert [user["_id"] for user in database[users].find()] == ["bob"]


def test_daily_reports_leave_the_other_cadences_alone(uri, database):
    """The ledger kept a day once for each collection, so a weekly report overwrote what it said of the daily one."""
    daily, weekly = (ANALYTICS_REPORTS.of_kind(kind).name for kind in ("daily", "weekly"))
    kinds = [Collection(ANALYTICS_REPORTS, fixed={"kind": kind}) for kind in ("daily", "weekly")]
    with MongoStore(uri, database.name, collections=kinds) as store:
        store.write(daily, DAY, report("daily", DAY), "f")
        assert (store.keys(daily), store.keys(weekly)) == ([DAY], [])
        store.write(weekly, DAY, report("weekly", DAY), "g")
        assert [store.info(name, DAY).provenance for name in (daily, weekly)] == ["f", "g"]
        assert [store.read(name, DAY)["kind"].to_pylist() for name in (daily, weekly)] == [["daily"], ["weekly"]]
        store.delete(daily, DAY)
        assert (store.keys(daily), store.keys(weekly)) == ([], [DAY])
    assert [found["_id"] for found in database[ANALYTICS_REPORTS.name].find()] == [f"weekly:{DAY}"]


def test_readers_see_each_document_once_and_never_an_empty_partition_while_it_is_rewritten(store, database):
    lower, upper = categories(DAY, range(120), 0.25), categories(DAY, range(40, 160), 0.75)
    always = set(range(40, 120))
    store.write(CATEGORIES, DAY, lower, "f")
    scope = {"date": dt.datetime(2026, 1, 5, tzinfo=dt.UTC)}
    seen: list[list[int]] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append([int(found["conversation_id"][1:]) for found in database[CATEGORIES].find(scope)])

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for turn in range(6):
            store.write(CATEGORIES, DAY, (upper, lower)[turn % 2], str(turn))
    finally:
        done.set()
        reader.join()
    assert len(seen) > 6
    assert all(len(numbers) == len(set(numbers)) for numbers in seen)
    assert all(always <= set(numbers) for numbers in seen)


def test_a_refused_document_is_named_and_a_transaction_keeps_the_old_state(uri, database):
    old = categories(DAY, range(5))
    bad = pa.concat_tables([categories(DAY, range(5), 0.9), categories(DAY, range(5, 600), rank=0)])
    with MongoStore(uri, database.name) as store:
        store.write(CATEGORIES, DAY, old, "f")
        with pytest.raises(MongoStoreError, match=r"refused: 'c00005:billing' fails the validator at rank"):
            store.write(CATEGORIES, DAY, bad, "g")
        assert store.read(CATEGORIES, DAY).equals(old)
        assert store.info(CATEGORIES, DAY).provenance == "f"


def test_without_transactions_an_interrupted_write_leaves_the_partition_not_stored(uri, database):
    bad = pa.concat_tables([categories(DAY, range(5), 0.9), categories(DAY, range(5, 600), rank=0)])
    good = categories(DAY, range(600))
    with MongoStore(uri, database.name, transactions=False) as store:
        store.write(CATEGORIES, DAY, categories(DAY, range(5)), "f")
        with pytest.raises(MongoStoreError):
            store.write(CATEGORIES, DAY, bad, "g")
        assert store.info(CATEGORIES, DAY) is None
        assert store.keys(CATEGORIES) == []
        store.write(CATEGORIES, DAY, good, "g")
        assert store.read(CATEGORIES, DAY).equals(good)


WRITER = """
import sys
sys.path.insert(0, {tests!r})
from test_mongo_store import CATEGORIES, DAY, MongoStore, categories
store = MongoStore({uri!r}, {database!r}, transactions={transactions})
tables = categories(DAY, range(700), 0.25), categories(DAY, range(200, 900), 0.75)
print("ready", flush=True)
for turn in range(10**6):
    store.write(CATEGORIES, DAY, tables[turn % 2], str(turn))
    print(turn, flush=True)
"""


@pytest.mark.parametrize("transactions", [True, False])
def test_a_writer_killed_at_any_moment_leaves_a_whole_partition_or_none(uri, database, transactions, request):
    code = WRITER.format(tests=str(request.path.parent), uri=uri, database=database.name, transactions=transactions)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert [writer.stdout.readline().strip() for _ in range(2)] == ["ready", "0"]
            time.sleep(0.4)  # within the next write
        finally:
            writer.kill()
    with MongoStore(uri, database.name, transactions=transactions) as store:
        info = store.info(CATEGORIES, DAY)
        if info is not None:
            content = content_hash(store.read(CATEGORIES, DAY))
            # The server may complete the killed writer's last request between the two readings.
            assert content in {info.content_hash, store.info(CATEGORIES, DAY).content_hash}
        if transactions:
            assert info is not None
            # For up to a minute, a server keeps an abandoned transaction with its locks, and all later versions of
            # every document. Meanwhile large partitions are written so slowly that other tests would run out of time.
            end_sessions(uri)
        table = categories(DAY, range(10))
        store.write(CATEGORIES, DAY, table, "f")
        assert store.read(CATEGORIES, DAY).equals(table)


def test_a_partition_that_takes_longer_than_the_timeout_is_read_and_replaced(uri, database):
    """A server that was asked for a whole day at once had no answer within the timeout, and no report came."""
    rows = categories(DAY, range(by_day_or_night(8_000, 30_000)))
    changed = pa.concat_tables([categories(DAY, range(500), confidence=0.25), rows.slice(1_000)])
    with MongoStore(uri, database.name) as store:
        written = store.write(CATEGORIES, DAY, rows, "f")
    with MongoStore(uri, database.name, timeout_seconds=0.5) as store:
        assert store.read(CATEGORIES, DAY) == rows
        pages = [page.table for page in store.read_back(CATEGORIES, DAY)]
        assert store.write(CATEGORIES, DAY, rows, "f") == written
    assert pa.concat_tables(pages)["confidence"].to_pylist() == rows["confidence"].to_pylist()
    assert pa.concat_tables(pages)["_id"].to_pylist() == document_ids(CONVERSATION_CATEGORIES, rows).to_pylist()
    assert max(page.num_rows for page in pages) <= PAGE_ROWS
    with MongoStore(uri, database.name) as store:
        store.write(CATEGORIES, DAY, changed, "g")
        assert store.read(CATEGORIES, DAY) == changed


def test_a_large_partition_becomes_small_outside_a_transaction(uri, database, monkeypatch):
    """Deleting what is no longer wanted takes longer than the 60 s of a transaction when it is much."""
    monkeypatch.setattr(replacement, "TRANSACTION_ROWS", 1_500)
    with MongoStore(uri, database.name) as store:
        store.write(CATEGORIES, DAY, categories(DAY, range(1_501)), "f")
        store.write(CATEGORIES, NEXT_DAY, categories(NEXT_DAY, range(9_000, 9_002)), "f")
        store.write(CATEGORIES, DAY, categories(DAY, range(2)), "g")
        assert store.read(CATEGORIES, DAY) == categories(DAY, range(2))
        assert store.info(CATEGORIES, DAY).rows == 2
        assert store.read(CATEGORIES, NEXT_DAY).num_rows == 2
        store.delete(CATEGORIES, DAY)
    assert [found["_id"] for found in database[CATEGORIES].find().sort("_id")] == ["c09000:billing", "c09001:billing"]


def test_documents_that_the_platform_did_not_write_are_read_back_from_a_large_partition(uri, database):
    with MongoStore(uri, database.name) as store:
        store.write(CATEGORIES, DAY, categories(DAY, range(3_000)), "f")
        found = database[CATEGORIES].find_one({"_id": "c01500:billing"})
        foreign = ["", "c01500", "zzz", ObjectId(), 5, 5.5, True]
        database[CATEGORIES].insert_many([{**found, "_id": one} for one in foreign], bypass_document_validation=True)
        pages = list(store.read_back(CATEGORIES, DAY))
        ids = [row_id for page in pages for row_id in (*page.table["_id"].to_pylist(), *page.misfits)]
        assert sorted(ids) == sorted([*document_ids(CONVERSATION_CATEGORIES, categories(DAY, range(3_000))).to_pylist(),
                                      *map(str, foreign)])  # fmt: skip
        store.write(CATEGORIES, DAY, categories(DAY, range(3_000)), "f")
    assert database[CATEGORIES].count_documents({}) == 3_000


FOREIGN = [
    *("", "c01500", "zzz", 5, 5.5, float("nan"), Decimal128("2.5"), True, None, dt.datetime(1500, 1, 1, tzinfo=dt.UTC)),
    *(
        ObjectId(),
        Binary(b"c01500:billing"),
        Binary(b"x" * 5_000, 128),
        Binary.from_uuid(uuid.uuid4()),
        Timestamp(5, 1),
    ),
    *(MinKey(), MaxKey(), {}, {"day": 1, "c": "x"}, Code("c")),
]
"""Values that MongoDB takes for an ``_id``, of every type."""


def insert_foreign(database, identities) -> None:
    found = database[CATEGORIES].find_one()
    documents = [{**found, "_id": identity} for identity in identities]
    database[CATEGORIES].insert_many(documents, bypass_document_validation=True)


@pytest.mark.parametrize("count", [10, 3_000], ids=["one_page", "pages"])
def test_documents_with_an_id_of_any_type_are_read_back_and_replaced(uri, database, count):
    """Bytes, times of the server, documents and more were found by no range, and bytes were taken for text."""
    rows = categories(DAY, range(count))
    ids = document_ids(CONVERSATION_CATEGORIES, rows).to_pylist()
    with MongoStore(uri, database.name) as store:
        store.write(CATEGORIES, DAY, rows, "f")
        insert_foreign(database, FOREIGN)
        pages = list(store.read_back(CATEGORIES, DAY))
        found = [row_id for page in pages for row_id in (*page.table["_id"].to_pylist(), *page.misfits)]
        assert sorted(found) == sorted([*ids, *map(str, FOREIGN)])
        store.write(CATEGORIES, DAY, rows, "f")
        assert [one["_id"] for one in database[CATEGORIES].find().sort("_id")] == ids
        insert_foreign(database, FOREIGN)
        store.delete(CATEGORIES, DAY)
    assert database[CATEGORIES].count_documents({}) == 0


def test_bytes_in_the_place_of_text_are_a_misfit(uri, database):
    """A document that holds the bytes of the right text agreed with it."""
    with MongoStore(uri, database.name) as store:
        store.write(CATEGORIES, DAY, categories(DAY, range(2)), "f")
        changed = {"$set": {"topic": b"billing"}}
        database[CATEGORIES].update_one({"_id": "c00001:billing"}, changed, bypass_document_validation=True)
        assert [page.misfits for page in store.read_back(CATEGORIES, DAY)] == [("c00001:billing",)]


def test_a_date_of_any_type_makes_a_document_a_stray_that_is_discarded_alone(uri, database):
    """A regular expression for an ``_id`` would stand for every ``_id`` that it matches."""
    dates = [None, 7, "2026-01-05", True, ObjectId(), b"2026-01-05", Timestamp(5, 1), MinKey(), MaxKey(), float("nan")]
    with MongoStore(uri, database.name) as store:
        store.write(CATEGORIES, DAY, categories(DAY, range(2)), "f")
        found = database[CATEGORIES].find_one()
        strays = [{**found, "_id": ObjectId(), "date": date} for date in dates]
        strays.append({**found, "_id": Regex("c0000"), "date": "2026-01-05"})
        database[CATEGORIES].insert_many(strays, bypass_document_validation=True)
        listed = store.dates(CATEGORIES)
        assert (listed[0], sorted(map(str, listed[1]))) == ([], sorted(str(one["_id"]) for one in strays))
        store.discard(CATEGORIES, listed[1])
        assert store.dates(CATEGORIES) == ([], [])
        assert store.read(CATEGORIES, DAY).num_rows == 2


@pytest.mark.parametrize("again", ["write", "delete"])
def test_a_large_partition_cut_short_is_gone_on_with_page_by_page(uri, database, monkeypatch, again):
    """The ledger forgot where pages ended: whoever went on asked for all that was left at once, without an answer."""
    monkeypatch.setattr(id_pages, "PAGE_ROWS", 100)  # the embedded server takes 20 ms to delete a document
    fewer = categories(DAY, range(2))
    steps = iter(range(2))
    delete_many = DriverCollection.delete_many

    def killed_at_the_third(self, *arguments, **options):
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return delete_many(self, *arguments, **options)

    with MongoStore(uri, database.name, transactions=False) as store:
        store.write(CATEGORIES, DAY, categories(DAY, range(500)), "f")
        with monkeypatch.context() as patched:
            patched.setattr(DriverCollection, "delete_many", killed_at_the_third)
            with pytest.raises(KeyboardInterrupt):
                store.write(CATEGORIES, DAY, fewer, "g")
        assert store.info(CATEGORIES, DAY) is None
        assert store.keys(CATEGORIES) == []
        pages = [page.table.num_rows for page in store.read_back(CATEGORIES, DAY)]
        assert sum(pages) > 100
        assert max(pages) <= 100
        if again == "write":
            store.write(CATEGORIES, DAY, fewer, "g")
            assert store.read(CATEGORIES, DAY) == fewer
        else:
            store.delete(CATEGORIES, DAY)
            assert database[CATEGORIES].count_documents({}) == 0
    assert {entry["_id"] for entry in database[LEDGER].find()} <= {f"{CATEGORIES}/{DAY}"}


class Requests(monitoring.CommandListener):
    """Keeps the names of the commands that were sent."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.names.append(event.command_name)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


@pytest.fixture
def requests(monkeypatch) -> Requests:
    """What stores that are opened from now on send to the server."""
    requests = Requests()
    monkeypatch.setattr(mongo_store, "MongoClient", partial(MongoClient, event_listeners=[requests]))
    return requests


def test_many_documents_are_deleted_by_few_requests(uri, database, requests):
    """The embedded server waits for the disk after each delete: one for each document took ten times as long."""
    rows = categories(DAY, range(4_000))
    ids = document_ids(CONVERSATION_CATEGORIES, rows).to_pylist()
    with MongoStore(uri, database.name) as store:
        store.write(CATEGORIES, DAY, rows, "f")
        store.discard(CATEGORIES, ids[::2])
        assert database[CATEGORIES].count_documents({}) == 2_000
    assert 1 <= requests.names.count("delete") <= 2_000 / 100 + 1


def test_a_snapshot_of_the_ledger_asks_once_for_all_partitions_of_a_collection(uri, database, requests):
    """A run of 365 days in which nothing was stale asked 2,191 times, and took 8 to 17 seconds."""
    with MongoStore(uri, database.name) as store:
        infos = [store.write(CATEGORIES, day, categories(day, range(3)), "f") for day in (DAY, NEXT_DAY)]
        requests.names.clear()
        snapshot = LedgerSnapshot(store)
        assert snapshot.keys(CATEGORIES) == [DAY, NEXT_DAY]
        assert [snapshot.info(CATEGORIES, day) for day in (DAY, NEXT_DAY, "2020-01-01")] == [*infos, None]
        assert requests.names == ["find"]


def test_only_the_days_that_nobody_knows_are_listed(uri, database):
    days = [DAY, "2026-01-07", "2026-01-08"]
    with MongoStore(uri, database.name) as store:
        for number, day in enumerate(days):
            store.write(CATEGORIES, day, categories(day, range(number, number + 1)), "f")
        assert store.dates(CATEGORIES) == ([], [])
        found = database[CATEGORIES].find_one({"_id": "c00000:billing"})
        at = found["date"]
        moments = {
            "a": at - dt.timedelta(days=900),
            "b": at + dt.timedelta(days=1),
            "c": at + dt.timedelta(days=900),
            "d": at + dt.timedelta(milliseconds=1),
            "e": None,
            "f": "2026-01-05",
            "g": 7,
        }
        database[CATEGORIES].insert_many(
            [{**found, "_id": one, "date": moment} for one, moment in moments.items()], bypass_document_validation=True
        )
        assert store.dates(CATEGORIES) == (["2023-07-20", NEXT_DAY, "2028-06-23"], ["d", "e", "f", "g"])
        assert store.dates(CATEGORIES, [NEXT_DAY])[0] == ["2023-07-20", "2028-06-23"]


def test_threads_may_write_different_days_of_one_collection_at_once(store):
    days = [f"2026-02-{day:02}" for day in range(1, 7)]

    def write(number: int, day: str) -> None:
        store.write(CATEGORIES, day, categories(day, range(number * 30, number * 30 + 30)), "f")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(6), days))
    assert store.keys(CATEGORIES) == days
    assert all(store.read(CATEGORIES, day).num_rows == 30 for day in days)


def test_collections_refuse_documents_that_do_not_fit_and_have_their_indexes(uri, database):
    with MongoStore(uri, database.name) as store:
        store.migrate()
    for collection in COLLECTIONS:
        with pytest.raises(WriteError) as caught:
            database[collection.name].insert_one({"_id": "incomplete"})
        assert caught.value.code == 121
        indexes = [
            tuple(field for field, _ in index["key"])
            for index in database[collection.name].index_information().values()
        ]
        assert set(indexes) == {("_id",), *collection.all_indexes}


@pytest.mark.parametrize(
    "wrong",
    [{"rank": 0}, {"confidence": 1.5}, {"topic": None}, {"rank": "1"}, {"other": 1}],
    ids=str,
)
def test_a_validator_refuses_what_the_declaration_forbids(uri, database, wrong):
    with MongoStore(uri, database.name) as store:
        store.migrate()
    good = {
        "date": dt.datetime(2026, 1, 5, tzinfo=dt.UTC),
        "conversation_id": "c",
        "topic": "t",
        "confidence": 0.5,
        "rank": 1,
    }
    database[CATEGORIES].insert_one({"_id": "good", **good})
    with pytest.raises(WriteError) as caught:
        database[CATEGORIES].insert_one({"_id": "wrong", **good, **wrong})
    assert caught.value.code == 121


def test_labels_and_nested_values_are_checked_by_the_server(uri, database):
    with MongoStore(uri, database.name) as store:
        store.write(DAILY_REPORTS.name, DAY, report("daily", DAY), "f")
    with pytest.raises(WriteError):
        database[ANALYTICS_REPORTS.name].update_one({}, {"$set": {"kind": "yearly"}})
    with pytest.raises(WriteError):
        database[ANALYTICS_REPORTS.name].update_one({}, {"$set": {"metrics.0.name": None}})


def test_migrating_twice_changes_nothing(uri, database):
    def state():
        return list(database[RECORD].find()), sorted(str(found) for found in database.list_collections())

    assert migrate(database) == [1, 2]
    first = state()
    assert migrate(database) == []
    assert state() == first


def test_a_ledger_of_before_kinds_is_migrated_and_its_reports_stay_stored(uri, database, store):
    """A report that the ledger knew under its collection alone would have been computed again."""
    info = store.write(DAILY_REPORTS.name, DAY, report("daily", DAY), "f")
    [entry] = database[LEDGER].find()
    database[LEDGER].delete_many({})
    database[LEDGER].insert_many(
        [{**entry, "_id": f"analytics_reports/{DAY}"}, {"_id": f"unfinished:analytics_reports/{NEXT_DAY}"}]
    )
    database[RECORD].delete_one({"_id": 2})
    assert migrate(database) == [2]
    assert store.info(DAILY_REPORTS.name, DAY) == info
    found = sorted(entry["_id"] for entry in database[LEDGER].find())
    assert found == [f"analytics_reports/daily/{DAY}", f"unfinished:analytics_reports/daily/{NEXT_DAY}"]


def test_migrating_at_the_same_time_ends_in_the_same_state(uri, database):
    together = threading.Barrier(4)

    def run(_: int) -> list[int]:
        with MongoClient(uri) as client:
            together.wait()
            return migrate(client[database.name])

    with ThreadPoolExecutor(4) as pool:
        assert [1, 2] in list(pool.map(run, range(4)))
    assert sorted(found["_id"] for found in database[RECORD].find()) == [1, 2]
    for collection in COLLECTIONS:
        (found,) = database.list_collections(filter={"name": collection.name})
        assert found["options"]["validator"] == collection.validator
        assert len(database[collection.name].index_information()) == len(collection.all_indexes) + 1


def test_a_changed_declaration_changes_validator_and_indexes_without_a_migration(uri, database):
    migrate(database)
    (collection,) = (c for c in COLLECTIONS if c.name == CATEGORIES)
    columns = tuple(replace(c, maximum=2) if c.name == "confidence" else c for c in collection.table.columns)
    changed = replace(collection, table=replace(collection.table, columns=columns), indexes=(("rank",),))
    assert migrate(database, [changed]) == []
    (found,) = database.list_collections(filter={"name": CATEGORIES})
    assert found["options"]["validator"] == changed.validator != collection.validator
    assert "rank_1" in database[CATEGORIES].index_information()


def test_migrations_run_in_order_and_only_once(uri, database):
    ran: list[int] = []
    further = [Migration(version, "further", lambda *_, version=version: ran.append(version)) for version in (3, 4)]
    migrate(database)
    assert migrate(database, migrations=(*MIGRATIONS, *further)) == [3, 4]
    assert migrate(database, migrations=(*MIGRATIONS, *further)) == []
    assert ran == [3, 4]


def test_a_database_of_a_newer_platform_is_refused(uri, database):
    migrate(database)
    database[RECORD].insert_one({"_id": 99, "name": "from the future"})
    with (
        MongoStore(uri, database.name) as store,
        pytest.raises(MongoStoreError, match="has version 99, this platform knows 2: upgrade"),
    ):
        store.write(CATEGORIES, DAY, categories(DAY, range(1)), "f")


def test_a_store_whose_server_stopped_and_came_back_goes_on(tmp_path):
    with MongoServer(tmp_path) as server, MongoStore(server.uri, "analytics", timeout_seconds=2) as store:
        store.write(CATEGORIES, DAY, categories(DAY, range(5)), "f")
        server.kill()
        for _ in range(2):
            with pytest.raises(MongoStoreError):
                store.keys(CATEGORIES)
        server.start()
        assert store.keys(CATEGORIES) == [DAY]
