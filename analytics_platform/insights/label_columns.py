"""Answers of a tier as columns of the tables of labels."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from analytics_platform.insights.taxonomies.taxonomy import OTHER
from analytics_platform.insights.tiers.decisions import DECIMALS
from analytics_platform.insights.tiers.tier import SENTIMENT_VALUES, Classified, Floats, Ints
from analytics_platform.model.tables.insight_tables import TOPICS_TYPE

_TOPIC_THRESHOLD = 0.2
_MOST_TOPICS = 3


def polarity(answer: Classified) -> Floats:
    """Return sentiments from -1 to 1: the mean of the labels' values, weighted by confidence; shape (documents,)."""
    return answer.confidence @ [SENTIMENT_VALUES[label] for label in answer.labels]


def rounded(values: Floats) -> Floats:
    """Return values with the decimals that tables have."""
    return np.round(values, DECIMALS) + 0.0  # no negative zero


def topics_array(answer: Classified, chosen: Ints | None = None) -> pa.Array:
    """Return each document's topics above the threshold with their confidence, most confident first, at most three.

    Args:
        answer: The topics.
        chosen: Column of each document's primary topic, which is listed below the threshold, too; None for no such one.
    """
    confidence = rounded(answer.confidence)
    named = np.array([label != OTHER for label in answer.labels])
    order = np.argsort(-np.where(named, confidence, -1.0), axis=1, kind="stable")[:, :_MOST_TOPICS]
    top = np.take_along_axis(confidence, order, axis=1)
    keep = (top >= _TOPIC_THRESHOLD) & named[order]
    if chosen is not None:
        keep |= (order == chosen[:, None]) & named[order]
    offsets = np.concatenate(([0], np.cumsum(keep.sum(axis=1)))).astype(np.int32)
    labels = pa.array(answer.labels, pa.string()).take(pa.array(order[keep]))
    items = pa.StructArray.from_arrays([labels, pa.array(top[keep])], fields=list(TOPICS_TYPE.value_type))
    return pa.ListArray.from_arrays(offsets, items, type=TOPICS_TYPE)
