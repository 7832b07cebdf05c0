"""Rows of days in files that days share, and in files of their own."""

from __future__ import annotations

import os
from itertools import groupby, pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics_platform.sources import day_files
from analytics_platform.sources.day_files import DayFiles, read_rows, stored_rows

SCHEMA = pa.schema([("date", pa.string()), ("number", pa.int64())])
SCHEMA_OF_TEXTS = pa.schema([("date", pa.string()), ("text", pa.string())])


@pytest.fixture
def few_rows_are_many(monkeypatch):
    """Limits that a test with few rows reaches."""
    monkeypatch.setattr(day_files, "GROUP_ROWS", 4)
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

    assert len(list((tmp_path / "t").iterdir())) <= 2
    assert max(group.num_rows for group in shared_groups(tmp_path / "t")) < 2 * day_files.GROUP_ROWS


@pytest.mark.parametrize("batch_rows", [700, 20_000])
def test_a_large_day_shares_no_row_group(tmp_path, batch_rows):
    """Who reads one of 511 quiet days decoded the 19,000 rows of the day after them, too."""
    counts = [1] * 511 + [19_000] + [1] * 200 + [600] + [1] * 5 + [19_000] + [1] * 30
    dates = [f"day {number:04}" for number, count in enumerate(counts) for _ in range(count)]

    places = written(tmp_path / "t", dates, batch_rows, shared=True).places

    assert {day: place.rows for day, place in places.items()} == {
        f"day {number:04}": count for number, count in enumerate(counts)
    }
    assert max(group.num_rows for group in shared_groups(tmp_path / "t")) < 2 * day_files.GROUP_ROWS


LONG_TEXT = 200_000


@pytest.mark.parametrize("batch_rows", [7, 1_000])
def test_days_of_long_texts_share_few_megabytes(tmp_path, batch_rows):
    """Who reads one message decoded 512 of them: 102 MB at 200,000 characters each."""
    dates = [f"day {number:04}" for number in range(150)]
    texts = ["x" * 10] * 20 + ["x" * LONG_TEXT] * 100 + ["x" * 20_000_000] + ["x" * 10] * 29

    with DayFiles(tmp_path / "t", SCHEMA_OF_TEXTS, shared=True) as files:
        for start in range(0, len(dates), batch_rows):
            part = dates[start : start + batch_rows]
            rows = pa.table({"date": part, "text": texts[start : start + batch_rows]}, schema=SCHEMA_OF_TEXTS)
            files.write(rows, part, list(range(len(part) + 1)))

    sizes = [group.nbytes for group in shared_groups(tmp_path / "t")]
    assert day_files.GROUP_BYTES / 2 < max(sizes) < day_files.GROUP_BYTES + 2 * LONG_TEXT
    assert len(sizes) < 10, "a row group costs time"


@pytest.mark.parametrize(("text_length", "is_kept"), [(10, True), (20_000_000, False)])
def test_only_a_small_row_group_is_kept_in_memory(tmp_path, text_length, is_kept):
    """Four row groups of a hundred megabytes each stayed for the life of the process."""
    dates = ["2024-01-01", "2024-01-02"]
    rows = pa.table({"date": dates, "text": ["x" * text_length, "y"]}, schema=SCHEMA_OF_TEXTS)
    with DayFiles(tmp_path / "t", SCHEMA_OF_TEXTS, shared=True) as files:
        files.write(rows, dates, [0, 1, 2])
    settle(tmp_path / "t")
    place = files.places["2024-01-01"]
    first = read_rows(tmp_path / "t", "2024-01-01", place)
    assert first["text"].to_pylist() == ["x" * text_length]

    again = read_rows(tmp_path / "t", "2024-01-01", place)

    address = first["text"].chunk(0).buffers()[2].address
    assert (again["text"].chunk(0).buffers()[2].address == address) is is_kept


def settle(folder) -> None:
    """Make the files in a folder so old that they are trusted."""
    for path in folder.iterdir():
        os.utime(path, (1, 1))


def shared_groups(folder) -> list[pa.Table]:
    """Return the row groups, of all files in a folder, that have rows of several days."""
    files = [pq.ParquetFile(path) for path in sorted(folder.iterdir())]
    groups = [file.read_row_group(number) for file in files for number in range(file.metadata.num_row_groups)]
    return [group for group in groups if group["date"][0] != group["date"][-1]]


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

    settle(tmp_path / "t")
    assert read_rows(tmp_path / "t", "2024-01-02", places["2024-01-02"])["number"].to_pylist() == [2, 3, 4]

    pq.write_table(other, tmp_path / "other.parquet")
    (tmp_path / "other.parquet").rename(tmp_path / "t" / "00000.parquet")

    assert read_rows(tmp_path / "t", "2024-01-02", places["2024-01-02"])["number"].to_pylist() == [12, 13, 14]


def test_a_file_that_changed_twice_at_one_time_is_read_again(tmp_path):
    """Two files written within the resolution of the clock share size and time, and perhaps the inode."""
    places = written(tmp_path / "t", days_of([2, 3]), 1_000, shared=True).places
    path = tmp_path / "t" / "00000.parquet"
    state = path.stat()
    assert read_rows(tmp_path / "t", "2024-01-02", places["2024-01-02"])["number"].to_pylist() == [2, 3, 4]

    with DayFiles(tmp_path / "other", SCHEMA, shared=True) as files:
        rows = pa.table({"date": days_of([2, 3]), "number": range(10, 15)}, schema=SCHEMA)
        files.write(rows, ["2024-01-01", "2024-01-02"], [0, 2, 5])
    path.write_bytes((tmp_path / "other" / "00000.parquet").read_bytes())  # into the same inode
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))

    assert (path.stat().st_size, path.stat().st_ino) == (state.st_size, state.st_ino)
    assert read_rows(tmp_path / "t", "2024-01-02", places["2024-01-02"])["number"].to_pylist() == [12, 13, 14]
