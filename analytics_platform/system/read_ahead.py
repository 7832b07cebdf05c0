"""Produce the next item of an iterator in a thread while the caller works on the current one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def read_ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield the items in order; a thread produces one item ahead.

    This saves time where both sides leave the interpreter, as Arrow and DuckDB do. An error of the iterator is raised
    where its item would come. The thread ends with the iteration, whether or not all items were taken.

    Args:
        items: Only the thread iterates over them.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as thread:
        item = thread.submit(_next, iterator)
        while (found := item.result()) is not None:
            item = thread.submit(_next, iterator)
            yield found[0]


def _next(iterator: Iterator[T]) -> tuple[T] | None:
    return next(((item,) for item in iterator), None)
