"""Rows that Arrow may parse are the rows that parsing the objects one by one gives, problems included."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.formats import json_rows
from analytics_platform.sources.formats.file_records import rows_of
from analytics_platform.sources.formats.json_rows import JsonValues, read_json_line_rows, read_json_lines
from analytics_platform.sources.rows import Rows

FIRST = '{"a": "first", "b": 0.5, "c": 1, "d": true}'
"""Gives each column its type, as the first batch of a file does."""

TEXTS = st.text(st.sampled_from('ab \n"\\{},é荷😀\u2028\x00'), max_size=8).map(
    lambda text: json.dumps(text, ensure_ascii=False)
) | st.sampled_from(['"\\ud83d"', '"\\u8377\\u7269"', '"},{\\""', "null", '""'])
NUMBERS = st.sampled_from(
    ["0.25", "4", "4.0", "-0.0", "1e-7", "1.5E300", "1e400", "NaN", "Infinity", "null", "0.1234567890123456789"]
)
INTEGERS = st.integers(-(2**70), 2**70).map(str) | st.sampled_from(["-0", "1e3", "null", "NaN", "12345678901234567890"])
OBJECTS = st.builds(
    lambda members: "{" + ", ".join(f'"{name}": {value}' for name, value in members.items()) + "}",
    st.fixed_dictionaries(
        {"a": TEXTS}, optional={"b": NUMBERS, "c": INTEGERS, "d": st.sampled_from(["true", "false", "null"])}
    ),
)
ODD = st.sampled_from(
    ["null", "NaN", "[1]", "3", '"x"', "{}", "", " ", "{", '{"a": "x"', '{"a": {"b": 1}}', '{"e": "x"}']
)
"""What may stand in the place of an object."""
LINES = st.lists(OBJECTS | ODD | st.lists(OBJECTS, min_size=2, max_size=3).map("".join), max_size=8)
ITEMS = st.lists(
    OBJECTS | st.sampled_from(["null", "NaN", "[1]", "3", "{}", '{"a": {"b": 1}}', '{"e": "x"}']), max_size=8
)


def told(batches: Iterable[Rows]) -> Any:
    """Return the values and the problem of each row, or the error."""
    rows: list[Any] = []
    try:
        for batch in batches:
            columns = {name: values.to_pylist() for name, values in batch.columns.items()}
            for at, number in enumerate(batch.numbers.tolist()):
                values = {name: column[at] for name, column in columns.items() if column[at] is not None}
                rows.append((number, values, batch.problems.get(number)))
    except SourceError:
        rows.append("error")
    return rows


def rows_of_lines(content: bytes) -> tuple[Any, Any]:
    """Return the rows of lines as Arrow and as the slow parser give them."""
    first = FIRST.encode() + b"\n"
    stream = io.BytesIO(content)
    quick = read_json_line_rows(stream, next(read_json_lines(io.BytesIO(first))))
    return told(quick), told([rows_of(next(read_json_lines(io.BytesIO(first + content))), 1)])


def rows_of_list(content: bytes, block: int) -> tuple[Any, Any]:
    """Return the rows of a list as Arrow and as the slow parser give them."""

    def slow() -> Iterable[Rows]:
        number = 1
        for records in JsonValues(io.BytesIO(content), "a.json"):
            yield rows_of(records, number)
            number += len(records.values)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(json_rows, "CHUNK_BYTES", block)
        values = JsonValues(io.BytesIO(content), "a.json")
        first = next(iter(values))
        quick = told(values.rows(first) if values.is_in_list else [rows_of(first, 1)])
    return quick, told(slow())


@pytest.mark.slow  # 400 examples
@given(lines=LINES, end=st.sampled_from(["", "\n", "\n\n"]), between=st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_lines_give_the_same_rows_with_and_without_arrow(lines: list[str], end: str, between: str) -> None:
    """Arrow took a null for a row, two objects on a line and a blank line for two lines, and wrote nan for NaN."""
    quick, slow = rows_of_lines((between.join(lines) + end).encode())

    assert quick == slow


@pytest.mark.parametrize(
    "content",
    [
        "null\n",
        "null",
        ' {"a": "x"}\nnull\n{"a": "y"}\n',
        '{"a": "x"}{"a": "y"}\n\n',
        '{"a": "x", "b": NaN}\n',
        '{"a": "x"}\nnull\n{"a": "y"}\n',
        '{"a": "x"}{"a": "y"}\nnull\n{"a": "z"}\n\n\n',
    ],
)
def test_lines_that_arrow_reads_otherwise_are_parsed_one_by_one(content: str) -> None:
    """A null at the beginning of a block ended the process."""
    quick, slow = rows_of_lines(content.encode())

    assert quick == slow


@pytest.mark.slow  # 400 examples
@given(items=ITEMS, comma=st.sampled_from([",", ", ", ",\n", "\n , "]), block=st.integers(64, 300))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_list_gives_the_same_rows_with_and_without_arrow(items: list[str], comma: str, block: int) -> None:
    """The end of a block may cut a character, and items that are no objects may begin a block."""
    content = f"[{comma.join([FIRST, *items, FIRST, FIRST])}]"
    quick, slow = rows_of_list(content.encode(), block)

    assert quick == slow


def test_a_null_where_a_block_of_a_list_begins_is_one_wrong_row() -> None:
    """A null where Arrow began to parse ended the process."""
    quick, slow = rows_of_list(f"[{FIRST},null,{FIRST},{FIRST},{FIRST}]".encode(), len(FIRST))

    assert quick == slow
    assert quick[1][2].reason == "unreadable_row"
