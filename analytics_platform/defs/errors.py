"""Errors as data, in the ``clean`` group: the conversations that could not be processed."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa

from analytics_platform.defs import clean, insights, raw
from analytics_platform.defs.tables import table_asset
from analytics_platform.model import errors as tables
from analytics_platform.storage import failures
from analytics_platform.storage.failures import Failures

ISOLATING = [asset for asset in (*raw.ASSETS, *clean.ASSETS, *insights.ASSETS) if asset.recipe.isolates]
"""The tables that leave out conversations which fail alone."""


@table_asset(
    tables.PROCESSING_ERRORS,
    group="clean",
    code=[failures],
    upstream={asset.recipe.table.name: asset for asset in ISOLATING},
)
def processing_errors(
    day: str,
    raw_conversations: Failures,
    messages: Failures,
    conversations: Failures,
    message_embeddings: Failures,
    message_insights: Failures,
    conversation_insights: Failures,
) -> pa.Table:
    """What failed for which conversation, as the tables of the day tell of themselves; most often nothing.

    Such a conversation is absent from everything that is computed after this table.
    """
    told = {
        "raw_conversations": raw_conversations,
        "messages": messages,
        "conversations": conversations,
        "message_embeddings": message_embeddings,
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
