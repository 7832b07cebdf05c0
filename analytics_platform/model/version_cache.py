"""Keeps code versions from one process to the next, beside the bytecode that Python keeps, and by Python's own rule.

Computing the versions reads every module of the package, a fifth of the time in which a command starts. Kept versions
count as long as the version of Python and the name, time and size of every file of the package are the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

_FILE = Path("__pycache__") / "code_versions.json"


class VersionCache:
    """The code versions of one package; without a writable folder for them, nothing is kept.

    Args:
        root: Folder of the package.
    """

    def __init__(self, root: Path) -> None:
        self._file = root / _FILE
        self._state = _state(root)
        self._versions: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # no file, or not one of this module
            kept = json.loads(self._file.read_bytes())
            self._versions = dict(kept["versions"]) if kept["state"] == self._state else {}

    def get(self, key: str) -> str | None:
        """Return the kept version; None if there is none."""
        return self._versions.get(key)

    def put(self, key: str, version: str) -> None:
        """Keep a version, unless Python is told to write no bytecode."""
        self._versions[key] = version
        if sys.dont_write_bytecode:
            return
        staged = self._file.with_name(f".{uuid.uuid4().hex}.tmp")
        with contextlib.suppress(OSError):  # a folder that belongs to somebody else
            self._file.parent.mkdir(exist_ok=True)
            staged.write_text(json.dumps({"state": self._state, "versions": self._versions}))
            staged.replace(self._file)


def _state(root: Path) -> str:
    """Return a hash of Python's version and of the name, time and size of every file below a folder."""
    digest = hashlib.sha256(sys.version.encode())
    for line in sorted(_files(root, "")):
        digest.update(line.encode())
    return digest.hexdigest()


def _files(folder: Path, place: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                if entry.name != _FILE.parent.name:
                    yield from _files(folder / entry.name, f"{place}{entry.name}/")
                continue
            with contextlib.suppress(FileNotFoundError):  # a link to nothing, as editors leave it
                found = entry.stat()
                yield f"{place}{entry.name}\x1f{found.st_mtime_ns}\x1f{found.st_size}\x1e"
