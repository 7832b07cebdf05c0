"""Shipped labelled texts, and the conversion of labelled texts to messages that the engine reads.

``training/labels/build.py`` makes the files.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from functools import cache
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analytics_platform.model.tables.learning_tables import GOLD_LABELS

DATA = Path(__file__).parents[1] / "data"
SLICE_PATH = DATA / "labels.parquet"
GOLD_PATH = DATA / "gold.parquet"
OPENINGS_PATH = DATA / "openings.parquet"
_GENERAL_PATH = DATA / "sentiment.parquet"
_GENERAL_SOURCE = "goemotions"
EXAMPLES = GOLD_LABELS
"""Table of training examples; it has the form of gold labels, but fits read only examples and evaluations only gold."""

_NO_DAY = dt.date(1970, 1, 1)


@cache
def shipped_slice() -> pa.Table:
    """Return the ``EXAMPLES`` from public data sets on which the default heads are fitted."""
    return pq.read_table(SLICE_PATH)


@cache
def shipped_openings() -> pa.Table:
    """Return what customers of labelled conversations wrote first: columns pack, topic, intent and text."""
    return pq.read_table(OPENINGS_PATH)


def slice_texts() -> list[str]:
    """Return the text of each example of the shipped slice, which has one message."""
    return [said[0]["text"] for said in shipped_slice()["messages"].to_pylist()]


def shipped_gold() -> pa.Table:
    """Return the gold labels of the sample's conversations, all by one annotator."""
    return pq.read_table(GOLD_PATH)


def general_texts(most: int, first: int = 0) -> list[str]:
    """Return short texts on any subject from the shipped sentiment slice (see ``data/NOTICE``).

    Args:
        most: Number of texts.
        first: Number of texts that are passed over.
    """
    table = pq.read_table(_GENERAL_PATH)
    texts: list[str] = table.filter(pc.equal(table["source"], _GENERAL_SOURCE))["text"].slice(first, most).to_pylist()
    return texts


def as_messages(examples: pa.Table) -> pa.Table:
    """Return the messages of examples as rows of ``MESSAGES``, with the columns that the engine reads.

    Args:
        examples: ``EXAMPLES``; an item with several labels is converted once.
    """
    items, said = examples["item"].combine_chunks(), examples["messages"].combine_chunks()
    first = pc.equal(pc.index_in(items, value_set=items), pa.array(range(len(items)), pa.int32()))
    items, said = items.filter(first), said.filter(first)
    of_message = pc.list_parent_indices(said)
    lengths = pc.list_value_length(said).to_pylist()
    position = pa.array([place for length in lengths for place in range(length)], pa.int64())
    spoken, item = said.flatten(), items.take(of_message)
    return pa.table(
        {
            "date": pa.repeat(pa.scalar(_NO_DAY, pa.date32()), len(spoken)),
            "conversation_id": item,
            "message_id": pc.binary_join_element_wise(item, position.cast(pa.string()), "/"),
            "position": position,
            "role": spoken.field("role"),
            "text": spoken.field("text"),
        }
    )


def version_of(gold: pa.Table) -> str:
    """Return a hash of gold labels, independent of their order; 16 hexadecimal digits."""
    said = orjson.dumps(gold.sort_by([("item", "ascending"), ("kind", "ascending")]).to_pylist())
    return hashlib.sha256(said).hexdigest()[:16]
