"""Conversations as vectors, and the nearest ones: exactly what comparing with every one of them finds."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.insights import similarity
from analytics_platform.insights.engine import InsightEngine
from analytics_platform.insights.similarity import FOUND_SCHEMA, best, conversation_embeddings, nearest, vector_of
from analytics_platform.insights.vectors.unit_length import unit
from analytics_platform.model import find_violations
from analytics_platform.model.tables.insight_tables import CONVERSATION_EMBEDDINGS, EMBEDDING_DIMENSIONS

DAY = dt.date(2006, 6, 1)


def stored(vectors: np.ndarray, day: dt.date = DAY, prefix: str = "c") -> pa.Table:
    """Return vectors as a day of the table, scaled and rounded as they are stored; row n is conversation cn."""
    rows = unit(vectors).astype(np.float16)
    return CONVERSATION_EMBEDDINGS.from_rows(
        [
            {"date": day, "conversation_id": f"{prefix}{row:03}", "embedding": list(vector), "encoder": "e"}
            for row, vector in enumerate(rows)
        ]
    )


def wide(values: list[list[int]]) -> np.ndarray:
    """Return a few numbers per row as vectors of the full width."""
    vectors = np.zeros((len(values), EMBEDDING_DIMENSIONS))
    for row, numbers in enumerate(values):
        vectors[row, : len(numbers)] = numbers
    return vectors


def brute_force(tables: list[pa.Table], sought: np.ndarray, limit: int, without: str | None) -> list[tuple[Any, ...]]:
    """Compare with every row, one number at a time."""
    found = []
    for row in pa.concat_tables(tables).to_pylist():
        length = math.hypot(*row["embedding"]) * math.hypot(*sought)
        if length and row["conversation_id"] != without:
            product = math.fsum(a * b for a, b in zip(row["embedding"], sought, strict=True))
            found.append((-round(product / length, 9), row["date"], row["conversation_id"]))
    return [(day, name, pytest.approx(-cosine, abs=2e-9)) for cosine, day, name in sorted(found)[:limit]]


numbers = st.lists(st.integers(-2, 2), min_size=3, max_size=3)


@given(
    st.lists(st.lists(numbers, min_size=0, max_size=12), min_size=1, max_size=3),
    numbers.filter(any),
    st.integers(1, 8),
    st.sampled_from([None, "c000", "c003"]),
)
def test_the_search_finds_what_comparing_with_every_conversation_finds(days, sought, limit, without) -> None:
    tables = [stored(wide(rows), DAY + dt.timedelta(number)) for number, rows in enumerate(days)]
    vector = wide([sought])[0]
    found = best((nearest(table, vector, limit, without=without) for table in tables), limit)
    assert found.schema == FOUND_SCHEMA
    rows = [tuple(row.values()) for row in found.to_pylist()]
    assert rows == brute_force(tables, vector, limit, without)


def test_vectors_closer_than_single_precision_tells_are_in_the_right_order() -> None:
    generator = np.random.default_rng(3)
    sought = generator.standard_normal(EMBEDDING_DIMENSIONS)
    table = stored(sought + generator.standard_normal((300, EMBEDDING_DIMENSIONS)) * 1e-3)
    found = [tuple(row.values()) for row in nearest(table, sought, 5).to_pylist()]
    assert found == brute_force([table], sought, 5, None)


def test_a_row_is_as_similar_whatever_stands_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(4).standard_normal((50, EMBEDDING_DIMENSIONS))
    table, sought = stored(vectors), vectors[0]
    whole = nearest(table, sought, 50)
    alone = best((nearest(table.slice(row, 1), sought, 1) for row in range(50)), 50)
    assert alone.equals(whole)
    monkeypatch.setattr(similarity, "_ROWS_AT_ONCE", 7)
    assert nearest(table, sought, 50).equals(whole)


def test_no_more_than_the_rows_asked_for_are_kept_while_days_go_by() -> None:
    kept: list[int] = []

    def days() -> Iterator[pa.Table]:
        for number in range(20):
            yield nearest(stored(wide([[1, number]] * 5), DAY + dt.timedelta(number)), wide([[1]])[0], 3)
            kept.append(pa.total_allocated_bytes())

    assert best(days(), 3).num_rows == 3
    assert max(kept[5:]) - kept[4] < 50_000


def test_a_conversation_is_nearest_to_what_its_customer_opens_with(
    engine: InsightEngine, build_messages: Callable[..., pa.Table]
) -> None:
    opening = "how do i mount a cdrom on my laptop?"
    messages = build_messages(
        [
            ("disc", "user", opening),
            ("disc", "agent", "open the file manager and click on the device"),
            ("disc", "user", "ok"),
            ("late", "user", "the printer prints nothing but blank pages"),
            ("late", "agent", "is there any ink left?"),
            ("late", "user", opening),
            ("mute", "user", " "),
        ]
    )
    made = conversation_embeddings(messages, engine.embed_messages(messages))
    assert find_violations(CONVERSATION_EMBEDDINGS, made) == []
    assert made["conversation_id"].to_pylist() == ["disc", "late"]
    assert made["encoder"].unique().to_pylist() == [engine.encoder.name]
    found = nearest(made, engine.encoder.encode([opening])[0], 2)
    assert found["conversation_id"].to_pylist() == ["disc", "late"]
    assert found["similarity"][0].as_py() > 0.7


def test_a_conversation_of_one_message_has_its_vector_and_the_order_of_rows_changes_nothing(
    engine: InsightEngine, messages: pa.Table
) -> None:
    embeddings = engine.embed_messages(messages)
    made = conversation_embeddings(messages, embeddings)
    assert conversation_embeddings(messages.take(list(reversed(range(len(messages))))), embeddings).equals(made)
    alone = [row for row in embeddings.to_pylist() if row["conversation_id"] == "howto"]
    vector = vector_of(made, "howto")
    assert vector is not None
    assert vector == pytest.approx(np.array(alone[0]["embedding"], np.float64), abs=1e-3)
    assert vector_of(made, "nobody") is None


def test_a_day_without_messages_has_no_conversations(engine: InsightEngine, messages: pa.Table) -> None:
    none = messages.slice(0, 0)
    made = conversation_embeddings(none, engine.embed_messages(none))
    assert made.equals(CONVERSATION_EMBEDDINGS.empty())
    assert nearest(made, np.ones(EMBEDDING_DIMENSIONS), 3).equals(FOUND_SCHEMA.empty_table())
