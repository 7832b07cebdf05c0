from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from analytics_platform.sources.base import SourceDay
from analytics_platform.sources.file_reading.file_rows import read_rows
from analytics_platform.sources.file_reading.file_source import FileSource
from analytics_platform.sources.file_reading.locating import find_files
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.row_rules.role_words import default_role_words, plain_word

HEADER = "conversation_id,message_id,role,text,timestamp\n"


class Folder:
    """A folder of source files, and sources that read them."""

    header = HEADER

    def __init__(self, path: Path) -> None:
        self.path = path
        self.staging = path / "staging"

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def source(self, pattern: str = "*.*", **options: Any) -> FileSource:
        bounds = {"first_day": dt.date(2024, 1, 1), "last_day": dt.date(2024, 12, 31)}
        return FileSource(str(self.path / pattern), staging_dir=self.staging, **{**bounds, **options})

    def rows_of(self, name: str, content: str | bytes, **options: Any) -> Everything:
        self.write(name, content)
        return Everything(self.source(name, **options))


class Everything:
    """All days of a source at once."""

    def __init__(self, source: FileSource) -> None:
        with source.held():
            self.unplaced = source.unplaced()
            self.unplaced_rows = self.unplaced.read_quarantined().to_pylist()
            assert self.unplaced.rows_read == self.unplaced.quarantined_rows + self.unplaced.duplicates
            self.days: dict[str, SourceDay] = {day: source.read_day(day) for day in source.days()}
            for day in self.days.values():
                assert day.messages.num_rows + day.quarantined.num_rows + day.duplicates == day.rows_read

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [row for day in self.days.values() for row in day.messages.to_pylist()]

    @property
    def quarantined(self) -> list[dict[str, Any]]:
        placed = [row for day in self.days.values() for row in day.quarantined.to_pylist()]
        return self.unplaced_rows + placed

    @property
    def rows_read(self) -> int:
        return sum(day.rows_read for day in (self.unplaced, *self.days.values()))

    @property
    def duplicates(self) -> int:
        return sum(day.duplicates for day in (self.unplaced, *self.days.values()))

    @property
    def reasons(self) -> dict[int, str]:
        return {row["source_row"]: row["reason"] for row in self.quarantined}

    def tables(self, but: tuple[str, ...]) -> list[tuple[str, pa.Table, pa.Table, int, int]]:
        return [
            (
                day,
                found.messages.drop(but),
                found.quarantined.drop((*but, "quarantine_id")),
                found.rows_read,
                found.duplicates,
            )
            for day, found in self.days.items()
        ]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def new_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Folder]:
    return lambda: Folder(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def read_together(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, list[dict[str, Any]]]]:
    """Read many files as one source, at the price of one; the files must not share conversations."""

    def read(files: Mapping[str, str | bytes], **options: Any) -> dict[str, list[dict[str, Any]]]:
        folder = Folder(tmp_path_factory.mktemp("together"))
        for name, content in files.items():
            (folder.path / "files" / name).parent.mkdir(parents=True, exist_ok=True)
            folder.write(f"files/{name}", content)
        if mapping := options.get("mapping"):
            options["mapping"] = folder.write("mapping.yaml", mapping)
        source = folder.source("files", **options)
        messages: dict[str, list[dict[str, Any]]] = {name: [] for name in files}
        for row in Everything(source).messages:
            messages[row["source_file"].removeprefix(f"{folder.path}/files/")].append(row)
        return messages

    return read


@pytest.fixture(scope="session")
def everything() -> type[Everything]:
    return Everything


@pytest.fixture
def said(folder) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that writes a file and returns its rows as a run maps them, without those left out."""

    def read(content: Any, name: str = "") -> list[dict[str, Any]]:
        text = content if isinstance(content, str) else json.dumps(content)
        name = name or ("a.csv" if isinstance(content, str) else "a.json")
        folder.write(name, text)
        (file,) = find_files(str(folder.path / name))
        rows = []
        for mapping, batch in read_rows(file, FieldMapping()):
            mapping.require_columns(batch.columns, file.place)
            rows += mapping.apply(batch).rows.to_pylist()
        for row in rows:
            row["role"] = default_role_words().get(plain_word(row["role"] or ""), row["role"])
        return [row for row in rows if row["problem"] is None]

    return read
