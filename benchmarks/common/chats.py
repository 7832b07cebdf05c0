"""Chats of any number, resampled from the shipped sample, for benchmarks: the same file for the same arguments.

Conversations are drawn with replacement. Customers, agents and models follow Zipf's law, weekends have a third of the
conversations of other days, and conversations start within office hours. A share of the conversations gets its last
message a day late.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analytics_platform.model.tables.raw_tables import RAW_MESSAGES

SAMPLE = Path(__file__).parents[2] / "analytics_platform" / "sample" / "conversations.parquet"
FIRST_DAY = dt.date(2015, 1, 1)
"""Ten years of days after it are in the past; the platform reads no later ones."""
BLOCK_CONVERSATIONS = 20_000
"""Conversations drawn at once, so that memory does not grow with their number."""
WEEKEND_SHARE = 1 / 3
LATE_SHARE = 0.002
ZIPF = 1.3
OPENING_SECOND, CLOSING_SECOND = 7 * 3600, 20 * 3600
DAY_SECONDS = 86_400


def write_chats(path: Path, *, messages: int, days: int, seed: int = 0) -> int:
    """Write a Parquet file of at least ``messages`` messages over ``days`` days; return the number of rows.

    Args:
        path: The file.
        messages: Least number of messages.
        days: Days from ``FIRST_DAY`` on; every day has conversations.
        seed: Seed of the draw.
    """
    sample = pq.read_table(SAMPLE).sort_by([("conversation_id", "ascending"), ("timestamp", "ascending")])
    starts, lengths = _runs(sample["conversation_id"])
    generator = np.random.default_rng(seed)
    weights = np.where((np.arange(days) + FIRST_DAY.weekday()) % 7 < 5, 1.0, WEEKEND_SHARE)
    written = drawn = 0
    with pq.ParquetWriter(path, sample.schema, compression="zstd") as writer:
        while written < messages:
            wanted = int(np.ceil((messages - written) / lengths.mean())) + 1
            chosen = generator.integers(0, len(starts), min(wanted, BLOCK_CONVERSATIONS))
            block = _block(sample, starts, lengths, chosen, drawn, weights / weights.sum(), generator)
            writer.write_table(block)
            written, drawn = written + block.num_rows, drawn + len(chosen)
    return written


def _runs(ids: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first row and the number of rows of each conversation of sorted ids."""
    codes = ids.combine_chunks().dictionary_encode().indices.to_numpy()
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    return starts, np.diff(starts, append=len(codes))


def _block(
    sample: pa.Table,
    starts: np.ndarray,
    lengths: np.ndarray,
    chosen: np.ndarray,
    first_number: int,
    weights: np.ndarray,
    generator: np.random.Generator,
) -> pa.Table:
    """Return the rows of the chosen conversations as new conversations, numbered from ``first_number``."""
    sizes = lengths[chosen]
    owner = np.repeat(np.arange(len(chosen)), sizes)
    turn = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rows = sample.take(np.repeat(starts[chosen], sizes) + turn)
    times = rows["timestamp"].cast(pa.int64()).to_numpy()
    elapsed = times - times[np.repeat(np.cumsum(sizes) - sizes, sizes)]
    day = generator.choice(len(weights), len(chosen), p=weights)
    if first_number == 0:
        day[: len(weights)] = np.arange(len(weights))[: len(day)]  # no day stays empty
    second = generator.integers(OPENING_SECOND, CLOSING_SECOND, len(chosen))
    epoch = (FIRST_DAY - dt.date(1970, 1, 1)).days
    began = ((epoch + day) * DAY_SECONDS + second) * 1_000_000
    late = (generator.random(len(chosen)) < LATE_SHARE)[owner] & (turn == sizes[owner] - 1)
    moment = began[owner] + elapsed + np.where(late, DAY_SECONDS * 1_000_000, 0)
    number = first_number + np.arange(len(chosen))
    people = {"user_id": "u", "agent_id": "a", "model": "m"}
    who = {
        name: pc.if_else(
            rows[name].is_valid(),
            _names(letter, generator.zipf(ZIPF, len(chosen)).clip(max=100_000)).take(pa.array(owner)),
            None,
        )
        for name, letter in people.items()
    }
    new = {
        **who,
        "conversation_id": _names("c", number).take(pa.array(owner)),
        "message_id": _names("r", first_number * 1_000 + np.arange(len(owner))),
        "timestamp": pa.array(moment).cast(pa.timestamp("us", tz="UTC")),
    }
    return pa.table({name: new.get(name, rows[name]) for name in sample.column_names}, schema=sample.schema)


def _names(letter: str, numbers: np.ndarray) -> pa.Array:
    return pc.binary_join_element_wise(letter, pa.array(numbers.astype(np.int64)).cast(pa.string()), "")


def as_raw_messages(chats: pa.Table) -> pa.Table:
    """Return chats as ``RAW_MESSAGES`` of the day ``FIRST_DAY``.

    Args:
        chats: Columns conversation_id, message_id, role, text and timestamp.
    """
    absent = {column.name: pa.nulls(len(chats), column.type) for column in RAW_MESSAGES.columns}
    columns = {
        **{name: chats[name].cast(RAW_MESSAGES.column(name).type) for name in chats.column_names},
        "date": pa.repeat(pa.scalar(FIRST_DAY), len(chats)),
        "time_source": pa.repeat("message", len(chats)),
        "source": pa.repeat("benchmark", len(chats)),
    }
    return RAW_MESSAGES.conform(pa.table({**absent, **columns}))
