"""Corrections entered by the command: none is lost to another process, and a killed one spoils no other."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from analytics_platform.storage.entered_corrections import add_entered, read_entered

NOON = dt.datetime(2026, 11, 2, 12, tzinfo=dt.UTC)


def correction(name: str) -> dict[str, Any]:
    return {"conversation_id": name, "kind": "topic", "label": "x", "author": "ann", "corrected_at": NOON, "note": None}


def test_what_several_writers_enter_is_read_with_an_id_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "corrections.jsonl"
    assert read_entered(path) == []
    with ThreadPoolExecutor(8) as writers:
        list(writers.map(lambda number: add_entered(path, [correction(f"c{number}")]), range(40)))
    rows = read_entered(path)
    assert sorted(row["conversation_id"] for row in rows) == sorted(f"c{number}" for number in range(40))
    assert len({row.pop("feedback_id") for row in rows}) == 40
    assert {row["corrected_at"] for row in rows} == {NOON}


def test_a_line_that_a_killed_writer_left_unfinished_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "corrections.jsonl"
    add_entered(path, [correction("c1")])
    path.write_bytes(path.read_bytes() + b'{"conversation_id": "c2", "ki')
    add_entered(path, [correction("c3"), correction("c4")])
    assert [row["conversation_id"] for row in read_entered(path)] == ["c1", "c3", "c4"]


def test_a_restored_correction_replaces_the_line_of_its_id(tmp_path: Path) -> None:
    """A backup would have held two documents of one id, and a restore refuses such a backup as damaged."""
    path = tmp_path / "corrections.jsonl"
    add_entered(path, [{**correction("c1"), "feedback_id": "one"}, {**correction("c2"), "feedback_id": "two"}])
    add_entered(path, [{**correction("c1"), "feedback_id": "one", "label": "y"}])
    assert [(row["feedback_id"], row["label"]) for row in read_entered(path)] == [("one", "y"), ("two", "x")]
