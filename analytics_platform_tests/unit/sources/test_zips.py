"""Zips as programs write them: without a time, with a rare compression, encrypted, or under the name of a table."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.file_reading.file_rows import read_rows
from analytics_platform.sources.file_reading.locating import find_files
from analytics_platform.sources.mapping import FieldMapping

MESSAGES = "conversation_id,role,text,timestamp\n1,user,hello,2024-06-20T08:00:00Z\n"
LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"
FLAGS, METHOD, TIME = (6, 8), (8, 10), (10, 12)
"""Places of a field in the local header of a member, and in its entry of the central directory."""


def zip_with(name: str, content: str | bytes, field: tuple[int, int] = TIME, value: bytes = b"") -> bytes:
    """Return a zip of one member, with other bytes in one field of its two headers."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    written = bytearray(packed.getvalue())
    for header, place in zip((LOCAL, CENTRAL), field, strict=True):
        start = written.find(header) + place
        written[start : start + len(value)] = value
    return bytes(written)


def row_count(path: Path) -> int:
    return sum(len(rows.numbers) for file in find_files(str(path)) for _, rows in read_rows(file, FieldMapping()))


def test_a_member_without_a_time_is_read(tmp_path):
    """Go and streaming writers state month 0; it ended in a trace."""
    path = tmp_path / "export.zip"
    path.write_bytes(zip_with("chat.csv", MESSAGES, TIME, bytes(4)))

    (file,) = find_files(str(path))

    assert file.modified_ns == path.stat().st_mtime_ns
    assert row_count(path) == 1


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        (METHOD, struct.pack("<H", 9), r"cannot be read here \(.*\); unpack the zip, and name the folder$"),
        (FLAGS, b"\x01", "chat.csv: is encrypted; unpack the zip with its password, and name the folder$"),
    ],
    ids=["deflate64", "encrypted"],
)
def test_an_unreadable_member_is_refused_with_the_way_out(tmp_path, field, value, reason):
    """Deflate64, which Windows writes for large files, ended in a trace; copying an encrypted file again is no help."""
    path = tmp_path / "export.zip"
    path.write_bytes(zip_with("chat.csv", MESSAGES, field, value))

    with pytest.raises(SourceError, match=reason):
        row_count(path)


@pytest.mark.parametrize("name", ["export.csv", "export.json"])
def test_a_zip_with_the_ending_of_a_table_is_opened(tmp_path, name):
    """It was refused as a broken workbook."""
    path = tmp_path / name
    path.write_bytes(zip_with("chat.csv", MESSAGES))

    assert row_count(path) == 1
    assert row_count(tmp_path) == 1


def test_a_zip_with_nothing_but_a_zip_is_refused_as_such(tmp_path):
    path = tmp_path / "outer.zip"
    path.write_bytes(zip_with("inner.zip", zip_with("chat.csv", MESSAGES)))

    with pytest.raises(SourceError, match="has zips and no export in it; unpack it"):
        find_files(str(path))
