"""Zips as programs write them, and files whose ending says nothing, or that are packed in another way."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import struct
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.file_reading.file_rows import read_rows
from analytics_platform.sources.file_reading.locating import find_files
from analytics_platform.sources.formats import excel_rows
from analytics_platform.sources.formats.content import open_content
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


@pytest.mark.parametrize("name", ["export.csv", "export.json", "export", "export.bak"])
def test_a_zip_with_the_ending_of_a_table_is_opened(tmp_path, name):
    """It was refused as a broken workbook."""
    path = tmp_path / name
    path.write_bytes(zip_with("chat.csv", MESSAGES))

    assert row_count(path) == 1


def test_a_zip_with_nothing_but_a_zip_is_refused_as_such(tmp_path):
    path = tmp_path / "outer.zip"
    path.write_bytes(zip_with("inner.zip", zip_with("chat.csv", MESSAGES)))

    with pytest.raises(SourceError, match="has zips and no export in it; unpack it"):
        find_files(str(path))


@pytest.mark.parametrize("name", ["chat.log", "messages", "export.csv.bak", "export.csv.1"])
@pytest.mark.parametrize("kind", ["csv", "lines", "array"])
def test_a_named_file_is_read_by_its_content_whatever_its_ending(tmp_path, name, kind):
    """The docs say that the content decides; other endings were refused as no known format."""
    record = {"conversation_id": "1", "role": "user", "text": "hello", "timestamp": "2024-06-20T08:00:00Z"}
    lines = {"csv": MESSAGES, "lines": f"{json.dumps(record)}\n", "array": json.dumps([record], indent=1)}
    path = tmp_path / name
    path.write_text(lines[kind])

    assert row_count(path) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (bz2.compress(MESSAGES.encode() * 50), "is packed with bzip2; unpack it with `bunzip2`"),
        (lzma.compress(MESSAGES.encode() * 50), "is packed with xz; unpack it with `unxz`"),
        (MESSAGES.encode("utf-32"), "is UTF-32; save it as UTF-8"),
        (b'<?xml version="1.0"?><tickets><ticket/></tickets>', "is XML; export as CSV or JSON"),
        (b"Dear team\nhere are my notes.\n", "neither a table nor a chat of WhatsApp"),
    ],
    ids=["bzip2", "xz", "UTF-32", "XML", "notes"],
)
@pytest.mark.parametrize("name", ["export", "export.bin"])
def test_a_file_of_another_kind_is_refused_by_what_it_is(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(SourceError, match=reason):
        row_count(tmp_path / name)


@pytest.mark.parametrize("stated", [None, 1000], ids=["honest", "lying"])
def test_a_workbook_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch, stated):
    """A workbook is unpacked into memory as a whole, whatever its size."""
    monkeypatch.setattr(excel_rows, "MOST_BYTES", 1 << 20)
    content = zip_with("[Content_Types].xml", bytes(5 << 20))
    if stated is not None:
        content = content.replace(struct.pack("<I", 5 << 20), struct.pack("<I", stated))
    path = tmp_path / "bomb.xlsx"
    path.write_bytes(content)

    with pytest.raises(SourceError, match=r"the most is 1 MB|cannot be read as a workbook .*; open it in Excel"):
        row_count(path)


def test_an_error_of_the_reader_is_not_told_as_one_of_the_file(tmp_path):
    """A full disk beside the file was told as a damaged file, to be copied again."""
    path = tmp_path / "a.csv"
    path.write_text(MESSAGES)
    (file,) = find_files(str(path))

    with pytest.raises(OSError, match="No space left on device"), open_content(file):
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("name", ["cut.csv.gz", "cut.csv.zst"])
def test_a_packed_file_that_ends_early_is_told_with_its_name(tmp_path, name):
    packed = gzip.compress(MESSAGES.encode() * 9999)
    if name.endswith(".zst"):
        packed = pa.compress(MESSAGES.encode() * 9999, "zstd", asbytes=True)
    (tmp_path / name).write_bytes(packed[: len(packed) // 2])

    with pytest.raises(SourceError, match=f"{name}: cannot be read to its end"):
        row_count(tmp_path / name)
