"""Things that are made once for all workers of a test run: the first that needs one makes it, the others wait."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

DONE = ".done"


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that ``make`` has filled, once for all workers; whoever gets it must not change it.

    Args:
        factory: Knows the folder of the test run.
        name: Name of the thing.
        make: Fills an empty folder; when it fails, the next that asks tries again.
    """
    folder = _common(factory) / f"shared-{name}"
    with FileLock(f"{folder}.lock"):
        if not (folder / DONE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            (folder / DONE).touch()
    return folder


def shared_classifiers(factory: pytest.TempPathFactory) -> Path:
    """Return the folder of fitted classifiers that all homes of the test run may use and add to."""
    folder = _common(factory) / "classifiers"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _common(factory: pytest.TempPathFactory) -> Path:
    base = factory.getbasetemp()
    return base.parent if base.name.startswith("popen-") else base  # a worker of pytest-xdist has a folder within
