"""The same rows give the same tables, whatever format they came in."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics_platform.sources.base import SourceError

UTC = dt.UTC
ROWS: list[dict[str, Any]] = [
    {"conversation_id": "c1", "message_id": "m1", "user_id": "ä", "role": "User", "text": 'Hi, "you"\nthere\r\n',
     "timestamp": dt.datetime(2024, 3, 1, 23, 59, 59, 250000, UTC), "rating": 4.5, "tokens": 12, "vip": True},
    {"conversation_id": "c1", "message_id": "m2", "user_id": None, "role": "assistant", "text": "",
     "timestamp": dt.datetime(2024, 3, 2, 0, 0, 1, tzinfo=UTC), "rating": None, "vip": False, "note": "007"},
    {"conversation_id": "c2", "message_id": "m3", "user_id": "u2", "role": "user", "text": None,
     "timestamp": dt.datetime(2024, 3, 3, tzinfo=UTC), "rating": 3.0, "tokens": 1, "vip": True, "note": "a"},
    {"conversation_id": "c2", "message_id": "m4", "user_id": "u2", "role": "robot", "text": "x",
     "timestamp": dt.datetime(2024, 3, 3, tzinfo=UTC), "rating": 3.0, "tokens": 1, "vip": True, "note": ""},
    {"conversation_id": "c3", "message_id": None, "user_id": "u3", "role": "user", "text": " \x00😀 ",
     "timestamp": dt.datetime(2024, 3, 3, tzinfo=UTC), "rating": 1e-7, "tokens": 2, "vip": None, "note": None},
    {"conversation_id": "c3", "message_id": None, "user_id": "u3", "role": "user", "text": " \x00😀 ",
     "timestamp": dt.datetime(2024, 3, 3, tzinfo=UTC), "rating": 1e-7, "tokens": 2, "vip": None, "note": None},
    {"conversation_id": "c3", "message_id": "m1", "user_id": "u3", "role": "user", "text": "other",
     "timestamp": dt.datetime(2024, 3, 3, tzinfo=UTC), "rating": None, "tokens": -1, "vip": None, "note": None},
    {"conversation_id": "c1", "message_id": "m1", "user_id": "u3", "role": "user", "text": "other",
     "timestamp": dt.datetime(2024, 3, 3, tzinfo=UTC), "rating": None, "tokens": 1, "vip": None, "note": None},
    {"conversation_id": "c9", "message_id": "m9", "user_id": "u3", "role": "user", "text": "late",
     "timestamp": dt.datetime(2030, 3, 3, tzinfo=UTC), "rating": None, "tokens": 1, "vip": None, "note": None},
]  # fmt: skip
COLUMNS = sorted(set().union(*ROWS))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.datetime) else value


def write_csv(path: Path) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows([{name: _plain(value) for name, value in row.items()} for row in ROWS])
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_pandas_csv(path: Path) -> None:
    pd.DataFrame(ROWS).astype({"tokens": "Int64"}).to_csv(path, index=False)


def write_jsonl(path: Path) -> None:
    # Keys without a value are left out, and the order of the keys is another in every second line.
    lines = []
    for number, row in enumerate(ROWS):
        items = [(name, _plain(value)) for name, value in row.items() if value is not None]
        lines.append(json.dumps(dict(items if number % 2 else items[::-1])))
    content = "\n\n".join(lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_parquet(path: Path) -> None:
    pq.write_table(
        pa.Table.from_pylist([{name: row.get(name) for name in COLUMNS} for row in ROWS]), path, row_group_size=2
    )


def write_dictionary_parquet(path: Path) -> None:
    table = pa.Table.from_pylist([{name: row.get(name) for name in COLUMNS} for row in ROWS])
    zoned = table.column("timestamp").cast(pa.timestamp("ns", "America/New_York"))
    table = table.set_column(table.schema.get_field_index("timestamp"), "timestamp", zoned)
    text = table.column("text").cast(pa.binary())
    table = table.set_column(table.schema.get_field_index("text"), "text", text)
    role = table.column("role").dictionary_encode()
    pq.write_table(table.set_column(table.schema.get_field_index("role"), "role", role), path)


WRITERS = {
    "gzipped.csv.gz": write_csv,
    "pandas.csv": write_pandas_csv,
    "lines.jsonl": write_jsonl,
    "packed.jsonl.gz": write_jsonl,
    "plain.parquet": write_parquet,
    "typed.parquet": write_dictionary_parquet,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_tables_that_csv_gives(folder, everything, name):
    write_csv(folder.path / "reference.csv")
    WRITERS[name](folder.path / name)

    reference = everything(folder.source("reference.csv"))
    found = everything(folder.source(name))

    # Content is the row as the file wrote it, detail may name the file: neither can be the same in all formats.
    but = ("source_file",)
    assert [day for day, *_ in found.tables(but)] == ["2024-03-01", "2024-03-03"]
    for (_, *expected), (_, *actual) in zip(reference.tables(but), found.tables(but), strict=True):
        assert actual[0].equals(expected[0])
        assert actual[1].drop(["content", "detail"]).equals(expected[1].drop(["content", "detail"]))
        assert actual[2:] == expected[2:]


def test_the_reference_rows_hold_every_kind_of_row(folder, everything):
    write_csv(folder.path / "reference.csv")

    found = everything(folder.source("reference.csv"))

    assert found.reasons == {
        3: "missing_text",
        4: "unknown_role",
        8: "conflicting_duplicate",
        9: "outside_partitions",
    }
    assert found.rows_read == len(ROWS)
    assert found.duplicates == 0
    assert [(row["text"], row["extra"]) for row in found.messages] == [
        ('Hi, "you"\nthere\r\n', '{"vip":"true"}'),
        ("", '{"note":"007","vip":"false"}'),
        (" \x00😀 ", None),
        (" \x00😀 ", None),
        ("other", '{"unreadable.tokens":"-1"}'),
    ]


def test_columns_that_differ_in_case_only_are_two_columns(folder, everything):
    found = folder.rows_of(
        "a.jsonl",
        json.dumps(
            {
                "conversation_id": "c",
                "role": "user",
                "text": "x",
                "Text": "y",
                "timestamp": 1704067200,
                "TEXT": {"b": [1]},
            }
        ),
    )

    assert [row["extra"] for row in found.messages] == ['{"TEXT":"{\\"b\\":[1]}","Text":"y"}']


def test_a_parquet_file_that_is_none_is_named(folder):
    folder.write("a.parquet", b"PAR1 not really")

    with pytest.raises(SourceError, match=r"a\.parquet: cannot be read as Parquet"):
        folder.source().days()
