"""The home folder: made for its owner alone, like every file that is made in it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Literal

from analytics_platform.errors import UserError

Access = Literal["private", "group"]
"""Who may read the home: its owner, or also its group. Only the owner writes."""


class PlaceError(UserError):
    """A folder that the platform writes to is none, or cannot be made."""


MARKER = ".analytics-home"
"""File in a home that the platform made itself. Only the permissions of such a folder are changed."""
_MODES: dict[Access, int] = {"private": 0o700, "group": 0o750}


def require_folder(variable: str, folder: Path, *, writable: bool = True) -> None:
    """Refuse a place that is no folder, and where none can be made; makes nothing.

    Args:
        variable: The setting that names the place.
        folder: The place; it may be missing.
        writable: Refuse also a place that this process may not write to.

    Raises:
        PlaceError: Naming the setting and the place.
    """
    existing = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not existing.is_dir():
        raise PlaceError(f"{variable}: {existing} is no folder; name another place than {folder}")
    if writable and not os.access(existing, os.W_OK | os.X_OK):
        raise PlaceError(f"{variable}: {existing} may not be written to by this user; name another place than {folder}")


def restrict_new_files(access: Access) -> None:
    """Let this process, and those that it starts, make files that nobody else may read; for entrances of processes."""
    os.umask(0o777 & ~_MODES[access])


def open_home(folder: Path, access: Access) -> None:
    """Make the home when it is missing, and restrict it and all files that this process makes from now on.

    A folder that was there before, such as ``/tmp`` or a mounted volume, keeps its permissions: ``too_open`` tells.

    Args:
        folder: The home.
        access: Who may read it.
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


def too_open(folder: Path, access: Access) -> str | None:
    """Say how to keep others out of a home that they may enter; None when they may not, or there is none yet."""
    if not folder.exists() or not _permissions(folder) & ~_MODES[access] & 0o077:
        return None
    return f"other users of this machine may read it (mode {_permissions(folder):o}): chmod {_MODES[access]:o} {folder}"


def _permissions(folder: Path) -> int:
    return folder.stat().st_mode & 0o777
