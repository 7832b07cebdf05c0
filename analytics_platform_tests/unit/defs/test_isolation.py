"""Which conversations fail alone, what is kept of the others, and what may be told of an error."""

from __future__ import annotations

import errno
import math

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.defs.framework.isolation import (
    FEW_FAILURES,
    MOST_FAILURES,
    describe,
    find_failing,
    isolate,
    most_failures,
    without,
)
from analytics_platform.errors import UserError


class BadConversationError(ValueError):
    """What the computation of these tests raises."""


class Day:
    """A day of conversations with two messages each, and a computation that some of them break."""

    def __init__(self, size: int, poison: set[int]) -> None:
        self.ids = [f"c{n:04}" for n in range(size)]
        self.poison = {self.ids[n] for n in poison}
        self.inputs = {
            "messages": pa.table({"conversation_id": self.ids * 2, "n": range(2 * size)}),
            "raw": pa.table({"conversation_id": self.ids}),
            "limit": 7,
        }
        self.calls = 0

    def compute(self, inputs) -> pa.Table:
        self.calls += 1
        present = inputs["messages"]["conversation_id"].to_pylist()
        assert set(present) == set(inputs["raw"]["conversation_id"].to_pylist())
        assert inputs["limit"] == 7
        if bad := self.poison.intersection(present):
            raise BadConversationError(sorted(bad)[0])
        total = pc.sum(inputs["messages"]["n"]).as_py()  # tells whether all the others were computed together
        return inputs["messages"].append_column("total", pa.repeat(total, len(present)))


days = st.integers(1, 200).flatmap(lambda size: st.tuples(st.just(size), st.sets(st.integers(0, size - 1), min_size=1)))


@given(days)
def test_exactly_the_bad_ones_are_named_and_the_rest_is_as_without_them(given_day) -> None:
    day = Day(*given_day)
    size, bad = len(day.ids), len(day.poison)
    error = BadConversationError("the whole day")
    if bad == size or bad > most_failures(size):
        with pytest.raises(BadConversationError, match="the whole day"):
            isolate(day.inputs, day.compute, error)
    else:
        table, failed = isolate(day.inputs, day.compute, error)
        assert set(failed) == day.poison
        assert all(str(raised) == name for name, raised in failed.items())
        assert table.equals(Day(size, set()).compute(without(day.inputs, day.poison)))
    halvings = math.ceil(math.log2(size)) if size > 1 else 1
    assert day.calls <= 2 * min(bad, most_failures(size) + 1) * halvings + 1


def test_an_error_of_all_together_is_nobodys() -> None:
    day = Day(8, set())

    def too_many(inputs):
        if inputs["raw"].num_rows > 5:
            raise BadConversationError("too many")
        return day.compute(inputs)

    with pytest.raises(BadConversationError, match="the first error"):
        isolate(day.inputs, too_many, BadConversationError("the first error"))
    assert day.calls == 2


@pytest.mark.parametrize("error", [UserError("no lake"), MemoryError(), ConnectionError("refused")])
def test_what_is_about_the_machine_is_not_looked_for_in_conversations(error: Exception) -> None:
    day = Day(8, {1})
    with pytest.raises(type(error)):
        isolate(day.inputs, day.compute, error)
    assert day.calls == 0


def test_the_search_ends_when_the_machine_fails() -> None:
    def out_of_memory(_) -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        find_failing(["a", "b"], out_of_memory, 100)


@pytest.mark.parametrize(("conversations", "most"), [(1, 3), (20, 3), (50, 5), (999, 99), (50_000, 100)])
def test_few_of_a_small_day_and_a_tenth_of_a_large_one_may_fail(conversations: int, most: int) -> None:
    assert FEW_FAILURES <= most_failures(conversations) == most <= MOST_FAILURES


def raised(message: str) -> Exception:
    try:
        most_failures(message)  # type: ignore[arg-type]
    except TypeError as error:
        error.args = (message,)
        return error
    raise AssertionError


def test_an_error_is_told_with_its_kind_and_place_and_no_word_of_the_conversation() -> None:
    said = {
        "messages": pa.table(
            {
                "conversation_id": ["c1"],
                "text": ["my secret is hunter2, über\nalles"],
                "code": [["rm -rf /home/ann"]],
                "extra": ['{"iban": "DE02"}'],
            }
        )
    }
    error = raised("bad\nvalue 'anything at all' in column 3: HUNTER2 or Über, ann, iban DE02 and \"more\"")
    line = describe(error, said)
    assert line.startswith("TypeError in most_failures (defs/framework/isolation.py:")
    assert line.endswith("): bad value … in column 3: … or …, …, … … and …")
    assert len(describe(raised("x" * 5000), said)) == 300


def test_nothing_is_copied_when_nothing_is_left_out() -> None:
    day = Day(3, set())
    assert without(day.inputs, ())["messages"] is day.inputs["messages"]


def test_a_full_disk_behind_another_error_is_no_failed_conversation() -> None:
    """A library that wraps the system's error would make a full disk look like conversations that fail."""
    day = Day(10, {3})

    def compute(inputs) -> pa.Table:
        if day.poison.intersection(inputs["raw"]["conversation_id"].to_pylist()):
            raise ValueError("cannot encode") from OSError(errno.ENOSPC, "No space left on device")
        return inputs["raw"]

    with pytest.raises(ValueError, match="cannot encode"):
        isolate(day.inputs, compute, BadConversationError("the whole day"))


def test_words_about_a_full_disk_in_a_conversation_are_no_full_disk() -> None:
    """People write "no space left on device" in support chats."""
    day = Day(10, {3})
    error = ValueError("IO Error: no space left on device")

    _, failed = isolate(day.inputs, day.compute, error)

    assert list(failed) == ["c0003"]
