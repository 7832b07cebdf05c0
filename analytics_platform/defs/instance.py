"""The Dagster instance of a home: where its event history is kept, and how it is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import yaml

from analytics_platform.files import write_atomically

CONFIGURATION = "dagster.yaml"


UPLOAD_SECONDS = 30
"""What a step that is under way prints is on S3 after this time."""


def prepare_instance(dagster_home: Path, project_root: Path, compute_logs: dict[str, Any] | None = None) -> None:
    """Make the instance's folder, with the project's ``dagster.yaml`` in it.

    Args:
        dagster_home: Folder of the instance.
        project_root: Folder of the project's ``dagster.yaml``.
        compute_logs: Where what runs print is kept, see ``compute_logs_on_s3``; below the home when None.

    Raises:
        FileNotFoundError: If the project has no ``dagster.yaml``.
    """
    wanted = (project_root / CONFIGURATION).read_bytes()
    if compute_logs:
        wanted += b"\n" + yaml.safe_dump({"compute_logs": compute_logs}, sort_keys=False).encode()
    present = dagster_home / CONFIGURATION
    if not present.exists() or present.read_bytes() != wanted:
        write_atomically(present, wanted)


def open_instance(dagster_home: Path) -> dg.DagsterInstance:
    """Return the instance of a prepared folder; ``DAGSTER_HOME`` must name it too."""
    return dg.DagsterInstance.from_config(str(dagster_home))


def compute_logs_on_s3(uri: str, dagster_home: Path, *, endpoint_url: str | None, region: str) -> dict[str, Any]:
    """Return the section of ``dagster.yaml`` that keeps what runs print on S3; it holds no keys.

    Args:
        uri: ``s3://bucket/prefix``.
        dagster_home: Folder of the instance; logs are staged below it.
        endpoint_url: S3-compatible server; AWS when None.
        region: Region of the bucket.
    """
    place = urlsplit(uri)
    config = {
        "bucket": place.netloc,
        "prefix": place.path.strip("/") or "compute_logs",
        "local_dir": str(dagster_home / "compute_logs"),
        "region": region,
        "skip_empty_files": True,
        "upload_interval": UPLOAD_SECONDS,
        **({"endpoint_url": endpoint_url} if endpoint_url else {}),
    }
    return {"module": "dagster_aws.s3.compute_log_manager", "class": "S3ComputeLogManager", "config": config}
