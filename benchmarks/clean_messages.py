"""How many messages a second ``clean_messages`` cleans, against trimming and detecting the language alone.

Run: ``python benchmarks/clean_messages.py [FILE.parquet] [--rows 60000]``. The file needs a column ``text``;
without one, chat lines are generated. Times are of one core's work: seconds of CPU time of this process, tokenizer
threads included, the best of three. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import random
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analytics_platform.model.tables.raw_tables import RAW_MESSAGES
from analytics_platform.transform.language import detect_languages
from analytics_platform.transform.messages import clean_messages
from analytics_platform.transform.text import clean_texts, count_words
from analytics_platform.transform.token_counts import count_tokens

DAY = dt.date(2024, 1, 1)
MESSAGES_PER_CONVERSATION = 8
REPEATS = 3
TEMPLATES = [
    "how do I install {a} on {b}?",
    "try `sudo apt-get install {a}` and restart {b}",
    "{a}: <b>thanks</b>, that works &amp; {b} is fast",
    "I get an error about {a} when {b} < 5, please help me with it",
    "```\n{a} --{b}\n``` prints nothing here",
    "ok",
]


def generate_texts(rows: int) -> list[str]:
    """Return chat lines, some with markup; the same ones every time."""
    generator = random.Random(0)
    words = ["".join(generator.choices("abcdefghijklmnoprstuvw", k=generator.randint(3, 10))) for _ in range(20_000)]
    return [
        generator.choice(TEMPLATES).format(a=generator.choice(words), b=generator.choice(words)) for _ in range(rows)
    ]


def raw_table(texts: list[str]) -> pa.Table:
    """Return the texts as one day of ``RAW_MESSAGES``, customer and assistant taking turns."""
    rows = np.arange(len(texts))
    midnight = np.datetime64(DAY.isoformat(), "us")
    columns = {
        "date": pa.repeat(pa.scalar(DAY), len(texts)),
        "conversation_id": pa.array([f"c{row // MESSAGES_PER_CONVERSATION:07}" for row in rows]),
        "message_id": pa.array([f"m{row:07}" for row in rows]),
        "role": pa.array(np.where(rows % 2, "assistant", "user")),
        "text": pa.array(texts),
        "timestamp": pa.array(midnight + rows.astype("timedelta64[s]")).cast(pa.timestamp("us", tz="UTC")),
        "source": pa.repeat("benchmark", len(texts)),
    }
    absent = {column.name: pa.nulls(len(texts), column.type) for column in RAW_MESSAGES.columns}
    return RAW_MESSAGES.conform(pa.table({**absent, **columns}))


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of the fastest of three runs, after one to warm up."""
    work()
    times = []
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", help="Parquet file with a column text")
    parser.add_argument("--rows", type=int, default=60_000, help="lines to generate when no file is given")
    arguments = parser.parse_args()
    texts = pq.read_table(arguments.file)["text"].to_pylist() if arguments.file else generate_texts(arguments.rows)
    raw = raw_table(texts)
    unstated = pa.nulls(len(texts), pa.string())
    cleaned = clean_texts(raw["text"]).texts

    def baseline() -> None:
        lines = pc.replace_substring(raw["text"].combine_chunks(), "\n", " ")  # the detector reads single lines
        detect_languages(pc.utf8_trim_whitespace(lines), unstated)

    times = {
        "clean_messages": seconds(lambda: clean_messages(raw)),
        "baseline": seconds(baseline),
        "text": seconds(lambda: clean_texts(raw["text"])),
        "language": seconds(lambda: detect_languages(cleaned, unstated)),
        "tokens": seconds(lambda: count_tokens(cleaned)),
        "words": seconds(lambda: count_words(cleaned)),
    }
    result = {
        "messages": len(texts),
        "messages_per_second": round(len(texts) / times["clean_messages"]),
        "baseline_messages_per_second": round(len(texts) / times["baseline"]),
        "cpu_seconds": {name: round(value, 3) for name, value in times.items()},
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
