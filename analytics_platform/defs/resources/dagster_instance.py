"""The storage of the event history that a home's ``dagster.yaml`` names; `instance_folder` writes that file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
from dagster._core.storage.base_storage import DagsterStorage
from sqlalchemy.exc import SQLAlchemyError

from analytics_platform.errors import UserError
from analytics_platform.settings.loader import dagster_home, history_address
from analytics_platform.storage.event_history.sqlite_history import PooledSqliteStorage


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

        from analytics_platform.storage.event_history.postgres_history import PostgresHistory  # noqa: PLC0415  (see above)
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
