"""The Dagster code location: builds the ``Definitions`` from the settings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import dagster as dg

from analytics_platform.alerting import Links
from analytics_platform.defs.assets import learning_assets, operational_assets
from analytics_platform.defs.assets.everyday import EVERYTHING, recipes_of, tables_of
from analytics_platform.defs.assets.mart_assets import build_marts
from analytics_platform.defs.automation import retry, source_sensor
from analytics_platform.defs.automation.alerts_sensor import alerts_sensor
from analytics_platform.defs.automation.housekeeping import housekeeping_schedule
from analytics_platform.defs.automation.learning_schedule import learning_schedule
from analytics_platform.defs.checks import completeness, declarations, label_drift, promotion, translation_quality
from analytics_platform.defs.consistency import store_agreement
from analytics_platform.defs.consistency.repair_job import build_repair_job
from analytics_platform.defs.executors.choice import delegate_of
from analytics_platform.defs.framework.daily_partitions import daily_partitions, partitioned
from analytics_platform.defs.framework.table_asset import OWNERS, TableAsset
from analytics_platform.defs.resources.graph_resources import graph_resources
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.insights.taxonomies.combining import taxonomy_content
from analytics_platform.settings.loader import load_settings
from analytics_platform.storage.partitions import PartitionInfo
from analytics_platform.storage.warehouse.dbt_project import load_manifest
from analytics_platform.storage.work.orders import Delegate
from analytics_platform.system.home import restrict_new_files

LEARNING = learning_assets.ASSETS
"""The tables of the group ``learning``, which the everyday job does not compute."""
_LABELLING = frozenset({"insights", "llm"})
"""The resources that read the taxonomy. An asset that uses one of them makes labels."""


def _versioned(asset: TableAsset, labels: Sequence[bytes]) -> dg.AssetsDefinition:
    """Return the asset's definition. The code version of an asset that makes labels includes the taxonomy and the tier.

    A changed taxonomy or tier therefore shows in the graph as a new code version, as ``analytics run`` finds it by the
    provenance of partitions.

    Args:
        asset: The asset.
        labels: The tier and the taxonomy, which is read once for all assets.
    """
    if not _LABELLING.intersection(asset.recipe.resources):
        return asset.definition
    version = hashlib.sha256(b"\x1f".join((asset.recipe.code_version.encode(), *labels))).hexdigest()[:12]
    return asset.definition.map_asset_specs(lambda spec: spec.replace_attributes(code_version=version))


def build_definitions(
    platform: Platform,
    on_partition: Callable[[str, PartitionInfo], None] | None = None,
    delegate: Delegate | None = None,
) -> dg.Definitions:
    """Return the whole graph. Only the taxonomy and the dbt manifest are read; nothing is written or contacted.

    Args:
        platform: The source, the stores and the engine that the assets use. Tests and the command line pass their own.
        on_partition: Called with (table name, partition info) after each partition is stored.
        delegate: Passes blocks to other processes; by default the one that the settings ask for.
    """
    settings = platform.settings
    days = daily_partitions(settings.first_day, settings.end_date_fixed)
    marts = build_marts(days, load_manifest(settings.dbt_project_dir), OWNERS)
    tables, recipes = tables_of(settings), recipes_of(settings)
    labels = (settings.tier.encode(), *taxonomy_content(settings.taxonomy_parts))
    everyday = [*(partitioned(_versioned(asset, labels), days) for asset in tables), marts]
    specs = [spec for asset in everyday for spec in asset.specs]
    delegate = delegate or delegate_of(settings, lambda: platform.lake)
    if delegate is not None:
        platform.before_closing(delegate.close)
    agreement_checks = store_agreement.agreement_checks(recipes, platform.hold_days)
    compared = store_agreement.compared_collections(recipes)
    return dg.Definitions(
        assets=[
            source_sensor.source_asset(platform, OWNERS),
            *everyday,
            *(asset.definition for asset in LEARNING),
            *([] if settings.has_mongo else operational_assets.switched_off()),
        ],
        asset_checks=[
            *declarations.all_checks([asset for asset in [*tables, *LEARNING] if asset.name not in compared]),
            completeness.conversations_add_up,
            label_drift.labels_are_steady,
            translation_quality.translations_are_good,
            promotion.no_worse_than_promoted,
            *agreement_checks,
        ],
        jobs=[
            dg.define_asset_job(
                EVERYTHING, selection=learning_assets.EVERYDAY, description="The whole graph over a range of days."
            ),
            build_repair_job(platform, recipes),
            source_sensor.reconciliation,
            retry.redrive_job,
        ],
        schedules=[
            source_sensor.build_reconciliation_schedule(platform),
            housekeeping_schedule(platform, [*tables, *LEARNING]),
            retry.build_retry_schedule(platform, EVERYTHING),
            store_agreement.agreement_schedule(recipes, agreement_checks),
            learning_schedule(),
        ],
        sensors=[
            source_sensor.build_sensor(platform, EVERYTHING),
            alerts_sensor(lambda: platform.alerts, Links(settings.ui_url), specs, stale_hours=settings.stale_hours),
        ],
        resources=graph_resources(platform, [*tables, *LEARNING], on_partition, delegate),
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Return the graph for the settings of the environment. The processes that Dagster starts call this function."""
    settings = load_settings()
    restrict_new_files(settings.home_access)
    return build_definitions(Platform(settings))
