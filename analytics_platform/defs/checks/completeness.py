"""The check that every conversation of the source is processed, or listed in ``processing_errors``."""

# No `from __future__ import annotations`: Dagster reads the annotations of checks.

from collections.abc import Iterable, Iterator
from functools import partial

import dagster as dg

from analytics_platform.defs.assets import clean_assets, insight_assets, processing_errors, raw_assets
from analytics_platform.defs.checks.declarations import check_result, days_of_run, problems_by_day
from analytics_platform.model.tables.error_tables import PROCESSING_ERRORS
from analytics_platform.storage.partitions import PartitionStore, stored_keys
from analytics_platform.system.plain_text import counted


@dg.asset_check(
    asset=processing_errors.processing_errors.key,
    additional_deps=[
        raw_assets.raw_messages.key,
        clean_assets.conversations.key,
        insight_assets.conversation_insights.key,
    ],
    blocking=True,
    required_resource_keys={"stores"},
)
def conversations_add_up(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Conversations of `raw_messages` are in `conversations` and `conversation_insights`, or in `processing_errors`."""
    lake: PartitionStore = context.resources.stores("lake")
    days = stored_keys(lake, PROCESSING_ERRORS.name, days_of_run(context))
    return check_result(_lost(lake, days), partitions=len(days))


def _lost(lake: PartitionStore, days: Iterable[str]) -> Iterator[str]:
    return problems_by_day(days, partial(_lost_on, lake))


def _lost_on(lake: PartitionStore, day: str) -> Iterator[str]:
    expected = _ids(lake, "raw_messages", day) - _ids(lake, PROCESSING_ERRORS.name, day)
    for name in ("conversations", "conversation_insights"):
        if lost := expected - _ids(lake, name, day):
            yield f"{name} lacks {counted(len(lost), 'conversation')} that did not fail, e.g. {min(lost)!r}"


def _ids(lake: PartitionStore, name: str, day: str) -> set[str]:
    if lake.info(name, day) is None:
        return set()
    return set(lake.read(name, day, ["conversation_id"])["conversation_id"].unique().to_pylist())
