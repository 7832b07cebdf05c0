"""Refuse files of formats that are not read, each with the command that makes one of them that is."""

from __future__ import annotations

import codecs
import re

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.file_reading.locating import JSON
from analytics_platform.sources.formats.content import SourceFile
from analytics_platform.sources.formats.csv_dialect import CsvDialect, recognise_dialect

_ARCHIVES = {
    b"BZh": ("packed with bzip2", "bunzip2"),
    b"\xfd7zXZ": ("packed with xz", "unxz"),
    b"7z\xbc\xaf": ("a 7-Zip archive", "7z x"),
    b"Rar!": ("a RAR archive", "unrar x"),
}
"""First bytes of packed files that are not read, what they are, and the command that unpacks them."""


def refuse_other_format(start: bytes, file: SourceFile) -> None:
    """Refuse a file whose first bytes are those of a format that is not read.

    Raises:
        SourceError: Naming the format, and what to do.
    """
    if start[257:262] == b"ustar":
        raise SourceError(f"{file.place}: is a tar archive; unpack it with `tar -xf`, and name the folder")
    for beginning, (kind, command) in _ARCHIVES.items():
        if start.startswith(beginning):
            raise SourceError(f"{file.place}: is {kind}; unpack it with `{command}`, and name what comes out")
    if start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise SourceError(f"{file.place}: is UTF-32; save it as UTF-8")


_CONTROLS = tuple(bytes([code]) for code in (*range(9), *range(14, 27), *range(28, 32)))
"""Control characters that no text has, except by a fault."""
_FEWEST_CONTROLS, _MOST_CONTROLS = 16, 0.05


_WEB_PAGE = (b"<!doctype html", b"<html", b"<table", b"<meta ", b"<head", b"<body", b"<style")
_SQL_STARTS = (
    b"--", b"/*", b"create ", b"insert into", b"drop ", b"begin;", b"begin transaction", b"set ", b"pragma ", b"use ",
    b"copy ", b"start transaction", b"replace into",
)  # fmt: skip
_SQL = re.compile(
    rb"^\s*(?:(?:insert|replace)\s+into\s+\S+\s*(?:\(|values\b|select\b)|create\s+table\s|copy\s+\S.*\sfrom\s+stdin)",
    re.IGNORECASE | re.MULTILINE,
)


_EXPORTS = (
    "`sqlite3 -csv -header FILE 'SELECT * FROM messages'`, `psql --csv -c 'SELECT * FROM messages'` or "
    "`mysql --batch -e 'SELECT * FROM messages'`"
)


def is_web_page(sample: bytes) -> bool:
    """Tell whether a text is HTML, as some programs write what they call a workbook."""
    return sample.lstrip()[:200].lower().startswith(_WEB_PAGE)


def refuse_web_page(file: SourceFile) -> None:
    """Refuse a web page without a table of messages.

    Raises:
        SourceError: Always.
    """
    raise SourceError(
        f"{file.place}: is a web page (HTML), no export of messages: none of its tables has their columns; export as "
        "CSV or JSON, and a workbook that was saved as a web page as .xlsx"
    )


def refuse_other_text(sample: bytes, file: SourceFile) -> None:
    """Refuse a text that is no table: a dump of a database, XML, a pointer of Git LFS, or the bytes of another format.

    Raises:
        SourceError: Naming what it is, and what to do.
    """
    start = sample.lstrip()[:200].lower()
    if start.startswith(_SQL_STARTS) and _SQL.search(sample):
        raise SourceError(
            f"{file.place}: is a dump of a database (SQL); export the table of messages, e.g. by {_EXPORTS}"
        )
    if start.startswith(b"<?xml"):
        raise SourceError(f"{file.place}: is XML; export as CSV or JSON")
    if start.startswith(b"version https://git-lfs"):
        raise SourceError(f"{file.place}: is a pointer of Git LFS, without the content; run `git lfs pull`")
    controls = sum(map(sample[:4096].count, _CONTROLS))
    if controls >= _FEWEST_CONTROLS and controls > len(sample[:4096]) * _MOST_CONTROLS:
        raise SourceError(f"{file.place}: is no text, no workbook and no Parquet; export as CSV or JSON")
    if start.startswith(b"%pdf"):
        raise SourceError(f"{file.place}: is a PDF, no export of messages; export as CSV or JSON")
    if file.suffix in JSON and sample and len(header_of(sample, recognise_dialect(sample))) < 2:
        line = sample.splitlines()[0][:60].decode("utf-8", "replace")
        raise SourceError(f"{file.place}: is neither JSON nor a table (it begins with {line!r}); check the export")


def header_of(sample: bytes, dialect: CsvDialect) -> list[str]:
    """Return the cells of the line that names the columns."""
    lines = sample.decode("utf-8", "replace").splitlines()[dialect.skipped_lines :]
    header = next((line for line in lines if line.strip()), "")
    return header.split(dialect.separator)
