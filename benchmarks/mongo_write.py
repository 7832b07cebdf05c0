"""Documents a second of ``MongoStore.write`` against a bare ``bulk_write`` of the same documents, in one run.

Run: ``python benchmarks/mongo_write.py [--rows 1000] [--days 4] [--uri mongodb://…]``; without a URI, against an
embedded server of its own. Both write the same days of ``conversation_messages`` into collections with the same
validator and indexes, day by day in turn, so that a busy machine slows both. ``bare`` is one ``InsertOne`` a document,
encoded beforehand, then one upserting ``ReplaceOne`` per changed document; it reads nothing, deletes nothing and keeps
no ledger. Prints one JSON object.
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
from pymongo import InsertOne, MongoClient, ReplaceOne

from analytics_platform.model.operational_tables import CONVERSATION_MESSAGES
from analytics_platform.storage.mongo import EmbeddedMongo, MongoStore
from analytics_platform.storage.mongo.migrations import migrate
from analytics_platform.storage.mongo.wire_documents import to_documents

TEXT = "The update fails with an error about a missing package; which one do I have to install first? " * 2


def day_of_messages(day: dt.date, rows: int, sentiment: float) -> pa.Table:
    """Return a day of messages with their insights."""
    midnight = dt.datetime.combine(day, dt.time(), dt.UTC)
    base: dict[str, Any] = dict.fromkeys(CONVERSATION_MESSAGES.column_names)
    base |= {"date": day, "role": "user", "text": TEXT, "code": [], "pii": [], "language": "en", "tier": "static"}
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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000, help="messages a day")
    parser.add_argument("--days", type=int, default=4)
    parser.add_argument("--uri", help="a MongoDB whose databases bench_store and bench_bare may be written")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        uri = arguments.uri or stack.enter_context(EmbeddedMongo(folder / "mongo"))
        print(json.dumps({"rows": arguments.rows * arguments.days, **measure(uri, arguments.rows, arguments.days)}))


if __name__ == "__main__":
    main()
