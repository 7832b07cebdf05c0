"""Small files of our own, such as HTML pages: replaced atomically."""

from __future__ import annotations

import uuid
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file as a whole; its folder is made when missing, and a reader never sees a part.

    Args:
        path: The file.
        content: All of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        staged.write_bytes(content)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
