"""The store of report pages: each partition is one HTML file, with a small provenance record beside it.

People and mail programs open the files, so each file contains only the page. The page is replaced first, its record
second: if a process dies in between, the record does not match the page, and the page is written again.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from analytics_platform.errors import UserError
from analytics_platform.files import remove_staged, write_atomically
from analytics_platform.model.table import KIND_SEPARATOR
from analytics_platform.model.tables.operational_tables import REPORT_PAGES
from analytics_platform.storage.partitions import PATH, PartitionInfo
from analytics_platform.storage.provenance import FILE, STORED_FIELD, Provenance, short_hash

PAGE = "page"
"""The column of ``REPORT_PAGES`` that holds a page's HTML."""


class PageStoreError(UserError):
    """A page cannot be read, or was changed after it was written; the message names the file."""


@dataclass(frozen=True)
class PageStore:
    """Pages as files ``FOLDER/KIND/DAY.html``; safe to share between threads.

    The ``name`` argument of a method is a table of one kind of ``REPORT_PAGES``, such as ``report_pages/daily``.

    Args:
        folder: Folder of the pages; created when the first page is written.
    """

    folder: Path

    def path(self, name: str, key: str) -> Path:
        """Return the path of a partition's page; the page need not be stored.

        Raises:
            ValueError: If the name has no kind, or the key is not a day ``YYYY-MM-DD``.
        """
        return self._folder(name) / f"{dt.date.fromisoformat(key).isoformat()}.html"

    def keys(self, name: str) -> list[str]:
        """Return the keys of the stored pages, ascending; a page without a record does not count as stored.

        Raises:
            PageStoreError: If the folder cannot be read.
        """
        try:
            pages = [path.stem for path in self._folder(name).glob("*.html")]
            return sorted(key for key in pages if _is_day(key) and _record_of(self.path(name, key)).exists())
        except OSError as error:
            raise PageStoreError(f"{self._folder(name)} cannot be read: {error.strerror}") from error

    def info(self, name: str, key: str) -> PartitionInfo | None:
        """Return the info of a page, or None when the page is not stored.

        If a person or another program changed the file, the content hash is the changed file's, and the provenance has
        a further part, a hash of the file, so that the page counts as stale.

        Raises:
            PageStoreError: If the page or its record cannot be read.
        """
        path = self.path(name, key)
        content, record = _read(path), _parsed(_read(_record_of(path)))
        if content is None or record is None:
            return None
        actual = _hash(content)
        provenance = Provenance.parse(record.provenance)
        if actual != record.content_hash:
            provenance = Provenance.of({**provenance.parts, FILE: short_hash(actual)})
        annotations = {**record.annotations, PATH: str(path)}
        return PartitionInfo(key, 1, len(content), actual, provenance.text(), annotations)

    def read(self, name: str, key: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a page as a table of one row, or some of its columns.

        Raises:
            KeyError: If the page is not stored.
            PageStoreError: If the page cannot be read, or was changed after it was written.
        """
        path = self.path(name, key)
        content, record = _read(path), _parsed(_read(_record_of(path)))
        if content is None or record is None:
            raise KeyError(f"{name} has no partition {key!r}; materialize it first")
        if _hash(content) != record.content_hash:
            raise PageStoreError(f"{path} was changed after it was written; `analytics run` writes it anew")
        row = {"kind": _kind(name), "date": dt.date.fromisoformat(key), PAGE: content.decode()}
        table = REPORT_PAGES.from_rows([row])
        return table if columns is None else table.select(list(columns))

    def write(
        self, name: str, key: str, table: pa.Table, provenance: str, annotations: Mapping[str, str] | None = None
    ) -> PartitionInfo:
        """Replace a page atomically: a reader sees the whole old page or the whole new one.

        Args:
            name: The table of this kind of page.
            key: The day, ``YYYY-MM-DD``.
            table: One row of ``REPORT_PAGES``.
            provenance: Provenance of the page, as ``Provenance.text`` returns it.
            annotations: Further facts to keep in the record.

        Raises:
            ValueError: If the table is not one page of this kind and day.
            DiskFullError: If the disk has no space for the page.
            OSError: If the page cannot be written for another reason.
        """
        path = self.path(name, key)
        rows = table.to_pylist()
        if [(row["kind"], str(row["date"])) for row in rows] != [(_kind(name), key)]:
            raise ValueError(f"{name}, partition {key!r}: expected one page of this kind and day, not {len(rows)} rows")
        content = rows[0][PAGE].encode()
        record = _Record(_hash(content), provenance, dict(annotations or {}))
        write_atomically(path, content)
        write_atomically(_record_of(path), record.as_json())
        annotations = {**record.annotations, PATH: str(path)}
        return PartitionInfo(key, 1, len(content), record.content_hash, provenance, annotations)

    def sweep(self, older_than_seconds: float) -> int:
        """Remove staged files that killed writers left; return the number of files removed.

        Args:
            older_than_seconds: See ``files.remove_staged``.
        """
        kinds = [path for path in self.folder.glob("*") if path.is_dir() and not path.is_symlink()]
        return remove_staged([self.folder, *kinds], older_than_seconds)

    def _folder(self, name: str) -> Path:
        return self.folder / _kind(name)


@dataclass(frozen=True)
class _Record:
    """Content of the file beside a page: the page's hash, provenance and annotations."""

    content_hash: str
    provenance: str
    annotations: dict[str, str]

    def as_json(self) -> bytes:
        """Return the text of the file."""
        fields = {
            "content_hash": self.content_hash,
            STORED_FIELD: self.provenance,
            "annotations": self.annotations,
        }
        return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)


def _kind(name: str) -> str:
    _, separator, kind = name.partition(KIND_SEPARATOR)
    if not separator or not kind or KIND_SEPARATOR in kind or kind.startswith("."):
        raise ValueError(f"{name!r} names no kind of page; expected a name like report_pages/daily")
    return kind


def _is_day(key: str) -> bool:
    try:
        return dt.date.fromisoformat(key).isoformat() == key
    except ValueError:
        return False


def _record_of(path: Path) -> Path:
    return path.with_name(f".{path.stem}.json")


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PageStoreError(f"{path} cannot be read: {error.strerror}") from error


def _parsed(text: bytes | None) -> _Record | None:
    """Return the record; None when the file is missing or damaged."""
    try:
        fields: Any = orjson.loads(text or b"null")
        record = _Record(fields["content_hash"], fields[STORED_FIELD], dict(fields["annotations"]))
    except (ValueError, TypeError, KeyError):
        return None
    return record if isinstance(record.content_hash, str) and isinstance(record.provenance, str) else None


def _hash(content: bytes) -> str:
    """Return the SHA-256 of a page as 64 hexadecimal digits, as ``sha256sum`` prints it."""
    return hashlib.sha256(content).hexdigest()
