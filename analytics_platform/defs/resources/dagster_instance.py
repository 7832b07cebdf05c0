"""The Dagster instance of a home: the folder of its event history, and how it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import yaml
from dagster._core.storage.base_storage import DagsterStorage
from sqlalchemy.exc import SQLAlchemyError

from analytics_platform.errors import UserError
from analytics_platform.files import write_atomically
from analytics_platform.settings.loader import dagster_home, history_address
from analytics_platform.storage.history import PooledSqliteStorage
from analytics_platform.system.home import remember_folder

CONFIGURATION = "dagster.yaml"


UPLOAD_SECONDS = 30
"""Interval in seconds at which the output of a running step is uploaded to S3."""


class HistoryError(UserError):
    """The event history cannot be opened; the message names the place and the way out."""


class HomeStorage(PooledSqliteStorage):
    """The storage class of ``dagster.yaml``: the history is in the home, or on PostgreSQL if the settings say so.

    Dagster's own commands (``dagster dev``, ``dg list defs``) thus read the history that ``analytics`` writes, even if
    ``DAGSTER_HOME`` is not set.
    """

    @classmethod
    def config_type(cls) -> dict[str, dg.Field]:
        """Describe the section of ``dagster.yaml``: an optional folder, by default the folder of the settings."""
        return {"base_dir": dg.Field(dg.StringSource, is_required=False)}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> DagsterStorage:  # type: ignore[override]
        """Build from the section of ``dagster.yaml``.

        Raises:
            HistoryError: If the history is to be on PostgreSQL and cannot be reached.
        """
        if address := history_address():
            return _on_postgres(address, inst_data)
        return cls(config_value.get("base_dir") or str(dagster_home()), inst_data)


def _on_postgres(address: str, inst_data: Any) -> DagsterStorage:
    try:
        from dagster_postgres.utils import DagsterPostgresException  # noqa: PLC0415  (an extra)

        from analytics_platform.storage.postgres_history import PostgresHistory  # noqa: PLC0415  (see above)
    except ImportError:
        raise HistoryError(
            "ANALYTICS_HISTORY_URL needs the package dagster-postgres: pip install 'analytics-platform[postgres]'"
        ) from None
    try:
        # SQLAlchemy's own choice is another driver than the one that dagster-postgres installs.
        return PostgresHistory(f"postgresql+psycopg2://{address.partition('://')[2]}", inst_data)
    except (SQLAlchemyError, DagsterPostgresException) as error:
        place = urlsplit(address)
        raise HistoryError(
            f"ANALYTICS_HISTORY_URL: PostgreSQL at {place.hostname}:{place.port or 5432} cannot hold the history "
            f"({type(error).__name__}); is it running, and does it take this user for {place.path.strip('/')!r}?"
        ) from None  # the messages of the driver repeat the address


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
