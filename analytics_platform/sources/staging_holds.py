"""Holds on stagings, and removal of the stagings that no process holds.

A staging is a folder with raw texts of the source, so it must not outlive its use: texts that a person deletes at the
source must disappear here, too. A reader of a staging holds a shared lock on a file in it. The operating system
releases the lock when the process ends, however it ends, so a staging counts as used exactly while a process can still
read it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

UNFINISHED = ".unfinished-"
"""Prefix of folders that are being made or removed; no reader opens these folders."""
_HOLD = "hold.lock"


class StagingHold:
    """A shared lock on one staging.

    Attributes:
        folder: The staging.
    """

    def __init__(self, folder: Path, descriptor: int) -> None:
        self.folder = folder
        self._descriptor = descriptor

    def release(self) -> None:
        """Release the shared lock on the staging."""
        os.close(self._descriptor)


def hold(folder: Path, finished: Path | None = None) -> StagingHold | None:
    """Hold a staging, so that no process removes it.

    Args:
        folder: The staging's folder now.
        finished: The staging's final folder, if another one.

    Returns:
        The hold; None when the folder does not exist, or was removed meanwhile.
    """
    descriptor = _open(folder)
    if descriptor is None:
        return None
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    if not _is_in(folder, descriptor):
        os.close(descriptor)
        return None
    return StagingHold(finished or folder, descriptor)


class Holds:
    """The holds of one source, kept while at least one of its blocks runs; safe to share between threads.

    Args:
        on_release: Called after the last block has ended and its holds were released; not called without any hold.
    """

    def __init__(self, on_release: Callable[[], None]) -> None:
        self._on_release = on_release
        self._guard = threading.Lock()
        self._blocks = 0
        self._kept: dict[Path, StagingHold] = {}
        self._current: Path | None = None

    @property
    def current(self) -> Path | None:
        """The staging that the running blocks read; None before the first read."""
        with self._guard:
            return self._current

    @contextmanager
    def block(self) -> Iterator[None]:
        """Keep the holds taken in the block until the outermost running block ends."""
        with self._guard:
            self._blocks += 1
        try:
            yield
        finally:
            ended: dict[Path, StagingHold] = {}
            with self._guard:
                self._blocks -= 1
                if not self._blocks:
                    ended, self._kept = self._kept, ended
                    self._current = None
            for one in ended.values():
                one.release()
            if ended:
                self._on_release()

    def __contains__(self, folder: Path) -> bool:
        """Whether a running block holds a staging."""
        with self._guard:
            return folder in self._kept

    def keep(self, new: StagingHold | None) -> bool:
        """Keep a hold until the outermost running block ends; return whether ``new`` is a hold."""
        if new is None:
            return False
        with self._guard:
            kept = self._kept.setdefault(new.folder, new)
            self._current = new.folder
        if kept is not new:  # another thread was first
            new.release()
        return True


@contextmanager
def nobody_holds(folder: Path) -> Iterator[bool]:
    """Yield whether no process holds a staging; no process can take a hold during the block."""
    descriptor = _open(folder)
    if descriptor is None:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield _is_in(folder, descriptor)
    finally:
        os.close(descriptor)


def discard(stagings: Path, keep: Collection[Path] = ()) -> None:
    """Remove the stagings of a folder that no process holds.

    Args:
        stagings: Folder of the stagings; may be missing.
        keep: Stagings that stay, held or not.
    """
    for folder in _folders(stagings):
        if folder in keep or folder.name.startswith(UNFINISHED):
            continue
        with nobody_holds(folder) as unused:
            if not unused:
                continue
            # Renamed before it is emptied: a process that dies here leaves no partial staging under its name.
            leaving = stagings / f"{UNFINISHED}{uuid.uuid4().hex}"
            folder.rename(leaving)
        shutil.rmtree(leaving, ignore_errors=True)


def discard_unfinished(stagings: Path) -> None:
    """Remove unfinished stagings of killed processes; the caller ensures that no process is staging."""
    for folder in _folders(stagings):
        if folder.name.startswith(UNFINISHED):
            shutil.rmtree(folder, ignore_errors=True)


def discard_other_sources(staging_dir: Path, source: str) -> None:
    """Remove the stagings of sources with other names that no process holds.

    Args:
        staging_dir: Folder with one folder of stagings for each source.
        source: Name of the source whose stagings stay.
    """
    for stagings in _folders(staging_dir):
        if stagings.name != source:
            discard(stagings)


def has_unfinished(stagings: Path) -> bool:
    """Tell whether a folder contains stagings that are unfinished or being removed."""
    return any(folder.name.startswith(UNFINISHED) for folder in _folders(stagings))


def _folders(folder: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def _open(folder: Path) -> int | None:
    try:
        return os.open(folder / _HOLD, os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        return None


def _is_in(folder: Path, descriptor: int) -> bool:
    """Tell whether an open lock file is still the folder's lock file, and not one of a removed folder."""
    try:
        return os.path.samestat(os.fstat(descriptor), (folder / _HOLD).stat())
    except FileNotFoundError:
        return False
