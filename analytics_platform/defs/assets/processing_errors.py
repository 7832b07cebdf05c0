"""Conversations that could not be processed, as a table.

The table is in the ``insights`` group because it waits for the last tables of this group. A run of the groups ``raw``
and ``clean`` alone is complete without it.
"""

from __future__ import annotations

import datetime as dt

import pyarrow as pa

from analytics_platform.defs.assets import clean_assets, insight_assets, raw_assets
from analytics_platform.defs.framework.table_asset import GraphPlace, Upstream, table_asset
from analytics_platform.model.tables import error_tables as tables
from analytics_platform.storage.failures import Failures

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


ASSETS = [processing_errors]
