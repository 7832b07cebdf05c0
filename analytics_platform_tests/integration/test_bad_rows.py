"""Ten thousand rows as bad as they come: each is in a table or in quarantine, none twice, and nothing crashes."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_platform.definitions import EVERYTHING, build_definitions
from analytics_platform.defs.assets.everyday import TABLES
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.operations.runs.graph import Graph
from analytics_platform.operations.runs.run import materialize
from analytics_platform.settings.loader import load_settings
from analytics_platform.sources.file_reading.file_source import FileSource
from analytics_platform_tests.sizes import by_day_or_night

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

ROWS = 10_000
LONG = 5_000_000
BAD_TEXTS: list[Any] = [
    "", " ", "\n\n", "\x00", "a\x00b", "\ud800", "\udfff tail", "\u202eright to left", "\u200b", "🙂🙂", "🇩🇪" * 50,
    "e\u0301" * 300, "<script>alert(1)</script>", "```\n" * 200, "{" * 5000, "a" * 20_000, "word " * 4000, None, 17,
    -0.0, 1e300, True, [], ["a", None], {"a": {"b": [1]}}, "NaN", "null", "'; drop table x; --", "\r\n,\t\"'",
    "\ufeffbom",
    "مرحبا بالعالم", "שלום", "你好,请帮我退款", "ok", "thanks!", "how do I reset my password?", "it does not boot",
]  # fmt: skip
BAD_TIMES: list[Any] = [
    None, "", "yesterday", "0000-00-00", "2024-13-01", "2024-02-30T00:00:00Z", "9999-12-31T23:59:59Z", "-1", -1, 0,
    1e308, 1704448800, 1704448800123, "1704448800",
    "2024-01-05T23:59:60Z", "2024-01-05 10:00", "2024-01-05T10:00:00+14:00",
    "2024-01-05T10:00:00.123456789Z", True, [], {"t": 1}, "292277026596-12-04", "1969-12-31T23:59:59Z", "2024-01-05",
]  # fmt: skip
BAD_IDS: list[Any] = [
    None, "", " ", 0, -1, 2**53 + 1, 2**63, 1.5, True, "\x00", "\ud83d", "a/b", "a:b", "$a", "a.b", "x" * 2000, [], {},
]  # fmt: skip
ROLES: list[Any] = [
    "user", "assistant", "agent", "system", "tool", "USER", " user ", "bot", "customer", "", None, 3, [], "\x00",
]  # fmt: skip
NUMBERS: list[Any] = [None, 0, -1, 1.5, "nan", "inf", "-inf", 1e400, "1e400", "twelve", 2**70, "", [], True]


def some_row(chance: random.Random, number: int) -> dict[str, Any]:
    """Return a row of which each field is most often good, so that rows come to be bad in one way at a time."""

    def either(good: Any, bad: list[Any]) -> Any:
        return good if chance.random() < 0.8 else chance.choice(bad)

    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=chance.randrange(9 * 86_400))
    row = {
        "conversation_id": either(f"c{chance.randrange(800)}", BAD_IDS),
        "message_id": either(f"m{chance.randrange(ROWS)}", BAD_IDS),
        "role": either(chance.choice(["user", "assistant", "agent"]), ROLES),
        "text": either(f"my printer {number} does not print", BAD_TEXTS),
        "timestamp": either(start.isoformat(), BAD_TIMES),
        "user_id": either(f"u{chance.randrange(50)}", BAD_IDS),
        "rating": either(None, NUMBERS),
        "tokens": either(5, NUMBERS),
        "cost": either(0.01, NUMBERS),
        "reply_to": f"m{chance.randrange(ROWS)}",  # cyclic, to itself, to nothing: the platform follows none
    }
    for name in list(row):
        if chance.random() < 0.02:
            del row[name]
    return row


def write(path: Path, seed: int, count: int) -> None:
    chance = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for number in range(count):
        if rows and chance.random() < 0.03:  # the very same row, or the same message with another content
            again = dict(chance.choice(rows))
            rows.append(again if chance.random() < 0.5 else {**again, "text": f"edited {number}"})
        else:
            rows.append(some_row(chance, number))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def seen_rows(source: FileSource) -> tuple[Counter[int], int, int]:
    """Return how often each row is in a table, the rows read, and the duplicates."""
    days = [source.read_day(day) for day in source.days()]
    unplaced = source.unplaced()
    found: Counter[int] = Counter(unplaced.read_quarantined()["source_row"].to_pylist())
    for day in days:
        found.update(day.messages["source_row"].to_pylist())
        found.update(day.quarantined["source_row"].to_pylist())
    parts = [unplaced, *days]
    return found, sum(part.rows_read for part in parts), sum(part.duplicates for part in parts)


@settings(max_examples=by_day_or_night(12, 120), deadline=None)
@given(seed=st.integers(0, 2**32))
def test_every_row_is_in_a_table_or_in_quarantine_and_none_is_twice(tmp_path_factory, seed):
    folder = tmp_path_factory.mktemp("bad")
    write(folder / "rows.jsonl", seed, 600)
    source = FileSource(
        str(folder / "rows.jsonl"),
        staging_dir=folder / "staging",
        first_day=dt.date(2024, 1, 1),
        last_day=dt.date(2024, 1, 31),
    )
    found, read, duplicates = seen_rows(source)
    assert max(found.values()) == 1
    assert read == 600 == len(found) + duplicates


def test_the_whole_graph_takes_ten_thousand_bad_rows(tmp_path, monkeypatch):
    path = tmp_path / "rows.jsonl"
    write(path, 20240105, ROWS)
    huge = {"conversation_id": "huge", "role": "user", "text": "x" * LONG, "timestamp": "2024-01-05T10:00:00Z"}
    with path.open("a") as file:
        file.writelines(json.dumps({**huge, "message_id": f"huge{n}"}) + "\n" for n in range(3))
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "ANALYTICS_HOME": str(tmp_path / "home"),
        "ANALYTICS_SOURCE": "files",
        "ANALYTICS_SOURCE_PATH": str(path),
        "ANALYTICS_START_DATE": "2024-01-01",
        "ANALYTICS_END_DATE": "2024-01-31",
    }.items():
        monkeypatch.setenv(name, value)
    platform = Platform(load_settings())
    try:
        days = list(platform.source.days())
        with dg.DagsterInstance.ephemeral() as instance:
            outcome = materialize(
                platform, Graph.of(build_definitions(platform), instance), days,
                job_name=EVERYTHING, assets=TABLES, selection=None, force=False,
            )  # fmt: skip
        assert outcome.failures == []
        lake = platform.lake
        kept = sum(lake.info("raw_messages", day).rows for day in days)
        quarantined = sum(lake.info("quarantined_rows", day).rows for day in days)
        quarantined += lake.info("unplaced_rows", "").rows
        _, read, duplicates = seen_rows(platform.source)
        documents = sum(platform.mongo.info("conversation_messages", day).rows for day in days)
    finally:
        platform.close()
    assert read == ROWS + 3 == kept + quarantined + duplicates
    assert kept > ROWS / 10
    assert quarantined > ROWS / 10
    assert documents == kept
