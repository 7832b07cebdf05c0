"""Blocks: several days as one table, split into the days again, and days that fail found alone."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.errors import UserError
from analytics_platform.model import Column, Table
from analytics_platform.model.table import DATE, INTEGER
from analytics_platform.storage.lake import Lake
from analytics_platform.storage.partitions import PartitionError, PartitionTask, PartitionTasks
from analytics_platform.storage.provenance import Provenance
from analytics_platform.storage.staleness import RecomputeDecision
from analytics_platform.storage.work.blocks import Block, Planned, contents_of, split, units
from analytics_platform.storage.work.storing import store_all

DAYS = [f"2024-03-{day:02}" for day in range(1, 9)]
NUMBERS = Table("numbers", "one row per number", (Column("date", DATE, "Day."), Column("n", INTEGER, "N.")), ("n",))


def rows(*days_and_numbers: tuple[str, int]) -> pa.Table:
    days = [dt.date.fromisoformat(day) for day, _ in days_and_numbers]
    return pa.table({"date": pa.array(days, pa.date32()), "n": [n for _, n in days_and_numbers]})


def planned(day: str, *, stale: bool = True) -> Planned:
    task = PartitionTask(day, lambda: rows((day, int(day[-2:]))))
    return Planned(task, RecomputeDecision(("because",) if stale else (), Provenance()))


@given(st.lists(st.tuples(st.sampled_from(DAYS), st.integers(0, 9))))
def test_every_day_gets_its_rows_in_their_order(found):
    parts = split(rows(*found), DAYS)
    assert {day: part["n"].to_pylist() for day, part in parts.items()} == {
        day: [n for of, n in found if of == day] for day in DAYS
    }


def test_a_row_of_a_day_outside_the_block_is_refused():
    """Otherwise the row would be lost without a word."""
    with pytest.raises(ValueError, match="not in the block"):
        split(rows((DAYS[0], 1), ("2024-04-01", 2)), DAYS)


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=8), st.integers(1, 40))
def test_units_hold_all_partitions_in_order_and_close_once_they_have_enough_rows(sizes, most):
    of_day = dict(zip(DAYS, sizes, strict=False))
    given_plan = [planned(day, stale=stale) for day, (_, stale) in of_day.items()]
    found = list(units(given_plan, Block(lambda day: of_day[day][0], lambda _: rows()), most))
    assert [one for unit in found for one in unit] == given_plan
    for unit in found:
        needed = [of_day[one.task.key][0] if one.is_computable else 0 for one in unit]
        assert sum(needed[:-1]) < most


def test_without_a_block_every_partition_is_a_unit():
    assert [len(unit) for unit in units(map(planned, DAYS), None)] == [1] * len(DAYS)


@given(st.sets(st.sampled_from(DAYS)))
def test_only_days_that_fail_are_left_to_their_own_task(broken):
    computed: list[int] = []

    def compute(days):
        computed.append(len(days))
        if broken & set(days):
            raise ValueError(days)
        return rows(*((day, int(day[-2:])) for day in days))

    contents = contents_of([planned(day) for day in DAYS], Block(lambda _: 1, compute), lambda table: table)
    assert all(part["n"].to_pylist() == [int(day[-2:])] for day, part in contents.items())
    pairs = zip(DAYS[::2], DAYS[1::2], strict=True)  # eight days are halved down to pairs, and a pair to its own tasks
    assert contents.keys() == {day for pair in pairs for day in pair if not broken.intersection(pair)}
    assert computed[0] == len(DAYS)


@pytest.mark.parametrize("error", [UserError("the server does not answer"), OSError("the server does not answer")])
def test_an_outage_is_not_met_once_for_each_half_of_a_block(error):
    """Each attempt waits for the server: a block of a year would have waited for hours before anything was told."""
    attempts = []

    def compute(days):
        attempts.append(days)
        raise error

    assert contents_of([planned(day) for day in DAYS], Block(lambda _: 1, compute), lambda table: table) == {}
    assert len(attempts) == 1


def test_days_before_a_failing_day_of_a_block_are_stored_and_told(tmp_path):
    """A block that fails as a whole would cost all of its days."""

    def fail():
        raise ValueError("no number")

    def compute(days):
        if DAYS[5] in days:
            fail()
        return rows(*((day, int(day[-2:])) for day in days))

    lake = Lake.open(str(tmp_path))
    tasks = [PartitionTask(day, fail if day == DAYS[5] else planned(day).task.compute) for day in DAYS]
    told = []
    with pytest.raises(PartitionError, match=f"partition {DAYS[5]} of numbers: no number"):
        told.extend(
            info.key
            for info, _ in store_all(PartitionTasks(tasks, block=Block(lambda _: 1, compute)), lake, NUMBERS, 2)
        )
    assert told == DAYS[:5] == lake.keys("numbers")


def test_a_block_is_stored_with_the_same_content_as_its_days_alone(tmp_path):
    blocks, alone = Lake.open(str(tmp_path / "blocks")), Lake.open(str(tmp_path / "alone"))
    block = Block(lambda _: 1, lambda days: rows(*((day, int(day[-2:])) for day in reversed(days))))
    tasks = [planned(day).task for day in DAYS]
    list(store_all(PartitionTasks(tasks, block=block), blocks, NUMBERS, 2))
    list(store_all(PartitionTasks(tasks), alone, NUMBERS, 2))
    files = [(tmp_path / name).rglob("*.parquet") for name in ("blocks", "alone")]
    first, second = (
        {str(path.relative_to(tmp_path)).partition("/")[2]: path.read_bytes() for path in paths} for paths in files
    )
    assert first == second
    assert len(first) == len(DAYS)
