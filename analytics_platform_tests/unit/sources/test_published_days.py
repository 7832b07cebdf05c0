"""The manifest of published days, and errors of their files."""

from __future__ import annotations

import datetime as dt
import os

import pyarrow as pa
import pytest

from analytics_platform.model.tables.raw_tables import RAW_MESSAGES
from analytics_platform.sources import published_days
from analytics_platform.sources.base import SourceError
from analytics_platform.sources.day_files import DayFiles, DayPlace
from analytics_platform.sources.published_days import (
    StagedDay,
    manifest_text,
    parse_manifest,
    read_day,
    read_manifest,
    read_versions,
)

DAYS = {
    "2024-01-01": StagedDay("a", 3, 1, places={"raw_messages": DayPlace("00000", 0, 2)}),
    "2024-01-02": StagedDay("b", 3, 1, "days/1"),
}


def test_days_are_parsed_as_they_were_written():
    """Places came back as lists, and a day with places had no hash."""
    days = parse_manifest(manifest_text(DAYS))

    assert days == DAYS
    assert days["2024-01-01"].places["raw_messages"].rows == 2
    assert set(days.values()) == set(DAYS.values())
    assert manifest_text(days) == manifest_text(DAYS)


def test_a_mirror_without_places_is_read():
    """Mirrors had manifests before days shared files."""
    text = '{"2024-01-02": {"version": "b", "rows_read": 3, "duplicates": 1, "part": "days/1"}}'

    assert parse_manifest(text) == {"2024-01-02": DAYS["2024-01-02"]}


def test_a_manifest_is_parsed_once_and_nobody_can_change_it(tmp_path, monkeypatch):
    """Each reading block of a mirror parsed ten years of days; and a caller could change what the next one reads."""
    text = manifest_text(DAYS)
    days = parse_manifest(text)
    (tmp_path / "manifest.json").write_text(text)
    monkeypatch.setattr(published_days, "_parse_day", None)

    assert parse_manifest(text) is days
    assert read_manifest(tmp_path) is days
    for mapping in (days, days["2024-01-01"].places, days["2024-01-02"].places, read_versions(tmp_path)):
        with pytest.raises(TypeError, match="does not support item assignment"):
            mapping["2024-01-03"] = None


def test_a_second_manifest_of_the_same_moment_is_read(tmp_path):
    """A state of size, inode and time does not tell two manifests of one moment apart."""
    path = tmp_path / "manifest.json"
    path.write_text(manifest_text(DAYS))
    state = path.stat()
    assert read_manifest(tmp_path)["2024-01-01"].version == "a"
    assert read_versions(tmp_path) == {"2024-01-01": "a", "2024-01-02": "b"}

    path.write_text(manifest_text(DAYS | {"2024-01-01": StagedDay("c", 3, 1, places=DAYS["2024-01-01"].places)}))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))

    assert read_manifest(tmp_path)["2024-01-01"].version == "c"
    assert read_versions(tmp_path)["2024-01-01"] == "c"


@pytest.fixture
def staged(tmp_path):
    """Write two days of one message each that share a file, and return that file and the manifest's days."""
    noon = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)
    by_type = {pa.string(): "text", pa.date32(): noon.date(), pa.timestamp("us", "UTC"): noon}
    columns = {field.name: [by_type.get(field.type, 1)] * 2 for field in RAW_MESSAGES.arrow_schema}
    rows = pa.table(columns, schema=RAW_MESSAGES.arrow_schema)
    days = {}
    with DayFiles(tmp_path / RAW_MESSAGES.name, RAW_MESSAGES.arrow_schema, shared=True) as files:
        files.write(rows, ["2024-01-01", "2024-01-02"], [0, 1, 2])
    for day, place in files.places.items():
        days[day] = StagedDay(day, 1, 0, places={RAW_MESSAGES.name: place})
    return tmp_path / RAW_MESSAGES.name / "00000.parquet", days


def test_a_truncated_file_is_named_with_a_remedy(tmp_path, staged):
    """Arrow's error said that magic bytes were missing, and not where."""
    path, days = staged
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(SourceError) as caught:
        read_day(tmp_path, days, "2024-01-01")

    assert str(caught.value).startswith(f"{path}: the file cannot be read (")
    assert str(caught.value).endswith(f"Run again; if that says the same, delete {tmp_path} and run again")


def test_a_damaged_page_is_named_with_a_remedy(tmp_path, staged):
    """The footer is whole, so the damage shows when the rows are read."""
    path, days = staged
    content = bytearray(path.read_bytes())
    content[4:200] = b"\xff" * 196
    path.write_bytes(content)
    day = read_day(tmp_path, days, "2024-01-01")

    with pytest.raises(SourceError) as caught:
        _ = day.messages

    assert str(caught.value).startswith(f"{path}: the file cannot be read (")
    assert str(caught.value).endswith(f"Run again; if that says the same, delete {tmp_path} and run again")


@pytest.mark.parametrize("when", ["before", "between"])
def test_a_removed_file_is_named_with_a_remedy(tmp_path, staged, when):
    """The error named the folder of all days."""
    path, days = staged
    day = read_day(tmp_path, days, "2024-01-01") if when == "between" else None
    path.unlink()

    with pytest.raises(SourceError) as caught:
        _ = (day or read_day(tmp_path, days, "2024-01-01")).messages

    assert str(path) in str(caught.value).split(": ")[0].split(" and ")
    assert str(caught.value).endswith(f"Run again; if that says the same, delete {tmp_path} and run again")
