"""The version of code follows what the code does, and nothing else."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from analytics_platform.model.code_version import code_version

SOURCE = '''"""A module."""

import dataclasses

LIMIT: int = 3
"""How many."""


@dataclasses.dataclass
class Pair:
    """A pair."""

    left: int


def double(number: int) -> int:
    """Double."""
    half: int = number  # as it comes
    return half + half


def nothing() -> None:
    """Do nothing."""
'''


def version_of(folder: Path, source: str = SOURCE, data: bytes = b"one") -> str:
    """Return the version of a package with one module and one data file."""
    folder.mkdir(parents=True)
    package = ModuleType("package")
    package.__file__ = str(folder / "__init__.py")
    (folder / "__init__.py").write_text("", encoding="utf-8")
    (folder / "module.py").write_text(source, encoding="utf-8")
    (folder / "words.txt").write_bytes(data)
    (folder / "NOTICE").write_text(str(folder), encoding="utf-8")
    return code_version(package)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"""A module."""', '"""Another text."""'),
        ('"""A pair."""', '"""Two\n\n    lines."""'),
        ('    """Do nothing."""', "    pass"),
        ('"""How many."""\n', ""),
        ("  # as it comes", ""),
        ("number: int) -> int", "number) -> float"),
        ("half: int =", "half: float ="),
        ("LIMIT: int", "LIMIT: float"),
        ("half + half", "(half\n            + half)"),
    ],
)
def test_what_changes_no_result_leaves_the_version(tmp_path: Path, before: str, after: str) -> None:
    """A reworded docstring made every partition of every user stale."""
    assert before in SOURCE
    assert version_of(tmp_path / "b", SOURCE.replace(before, after)) == version_of(tmp_path / "a")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("= 3", "= 4"),
        ("= 3", "= '3'"),
        ("half + half", "half * half"),
        ("left: int", "left: str"),
        ("left: int", "right: int"),
        ("@dataclasses.dataclass\n", ""),
        ("LIMIT", "BOUND"),
    ],
)
def test_what_may_change_a_result_changes_the_version(tmp_path: Path, before: str, after: str) -> None:
    assert before in SOURCE
    assert version_of(tmp_path / "b", SOURCE.replace(before, after)) != version_of(tmp_path / "a")


def test_a_data_file_changes_the_version_by_its_content(tmp_path: Path) -> None:
    assert version_of(tmp_path / "b", data=b"two") != version_of(tmp_path / "a")
