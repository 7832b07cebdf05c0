"""Whatever a file holds, reading it gives rows or one line that a person can act on, never a trace."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.file_reading.file_rows import read_rows
from analytics_platform.sources.file_reading.locating import find_files
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.shapes.catalogue import recognise_shape

CASES = Path(__file__).parent / "cases"
FILES = sorted(path for path in CASES.rglob("*.*") if path.is_file() and path.suffix not in {".md", ".yaml"})
OBJECTS = [path for path in FILES if path.suffix == ".json" and path.name != "chat.json"]  # which is JSON lines
SUFFIXES = [".csv", ".json", ".jsonl", ".txt", ".parquet", ".xlsx", ".jsonl.gz", ".csv.zst", ".zip"]
ODD: list[Any] = [None, 1, 1.5, "", "x", [], {}, True, [None], [1], {"a": None}, [{}], "[{]", [[]], -1, 1e300]
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read_or_refuse(path: Path) -> None:
    refusal = ""
    try:
        for file in find_files(str(path)):
            for mapping, rows in read_rows(file, FieldMapping()):
                mapping.apply(rows)
    except SourceError as error:
        refusal = str(error)
    assert "\n" not in refusal
    path.unlink()


def changed(value: Any, chance: random.Random) -> Any:
    """Return a JSON value with some of its parts left out or replaced by values of other kinds."""
    if chance.random() < 0.04:
        return chance.choice(ODD)
    if isinstance(value, dict):
        return {name: changed(item, chance) for name, item in value.items() if chance.random() > 0.03}
    return [changed(item, chance) for item in value] if isinstance(value, list) else value


@given(file=st.sampled_from(FILES), seed=st.integers(0, 2**32), suffix=st.sampled_from(SUFFIXES))
@example(file=CASES / "excel_sep_line" / "export.csv", seed=81117442, suffix=".csv")  # a separator beyond ASCII
@quick
def test_damaged_bytes_give_rows_or_one_line(file, seed, suffix, tmp_path):
    chance = random.Random(seed)
    content = bytearray(file.read_bytes())
    for _ in range(chance.randint(0, 6)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content[: chance.randrange(len(content))] if chance.random() < 0.3 else content)

    read_or_refuse(path)


@pytest.mark.parametrize("record", [-1, "text", None, [1]])
def test_a_value_among_wrapped_records_is_one_row_in_quarantine(record, tmp_path):
    """It was taken for a record, and ended the whole read with a trace."""
    good = {"conversation_id": "c1", "role": "user", "text": "hi", "timestamp": "2024-01-05T10:00:00Z"}
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"count": 2, "data": [good, record]}))

    read_or_refuse(path)


@given(file=st.sampled_from(OBJECTS), seed=st.integers(0, 2**32))
@quick
def test_odd_records_give_rows_or_one_line(file, seed, tmp_path):
    """A generator that ran out within a shape ended the whole read with a trace."""
    record = json.loads(file.read_text(encoding="utf-8"))
    path = tmp_path / "a.json"
    path.write_text(json.dumps(changed(record, random.Random(seed))))

    read_or_refuse(path)


@pytest.mark.parametrize("key", ["conversations", "messages", "notes", "helpdesk_ticket", "chats", "message", "events"])
def test_a_number_in_the_place_of_messages_has_no_shape(key):
    """It ended the recognition of Skype's chats with a trace."""
    assert recognise_shape([{"id": 1, key: -1}]) is None
