"""Explains a missing permission: the file or folder that this user may not use, its owner and mode, and what to do."""

from __future__ import annotations

import errno
import os
import pwd
import stat
from pathlib import Path

_EFFECTIVE = os.access in os.supports_effective_ids


def find_blocked(path: Path, *, writable: bool = False) -> str | None:
    """Return a sentence about the file or folder that keeps this user from a path; None if nothing does.

    A missing path is not blocked for reading. It is blocked for writing when its folder is.

    Args:
        path: The file or folder.
        writable: Whether this user needs to write to the path, not only to read it.
    """
    real = Path(os.path.realpath(path))
    for folder in reversed(real.parents):
        if not os.path.lexists(folder):
            return _explained(folder.parent, "write to") if writable and not _may(folder.parent, "wx") else None
        if not _may(folder, "x"):
            return _explained(folder, "enter")
    place = real if os.path.lexists(real) or not writable else real.parent
    rights = "w" if writable else "r"
    rights += "x" if place.is_dir() else ""
    if not os.path.lexists(place) or _may(place, rights):
        return None
    return _explained(place, "write to" if writable else "read")


def explain_refusal(error: OSError) -> str | None:
    """Return a sentence about an error of the system for a missing permission; None for an error of another kind."""
    if error.errno not in (errno.EACCES, errno.EPERM) or not isinstance(error.filename, str | bytes):
        return None
    path = Path(os.fsdecode(error.filename))
    blocked = find_blocked(path) or find_blocked(path, writable=True)
    return blocked or f"{path}: this user ({_name(os.geteuid())}) may not use it ({error.strerror}); check its rights"


def _may(path: Path, rights: str) -> bool:
    mode = sum({"r": os.R_OK, "w": os.W_OK, "x": os.X_OK}[right] for right in rights)
    return os.access(path, mode, effective_ids=_EFFECTIVE)


def _explained(path: Path, verb: str) -> str:
    status, user = path.stat(), os.geteuid()
    owner = _name(status.st_uid)
    kind, rights = ("folder", "rwx") if path.is_dir() else ("file", "rw")
    action = f"chmod u+{rights} it" if status.st_uid == user else f"run as {owner}, or let this user {verb} it"
    about = f"owner {owner}, mode {stat.S_IMODE(status.st_mode):03o}"
    return f"{path}: this user ({_name(user)}) may not {verb} the {kind} ({about}); {action}"


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
