"""A list of rows that Arrow parses part by part gives the rows of the same objects, one per line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.file_reading.file_rows import read_rows
from analytics_platform.sources.file_reading.locating import find_files
from analytics_platform.sources.formats import json_rows
from analytics_platform.sources.formats.json_by_arrow import parse_items
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.rows import Rows

ROWS = 400


def message(number: int, **further: Any) -> dict[str, Any]:
    return {
        "conversation_id": f"c{number // 4}",
        "role": "user" if number % 2 else "agent",
        "text": f'number {number}: {{"a": 1}}, {{"b": 2}},{{ \\ é' if number % 7 == 0 else f"number {number}",
        "timestamp": f"2024-01-05T10:00:{number % 60:02d}Z",
        "count": number,
        **further,
    }


def values_of(path: Path) -> list[dict[str, str | None]]:
    (file,) = find_files(str(path))
    rows: list[dict[str, str | None]] = []
    for _, batch in read_rows(file, FieldMapping()):
        assert batch.numbers.tolist() == list(range(len(rows) + 1, len(rows) + 1 + len(batch.numbers)))
        columns = {name: values.to_pylist() for name, values in batch.columns.items()}
        rows += [{name: columns[name][at] for name in columns} for at in range(len(batch.numbers))]
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_rows, "CHUNK_BYTES", 3_000)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("escapes", [True, False])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"data": rows, "count": len(rows)}])
@pytest.mark.parametrize(
    "odd",
    [
        lambda _: {},
        lambda number: {"count": 1.5} if number == 200 else {},
        lambda number: {"late": "x"} if number > 200 else {},
        lambda number: {"parts": [{"a": 1}, {"b": number}]} if number > 200 else {},
        lambda number: {"count": 10**24} if number == 200 else {},
        lambda number: {"text": "a text of code: },{"} if number == 200 else {},
        lambda number: {"text": "half \ud83d"} if number == 200 else {},
    ],
    ids=["plain", "other number", "late column", "nested", "long number", "code", "half an emoji"],
)
def test_a_list_of_rows_gives_the_rows_of_its_objects(
    tmp_path: Path,
    escapes: bool,
    indent: int | None,
    wrap: Callable[[Any], Any],
    odd: Callable[[int], dict[str, Any]],
):
    """A list that is split where two objects meet must not be split within a text or a nested list."""
    rows = [message(number, **odd(number)) for number in range(ROWS)]
    lines = "".join(json.dumps(row, ensure_ascii=escapes) + "\n" for row in rows)
    content = json.dumps(wrap(rows), indent=indent, ensure_ascii=escapes)
    (tmp_path / "lines.jsonl").write_text(lines, encoding="utf-8", errors="surrogatepass")
    (tmp_path / "list.json").write_text(content, encoding="utf-8", errors="surrogatepass")

    assert values_of(tmp_path / "list.json") == values_of(tmp_path / "lines.jsonl")


@pytest.mark.parametrize("padding", range(6))
def test_a_character_across_two_blocks_of_a_list_stays_whole(
    tmp_path: Path, padding: int, monkeypatch: pytest.MonkeyPatch
):
    """The bytes of a character that the end of the first block cut were lost, and U+FFFD stood in the text."""
    monkeypatch.setattr(json_rows, "CHUNK_BYTES", 256)
    rows = [message(number, text=f"{'x' * padding}荷物はまだ届いていません{number}") for number in range(60)]
    (tmp_path / "list.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")

    assert [row["text"] for row in values_of(tmp_path / "list.json")] == [row["text"] for row in rows]


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("fault", ['"count" 300', '"count": 300, }', '"count": [300'])
def test_a_fault_in_a_list_is_named_by_its_record(tmp_path: Path, fault: str):
    content = json.dumps([message(number) for number in range(ROWS)])
    (tmp_path / "list.json").write_text(content.replace('"count": 300', fault))

    with pytest.raises(SourceError, match="broken JSON after record 300"):
        values_of(tmp_path / "list.json")


def test_arrow_parses_all_of_a_long_list_but_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Objects of a list were parsed one by one, in four times the time of the same objects one per line."""
    rows = [message(number) for number in range(150_000)]
    (tmp_path / "list.json").write_text(json.dumps(rows))
    parsed: list[int] = []

    def parse(*arguments: Any) -> Rows | None:
        quick = parse_items(*arguments)
        parsed.append(0 if quick is None else len(quick.numbers))
        return quick

    monkeypatch.setattr(json_rows, "parse_items", parse)
    (file,) = find_files(str(tmp_path / "list.json"))
    assert sum(len(rows.numbers) for _, rows in read_rows(file, FieldMapping())) == len(rows)
    assert len(rows) - sum(parsed) < 50_000
