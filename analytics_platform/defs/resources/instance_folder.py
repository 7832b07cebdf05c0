"""The folder of a home's Dagster instance: its configuration, and how the instance is opened.

The configuration names the class of the storage, in `dagster_instance`, which Dagster imports when it opens.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from analytics_platform.files import write_atomically
from analytics_platform.system.home import remember_folder

if TYPE_CHECKING:
    import dagster as dg

CONFIGURATION = "dagster.yaml"
UPLOAD_SECONDS = 30
"""Interval in seconds at which the output of a running step is uploaded to S3."""


def prepare_instance(dagster_home: Path, project_root: Path, compute_logs: dict[str, Any] | None = None) -> None:
    """Make the instance's folder and write the project's ``dagster.yaml`` into it.

    Args:
        dagster_home: Folder of the instance.
        project_root: Folder of the project's ``dagster.yaml``.
        compute_logs: Section for the output of runs, from ``compute_logs_on_s3``; the output stays in the home when
            None.

    Raises:
        FileNotFoundError: If the project has no ``dagster.yaml``.
    """
    wanted = (project_root / CONFIGURATION).read_bytes()
    if compute_logs:
        wanted += b"\n" + yaml.safe_dump({"compute_logs": compute_logs}, sort_keys=False).encode()
    present = dagster_home / CONFIGURATION
    if not present.exists() or present.read_bytes() != wanted:
        write_atomically(present, wanted)
    remember_folder(dagster_home)


def open_instance(dagster_home: Path) -> dg.DagsterInstance:
    """Return the instance of a prepared folder. The variable ``DAGSTER_HOME`` must name the same folder."""
    import dagster as dg  # noqa: PLC0415  (half a second, which a command without the history does without)

    return dg.DagsterInstance.from_config(str(dagster_home))


def compute_logs_on_s3(uri: str, dagster_home: Path, *, endpoint_url: str | None, region: str) -> dict[str, Any]:
    """Return the section of ``dagster.yaml`` that stores the output of runs on S3; it contains no keys.

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
