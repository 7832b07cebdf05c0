"""Rows of days in files that days share, and in files of their own."""

from __future__ import annotations

from itertools import groupby, pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics_platform.sources import day_files
from analytics_platform.sources.day_files import DayFiles, read_rows, stored_rows

SCHEMA = pa.schema([("date", pa.string()), ("number", pa.int64())])


@pytest.fixture
def few_rows_are_many(monkeypatch):
    """Limits that a test with few rows reaches."""
    monkeypatch.setattr(day_files, "GROUP_ROWS", 4)
    monkeypatch.setattr(day_files, "_MOST_GROUP_ROWS", 10)
    monkeypatch.setattr(day_files, "_GROUPS_PER_FILE", 3)


def days_of(counts: list[int]) -> list[str]:
    """Return the day of each row, given the number of rows of each day."""
    return [f"2024-01-{number + 1:02}" for number, count in enumerate(counts) for _ in range(count)]


def written(folder, dates: list[str], batch_rows: int, *, shared: bool) -> DayFiles:
    """Write one row for each day in ``dates``, in batches, and return the closed files."""
    with DayFiles(folder, SCHEMA, shared=shared) as files:
        for start in range(0, len(dates), batch_rows):
            part = dates[start : start + batch_rows]
            rows = pa.table({"date": part, "number": range(start, start + len(part))}, schema=SCHEMA)
            runs = [(day, len(list(same))) for day, same in groupby(part)]
            files.write(rows, [day for day, _ in runs], np.cumsum([0, *(count for _, count in runs)]).tolist())
    return files


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("batch_rows", [1, 3, 7, 1_000])
def test_each_day_is_read_as_it_was_written(tmp_path, few_rows_are_many, batch_rows, shared):
    """A day may begin anywhere in a batch, and go on in the next batch, row group or file."""
    counts = [1, 2, 1, 1, 25, 1, 4, 3, 1, 1, 1, 12, 2, 1, 1, 1, 1, 9, 1]
    dates = days_of(counts)

    places = written(tmp_path / "t", dates, batch_rows, shared=shared).places

    for number, (start, end) in enumerate(pairwise(np.cumsum([0, *counts]).tolist())):
        day = f"2024-01-{number + 1:02}"
        assert stored_rows(tmp_path / "t", day, places.get(day)) == end - start
        rows = read_rows(tmp_path / "t", day, places.get(day))
        assert rows.to_pydict() == {"date": [day] * (end - start), "number": list(range(start, end))}
    assert bool(places) is shared


def test_days_of_few_rows_share_files(tmp_path):
    """Ten years of ten rows a day took a file for each day, at three milliseconds each."""
    dates = [f"{year}-{month:02}-{day:02}" for year in range(10) for month in range(1, 13) for day in range(1, 29)]

    written(tmp_path / "t", [day for day in dates for _ in range(10)], 20_000, shared=True)

    files = list((tmp_path / "t").iterdir())
    groups = [pq.read_metadata(path).row_group(0).num_rows for path in files]
    assert len(files) <= 2
    assert min(groups) < 2 * day_files.GROUP_ROWS, "who reads a day reads a whole row group"


def test_a_file_takes_no_day_beyond_its_row_groups(tmp_path, few_rows_are_many):
    """The description of one file for all days would grow with the history, and each reader reads it."""
    places = written(tmp_path / "t", days_of([4] * 20), 1_000, shared=True).places

    assert max(pq.read_metadata(path).num_row_groups for path in (tmp_path / "t").iterdir()) == 3
    assert len({name for name, _, _ in places.values()}) == 7


def test_a_file_that_was_removed_has_no_rows(tmp_path):
    places = written(tmp_path / "t", days_of([2, 3]), 1_000, shared=True).places
    assert read_rows(tmp_path / "t", "2024-01-02", places["2024-01-02"]).num_rows == 3

    (tmp_path / "t" / "00000.parquet").unlink()

    assert stored_rows(tmp_path / "t", "2024-01-02", places["2024-01-02"]) == 0
    assert read_rows(tmp_path / "t", "2024-01-02", places["2024-01-02"]) is None


def test_a_file_with_another_content_is_read_again(tmp_path):
    """Descriptions and row groups are kept in memory, and must not outlive their file."""
    places = written(tmp_path / "t", days_of([2, 3]), 1_000, shared=True).places
    assert read_rows(tmp_path / "t", "2024-01-02", places["2024-01-02"])["number"].to_pylist() == [2, 3, 4]
    other = pa.table({"date": days_of([2, 3]), "number": range(10, 15)}, schema=SCHEMA)

    pq.write_table(other, tmp_path / "other.parquet")
    (tmp_path / "other.parquet").rename(tmp_path / "t" / "00000.parquet")

    assert read_rows(tmp_path / "t", "2024-01-02", places["2024-01-02"])["number"].to_pylist() == [12, 13, 14]
