"""Who uses a staging, and removing the stagings that nobody uses.

A staging is a folder with raw texts of the source, so it must not outlive its use: what a person deletes at the source
has to go from here too. Whoever reads a staging holds a shared lock on a file in it. The operating system drops the
lock with the process, however the process ends, so a staging is in use exactly as long as somebody can still read it.
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
"""How the names of folders begin that are being made or removed; no reader opens them."""
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
        """Let go of the staging."""
        os.close(self._descriptor)


def hold(folder: Path, finished: Path | None = None) -> StagingHold | None:
    """Hold a staging, so that nobody removes it.

    Args:
        folder: Where the staging is now.
        finished: Where it will be when it is finished, if that is another folder.

    Returns:
        The hold; None when the folder does not exist, or was removed at this moment.
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
    """The holds of one source: kept while at least one of its blocks runs. May be used from several threads.

    Args:
        on_release: Called when the last block has ended and its holds were released; not when it held nothing.
    """

    def __init__(self, on_release: Callable[[], None]) -> None:
        self._on_release = on_release
        self._guard = threading.Lock()
        self._blocks = 0
        self._kept: dict[Path, StagingHold] = {}
        self._current: Path | None = None

    @property
    def current(self) -> Path | None:
        """The staging that the running blocks speak of; None where they have not read any yet."""
        with self._guard:
            return self._current

    @contextmanager
    def block(self) -> Iterator[None]:
        """Keep what is held in the block until the block ends, and the blocks that it stands in."""
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
        """Whether a staging is held in a block that runs."""
        with self._guard:
            return folder in self._kept

    def keep(self, new: StagingHold | None) -> bool:
        """Keep a hold until the block ends; return whether there was one to keep."""
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
    """Tell whether nobody holds a staging; while the block runs, nobody can begin to."""
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
    """Remove the stagings of a folder that nobody holds.

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
            # Renamed before it is emptied: a process that dies here leaves no half of a staging under its name.
            leaving = stagings / f"{UNFINISHED}{uuid.uuid4().hex}"
            folder.rename(leaving)
        shutil.rmtree(leaving, ignore_errors=True)


def discard_unfinished(stagings: Path) -> None:
    """Remove what processes that were killed left half made; the caller sees to it that no process stages now."""
    for folder in _folders(stagings):
        if folder.name.startswith(UNFINISHED):
            shutil.rmtree(folder, ignore_errors=True)


def discard_other_sources(staging_dir: Path, source: str) -> None:
    """Remove the stagings that sources of other names left in a home and that nobody holds.

    Args:
        staging_dir: Folder with one folder of stagings for each source.
        source: Name of the source whose stagings stay.
    """
    for stagings in _folders(staging_dir):
        if stagings.name != source:
            discard(stagings)


def has_unfinished(stagings: Path) -> bool:
    """Tell whether a folder of stagings has some that are being made or removed, or were left half made."""
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
    """Tell whether an open lock file is the one of the folder, and not that of a folder which was removed."""
    try:
        return os.path.samestat(os.fstat(descriptor), (folder / _HOLD).stat())
    except FileNotFoundError:
        return False
