"""Tasks run in parallel, in order, and never more than a few ahead."""

from __future__ import annotations

import threading
import time

import pyarrow as pa
import pytest
from pyarrow import fs

from analytics_platform.storage.lake import Lake
from analytics_platform.storage.partitions import PartitionStream, PartitionTask, run_tasks


def tasks(count: int) -> list[PartitionTask]:
    return [PartitionTask(str(n), lambda n=n: pa.table({"n": [n]})) for n in range(count)]


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_the_order_of_the_tasks(workers):
    def work(task: PartitionTask) -> str:
        time.sleep(0.002 * (5 - int(task.key) % 5))
        return task.key

    assert list(run_tasks(tasks(12), work, workers)) == [str(n) for n in range(12)]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_no_more_tasks_are_taken_than_there_are_workers_beyond_the_consumer(workers):
    taken: list[str] = []

    def lazily():
        for task in tasks(20):
            taken.append(task.key)
            yield task

    results = run_tasks(lazily(), lambda task: task.key, workers)
    for consumed, _ in enumerate(results, start=1):
        assert len(taken) <= consumed + workers


def test_workers_really_work_side_by_side():
    barrier = threading.Barrier(2, timeout=5)
    list(run_tasks(tasks(2), lambda _: barrier.wait(), workers=2))


@pytest.mark.parametrize("workers", [1, 2])
def test_the_first_failure_in_order_is_raised_after_the_results_before_it(workers):
    started: list[str] = []

    def work(task: PartitionTask) -> str:
        started.append(task.key)
        if task.key in {"3", "4"}:
            raise ValueError(task.key)
        return task.key

    results = []
    with pytest.raises(ValueError, match="3"):
        results.extend(run_tasks(tasks(40), work, workers))
    assert len(started) < 10


def test_a_task_that_runs_beside_a_failure_gives_its_result():
    """Its partition is stored: without the result, the event history never learns why."""
    beside = threading.Event()

    def work(task: PartitionTask) -> str:
        if task.key == "1":
            assert beside.wait(5)
            raise ValueError(task.key)
        if task.key == "2":
            beside.set()
        return task.key

    results = []
    with pytest.raises(ValueError, match="1"):
        results.extend(run_tasks(tasks(40), work, workers=2))
    assert results == ["0", "2"]


class CountingLake(Lake):
    """A lake that remembers what was read."""

    def read(self, name, key, columns=None):
        self.reads.append(key)
        return super().read(name, key, columns)


def test_a_stream_reads_nothing_until_asked_and_leaves_out_what_is_not_stored(tmp_path):
    store = CountingLake(fs.LocalFileSystem(), str(tmp_path))
    store.reads = []
    for day in ("2006-05-15", "2006-05-17"):
        store.write("messages", day, pa.table({"day": [day]}), "")
    stream = PartitionStream(store, "messages", ["2006-05-15", "2006-05-16", "2006-05-17"])
    assert list(stream) == ["2006-05-15", "2006-05-17"]
    assert len(stream.only(["2006-05-17", "2006-05-18"])) == 1
    assert store.reads == []
    assert stream["2006-05-17"]["day"].to_pylist() == ["2006-05-17"]
    assert store.reads == ["2006-05-17"]
    with pytest.raises(KeyError, match="messages has no partition 2006-05-16"):
        stream["2006-05-16"]
