"""How conversations open."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from analytics_platform.insights.topics.openings import join_openings, opening_words, read_openings
from analytics_platform.model.tables.insight_tables import MESSAGE_EMBEDDINGS

DAY = dt.date(2024, 1, 1)
Said = tuple[str, int, str, str]


def messages(*said: Said) -> pa.Table:
    """Messages as (conversation, position, role, text)."""
    names = ("conversation_id", "position", "role", "text")
    rows = [dict(zip(names, one, strict=True)) for one in said]
    return pa.Table.from_pylist(
        [{**row, "message_id": str(row["position"]), "word_count": len(str(row["text"]).split())} for row in rows]
    )


def embeddings(table: pa.Table) -> pa.Table:
    """Vectors whose only component is the number of words."""
    rows = []
    for row in table.to_pylist():
        vector = np.zeros(256, np.float16)
        vector[row["word_count"]] = 1
        keys = {name: row[name] for name in ("conversation_id", "message_id")}
        rows.append({**keys, "date": DAY, "embedding": vector, "encoder": "mine"})
    return MESSAGE_EMBEDDINGS.from_rows(rows)


def test_an_opening_is_the_question_behind_the_greeting_and_no_later_message() -> None:
    table = messages(
        ("b", 0, "assistant", "Welcome to the shop"),
        ("b", 1, "user", "hello"),
        ("b", 3, "user", "my parcel has not come since a week"),
        ("b", 4, "user", "please answer now"),
        ("a", 0, "user", "where can I change my seat on board"),
        ("c", 0, "assistant", "nobody asked"),
    )
    openings = read_openings(table, embeddings(table))
    assert openings.ids.to_pylist() == ["a", "b"]
    assert openings.encoder == "mine"
    assert np.flatnonzero(openings.vectors[0]).tolist() == [8]
    assert np.flatnonzero(openings.vectors[1]).tolist() == [1, 8]
    assert openings.vectors[1][8] == pytest.approx(8 * openings.vectors[1][1], rel=1e-3)
    words = opening_words(table, pa.array(["c", "b", "a"])).to_pylist()
    assert words == ["", "hello my parcel has not come since a week", "where can I change my seat on board"]


def test_a_vector_without_its_message_is_left_out() -> None:
    """A day whose messages changed made the epochs fail until its vectors were computed again."""
    table = messages(("a", 0, "user", "one two three"), ("b", 0, "user", "one two"))
    assert read_openings(table.slice(0, 1), embeddings(table)).ids.to_pylist() == ["a"]
    assert len(read_openings(table.slice(0, 0), embeddings(table))) == 0


def test_equal_vectors_count_once_in_any_order() -> None:
    table = messages(*((name, 0, "user", text) for name, text in (("a", "x"), ("b", "x y"), ("c", "z"), ("d", ""))))
    openings = read_openings(table, embeddings(table))
    rows, counts = openings.distinct()
    assert sorted(counts.tolist()) == [1, 1, 2]  # the vector of no words is one, too
    other = openings.only(pa.array([True, False, True, False]))
    assert other.ids.to_pylist() == ["a", "c"]
    assert len(set(other.keys.tolist())) == 1
    joined = join_openings([other, read_openings(table.slice(0, 0), embeddings(table))])
    assert joined.ids.to_pylist() == ["a", "c"]
    assert len(rows) == 3
