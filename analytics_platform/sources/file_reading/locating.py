"""Find the files of a source: paths, globs, folders and zips."""

from __future__ import annotations

import datetime as dt
import glob
import os
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.formats.content import ZIP, SourceFile, open_content
from analytics_platform.sources.formats.csv_dialect import SEPARATORS
from analytics_platform.sources.shapes.exports.line_chat import is_line_chat
from analytics_platform.sources.shapes.exports.whatsapp import is_whatsapp
from analytics_platform.system.permissions import find_blocked

VARIABLE = "ANALYTICS_SOURCE_PATH"

TABLES = (".csv", ".tsv", ".tab", ".txt")
JSON = (".json", ".jsonl", ".ndjson")
BOOKS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
SUFFIXES = (".parquet", *TABLES, *JSON, *BOOKS)
COMPRESSIONS = (".gz", ".zst")

_COMPANIONS = frozenset(
    {
        "user.json", "user_settings.json", "message_feedback.json", "model_comparisons.json",
        "shared_conversations.json", "conversation_asset_file_names.json", "chat.html",
        "sora.json", "shopping.json", "manifest.json", "export_manifest.json",
        "users.json", "projects.json", "memories.json",
        "channels.json", "dms.json", "groups.json", "mpims.json", "org_users.json", "canvases.json", "lists.json",
        "integration_logs.json", "huddle_transcripts.json", "file_conversations.json",
        "group_info.json", "user_info.json",
    }
)  # fmt: skip
"""Files of the exports of ChatGPT, Claude, Slack and Google Chat that contain no messages."""

_OF_FILE_SYSTEM = "lost+found"
"""Folder of root in each Linux file system, such as a mounted volume that is the source."""


_NAMED_LEFT_OUT = 20
"""Files that a sentence about left-out files names; further ones are counted."""


@dataclass(frozen=True)
class LeftOut:
    """Files of folders and zips that are not read.

    Attributes:
        files: The files: their names, or how many there are of each ending.
        reason: Why they are not read.
        count: Number of the files.
    """

    files: str
    reason: str
    count: int = 1


@dataclass(frozen=True)
class FoundFiles:
    """The files that paths name.

    Attributes:
        files: Files to read, without repeats.
        left_out: Files of the folders and zips that are not read.
    """

    files: list[SourceFile]
    left_out: list[LeftOut]


@dataclass(frozen=True)
class _Place:
    path: Path
    member: str | None = None
    size: int = field(default=0, compare=False)
    modified_ns: int = field(default=0, compare=False)
    is_named: bool = field(default=False, compare=False)

    @property
    def name(self) -> str:
        return PurePosixPath(self.member).name if self.member else self.path.name

    @property
    def whole(self) -> str:
        return f"{self.path}/{self.member}" if self.member else str(self.path)


def find_files(paths: str) -> list[SourceFile]:
    """Return the files of ``locate_files`` without the ones that are left out."""
    return locate_files(paths).files


def locate_files(paths: str) -> FoundFiles:
    """Return the files that ``paths`` names, without repeats: in the given order, and by name within a glob.

    Of a folder and of a zip, the files of known formats are taken, at any depth. Hidden files are left out without a
    word; ``left_out`` tells of the lists of users and channels that exports contain, and of other formats.

    Args:
        paths: Paths and globs (``**`` for any depth), separated by commas.

    Raises:
        SourceError: If ``paths`` is empty, a path or glob matches no file, a format is unknown, or this user may not
            read a file or folder.
    """
    found: dict[_Place, _Place] = {}
    for pattern in paths.split(","):
        for place in _matches(pattern.strip()) if pattern.strip() else []:
            if place.is_named or place not in found:
                found[place] = place
    if not found:
        raise SourceError(f"{VARIABLE}: names no file; give paths, folders or globs of {known_formats()}")
    read = [place for place in found.values() if place.is_named or _is_worth_reading(place)]
    labels = _labels(read)
    files = [_describe(place, labels[place]) for place in read]
    taken = set(read)
    return FoundFiles(files, list(_left_out([place for place in found if place not in taken])))


def _labels(places: list[_Place]) -> dict[_Place, str]:
    """Return the name of each file, of files of one name with the folders that tell them apart.

    Some exports have no other name for their conversation. A whole path would change with the place of the folder.
    """
    labels: dict[_Place, str] = {}
    by_name: dict[str, list[_Place]] = {}
    for place in places:
        by_name.setdefault(place.name, []).append(place)
    for same in by_name.values():
        parts = {place: PurePosixPath(place.whole).parts for place in same}
        lengths = range(1, max(map(len, parts.values())) + 1)
        told_apart = (length for length in lengths if len({parts[place][-length:] for place in same}) == len(same))
        length = next(told_apart, lengths[-1])
        labels |= {place: str(PurePosixPath(*parts[place][-length:])) for place in same}
    return labels


def _left_out(places: list[_Place]) -> Iterator[LeftOut]:
    companions = sorted(place.name for place in places if place.name in _COMPANIONS)
    if companions:
        more = len(companions) - _NAMED_LEFT_OUT
        named = ", ".join(companions[:_NAMED_LEFT_OUT]) + (f" and {more:,} more" if more > 0 else "")
        yield LeftOut(
            named, "belongs to an export of ChatGPT, Claude, Slack or Google Chat, and has no messages", len(companions)
        )
    others = Counter(
        PurePosixPath(place.name).suffix.lower() or place.name for place in places if place.name not in _COMPANIONS
    )
    if others:
        count = others.total()
        most_first = sorted(others.items(), key=lambda item: (-item[1], item[0]))
        endings = ", ".join(f"{number:,} {ending}" for ending, number in most_first[:_NAMED_LEFT_OUT])
        yield LeftOut(
            f"{count:,} further {'file' if count == 1 else 'files'} ({endings})",
            "of a folder and a zip, only tables, JSON and chats are read; name a file to read it",
            count,
        )


def known_formats() -> str:
    """Return the suffixes of all formats, as messages list them."""
    return f"{', '.join(SUFFIXES)}, each also as .gz or .zst, and .zip"


def _matches(pattern: str) -> list[_Place]:
    path = Path(pattern).expanduser()
    _require_readable(_before_wildcards(path))
    if path.is_dir():
        places = [place for file in sorted(path.rglob("*")) for place in _of_folder(file, path)]
        if not any(map(_is_worth_reading, places)):
            raise SourceError(f"{VARIABLE}: {pattern} is a folder without files of a known format: {known_formats()}")
        return places
    if path.is_file():
        return _opened(path)
    matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207  # absolute globs
    for match in matches:
        _require_readable(match)
    files = [match for match in matches if match.is_file()]
    if not files:
        for folder in _folders_of_glob(path):
            _require_readable(folder)
        raise SourceError(f"{VARIABLE}: {pattern} matches no file; check the path (seen from {Path.cwd()})")
    return [place for file in files for place in _opened(file)]


def _of_folder(file: Path, folder: Path) -> list[_Place]:
    parts = file.relative_to(folder).parts
    if any(_is_hidden(part) or part == _OF_FILE_SYSTEM for part in parts):
        return []
    may_matter = _may_hold_messages(file.name) or _is_zip(file)
    if may_matter or file.is_dir():
        _require_readable(file)
    if not file.is_file():
        return []
    return (_members(file) or [_Place(file)]) if _is_zip(file) else [_Place(file)]


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


def _opened(file: Path) -> list[_Place]:
    """Return a file that is named itself, or the members of a zip.

    Raises:
        SourceError: If no member of the zip can hold messages.
    """
    if not _is_zip(file):
        return [_Place(file, is_named=True)]
    places = _members(file)
    if not any(map(_is_worth_reading, places)):
        if any(place.name.lower().endswith(".zip") for place in places):
            raise SourceError(f"{VARIABLE}: {file} has zips and no export in it; unpack it, and name the folder")
        raise SourceError(f"{VARIABLE}: {file} has no file of a known format; these are: {known_formats()}")
    return places


def _members(file: Path) -> list[_Place]:
    """Return the members of a zip, sorted by name, without folders and hidden files."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = sorted(archive.infolist(), key=lambda one: one.filename)
    except (OSError, zipfile.BadZipFile) as error:
        raise SourceError(f"{VARIABLE}: {file} cannot be read as a zip ({error}); copy the file again") from None
    return [
        _member(file, member)
        for member in members
        if not member.is_dir() and not any(map(_is_hidden, PurePosixPath(member.filename).parts))
    ]


def _member(file: Path, member: zipfile.ZipInfo) -> _Place:
    try:
        modified_ns = int(dt.datetime(*member.date_time, tzinfo=dt.UTC).timestamp()) * 10**9
    except ValueError:  # programs that state no time write day 0 of month 0
        modified_ns = file.stat().st_mtime_ns
    return _Place(file, member.filename, member.file_size, modified_ns)


def _is_zip(file: Path) -> bool:
    """Tell whether a file is a zip by its name, or by its content if its name is that of a text or of JSON."""
    if file.name.lower().endswith(".zip"):
        return True
    if _suffix(file.name) not in (None, *TABLES, *JSON):
        return False
    try:
        with file.open("rb") as content:
            if content.read(len(ZIP)) != ZIP:
                return False
            with zipfile.ZipFile(content) as archive:
                return not _OF_WORKBOOKS & set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False  # reading the file says why


_OF_WORKBOOKS = frozenset({"[Content_Types].xml", "content.xml"})
"""Members of which each workbook, of Excel or OpenDocument, has one."""


def _is_hidden(part: str) -> bool:
    """Tell whether a part of a path is hidden, of an archive of macOS, or the lock of an open Office file."""
    return part.startswith((".", "__MACOSX", "~$"))


def _may_hold_messages(name: str) -> bool:
    """Tell whether a file of a folder or zip is worth reading; other texts than chats are most often notes."""
    suffix = _suffix(name)
    return (
        suffix is not None
        and name not in _COMPANIONS
        and (suffix != ".txt" or "chat" in name.lower() or name.startswith("[LINE]"))
    )


def _is_worth_reading(place: _Place) -> bool:
    """Tell whether a file of a folder or zip is worth reading, by its name, or as a text by its first lines."""
    return _may_hold_messages(place.name) or (_suffix(place.name) == ".txt" and _begins_like_messages(place))


def _begins_like_messages(place: _Place) -> bool:
    """Tell whether a text begins like a chat of WhatsApp or LINE, which phones name in their language, or like a table.

    The first two lines of a table have the same separator equally often, at least twice. Commas are none: notes have
    them, too.
    """
    file = SourceFile(place.path, place.name, ".txt", place.size, place.modified_ns, place.member)
    try:
        with open_content(file) as content:
            start = content.peek(_SNIFFED_BYTES)
    except SourceError:
        return False
    text = start.decode("utf-16" if start[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8", "replace")
    if is_whatsapp(text.encode()) or is_line_chat(text.encode()):
        return True
    lines = [line for line in text.splitlines() if line.strip()][:2]
    return len(lines) > 1 and any(
        lines[0].count(separator) == lines[1].count(separator) >= _FEWEST_SEPARATORS
        for separator in SEPARATORS
        if separator != ","
    )


_SNIFFED_BYTES, _FEWEST_SEPARATORS = 4096, 2


def _suffix(name: str) -> str | None:
    """Return the format that a file's name states, without the suffix of a compression; None for an unknown one."""
    plain = name.lower()
    for compression in COMPRESSIONS:
        plain = plain.removesuffix(compression)
    return next((suffix for suffix in SUFFIXES if plain.endswith(suffix)), None)


def _describe(place: _Place, label: str) -> SourceFile:
    suffix = _suffix(place.name) or ""  # only a file that is named itself may have another ending
    if place.member:
        return SourceFile(place.path, label, suffix, place.size, place.modified_ns, place.member, is_named=False)
    status = place.path.stat()
    return SourceFile(place.path, label, suffix, status.st_size, status.st_mtime_ns, is_named=place.is_named)
