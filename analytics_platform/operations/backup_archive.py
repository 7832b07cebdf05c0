"""The folder of a backup: its files, its atomic appearance, and the detection of damage.

::

    SHA256SUMS                               hash of every other file; ``sha256sum -c SHA256SUMS`` checks them, too
    manifest.json                            versions, time, and rows, bytes and hash of each file
    mongo/<collection>.jsonl.gz              a document per line, MongoDB Extended JSON
    lake/<table>/data.parquet                a table of the lake, in the lake's format
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import gzip
import hashlib
import os
import re
import shutil
import time
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from analytics_platform.errors import UserError

FORMAT = "analytics-platform-backup"
FORMAT_VERSION = 1
MANIFEST, SUMS = "manifest.json", "SHA256SUMS"
_SUM = re.compile(r"([0-9a-f]{64})  (.+)")
_LOCKED_WITHIN_SECONDS = 60.0
_COMPRESSION = 6
_LONGEST_LINE = 512 * 1024 * 1024
"""Bytes; a document of MongoDB's 16 MB takes less in Extended JSON, and a damaged file must not fill the memory."""


class BackupError(UserError):
    """A backup cannot be written or used. The message names the folder or file, and the reason."""


@dataclass(frozen=True)
class Archive:
    """A backup whose every byte was verified.

    Attributes:
        path: The folder.
        created_at: When the backup began, ISO 8601, UTC.
        platform_version: The version of the platform that wrote it.
        rows: Number of documents or rows that the manifest states for each file, by its path within the folder.
        content_hashes: Hash of the content that the manifest states for each table, by the same path.
    """

    path: Path
    created_at: str
    platform_version: str
    rows: Mapping[str, int]
    content_hashes: Mapping[str, str]


@contextmanager
def staged_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder that is renamed to ``path`` when the block ends, and removed when the block raises.

    Folders that killed writers of the same path left behind are removed first.

    Raises:
        BackupError: If ``path`` exists, or its parent is not a folder.
    """
    if os.path.lexists(path):
        raise BackupError(f"{path}: exists; name a new folder, such as one with the date in its name")
    if not path.parent.is_dir():
        raise BackupError(f"{path}: {path.parent} is no folder; make it first")
    _remove_abandoned(path)
    staged = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    staged.mkdir(0o700)
    descriptor = os.open(staged, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # until the process ends: see _remove_abandoned
        yield staged
        _make_private_and_durable(staged)
        try:
            staged.rename(path)
        except OSError as error:
            raise BackupError(f"{path}: cannot be made ({error.strerror}); name a new folder") from error
        _sync(path.parent)
    finally:
        os.close(descriptor)
        shutil.rmtree(staged, ignore_errors=True)


def write_lines(path: Path, lines: Iterable[bytes]) -> int:
    """Write lines to a new gzip file, one at a time, and return their number."""
    count = 0
    path.parent.mkdir(0o700, exist_ok=True)
    with path.open("xb") as raw, gzip.GzipFile("", "wb", _COMPRESSION, raw, mtime=0) as file:
        for line in lines:
            file.write(line)
            count += 1
    return count


def read_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a gzip file, line ends included.

    Raises:
        BackupError: If the file is no whole gzip file, or a line has no end.
    """
    count = 0
    try:
        with gzip.open(path, "rb") as file:
            while line := file.readline(_LONGEST_LINE):
                count += 1
                if not line.endswith(b"\n"):
                    raise damaged(path, f"line {count:,} has no end")
                yield line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        reason = "cut off" if isinstance(error, EOFError) else str(error)
        raise damaged(path, f"no whole gzip file after line {count:,}: {reason}") from None


def damaged(file: Path, fault: str) -> BackupError:
    """Return the error about a file of a backup.

    Args:
        file: The file.
        fault: The place within the file, and the fault.
    """
    return BackupError(f"{file}: damaged backup ({fault}); nothing was restored, take another backup")


def seal(folder: Path, facts: Mapping[str, object], files: Mapping[str, Mapping[str, object]]) -> int:
    """Write the manifest and the sums over a folder's files, and return the total size in bytes.

    Args:
        folder: The folder with its complete files.
        facts: Entries of the manifest about the whole backup.
        files: Entries of the manifest about each file in addition to size and hash, by its path within the folder.
    """
    described = [
        {"path": name, **about, "bytes": (folder / name).stat().st_size, "sha256": _hash(folder / name)}
        for name, about in sorted(files.items())
    ]
    manifest = {"format": FORMAT, "format_version": FORMAT_VERSION, **facts, "files": described}
    (folder / MANIFEST).write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    lines = [f"{_hash(folder / name)}  {name}\n" for name in (MANIFEST, *sorted(files))]
    (folder / SUMS).write_text("".join(lines))
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def open_archive(path: Path, expected: Mapping[str, str]) -> Archive:
    """Verify the manifest of a backup, and every file against its hash; nothing is written.

    Args:
        path: The folder.
        expected: Name of the collection or table of each file that a backup may have, by the file's path within the
            folder.

    Raises:
        BackupError: If the folder is not a backup, has another format version, or is damaged.
    """
    sums = _read_sums(path)
    _verify(path, MANIFEST, sums)
    manifest = _read_manifest(path)
    files = _described_files(path / MANIFEST, manifest, expected)
    if files.keys() | {MANIFEST} != sums.keys():
        raise damaged(path, f"{MANIFEST} and {SUMS} name different files")
    for name in files:
        _verify(path, name, sums)
        for field, value in (("sha256", sums[name]), ("bytes", (path / name).stat().st_size)):
            if files[name][field] != value:
                raise damaged(path / MANIFEST, f"files, {name}: {field} is not the file's, {value}")
    rows = {name: file["rows"] for name, file in files.items()}
    hashes = {name: file["content_hash"] for name, file in files.items() if "content_hash" in file}
    return Archive(path, manifest["created_at"], manifest["platform_version"], rows, hashes)


def _described_files(path: Path, manifest: Mapping[str, Any], expected: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the manifest's entries about files, by path, after checking every field of the manifest."""
    _require_field(path, "created_at", _is_time(manifest.get("created_at")), "a time in ISO 8601")
    _require_field(path, "platform_version", isinstance(manifest.get("platform_version"), str), "a text")
    entries = manifest.get("files")
    if not isinstance(entries, list):
        raise damaged(path, "files must be a list")
    files: dict[str, dict[str, Any]] = {}
    for number, entry in enumerate(entries, 1):
        name = entry.get("path") if isinstance(entry, dict) else None
        if not isinstance(name, str) or name not in expected or name in files:
            raise damaged(path, f"files, entry {number}: path must name a file of a backup, and each file once")
        is_table = name.startswith("lake/")
        for field, is_right, form in (
            ("name", entry.get("name") == expected[name], repr(expected[name])),
            ("kind", entry.get("kind") == ("table" if is_table else "collection"), "table or collection"),
            ("rows", _is_count(entry.get("rows")), "a number of rows"),
            ("bytes", _is_count(entry.get("bytes")), "a number of bytes"),
            ("sha256", isinstance(entry.get("sha256"), str), "a hash"),
            ("content_hash", isinstance(entry.get("content_hash"), str) == is_table, "the hash of a table's content"),
        ):
            _require_field(path, f"files, {name}: {field}", is_right, form)
        files[name] = entry
    return files


def _require_field(path: Path, field: str, is_right: bool, form: str) -> None:
    if not is_right:
        raise damaged(path, f"{field} must be {form}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and dt.datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _read_sums(path: Path) -> dict[str, str]:
    if not path.is_dir():
        raise BackupError(f"{path}: no backup (not a folder); name one that `analytics backup` made")
    if not (path / SUMS).is_file():
        raise BackupError(f"{path}: no backup, or an incomplete one ({SUMS} is missing)")
    try:
        lines = [_SUM.fullmatch(line) for line in (path / SUMS).read_text("utf-8").removesuffix("\n").split("\n")]
    except UnicodeDecodeError:
        lines = [None]
    sums = {match[2]: match[1] for match in lines if match}
    if len(sums) != len(lines) or MANIFEST not in sums:
        raise BackupError(f"{path / SUMS}: damaged, or of no backup of this platform")
    return sums


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = orjson.loads((path / MANIFEST).read_bytes())
    except orjson.JSONDecodeError:
        manifest = None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BackupError(f"{path / MANIFEST}: of no backup of this platform (format is not {FORMAT!r})")
    if manifest.get("format_version") != FORMAT_VERSION:
        raise BackupError(
            f"{path / MANIFEST}: format_version {manifest.get('format_version')!r}, this platform reads "
            f"{FORMAT_VERSION}; restore it with platform version {manifest.get('platform_version')!r}"
        )
    return manifest


def _verify(path: Path, name: str, sums: Mapping[str, str]) -> None:
    file = path / name
    if file.is_symlink() or not file.is_file():
        raise damaged(file, "the file is missing")
    if _hash(file) != sums[name]:
        raise damaged(file, f"its SHA-256 is not the one in {SUMS}")


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _make_private_and_durable(folder: Path) -> None:
    """Restrict all files of a folder to their owner, and flush them to the disk before the final rename."""
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o700 if path.is_dir() else 0o600)
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_abandoned(path: Path) -> None:
    """Remove folders that killed writers of ``path`` left behind. A running writer holds a lock on its folder."""
    form = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{32}}\.tmp")
    for folder in (entry for entry in path.parent.iterdir() if form.fullmatch(entry.name)):
        with contextlib.suppress(OSError):  # locked, another user's, or gone meanwhile
            if folder.is_symlink() or folder.stat().st_mtime > time.time() - _LOCKED_WITHIN_SECONDS:
                continue  # its writer may be about to lock it
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(descriptor)
