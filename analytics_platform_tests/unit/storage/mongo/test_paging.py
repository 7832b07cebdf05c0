"""Cutting a partition into ranges of ``_id``."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.storage.mongo import id_pages
from analytics_platform.storage.mongo.id_pages import by_id, id_ranges, page_ends, rows_within

IDS = st.lists(st.text(max_size=4), unique=True, max_size=40)


def table(ids: list[str], text: str = "") -> pa.Table:
    return by_id(pa.table({"_id": pa.array(ids, pa.string()), "text": pa.array([text] * len(ids), pa.string())}))


@given(ids=IDS, ends=IDS)
def test_every_row_is_in_exactly_one_range(ids, ends):
    rows = table(ids)
    pages = [rows_within(rows, one)["_id"].to_pylist() for one in id_ranges(ends)]
    assert [row for page in pages for row in page] == rows["_id"].to_pylist()


@pytest.mark.parametrize(
    ("rows", "text", "largest"), [(10, "", 10), (2_500, "", 1_000), (50, "x" * 1024 * 1024, 8), (3, "x" * 9_000_000, 1)]
)
def test_pages_are_bounded_in_rows_and_bytes(rows, text, largest):
    cut = table([f"{number:06}" for number in range(rows)], text)
    sizes = [rows_within(cut, one).num_rows for one in id_ranges(page_ends(cut))]
    assert sum(sizes) == rows
    assert max(sizes) in {largest, largest - 1}
    assert min(sizes) > 0


def test_a_small_partition_is_one_page():
    assert id_ranges(page_ends(table(["a", "b"]))) == [id_pages.IdRange()]
