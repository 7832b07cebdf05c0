"""What assets work with: the source, the stores, the insight engine; made from the settings, opened when used.

Belongs here: the wiring of settings to objects. Does not belong here: reading the environment (``settings``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import dagster as dg
from pydantic import SecretStr

from analytics_platform.defs.recipe import Recipe
from analytics_platform.insights.engine import InsightEngine, build_engine
from analytics_platform.model import Table
from analytics_platform.settings import Settings
from analytics_platform.sources.base import Source
from analytics_platform.sources.files import FileSource
from analytics_platform.sources.sample import sample_source
from analytics_platform.storage.io_manager import StoreIOManager
from analytics_platform.storage.lake import Lake
from analytics_platform.storage.marts import Marts
from analytics_platform.storage.mongo import EmbeddedMongo, MongoStore
from analytics_platform.storage.partitions import PartitionInfo, PartitionStore
from analytics_platform.storage.warehouse import Warehouse


def _revealed(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


class Insights:
    """The insight engine, built at its first use: it loads vectors and fits heads."""

    def __init__(self, tier: str, device: Literal["auto", "cpu", "gpu"], taxonomy: Path | None) -> None:
        self._tier = tier
        self._device = device
        self._taxonomy = taxonomy

    @cached_property
    def engine(self) -> InsightEngine:
        """The engine."""
        return build_engine(self._tier, self._device, self._taxonomy)


class Platform:
    """Everything that the assets of one process work with; each part is opened when first used.

    Args:
        settings: The settings.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.insights = Insights(settings.tier, settings.engine, settings.taxonomy)
        self._embedded: EmbeddedMongo | None = None

    @cached_property
    def source(self) -> Source:
        """Where conversations come from."""
        first_day, last_day = self.settings.first_day, self.settings.last_day
        if self.settings.source == "sample":
            return sample_source(self.settings.staging_dir, first_day=first_day, last_day=last_day)
        return FileSource(
            self.settings.source_path or "",
            mapping=self.settings.source_mapping,
            staging_dir=self.settings.staging_dir,
            first_day=first_day,
            last_day=last_day,
        )

    @cached_property
    def lake(self) -> Lake:
        """The Parquet lake."""
        settings = self.settings
        return Lake.open(
            settings.lake,
            endpoint_url=settings.aws_endpoint_url,
            region=settings.aws_region,
            access_key=_revealed(settings.aws_access_key_id),
            secret_key=_revealed(settings.aws_secret_access_key),
            session_token=_revealed(settings.aws_session_token),
        )

    @cached_property
    def mongo(self) -> MongoStore:
        """MongoDB: the server that the settings name, otherwise the embedded one."""
        uri = self.settings.mongo_uri
        if uri is not None:
            return MongoStore(uri.get_secret_value(), self.settings.mongo_database)
        embedded = EmbeddedMongo(self.settings.mongo_dir)
        store = MongoStore(embedded.acquire(), self.settings.mongo_database)
        self._embedded = embedded
        return store

    @property
    def marts(self) -> Marts:
        """The warehouse over the lake; made anew each time, since it remembers the dbt project's version."""
        return Marts(
            warehouse=Warehouse(self.settings.warehouse_path),
            lake=self.lake,
            lake_uri=self.settings.lake,
            project_dir=self.settings.dbt_project_dir,
            target_dir=self.settings.home / "dbt",
            s3_options=self._s3_options(),
        )

    def _s3_options(self) -> dict[str, Any]:
        """Return what ``s3fs`` needs to reach the lake as the settings say."""
        options = {
            "key": _revealed(self.settings.aws_access_key_id),
            "secret": _revealed(self.settings.aws_secret_access_key),
            "token": _revealed(self.settings.aws_session_token),
            "endpoint_url": self.settings.aws_endpoint_url,
        }
        return {name: value for name, value in options.items() if value is not None}

    def close(self) -> None:
        """Let go of the embedded server; the last of its users stops it."""
        if self._embedded is not None:
            self.mongo.close()
            self._embedded.release()
            self._embedded = None
            del self.mongo

    def store(self, name: str) -> PartitionStore:
        """Return the store of that name, ``lake`` or ``mongo``."""
        return self.lake if name == "lake" else self.mongo

    def recipe_resources(self) -> dict[str, Any]:
        """Return what recipes ask for by parameter name."""
        return {
            "source": self.source,
            "insights": self.insights,
            "reports_dir": self.settings.reports_dir,
        }

    def resources(
        self, tables: Iterable[Recipe], on_partition: Callable[[str, PartitionInfo], None] | None
    ) -> dict[str, Any]:
        """Return the resources of the graph by key."""
        workers = self.settings.workers or os.cpu_count() or 1
        declared: dict[str, dict[str, Table]] = {"lake": {}, "mongo": {}}
        for recipe in tables:
            declared[recipe.store][recipe.table.name] = recipe.table
        managers = {
            name: StoreIOManager(partial(self.store, name), declared[name], workers, on_partition) for name in declared
        }
        return {
            **managers,
            "stores": self.store,
            "source": dg.ResourceDefinition(lambda _: self.source),
            "marts": dg.ResourceDefinition(lambda _: self.marts),
            "insights": self.insights,
            "reports_dir": self.settings.reports_dir,
        }
