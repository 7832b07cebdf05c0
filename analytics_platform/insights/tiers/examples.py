"""Labelled texts: those shipped, and any of them as what a head reads.

Belongs here: reading the files made by ``training/labels/build.py``, and turning what was said into documents.
Does not belong here: fitting (``label_model``), or judging (``quality.promotion_gate``).
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

from analytics_platform.model.learning_tables import GOLD_LABELS

DATA = Path(__file__).parents[1] / "data"
SLICE_PATH = DATA / "labels.parquet"
GOLD_PATH = DATA / "gold.parquet"
EXAMPLES = GOLD_LABELS
"""Examples to learn from and gold labels are of one form; what keeps them apart is who may read them."""

_NO_DAY = dt.date(1970, 1, 1)


@cache
def shipped_slice() -> pa.Table:
    """Return the ``EXAMPLES`` from public data sets that the default heads are fitted on."""
    return pq.read_table(SLICE_PATH)


def slice_texts() -> list[str]:
    """Return what is said in each of them: one message."""
    return [said[0]["text"] for said in shipped_slice()["messages"].to_pylist()]


def shipped_gold() -> pa.Table:
    """Return the gold labels of the sample's conversations, made by one reader."""
    return pq.read_table(GOLD_PATH)


def as_messages(examples: pa.Table) -> pa.Table:
    """Return what was said in the examples as rows of ``MESSAGES``, as far as the engine reads them.

    Args:
        examples: ``EXAMPLES``; an item that has several labels is there once.
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
    """Return a hash of what gold labels say."""
    said = orjson.dumps(gold.sort_by([("item", "ascending"), ("kind", "ascending")]).to_pylist())
    return hashlib.sha256(said).hexdigest()[:16]
