"""The home folder: readable for its owner, or also for its group, and never for other users."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Literal

from analytics_platform.errors import UserError

Access = Literal["private", "group"]
"""Who may read the home: its owner alone (``private``) or also its group (``group``). Only the owner writes."""


class PlaceError(UserError):
    """A place that the platform writes to is not a folder, or cannot be made or written."""


MARKER = ".analytics-home"
"""File in a home that the platform made itself. The platform changes the permissions only of a home with this file."""
_MODES: dict[Access, int] = {"private": 0o700, "group": 0o750}
_opened: dict[Path, tuple[int, int]] = {}
"""Device and inode of each folder of the home that this process uses."""


class HomeRemovedError(UserError):
    """The home, or a folder in it, was removed or replaced while this process worked in it.

    Args:
        folder: The folder that was removed or replaced.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder}: removed or replaced while the command was working in it; run again to go on")


def require_folder(variable: str, folder: Path, *, writable: bool = True) -> None:
    """Refuse a place that is not a folder and cannot become one. Makes nothing.

    Args:
        variable: The setting that names the place.
        folder: The place; it may be missing.
        writable: Refuse also a place that this process may not write to.

    Raises:
        PlaceError: If the place cannot be used; names the setting and the place.
    """
    existing = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not existing.is_dir():
        raise PlaceError(f"{variable}: {existing} is no folder; name another place than {folder}")
    if writable and not os.access(existing, os.W_OK | os.X_OK):
        raise PlaceError(f"{variable}: this user may not write to {existing}; name another place than {folder}")


def restrict_new_files(access: Access) -> None:
    """Set the umask so that files of this process and its children are private, or readable for the group at most.

    The entry point of each process calls this function.
    """
    os.umask(0o777 & ~_MODES[access])


def open_home(folder: Path, access: Access) -> None:
    """Make the home if it is missing, and restrict the permissions of the home and of all later files of this process.

    A folder that existed before, such as ``/tmp`` or a mounted volume, keeps its permissions; ``too_open`` warns of
    them.

    Args:
        folder: The home.
        access: Who may read the home.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    restrict_new_files(access)
    mode = _MODES[access]
    try:
        folder.mkdir(mode)
    except FileExistsError:
        pass
    else:
        (folder / MARKER).write_text("This folder was made by conversation analytics, which keeps others out of it.\n")
    if (folder / MARKER).is_file() and _permissions(folder) != mode:
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) & ~0o777 | mode)
    remember_folder(folder)


def remember_folder(folder: Path) -> None:
    """Remember a folder that this process uses, so that ``find_removed`` can notice its removal."""
    _opened[folder] = _identity(folder)


def find_removed(home: Path) -> HomeRemovedError | None:
    """Return the error for the first remembered folder of the home that was removed or replaced; None if all exist.

    Libraries report a removed home in many ways, such as SQLite's "unable to open database file". A caller that meets
    any error asks this function whether a removed home is the cause.
    """
    below = {folder: then for folder, then in _opened.items() if folder.is_relative_to(home)}
    return next((HomeRemovedError(folder) for folder, then in below.items() if _is_gone(folder, then)), None)


def _is_gone(folder: Path, then: tuple[int, int]) -> bool:
    try:
        return _identity(folder) != then
    except OSError:
        return True


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def too_open(folder: Path, access: Access) -> str | None:
    """Say how to close a home that other users may read; None if they may not, or if the home does not exist."""
    if not folder.exists() or not _permissions(folder) & ~_MODES[access] & 0o077:
        return None
    return f"other users of this machine may read it (mode {_permissions(folder):o}): chmod {_MODES[access]:o} {folder}"


def _permissions(folder: Path) -> int:
    return folder.stat().st_mode & 0o777
