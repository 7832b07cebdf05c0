"""The ``marts`` group: each dbt model is an asset and each dbt test a check, all from one ``dbt build`` per run.

Facts and ``agg_daily`` are partitioned by day; the same invocation rebuilds the small dimensions as a whole. The models
are published together or not at all, so a selection of some models builds all and reports the selected ones. The file
lock of the warehouse, which ends with its process, allows one build at a time. A Dagster pool would keep the slot of a
killed run and block every later run.
"""

# No `from __future__ import annotations`: Dagster reads the annotations of asset functions.

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject, dbt_assets

from analytics_platform.defs.framework.table_asset import CADENCE_TAG, DAYS_RESOURCE, FORCE_TAG
from analytics_platform.model.cadence import Cadence
from analytics_platform.storage.event_history.asset_events import CONTENT_HASH
from analytics_platform.storage.io_manager import COMPUTED_BECAUSE
from analytics_platform.storage.warehouse.dbt_project import NodeOutcome
from analytics_platform.storage.warehouse.marts_build import Marts, MartsFailedError
from analytics_platform.storage.warehouse.warehouse_file import Warehouse
from analytics_platform.system.plain_text import on_one_line, plain_metadata, without_controls

MartsResult = dg.MaterializeResult[None] | dg.AssetCheckResult


class MartsTranslator(DagsterDbtTranslator):
    """Maps the dbt project to the graph: sources are the lake's assets, and incremental models are daily assets."""

    def __init__(self, partitions_def: dg.PartitionsDefinition[str], owners: Sequence[str]) -> None:
        """Store the owners of every asset and the partitions of the daily assets."""
        # The lake's own assets describe themselves; metadata of the sources would contradict them.
        super().__init__(DagsterDbtTranslatorSettings(enable_source_metadata=False))
        self._partitions_def = partitions_def
        self._owners = owners

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Name an asset like its table; a staging model, which is part of its readers, has the key of its source."""
        return dg.AssetKey(dbt_resource_props["name"].removeprefix("stg_"))

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        """Put every model into the group ``marts``. Incremental models get the daily partitions, all others none."""
        is_daily = self.get_resource_props(manifest, unique_id)["config"].get("materialized") == "incremental"
        spec = super().get_asset_spec(manifest, unique_id, project)
        return spec.replace_attributes(
            group_name="marts",
            owners=self._owners,
            partitions_def=self._partitions_def if is_daily else None,
            tags={**spec.tags, CADENCE_TAG: (Cadence.DAILY if is_daily else Cadence.WHOLE).value},
        )

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetCheckSpec | None:
        """Return the check of a dbt test, with the test's description from the dbt project."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        description = manifest["nodes"][unique_id].get("description") or None
        return spec._replace(description=description) if spec else None


def build_marts(
    partitions_def: dg.PartitionsDefinition[str], manifest: Mapping[str, Any], owners: Sequence[str] = ()
) -> dg.AssetsDefinition:
    """Define the marts; the run needs a resource ``marts`` (a ``storage.warehouse.marts_build.Marts``).

    Args:
        partitions_def: The platform's days.
        manifest: The prepared dbt manifest (``storage.warehouse.dbt_project.load_manifest``).
        owners: Owners of every model, e.g. ``["team:analytics"]``.
    """
    order = _topological(manifest)

    @dbt_assets(
        manifest=manifest,
        dagster_dbt_translator=MartsTranslator(partitions_def, owners),
        name="marts",
        required_resource_keys={"marts", DAYS_RESOURCE},
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def marts_assets(context: dg.AssetExecutionContext) -> Iterator[MartsResult]:
        """Bring the run's days up to date with one dbt build, publish them, and report what the warehouse holds."""
        marts: Marts = context.resources.marts
        try:
            report = marts.build(
                _days(context),
                lambda level, text: context.log.log(level.upper(), without_controls(text)),
                force=FORCE_TAG in context.run.tags,
            )
        except MartsFailedError as error:
            results = list(_check_results(context, error.outcomes))
            yield from results
            reported = {str(result.check_name) for result in results}
            raise dg.Failure(without_controls(error.text(reported)), allow_retries=False) from error
        for name in order:
            if dg.AssetKey(name) in context.selected_asset_keys:
                whole = marts.warehouse.content(name)
                metadata: dict[str, Any] = {"dagster/row_count": whole.rows}
                if context.assets_def.specs_by_key[dg.AssetKey(name)].partitions_def:
                    _describe_days(context, name, marts.warehouse, report.days)
                else:
                    metadata |= {"reused": not report.days, CONTENT_HASH: whole.content_hash}
                yield dg.MaterializeResult(asset_key=name, metadata=metadata)
        yield from _check_results(context, report.outcomes) if report.days else _earlier_results(context, marts)

    return marts_assets


def _days(context: dg.AssetExecutionContext) -> list[str] | None:
    """Return the run's days; None for a run without partitions, which selects dimensions alone."""
    return list(context.partition_keys) if context.has_partition_key or context.has_partition_key_range else None


def _describe_days(
    context: dg.AssetExecutionContext, name: str, warehouse: Warehouse, built: Mapping[str, tuple[str, ...]]
) -> None:
    for day, content in warehouse.content_by_day(name, sorted(context.partition_keys)).items():
        metadata: dict[str, Any] = {"dagster/partition_row_count": content.rows, "reused": day not in built}
        if day in built:
            metadata[COMPUTED_BECAUSE] = "; ".join(built[day])
        metadata[CONTENT_HASH] = content.content_hash
        context.add_asset_metadata(metadata, asset_key=name, partition_key=day)


def _check_results(context: dg.AssetExecutionContext, outcomes: Sequence[NodeOutcome]) -> Iterator[dg.AssetCheckResult]:
    """Yield the result of each dbt test that ran and whose check is selected."""
    by_test = {one.unique_id: one for one in outcomes if one.status != "skipped"}
    for spec in context.assets_def.check_specs:
        outcome = by_test.get(spec.metadata["dagster_dbt/unique_id"])
        if outcome is not None and spec.key in context.selected_asset_check_keys:
            yield dg.AssetCheckResult(
                asset_key=spec.asset_key,
                check_name=spec.name,
                passed=outcome.status == "pass",
                severity=dg.AssetCheckSeverity.WARN if outcome.status == "warn" else dg.AssetCheckSeverity.ERROR,
                description=on_one_line(outcome.explanation) or None,
                metadata={
                    "dagster_dbt/failed_row_count": outcome.failures or 0,
                    "seconds": outcome.seconds,
                    **({"problems": plain_metadata(list(outcome.problems))} if outcome.problems else {}),
                    **({"problem_count": outcome.failures} if outcome.failures else {}),
                },
            )


def _earlier_results(context: dg.AssetExecutionContext, marts: Marts) -> Iterator[dg.AssetCheckResult]:
    """Yield a passed result for each selected check of an unchanged warehouse.

    The warehouse was published after all its tests passed. Without these results, Dagster warns of every blocking check
    once for each asset that waits for it.
    """
    if not marts.warehouse.path.exists():
        return
    published = dt.datetime.fromtimestamp(marts.warehouse.path.stat().st_mtime, dt.UTC).isoformat(timespec="seconds")
    for key in context.selected_asset_check_keys:
        yield dg.AssetCheckResult(
            asset_key=key.asset_key,
            check_name=key.name,
            passed=True,
            description=f"Not run again: it passed when the warehouse was published on {published}.",
            metadata={"reused": True},
        )


def _topological(manifest: Mapping[str, Any]) -> list[str]:
    """Return the names of the models, each after the models it reads, because Dagster expects results in this order."""
    models = {key: node for key, node in manifest["nodes"].items() if node["resource_type"] == "model"}
    graph = {key: sorted(node["depends_on"]["nodes"]) for key, node in sorted(models.items())}
    return [models[key]["name"] for key in TopologicalSorter(graph).static_order() if key in models]
