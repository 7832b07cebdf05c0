"""Partitions that another process stores: what it leaves undone is done here, and nothing is done twice."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import partial

import pyarrow as pa
import pytest

from analytics_platform.defs.executors.deliveries import accepted
from analytics_platform.model import Column, Table
from analytics_platform.model.table import DATE, INTEGER
from analytics_platform.storage.lake import Lake
from analytics_platform.storage.partitions import PartitionError, PartitionTask, PartitionTasks
from analytics_platform.storage.staleness import RecomputePolicy
from analytics_platform.storage.validated import Validated
from analytics_platform.storage.work.blocks import Block
from analytics_platform.storage.work.orders import Delivered, Order
from analytics_platform.storage.work.storing import store_all

DAYS = [f"2024-03-{day:02}" for day in range(1, 9)]
NUMBERS = Table("numbers", "one row per number", (Column("date", DATE, "Day."), Column("n", INTEGER, "N.")), ("n",))


def number(day: str) -> pa.Table:
    return pa.table({"date": pa.array([dt.date.fromisoformat(day)], pa.date32()), "n": [int(day[-2:])]})


class OtherProcess:
    """Stores what it is ordered to with a lake object of its own, except for some days.

    Args:
        folder: Folder of the lake.
        lake: The lake of the process that orders.
        refused: Days that it leaves undone.
    """

    def __init__(self, folder: str, lake: Lake, *, refused: tuple[str, ...] = (), least_rows: int = 1) -> None:
        self.least_rows = least_rows
        self.width = 2
        self.refused = refused
        self.ordered: list[list[str]] = []
        self.is_started = False
        self._own = Lake.open(folder)
        self._lake = lake

    def deliver(self, order: Order):
        self.ordered.append(list(order.decisions))
        mine = [key for key in order.decisions if key not in self.refused]
        stored = {
            key: (self._own.write(order.table, key, number(key), "{}"), order.decisions[key].reasons) for key in mine
        }
        delivery = Delivered(stored, {key: self._own.checksum(order.table, key) for key in mine})
        return accepted(order, delivery, self._lake)

    def start(self) -> None:
        self.is_started = True

    def close(self) -> None:
        pass


@pytest.fixture
def computed() -> list[str]:
    return []


def result(computed: list[str], broken: str = "") -> PartitionTasks:
    def compute(days):
        if broken in days:
            raise ValueError("no number")
        computed.extend(days)
        return pa.concat_tables([number(day) for day in days])

    tasks = [PartitionTask(day, partial(compute, [day])) for day in DAYS]
    order = partial(Order, "numbers", "run", policy=RecomputePolicy.UNFINISHED)
    return PartitionTasks(tasks, block=Block(lambda _: 1, compute), order=lambda decisions: order(decisions=decisions))


def test_what_another_process_stores_is_not_computed_here_and_counts_as_validated(tmp_path, computed):
    """A check that knows no checksum would decode and validate every partition a second time."""
    lake = Lake.open(str(tmp_path))
    other = OtherProcess(str(tmp_path), lake)
    stored = list(store_all(result(computed), lake, NUMBERS, 1, block_rows=3, delegate=other))
    assert computed == []
    assert [info.key for info, _ in stored] == DAYS == lake.keys("numbers")
    assert sorted(other.ordered) == [DAYS[:3], DAYS[3:6], DAYS[6:]]
    validated = Validated()
    validated.add("numbers", stored[0][0], "a run")
    assert validated.covers(lake, "numbers", DAYS[0], "another run")


def test_partitions_that_another_process_leaves_undone_are_computed_here(tmp_path, computed):
    lake = Lake.open(str(tmp_path))
    other = OtherProcess(str(tmp_path), lake, refused=(DAYS[1], DAYS[2], DAYS[7]))
    stored = list(store_all(result(computed), lake, NUMBERS, 1, block_rows=4, delegate=other))
    assert sorted(computed) == [DAYS[1], DAYS[2], DAYS[7]]
    assert [lake.read("numbers", info.key)["n"].to_pylist() for info, _ in stored] == [[n] for n in range(1, 9)]


def test_a_partition_that_fails_elsewhere_raises_its_own_error_here(tmp_path, computed):
    lake = Lake.open(str(tmp_path))
    other = OtherProcess(str(tmp_path), lake, refused=tuple(DAYS[4:]))
    told = []
    stored = store_all(result(computed, DAYS[4]), lake, NUMBERS, 1, block_rows=8, delegate=other)
    with pytest.raises(PartitionError, match=f"partition {DAYS[4]} of numbers: no number"):
        told.extend(info.key for info, _ in stored)
    assert told == DAYS[:4]


def test_few_rows_do_not_start_other_processes(tmp_path, computed):
    """A worker takes seconds to start, and an everyday run computes one day."""
    lake = Lake.open(str(tmp_path))
    other = OtherProcess(str(tmp_path), lake, least_rows=9)
    assert len(list(store_all(result(computed), lake, NUMBERS, 1, block_rows=3, delegate=other))) == 8
    assert other.ordered == []
    assert not other.is_started
    assert computed == DAYS


@pytest.mark.parametrize(("orders_follow", "expected"), [(True, [False] * 4 + [True] * 4), (False, [False] * 8)])
def test_other_processes_start_during_a_table_of_this_process_if_orders_follow(
    tmp_path, computed, orders_follow, expected
):
    """The source is read here, and the processes that clean it take seconds to start; without orders they only cost."""
    lake = Lake.open(str(tmp_path))
    other = OtherProcess(str(tmp_path), lake, least_rows=5)
    rows = replace(result(computed), order=None)
    stored = store_all(rows, lake, NUMBERS, 1, block_rows=1, delegate=other, orders_follow=orders_follow)
    assert [other.is_started for _ in stored] == expected
    assert other.ordered == []
