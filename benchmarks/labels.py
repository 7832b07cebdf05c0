"""How many messages a second go from ``raw_messages`` to ``conversation_insights``, static tier, against a bare model.

Run: ``python benchmarks/labels.py [--rows 20000] [--repeats 3]``. Chats are resampled from the shipped sample, so that
texts repeat; they are measured a second time with the words of all texts shuffled, so that hardly any text repeats. The
bare model is one product of the texts' static vectors with 40 columns. Times are processor-seconds of this process,
threads included, the best of the repeats. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from common.chats import as_raw_messages, write_chats

from analytics_platform.insights.engine import InsightEngine, build_engine
from analytics_platform.transform.messages import clean_messages

LABELS = 40
T = TypeVar("T")


def raw_messages(rows: int) -> pa.Table:
    """Return at least ``rows`` resampled messages as one day of ``RAW_MESSAGES``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chats.parquet"
        write_chats(path, messages=rows, days=1)
        chats = pq.read_table(path, columns=["conversation_id", "message_id", "role", "text", "timestamp"])
    return as_raw_messages(chats)


def shuffled(raw: pa.Table) -> pa.Table:
    """Return the messages with the words of all texts shuffled; each text keeps its number of words."""
    lists = pc.utf8_split_whitespace(raw["text"].combine_chunks())
    words = lists.flatten()
    order = np.random.default_rng(0).permutation(len(words))
    texts = pc.binary_join(pa.ListArray.from_arrays(lists.offsets, words.take(pa.array(order))), " ")
    return raw.set_column(raw.schema.get_field_index("text"), raw.schema.field("text"), texts)


def measure(raw: pa.Table, engine: InsightEngine, repeats: int) -> dict[str, object]:
    """Return messages a second of each step and of all, and the ratio to the bare model."""

    def best(work: Callable[[], T]) -> tuple[float, T]:
        times = []
        for _ in range(repeats):
            started = time.process_time()
            result = work()
            times.append(time.process_time() - started)
        return min(times), result

    cleaning, messages = best(lambda: clean_messages(raw))
    embedding, vectors = best(lambda: engine.embed_messages(messages))
    labelling, labels = best(lambda: engine.label_messages(messages, vectors))
    concluding, _ = best(lambda: engine.label_conversations(messages, vectors, labels))
    columns = np.random.default_rng(0).normal(size=(vectors["embedding"].type.list_size, LABELS)).astype(np.float32)
    bare, _ = best(lambda: engine.encoder.encode(raw["text"]) @ columns)
    steps = {
        "messages": cleaning,
        "message_embeddings": embedding,
        "message_insights": labelling,
        "conversation_insights": concluding,
    }
    whole = sum(steps.values())
    return {
        "messages": len(raw),
        "distinct_texts": len(pc.unique(raw["text"])),
        "seconds_per_20000_messages": {name: round(one * 20_000 / len(raw), 3) for name, one in steps.items()},
        "messages_per_second_of_one_core": round(len(raw) / whole),
        "times_the_bare_model": round(whole / bare, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    engine, raw = build_engine(), raw_messages(arguments.rows)
    few = clean_messages(raw.slice(0, 100))
    engine.label_messages(few, engine.embed_messages(few))  # fits the classifiers
    result = {
        "resampled": measure(raw, engine, arguments.repeats),
        "shuffled": measure(shuffled(raw), engine, arguments.repeats),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
