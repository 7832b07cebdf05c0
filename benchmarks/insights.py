"""How quick the static tier is, and how right, on two data files.

Run: ``python benchmarks/insights.py [--texts T.parquet] [--train A.parquet --test B.parquet] [--rows 100000]``.
T needs a column ``text``, and is the sample when left out; A and B ``text`` and ``label``.
Prints one JSON object: seconds to start, texts per second of encoding, labelling messages and labelling
conversations of eight messages, peak memory, and what ``evaluate`` says.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from analytics_platform.settings.loader import PROJECT_ROOT

MESSAGES_PER_CONVERSATION = 8
SAMPLE = PROJECT_ROOT / "analytics_platform" / "sample" / "conversations.parquet"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, default=SAMPLE, help="Parquet file with a column text")
    parser.add_argument("--train", type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    arguments = parser.parse_args()

    began = time.perf_counter()
    from analytics_platform.insights.engine import build_engine  # noqa: PLC0415  (its import is part of the start)

    engine = build_engine()
    result: dict[str, object] = {"start_seconds": time.perf_counter() - began, "device": engine.device}
    messages = as_messages(pq.read_table(arguments.texts, columns=["text"])["text"], arguments.rows)
    result["messages"] = len(messages)

    began = time.perf_counter()
    engine.encoder.encode(messages["text"])
    result["encode_texts_per_second"] = len(messages) / (time.perf_counter() - began)
    began = time.perf_counter()
    embeddings = engine.embed_messages(messages)
    result["embed_messages_per_second"] = len(messages) / (time.perf_counter() - began)
    began = time.perf_counter()
    insights = engine.label_messages(messages, embeddings)
    result["label_messages_per_second"] = len(messages) / (time.perf_counter() - began)
    began = time.perf_counter()
    conversations = engine.label_conversations(messages, embeddings, insights)
    result["label_conversations_per_second"] = len(conversations) / (time.perf_counter() - began)
    result["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    if arguments.train and arguments.test:
        from analytics_platform.insights.quality.evaluate import evaluate  # noqa: PLC0415  (seconds; only needed here)

        result["evaluate"] = evaluate(arguments.train, arguments.test)
    print(json.dumps(result, indent=2))


def as_messages(texts: pa.ChunkedArray, rows: int) -> pa.Table:
    """Return ``rows`` texts, repeated as often as needed, as the columns of MESSAGES that the engine reads."""
    number = np.arange(rows)
    conversation = number // MESSAGES_PER_CONVERSATION
    position = number % MESSAGES_PER_CONVERSATION
    return pa.table(
        {
            "date": pa.repeat(pa.scalar(dt.date(2024, 1, 1)), rows),
            "conversation_id": pa.array(conversation).cast(pa.string()),
            "message_id": pa.array(number).cast(pa.string()),
            "position": position,
            "role": pa.array(np.where(position % 2 == 0, "user", "assistant")),
            "text": texts.take(pa.array(number % len(texts))),
        }
    )


if __name__ == "__main__":
    main()
