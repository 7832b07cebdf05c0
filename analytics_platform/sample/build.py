"""Build the sample: a slice of real IRC support chats, and tau-bench dialogues with synthetic times.

Nothing at run time needs this; it is here so that the sample can be built again. Both inputs are public data
sets (see NOTICE.md) as one Parquet file each, one row per message:

- IRC: ``conversation_id, message_id, user_id, speaker_id, turn_index, role, text, timestamp, channel, language``
- tau-bench: ``conversation_id, user_id, agent_id, turn_index, role, text, tool_names, gold_reward, language``

Run: ``python analytics_platform/sample/build.py IRC.parquet TAU_BENCH.parquet [OUTPUT.parquet]``. The same
inputs give the same file.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

FIRST_DAY = dt.date(2006, 5, 15)
LAST_DAY = dt.date(2006, 7, 2)

OUTCOMES = {1.0: "resolved", 0.0: "unresolved"}
OPENING_HOUR, CLOSING_HOUR = 8, 20

# Characters per second and the pause before, by role: a person types, a model streams, a tool just answers.
PACES = {"user": (8, 12), "assistant": (60, 2), "tool": (4000, 1)}
LONGEST_TURN_SECONDS = 180

SCHEMA = pa.schema(
    [
        ("conversation_id", pa.string()),
        ("message_id", pa.string()),
        ("user_id", pa.string()),
        ("agent_id", pa.string()),
        ("model", pa.string()),
        ("channel", pa.string()),
        ("role", pa.string()),
        ("text", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("language", pa.string()),
        ("outcome", pa.string()),
        ("tool_names", pa.string()),
        ("timestamp_is_synthetic", pa.bool_()),
    ]
)


def irc_messages(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the conversations that start within the days of the sample, with their real times."""
    rows = rows.assign(timestamp=pd.to_datetime(rows["timestamp"], utc=True))
    started = rows.groupby("conversation_id")["timestamp"].transform("min").dt.date
    rows = rows[(started >= FIRST_DAY) & (started <= LAST_DAY)]
    return rows.assign(agent_id=rows["speaker_id"].where(rows["role"] == "assistant"))


def tau_bench_messages(rows: pd.DataFrame) -> pd.DataFrame:
    """Return all dialogues, spread over the days of the sample, with times made up from ids and text lengths."""
    rows = rows.sort_values(["conversation_id", "turn_index"])
    return rows.assign(
        message_id=rows["conversation_id"] + ":" + rows["turn_index"].astype(str),
        model=rows["agent_id"],
        channel="airline",
        outcome=rows["gold_reward"].map(OUTCOMES),
        tool_names=rows["tool_names"].where(rows["tool_names"] != ""),
        timestamp=_synthetic_times(rows),
        timestamp_is_synthetic=True,
    )


def _synthetic_times(rows: pd.DataFrame) -> pd.Series:
    """Return a start between opening and closing per dialogue, then gaps as long as the turns take."""
    dialogues = sorted(rows["conversation_id"].unique(), key=_number)
    days = (LAST_DAY - FIRST_DAY).days + 1
    midnight = pd.Timestamp(FIRST_DAY, tz="UTC")
    opening = pd.Timedelta(hours=OPENING_HOUR)
    open_seconds = (CLOSING_HOUR - OPENING_HOUR) * 3600
    starts = {
        dialogue: midnight + pd.Timedelta(days=rank % days, seconds=_number("start", dialogue) % open_seconds) + opening
        for rank, dialogue in enumerate(dialogues)
    }
    gaps = pd.Series(
        [
            0 if turn == 0 else _gap(role, len(text), _number(dialogue, str(turn)))
            for dialogue, turn, role, text in zip(
                rows["conversation_id"], rows["turn_index"], rows["role"], rows["text"], strict=True
            )
        ],
        index=rows.index,
    )
    since_start = gaps.groupby(rows["conversation_id"]).cumsum()
    return rows["conversation_id"].map(starts) + pd.to_timedelta(since_start, unit="s")


def _gap(role: str, characters: int, number: int) -> int:
    """Return the seconds before a turn: pause and typing, times 0.5 to 1.5, at least one."""
    characters_per_second, pause = PACES[role]
    seconds = (pause + characters / characters_per_second) * (0.5 + number % 1000 / 1000)
    return max(1, min(LONGEST_TURN_SECONDS, round(seconds)))


def _number(*parts: str) -> int:
    """Return a number that looks random and is the same every time."""
    return int.from_bytes(hashlib.sha256("\x1f".join(parts).encode()).digest()[:6])


def build(irc: Path, tau_bench: Path, output: Path) -> pa.Table:
    """Write the sample and return it, sorted by time."""
    messages = pd.concat([irc_messages(pd.read_parquet(irc)), tau_bench_messages(pd.read_parquet(tau_bench))])
    messages = messages.sort_values(["timestamp", "conversation_id", "turn_index"])
    table = pa.Table.from_pandas(messages[SCHEMA.names], schema=SCHEMA, preserve_index=False)
    table = table.replace_schema_metadata(None)  # pandas' notes on itself, versions included
    pq.write_table(table, output, compression="zstd", compression_level=19)
    return table


def main() -> None:
    """Build the sample from the command line."""
    parser = argparse.ArgumentParser(description="Build the sample from two public data sets.")
    parser.add_argument("irc", type=Path, help="IRC support chats, Parquet")
    parser.add_argument("tau_bench", type=Path, help="tau-bench dialogues, Parquet")
    parser.add_argument("output", type=Path, nargs="?", default=Path(__file__).with_name("conversations.parquet"))
    arguments = parser.parse_args()
    build(arguments.irc, arguments.tau_bench, arguments.output)


if __name__ == "__main__":
    main()
