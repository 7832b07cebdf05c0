"""The Dagster instance of a home: where its event history is kept, and how it is opened."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from analytics_platform.storage.files import write_atomically

CONFIGURATION = "dagster.yaml"


def prepare_instance(dagster_home: Path, project_root: Path) -> None:
    """Make the instance's folder, with the project's ``dagster.yaml`` in it.

    Args:
        dagster_home: Folder of the instance.
        project_root: Folder of the project's ``dagster.yaml``.

    Raises:
        FileNotFoundError: If the project has no ``dagster.yaml``.
    """
    wanted = (project_root / CONFIGURATION).read_bytes()
    present = dagster_home / CONFIGURATION
    if not present.exists() or present.read_bytes() != wanted:
        write_atomically(present, wanted)


def open_instance(dagster_home: Path) -> dg.DagsterInstance:
    """Return the instance of a prepared folder; ``DAGSTER_HOME`` must name it too."""
    return dg.DagsterInstance.from_config(str(dagster_home))
