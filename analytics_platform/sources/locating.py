"""Find the files of a source, and read one file in the format of its suffix."""

from __future__ import annotations

import glob
import gzip
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.csv_rows import read_csv
from analytics_platform.sources.json_rows import read_jsonl
from analytics_platform.sources.parquet_rows import read_parquet
from analytics_platform.sources.rows import Rows

VARIABLE = "ANALYTICS_SOURCE_PATH"

READERS: dict[str, Callable[[BinaryIO, str], Iterator[Rows]]] = {
    ".parquet": read_parquet,
    ".csv": read_csv,
    ".csv.gz": read_csv,
    ".jsonl": read_jsonl,
    ".jsonl.gz": read_jsonl,
}


@dataclass(frozen=True)
class SourceFile:
    """One file of a source.

    Attributes:
        path: Path of the file.
        label: Name stored with the file's rows: the file name, or the path when another file has the same name.
        suffix: Format of the file, a key of ``READERS``.
        size: Size in bytes.
        modified_ns: Time of the last change, in ns since the epoch.
    """

    path: Path
    label: str
    suffix: str
    size: int
    modified_ns: int


def find_files(paths: str) -> list[SourceFile]:
    """Return the files that ``paths`` names, without repeats: in the given order, and by name within a glob.

    Args:
        paths: Paths and globs (``**`` for any depth), separated by commas.

    Raises:
        SourceError: If ``paths`` is empty, a path or glob matches no file, or a format is unknown.
    """
    found = dict.fromkeys(path for pattern in paths.split(",") if pattern.strip() for path in _matches(pattern.strip()))
    if not found:
        raise SourceError(f"{VARIABLE}: names no file; give paths or globs of {_known_formats()}")
    names = Counter(path.name for path in found)
    return [_describe(path, path.name if names[path.name] == 1 else str(path)) for path in found]


def read_rows(file: SourceFile) -> Iterator[Rows]:
    """Yield the rows of a file, batch by batch, in order.

    Raises:
        SourceError: If the file cannot be opened or read to its end.
    """
    try:
        with file.path.open("rb") as raw:
            if file.suffix.endswith(".gz"):
                with gzip.open(raw) as unpacked:
                    yield from READERS[file.suffix](cast("BinaryIO", unpacked), str(file.path))
            else:
                yield from READERS[file.suffix](raw, str(file.path))
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{file.path}: cannot be read to its end ({error}); copy the file again") from error


def _matches(pattern: str) -> list[Path]:
    path = Path(pattern).expanduser()
    if path.is_dir():
        raise SourceError(f"{VARIABLE}: {pattern} is a folder; name its files, e.g. {pattern.rstrip('/')}/*.csv")
    if path.is_file():
        return [path]
    matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207  # absolute globs
    files = [match for match in matches if match.is_file()]
    if not files:
        raise SourceError(f"{VARIABLE}: {pattern} matches no file; check the path (seen from {Path.cwd()})")
    return files


def _describe(path: Path, label: str) -> SourceFile:
    suffix = next((suffix for suffix in READERS if path.name.lower().endswith(suffix)), None)
    if suffix is None:
        raise SourceError(f"{VARIABLE}: {path} is of no known format; these are: {_known_formats()}")
    status = path.stat()
    return SourceFile(path, label, suffix, status.st_size, status.st_mtime_ns)


def _known_formats() -> str:
    return ", ".join(READERS)
