"""Find the files of a source: paths, globs, folders and zips."""

from __future__ import annotations

import datetime as dt
import glob
import os
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.formats.content import SourceFile
from analytics_platform.system.permissions import find_blocked

VARIABLE = "ANALYTICS_SOURCE_PATH"

TABLES = (".csv", ".tsv", ".tab", ".txt")
JSON = (".json", ".jsonl", ".ndjson")
BOOKS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
SUFFIXES = (".parquet", *TABLES, *JSON, *BOOKS)
COMPRESSIONS = (".gz", ".zst")

_COMPANIONS = frozenset(
    {
        "users.json", "user.json", "channels.json", "dms.json", "groups.json", "mpims.json", "canvases.json",
        "integration_logs.json", "message_feedback.json", "model_comparisons.json", "shared_conversations.json",
        "projects.json", "memories.json", "user_settings.json", "sora.json", "shopping.json", "manifest.json",
    }
)  # fmt: skip
"""Files of Slack, ChatGPT and Claude exports that contain no messages."""

_OF_FILE_SYSTEM = "lost+found"
"""Folder of root in each Linux file system, such as a mounted volume that is the source."""

_CONVERSATIONS = re.compile(r"conversations(?:-\d+)?\.json")


@dataclass(frozen=True)
class _Place:
    path: Path
    member: str | None = None
    size: int = field(default=0, compare=False)
    modified_ns: int = field(default=0, compare=False)

    @property
    def name(self) -> str:
        return PurePosixPath(self.member).name if self.member else self.path.name

    @property
    def folder(self) -> str:
        return str(PurePosixPath(self.whole).parent)

    @property
    def whole(self) -> str:
        return f"{self.path}/{self.member}" if self.member else str(self.path)


def find_files(paths: str) -> list[SourceFile]:
    """Return the files that ``paths`` names, without repeats: in the given order, and by name within a glob.

    Of a folder and of a zip, the files of known formats are taken, at any depth; hidden files, and the lists of users
    and channels that exports contain, are left out.

    Args:
        paths: Paths and globs (``**`` for any depth), separated by commas.

    Raises:
        SourceError: If ``paths`` is empty, a path or glob matches no file, a format is unknown, or this user may not
            read a file or folder.
    """
    found = dict.fromkeys(
        place for pattern in paths.split(",") if pattern.strip() for place in _matches(pattern.strip())
    )
    if not found:
        raise SourceError(f"{VARIABLE}: names no file; give paths, folders or globs of {known_formats()}")
    names = Counter(place.name for place in found)
    return [_describe(place, place.name if names[place.name] == 1 else place.whole) for place in found]


def known_formats() -> str:
    """Return the suffixes of all formats, as messages list them."""
    return f"{', '.join(SUFFIXES)}, each also as .gz or .zst, and .zip"


def _matches(pattern: str) -> list[_Place]:
    path = Path(pattern).expanduser()
    _require_readable(_before_wildcards(path))
    if path.is_dir():
        places = _without_strangers([place for file in sorted(path.rglob("*")) for place in _of_folder(file, path)])
        if not places:
            raise SourceError(f"{VARIABLE}: {pattern} is a folder without files of a known format: {known_formats()}")
        return places
    if path.is_file():
        return list(_opened(path))
    matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207  # absolute globs
    for match in matches:
        _require_readable(match)
    files = [match for match in matches if match.is_file()]
    if not files:
        for folder in _folders_of_glob(path):
            _require_readable(folder)
        raise SourceError(f"{VARIABLE}: {pattern} matches no file; check the path (seen from {Path.cwd()})")
    return [place for file in files for place in _opened(file)]


def _of_folder(file: Path, folder: Path) -> Iterator[_Place]:
    parts = file.relative_to(folder).parts
    if any(part.startswith(".") or part == _OF_FILE_SYSTEM for part in parts):
        return
    may_matter = _may_hold_messages(file.name) or _is_zip(file)
    if may_matter or file.is_dir():
        _require_readable(file)
    if may_matter and file.is_file():
        yield from _opened(file)


def _require_readable(path: Path) -> None:
    """Refuse a file or folder that this user may not read: it would be left out without a word."""
    if blocked := find_blocked(path):
        raise SourceError(f"{VARIABLE}: {blocked}")


def _before_wildcards(path: Path) -> Path:
    """Return the path itself, or for a glob its last folder before the first wildcard."""
    return path if not glob.has_magic(str(path)) else next(up for up in path.parents if not glob.has_magic(str(up)))


def _folders_of_glob(path: Path) -> Iterator[Path]:
    for folder in reversed(path.parents):
        for match in glob.iglob(str(folder), recursive=True):  # noqa: PTH207  # absolute globs
            if os.path.isdir(match):  # noqa: PTH112  # Path.is_dir raises in a folder without permission
                yield Path(match)


def _opened(file: Path) -> Iterator[_Place]:
    """Yield a file itself, or the members of a zip that can hold messages."""
    if not _is_zip(file):
        yield _Place(file)
        return
    try:
        with zipfile.ZipFile(file) as archive:
            members = [member for member in archive.infolist() if _holds_messages(member)]
    except (OSError, zipfile.BadZipFile) as error:
        raise SourceError(f"{VARIABLE}: {file} cannot be read as a zip ({error}); copy the file again") from None
    if not members:
        raise SourceError(f"{VARIABLE}: {file} has no file of a known format; these are: {known_formats()}")
    yield from _without_strangers([_member(file, member) for member in sorted(members, key=lambda one: one.filename)])


def _member(file: Path, member: zipfile.ZipInfo) -> _Place:
    modified = dt.datetime(*member.date_time, tzinfo=dt.UTC)
    return _Place(file, member.filename, member.file_size, int(modified.timestamp()) * 10**9)


def _without_strangers(places: list[_Place]) -> list[_Place]:
    """Return the places without other files beside the conversations of ChatGPT and Claude, which have no messages."""
    exports = {place.folder for place in places if _CONVERSATIONS.fullmatch(place.name)}
    return [place for place in places if place.folder not in exports or _CONVERSATIONS.fullmatch(place.name)]


def _is_zip(file: Path) -> bool:
    return file.name.lower().endswith(".zip")


def _holds_messages(member: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(member.filename)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not member.is_dir() and not hidden and _may_hold_messages(path.name)


def _may_hold_messages(name: str) -> bool:
    """Tell whether a file of a folder or zip is worth reading; other texts than chats are most often notes."""
    suffix = _suffix(name)
    return suffix is not None and name not in _COMPANIONS and (suffix != ".txt" or "chat" in name.lower())


def _suffix(name: str) -> str | None:
    """Return the format that a file's name states, without the suffix of a compression; None for an unknown one."""
    plain = name.lower()
    for compression in COMPRESSIONS:
        plain = plain.removesuffix(compression)
    return next((suffix for suffix in SUFFIXES if plain.endswith(suffix)), None)


def _describe(place: _Place, label: str) -> SourceFile:
    suffix = _suffix(place.name)
    if suffix is None:
        raise SourceError(f"{VARIABLE}: {place.path} is of no known format; these are: {known_formats()}")
    if place.member:
        return SourceFile(place.path, label, suffix, place.size, place.modified_ns, place.member)
    status = place.path.stat()
    return SourceFile(place.path, label, suffix, status.st_size, status.st_mtime_ns)
