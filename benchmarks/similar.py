"""How many conversations a second the search for similar ones goes through, against one product in memory.

Run: ``python benchmarks/similar.py [--conversations 1000000] [--days 365] [--workers 1]``. A temporary lake gets random
unit vectors; searches by text and by conversation go through all of it, the best of three. The baseline is the product
of one matrix in single precision, already in memory, with a vector, and the choice of the ten best. Each measurement
runs in a process of its own, so that its peak memory is its own. ``from_messages`` is what the search would do without
stored conversation vectors: read those of the messages, eight to a conversation, and pool them. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from analytics_platform.insights.similarity import best, conversation_embeddings, nearest
from analytics_platform.insights.vectors.static_multilingual import static_encoder
from analytics_platform.insights.vectors.unit_length import unit
from analytics_platform.model.tables.insight_tables import (
    CONVERSATION_EMBEDDINGS,
    EMBEDDING_DIMENSIONS,
    MESSAGE_EMBEDDINGS,
)
from analytics_platform.operations.similar import SimilarSearch
from analytics_platform.storage.lake import Lake

FIRST_DAY = dt.date(2024, 1, 1)
MESSAGES_EACH = 8
DAYS_WITH_MESSAGES = 10
LIMIT = 10
REPEATS = 3
SOUGHT = "my printer does not print"


def vectors(rows: int, seed: int) -> pa.FixedSizeListArray:
    """Return random unit vectors as they are stored."""
    made = np.random.default_rng(seed).standard_normal((rows, EMBEDDING_DIMENSIONS), np.float32)
    type_ = CONVERSATION_EMBEDDINGS.column("embedding").type
    return pa.FixedSizeListArray.from_arrays(pa.array(unit(made).astype(np.float16).ravel()), type=type_)


def fill(root: str, conversations: int, days: int) -> None:
    """Write every day's conversation vectors, and for some days those of messages with what pooling needs."""
    lake, encoder = Lake.open(root), static_encoder().name
    bounds = np.linspace(0, conversations, days + 1).astype(int)
    for number, (start, end) in enumerate(pairwise(bounds)):
        day, size = FIRST_DAY + dt.timedelta(number), end - start
        ids = pa.array([f"c{row:08}" for row in range(start, end)])
        table = pa.table(
            {
                "date": pa.repeat(pa.scalar(day), size),
                "conversation_id": ids,
                "embedding": vectors(size, number),
                "encoder": pa.repeat(encoder, size),
            }
        )
        lake.write(CONVERSATION_EMBEDDINGS.name, day.isoformat(), CONVERSATION_EMBEDDINGS.conform(table), "")
        if number < DAYS_WITH_MESSAGES:
            fill_messages(lake, day, ids, encoder)


def fill_messages(lake: Lake, day: dt.date, ids: pa.Array, encoder: str) -> None:
    """Write the messages of a day, customer and agent taking turns."""
    rows = np.arange(len(ids) * MESSAGES_EACH)
    columns = {
        "date": pa.repeat(pa.scalar(day), len(rows)),
        "conversation_id": ids.take(pa.array(rows // MESSAGES_EACH)),
        "message_id": pa.array([f"{day}-{row:07}" for row in rows]),
    }
    vector_columns = {"embedding": vectors(len(rows), 0), "encoder": pa.repeat(encoder, len(rows))}
    embeddings = MESSAGE_EMBEDDINGS.conform(pa.table({**columns, **vector_columns}))
    lake.write(MESSAGE_EMBEDDINGS.name, day.isoformat(), embeddings, "")
    said = {
        **columns,
        "text": pa.repeat(SOUGHT, len(rows)),
        "role": pa.array(np.where(rows % 2, "agent", "user")),
        "position": pa.array(rows % MESSAGES_EACH),
        "word_count": pa.array(rows % 50),
    }
    lake.write("messages", day.isoformat(), pa.table(said), "")


def timed(work: Callable[[], int]) -> dict[str, float]:
    """Return conversations a second of the best of three runs, wall clock and of one core, and the peak memory."""
    seconds, cpu, count = [], [], 0
    for _ in range(REPEATS):
        started, busy = time.perf_counter(), time.process_time()
        count = work()
        seconds.append(time.perf_counter() - started)
        cpu.append(time.process_time() - busy)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)
    rate = {"per_second": round(count / min(seconds)), "per_cpu_second": round(count / min(cpu))}
    return {**rate, "seconds": round(min(seconds), 3), "peak_mb": round(peak)}


def by_text(root: str, workers: int) -> dict[str, float]:
    """Search by a text."""
    search = SimilarSearch(Lake.open(root), static_encoder(), workers)
    return timed(lambda: search.to_text(SOUGHT, None, None, LIMIT).searched)


def by_conversation(root: str, workers: int) -> dict[str, float]:
    """Search by a conversation of the last day, so that its id is looked for everywhere."""
    lake = Lake.open(root)
    last = lake.read(CONVERSATION_EMBEDDINGS.name, lake.keys(CONVERSATION_EMBEDDINGS.name)[-1], ["conversation_id"])
    sought, search = last["conversation_id"][-1].as_py(), SimilarSearch(lake, static_encoder(), workers)
    return timed(lambda: search.to_conversation(sought, None, None, LIMIT).searched)


def from_messages(root: str, workers: int) -> dict[str, float]:  # noqa: ARG001  (one day after another)
    """Pool the vectors of the messages of some days, and search those."""
    lake, sought = Lake.open(root), static_encoder().encode([SOUGHT])[0]

    def work() -> int:
        tables = []
        for day in lake.keys("messages"):
            embeddings = lake.read(MESSAGE_EMBEDDINGS.name, day)
            tables.append(conversation_embeddings(lake.read("messages", day), embeddings))
        best((nearest(table, sought, LIMIT) for table in tables), LIMIT)
        return sum(map(len, tables))

    return timed(work)


def in_memory(root: str, workers: int) -> dict[str, float]:  # noqa: ARG001  (the processor's library decides)
    """Multiply one matrix that is in memory; making it is not counted."""
    lake, sought = Lake.open(root), static_encoder().encode([SOUGHT])[0]
    days = [lake.read(CONVERSATION_EMBEDDINGS.name, day, ["embedding"]) for day in lake.keys("conversation_embeddings")]
    flat = [day["embedding"].combine_chunks().flatten().to_numpy().astype(np.float32) for day in days]
    matrix = np.concatenate(flat).reshape(-1, EMBEDDING_DIMENSIONS)

    def work() -> int:
        scores = matrix @ sought
        np.argsort(-scores[np.argpartition(-scores, LIMIT)[:LIMIT]])
        return len(matrix)

    return timed(work)


def measure(connection: Any, work: Callable[[str, int], dict[str, float]], root: str, workers: int) -> None:
    """Send the result of a measurement."""
    connection.send(work(root, workers))


def main() -> None:
    """Fill a lake, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--workers", type=int, default=1, help="days read at once")
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    result: dict[str, Any] = {"load_average": round(os.getloadavg()[0], 1), **vars(arguments)}
    with tempfile.TemporaryDirectory() as root:
        fill(root, arguments.conversations, arguments.days)
        for work in (in_memory, by_text, by_conversation, from_messages):
            receiver, sender = context.Pipe(duplex=False)
            process = context.Process(target=measure, args=(sender, work, root, arguments.workers))
            process.start()
            sender.close()
            result[work.__name__] = receiver.recv()
            process.join()
    baseline = result["in_memory"]["per_second"]
    for name in ("by_text", "by_conversation"):
        result[name]["share_of_in_memory"] = round(result[name]["per_second"] / baseline, 4)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
