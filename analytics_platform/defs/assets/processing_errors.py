"""Conversations that could not be processed, as a table, and the check that no other conversation is missing.

The table is in the ``insights`` group because it waits for the last tables of this group. A run of the groups ``raw``
and ``clean`` alone is complete without it.
"""

# No `from __future__ import annotations`: Dagster reads the annotations of checks.

import datetime as dt
from collections.abc import Iterable, Iterator
from functools import partial

import dagster as dg
import pyarrow as pa

from analytics_platform.defs.assets import clean_assets, insight_assets, raw_assets
from analytics_platform.defs.checks.declarations import check_result, days_of_run, problems_by_day
from analytics_platform.defs.framework.table_asset import GraphPlace, Upstream, table_asset
from analytics_platform.model.tables import error_tables as tables
from analytics_platform.storage.failures import Failures
from analytics_platform.storage.partitions import PartitionStore
from analytics_platform.system.plain_text import counted

ISOLATING = [
    asset for asset in (*raw_assets.ASSETS, *clean_assets.ASSETS, *insight_assets.ASSETS) if asset.recipe.isolates
]
"""The assets that leave out a conversation whose computation fails, instead of failing the whole day."""


@table_asset(
    tables.PROCESSING_ERRORS,
    GraphPlace("insights"),
    upstream=Upstream({asset.recipe.table.name: asset for asset in ISOLATING}),
)
def processing_errors(
    day: str,
    raw_conversations: Failures,
    messages: Failures,
    conversations: Failures,
    message_embeddings: Failures,
    conversation_embeddings: Failures,
    message_insights: Failures,
    conversation_insights: Failures,
) -> pa.Table:
    """Conversations that could not be processed, the table that failed, and the error; empty on most days.

    A failed conversation is left out of every table that is computed after this one.
    """
    told = {
        "raw_conversations": raw_conversations,
        "messages": messages,
        "conversations": conversations,
        "message_embeddings": message_embeddings,
        "conversation_embeddings": conversation_embeddings,
        "message_insights": message_insights,
        "conversation_insights": conversation_insights,
    }
    return tables.PROCESSING_ERRORS.from_rows(
        [
            {
                **vars(failure),
                "date": dt.date.fromisoformat(day),
                "table_name": name,
                "last_tried_at": dt.datetime.fromisoformat(failure.last_tried_at),
            }
            for name, found in told.items()
            for failure in found
        ]
    )


@dg.asset_check(
    asset=processing_errors.key,
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
    wanted = days_of_run(context)
    days = [day for day in lake.keys(tables.PROCESSING_ERRORS.name) if wanted is None or day in wanted]
    return check_result(_lost(lake, days), partitions=len(days))


def _lost(lake: PartitionStore, days: Iterable[str]) -> Iterator[str]:
    return problems_by_day(days, partial(_lost_on, lake))


def _lost_on(lake: PartitionStore, day: str) -> Iterator[str]:
    expected = _ids(lake, "raw_messages", day) - _ids(lake, tables.PROCESSING_ERRORS.name, day)
    for name in ("conversations", "conversation_insights"):
        if lost := expected - _ids(lake, name, day):
            yield f"{name} lacks {counted(len(lost), 'conversation')} that did not fail, e.g. {min(lost)!r}"


def _ids(lake: PartitionStore, name: str, day: str) -> set[str]:
    if lake.info(name, day) is None:
        return set()
    return set(lake.read(name, day, ["conversation_id"])["conversation_id"].unique().to_pylist())


ASSETS = [processing_errors]
