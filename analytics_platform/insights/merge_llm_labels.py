"""Merge an LLM's labels into the engine's ``CONVERSATION_INSIGHTS``, kind by kind.

The engine's label stays where a rule or a stated outcome fixes it (see ``tiers.decisions``).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.insights.taxonomies.label_rules import Mask
from analytics_platform.insights.tiers.tier import Kind
from analytics_platform.model.tables.insight_tables import CONVERSATION_INSIGHTS

_COLUMNS: Mapping[Kind, tuple[str, ...]] = {
    "topic": ("topics", "primary_topic"),
    "intent": ("intent", "intent_confidence"),
    "sentiment": ("sentiment", "sentiment_confidence"),
    "urgency": ("urgency", "urgency_confidence"),
    "resolution": ("resolution", "resolution_confidence"),
}
_TOGETHER: tuple[Kind, ...] = ("topic", "intent", "sentiment")
"""Kinds of label whose joint confidence is the column ``confidence``."""


def merge_llm_labels(own: pa.Table, answers: pa.Table, is_overridden: Mapping[Kind, Mask]) -> pa.Table:
    """Return ``CONVERSATION_INSIGHTS``: the engine's labels, replaced by the LLM's labels where allowed.

    A conversation without an answer is unchanged. If topic, intent and sentiment do not all have the same origin, the
    joint confidence is the lower one of the two origins.

    Args:
        own: The engine's rows, with the columns of ``CONVERSATION_INSIGHTS`` in any order of rows.
        answers: ``LLM_INSIGHTS`` of some of the conversations.
        is_overridden: For each kind, a mask of the rows in which the engine's label is fixed; in the order of ``own``.
    """
    rows = pc.index_in(own["conversation_id"].combine_chunks(), answers["conversation_id"].combine_chunks())
    answered = rows.is_valid().to_numpy(zero_copy_only=False)
    taken = {kind: answered & ~is_overridden[kind] for kind in _COLUMNS}
    theirs = answers.take(rows)
    columns = {name: own[name] for name in own.column_names}
    for kind, names in _COLUMNS.items():
        for name in names:
            columns[name] = pc.if_else(pa.array(taken[kind]), theirs[name], own[name])
    of_three = [taken[kind] for kind in _TOGETHER]
    all_theirs, some_theirs = (pa.array(join.reduce(of_three)) for join in (np.logical_and, np.logical_or))
    lower = pc.min_element_wise(own["confidence"], theirs["confidence"])
    mixed = pc.if_else(some_theirs, lower, own["confidence"])
    columns["confidence"] = pc.if_else(all_theirs, theirs["confidence"], mixed)
    columns["reasons"] = _reasons(own["reasons"], theirs["reasons"], taken)
    anything = np.logical_or.reduce(list(taken.values()))
    columns["tier"] = pc.if_else(pa.array(anything), "llm", own["tier"])
    return CONVERSATION_INSIGHTS.conform(pa.table(columns))


def _reasons(own: pa.ChunkedArray, theirs: pa.ChunkedArray, taken: Mapping[Kind, Mask]) -> pa.Array:
    """Return the reasons of each conversation's final labels, the engine's reasons first."""
    kinds = pa.array(list(taken))
    by_kind = np.stack(list(taken.values()))
    kept, parents = [], []
    for lists, wanted in ((own.combine_chunks(), False), (theirs.combine_chunks(), True)):
        parent, reasons = lists.value_parent_indices(), lists.flatten()
        kind = pc.index_in(reasons.field("kind"), kinds).to_numpy(zero_copy_only=False)
        stays = pa.array(by_kind[kind, parent.to_numpy()] == wanted)
        kept.append(reasons.filter(stays))
        parents.append(parent.filter(stays).to_numpy())
    parent = np.concatenate(parents)
    order = np.argsort(parent, kind="stable")
    offsets = np.concatenate(([0], np.cumsum(np.bincount(parent, minlength=len(own)))))
    values = pa.concat_arrays(kept).take(pa.array(order))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, type=own.type)
