"""Documents a second of ``MongoStore.write`` against bare requests for the same documents, in one run.

Run: ``python benchmarks/mongo_write.py [--rows 1000] [--days 4] [--uri mongodb://…] [--deletes]``; without a URI,
against an embedded server of its own. Both write the same days of ``conversation_messages`` into collections with the
same validator and indexes, day by day in turn, so that a busy machine slows both. ``bare`` is one ``InsertOne`` a
document, encoded beforehand, then one upserting ``ReplaceOne`` per changed document; it reads nothing, deletes nothing
and keeps no ledger.

With ``--deletes`` it is half of each day that goes: ``scattered``, every other document, or ``behind``, the second half
by ``_id``. ``MongoStore.write`` replaces the day by the rows that stay: it reads the day, and deletes. ``bare`` is one
``delete_many`` that says by one field, or by a range of ``_id``, what goes. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pymongo import InsertOne, MongoClient, ReplaceOne

from analytics_platform.model.tables.operational_tables import CONVERSATION_MESSAGES
from analytics_platform.storage.mongo import EmbeddedMongo, MongoStore
from analytics_platform.storage.mongo.migrations import migrate
from analytics_platform.storage.mongo.wire_documents import document_ids, to_documents

TEXT = "The update fails with an error about a missing package; which one do I have to install first? " * 2


def day_of_messages(day: dt.date, rows: int, sentiment: float) -> pa.Table:
    """Return a day of messages with their insights."""
    midnight = dt.datetime.combine(day, dt.time(), dt.UTC)
    base: dict[str, Any] = dict.fromkeys(CONVERSATION_MESSAGES.column_names)
    base |= {
        "date": day,
        "time_source": "message",
        "role": "user",
        "text": TEXT,
        "code": [],
        "pii": [],
        "language": "en",
        "tier": "static",
    }
    base |= {"character_count": len(TEXT), "word_count": 36, "token_count": 40, "sentiment": sentiment}
    base |= {"sentiment_confidence": 0.5, "intent": "ask", "intent_confidence": 0.5}
    base |= {"topics": [{"label": "install", "confidence": 0.5}]}
    return CONVERSATION_MESSAGES.from_rows(
        [
            {
                **base,
                "conversation_id": f"{day}-{number // 8}",
                "message_id": f"{day}-{number}",
                "position": number % 8,
                "sent_at": midnight + dt.timedelta(seconds=number),
            }
            for number in range(rows)
        ]
    )


def measure(uri: str, rows: int, days: int) -> dict[str, float]:
    """Return documents a second of each way of writing, and how the two compare."""
    seconds: defaultdict[str, float] = defaultdict(float)
    name = CONVERSATION_MESSAGES.name

    def timed(label: str, work: Callable[[], object]) -> None:
        began = time.perf_counter()
        work()
        seconds[label] += time.perf_counter() - began

    with MongoStore(uri, "bench_store") as store, MongoClient(uri) as client:
        store.migrate()
        migrate(client["bench_bare"])
        bare = client["bench_bare"][name]
        for number in range(days):
            day = dt.date(2026, 1, 1) + dt.timedelta(days=number)
            tables = {"first": day_of_messages(day, rows, 0.0), "changed": day_of_messages(day, rows, 0.5)}
            for state, table in tables.items():
                documents = [pair for batch in to_documents(CONVERSATION_MESSAGES, table) for pair in batch]
                requests = (
                    [InsertOne(document) for _, document in documents]
                    if state == "first"
                    else [ReplaceOne({"_id": identity}, document, upsert=True) for identity, document in documents]
                )
                timed(f"bare_{state}", lambda requests=requests: bare.bulk_write(requests, ordered=False))
                timed(f"store_{state}", lambda day=day, table=table: store.write(name, str(day), table, "f"))
            timed("store_unchanged", lambda day=day, table=tables["changed"]: store.write(name, str(day), table, "f"))
            timed("store_read", lambda day=day: store.read(name, str(day)))
    rates = {f"{label}_per_second": round(rows * days / taken, 1) for label, taken in seconds.items()}
    shares = {
        f"{state}_share_of_bare": round(seconds[f"bare_{state}"] / seconds[f"store_{state}"], 3)
        for state in ("first", "changed")
    }
    return {**rates, **shares}


def measure_deletes(uri: str, rows: int, days: int) -> dict[str, float]:
    """Return documents a second of each way of deleting half of a day, and how the two compare."""
    name = CONVERSATION_MESSAGES.name
    results: dict[str, float] = {}
    with MongoStore(uri, "bench_store") as store, MongoClient(uri) as client:
        store.migrate()
        migrate(client["bench_bare"])
        bare = client["bench_bare"][name]
        for pattern, remainder in (("scattered", scattered), ("behind", ahead)):
            seconds = {"store": 0.0, "bare": 0.0}
            for number in range(days):
                day = dt.date(2026, 1, 1) + dt.timedelta(days=number)
                table = day_of_messages(day, rows, 0.0)
                kept, deleted = remainder(table, day)
                store.write(name, str(day), table, "f")
                bare.insert_many(
                    [document for batch in to_documents(CONVERSATION_MESSAGES, table) for _, document in batch]
                )
                began = time.perf_counter()
                store.write(name, str(day), kept, "g")
                middle = time.perf_counter()
                count = bare.delete_many(deleted).deleted_count
                seconds["bare"] += time.perf_counter() - middle
                seconds["store"] += middle - began
                if count != table.num_rows - kept.num_rows or store.read(name, str(day)) != kept:
                    raise SystemExit(f"{pattern}: the two have not deleted the same documents")
                store.delete(name, str(day))
                bare.delete_many({})
            gone = rows * days / 2
            results |= {f"{way}_{pattern}_per_second": round(gone / taken, 1) for way, taken in seconds.items()}
            results[f"{pattern}_share_of_bare"] = round(seconds["bare"] / seconds["store"], 3)
    return results


def scattered(table: pa.Table, day: dt.date) -> tuple[pa.Table, dict[str, Any]]:
    """Return the rows of even positions, and the filter of the others."""
    return table.filter(pc.equal(pc.bit_wise_and(table["position"], 1), 0)), {
        "date": dt.datetime.combine(day, dt.time(), dt.UTC),
        "position": {"$in": [1, 3, 5, 7]},
    }


def ahead(table: pa.Table, day: dt.date) -> tuple[pa.Table, dict[str, Any]]:
    """Return the first half of the rows by ``_id``, and the filter of the others."""
    ids = pc.sort_indices(document_ids(CONVERSATION_MESSAGES, table))
    kept, first = (
        ids.slice(0, table.num_rows // 2),
        document_ids(CONVERSATION_MESSAGES, table)[ids[table.num_rows // 2].as_py()],
    )
    return CONVERSATION_MESSAGES.conform(table.take(kept)), {
        "date": dt.datetime.combine(day, dt.time(), dt.UTC),
        "_id": {"$gte": first.as_py()},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000, help="messages a day")
    parser.add_argument("--days", type=int, default=4)
    parser.add_argument("--uri", help="a MongoDB whose databases bench_store and bench_bare may be written")
    parser.add_argument("--deletes", action="store_true", help="measure deleting instead of writing")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        uri = arguments.uri or stack.enter_context(EmbeddedMongo(folder / "mongo"))
        measured = (measure_deletes if arguments.deletes else measure)(uri, arguments.rows, arguments.days)
        print(json.dumps({"rows": arguments.rows * arguments.days, **measured}))


if __name__ == "__main__":
    main()
