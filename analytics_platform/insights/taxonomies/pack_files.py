"""The shipped packs: YAML files of labels, each of which a setting or a user's own file names without a path."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from pathlib import Path

PACKS = Path(__file__).parent / "packs"
DEMO = "demo"
"""The pack of the sample: Ubuntu's support of 2006 and an airline."""
GENERAL = "general"
"""The pack of every other source: what companies' customers write about."""


@cache
def pack_names() -> tuple[str, ...]:
    """Return the names of the shipped packs in the order of the alphabet."""
    return tuple(sorted(file.stem for file in PACKS.glob("*.yaml")))


def part_file(part: str, folder: Path | None = None) -> Path:
    """Return the file of a part of a taxonomy.

    Args:
        part: Name of a pack, or the path of a file.
        folder: Folder that a relative path starts from; the working directory when None.

    >>> part_file("general").name
    'general.yaml'
    """
    if part in pack_names():
        return PACKS / f"{part}.yaml"
    path = Path(part)
    with suppress(RuntimeError):  # ~ and the name of a user who does not exist
        path = path.expanduser()
    return folder / path if folder else path
