"""JSON lines with a chat each are read in columns; the rows are those of reading message by message."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from analytics_platform.sources.file_reading import chat_lines, file_rows
from analytics_platform.sources.file_reading.locating import find_files
from analytics_platform.sources.file_reading.recognised import Recognised
from analytics_platform.sources.formats import json_rows
from analytics_platform.sources.mapping import FieldMapping


def rows_and_notes(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    (file,) = find_files(str(path))
    recognised = Recognised()
    found = []
    for _, rows in file_rows.read_rows(file, FieldMapping(), recognised):
        for number, row in zip(rows.numbers.tolist(), pa.table(dict(rows.columns)).to_pylist(), strict=True):
            problem = rows.problems.get(number)
            found.append(
                {"number": number, "problem": problem, **{name: value for name, value in row.items() if value}}
            )
    return found, recognised.notes


def chat(choice: random.Random, number: int) -> dict[str, Any]:
    texts = ["hi", "ok", "two\nlines", "a \U0001f600", '[{"type": "text", "text": "part"}]', "type: x", ""]
    roles = ["user", "assistant", "system", "Human", "robot"]
    messages = [{"role": choice.choice(roles), "content": choice.choice(texts)} for _ in range(choice.randint(1, 6))]
    record = {"messages": messages, "model": choice.choice(["m", None, ""]), "tries": choice.randint(0, 3)}
    if choice.random() < 0.8:
        record["id"] = f"c{choice.choice([number, choice.randint(0, number)])}"
    if choice.random() < 0.3:
        record[choice.choice(["created_at", "createdAt", "ts"])] = f"2024-01-01T00:00:{number % 60:02d}Z"
    if choice.random() < 0.3:
        record[choice.choice(["user_id", "userId"])] = choice.choice(["u1", "", None])
    return record


def irregular(choice: random.Random, number: int) -> str:
    record = chat(choice, number)
    record |= choice.choice(
        [
            {"messages": []},
            {"messages": None},
            {"messages": [{"role": "user"}]},
            {"messages": [None]},
            {"messages": [{"role": "user", "content": "x", "name": "ann"}]},
            {"messages": [{"role": "user", "content": "x", "createdAt": "2024-01-01T00:00:00Z"}]},
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
            {"messages": [{"role": "assistant", "content": None}]},
            {"meta": {"a": 1}},
            {"id": 7},
            {"tries": 1.5},
            {"response": {"role": "assistant", "content": "x"}},
            {"answer": "x"},
        ]
    )
    return choice.choice([json.dumps(record), json.dumps(record), "", "null", "{broken", '{"id": "\\ud83d"}'])


@pytest.mark.parametrize("seed", range(6))
def test_chats_in_columns_are_the_rows_of_message_by_message(tmp_path, monkeypatch, seed):
    monkeypatch.setattr(json_rows, "CHUNK_BYTES", 8 << 10)
    monkeypatch.setattr(chat_lines, "_SMALLEST_PART", 1 << 10)
    choice = random.Random(seed)
    lines = [json.dumps(chat(choice, number), ensure_ascii=bool(seed % 2)) for number in range(400)]
    if seed > 1:
        for _ in range(10):
            lines.insert(choice.randint(60, len(lines)), irregular(choice, 50))
    path = tmp_path / "chats.jsonl"
    path.write_text("\n".join(lines) + "\n")

    in_columns = rows_and_notes(path)
    with monkeypatch.context() as patched:
        patched.setattr(file_rows, "chat_columns", lambda _: None)
        one_by_one = rows_and_notes(path)

    assert in_columns == one_by_one
    assert len(in_columns[0]) > len(lines)


def test_regular_chats_take_the_way_of_columns(tmp_path, monkeypatch):
    """Without it, the comparison above would compare a way with itself."""
    choice = random.Random(0)
    path = tmp_path / "chats.jsonl"
    path.write_text("".join(json.dumps(chat(choice, number)) + "\n" for number in range(50)))
    monkeypatch.setattr(file_rows, "unfolded", None)

    assert len(rows_and_notes(path)[0]) > 50
