"""Learn the order of day, month and year of a source's dates from all of their values.

``table_times`` decides by the first rows of a file. Only where those leave the order open, the whole file is read once
more for it, and then the other files of the source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import pyarrow as pa

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.formats.content import SourceFile
from analytics_platform.sources.shapes.table_parts.table_times import DateNumbers


class DateOrders:
    """The orders of dates in the files of a source.

    Args:
        files: The files.
        times_of: Yields the times of a file, batch by batch, as the file states them.
    """

    def __init__(self, files: Sequence[SourceFile], times_of: Callable[[SourceFile], Iterator[pa.Array]]) -> None:
        self._files = files
        self._times_of = times_of
        self._orders: dict[SourceFile, Sequence[str]] = {}
        self._of_source: set[str] | None = None
        self.sentences: list[str] = []

    def orders_of(self, file: SourceFile) -> Sequence[str]:
        """Return the orders that the dates of a file allow; none for a file without such dates."""
        if file not in self._orders:
            numbers = DateNumbers()
            with suppress(SourceError):  # a file that cannot be read is refused when its rows are read
                for times in self._times_of(file):
                    numbers.add(times)
                    if not numbers or len(numbers.orders()) < 2:
                        break
            self._orders[file] = numbers.orders() if numbers else ()
        return self._orders[file]

    def of_source(self) -> str | None:
        """Return the one order that files of the source show by themselves; None if none does, or two differ."""
        if self._of_source is None:
            decided = (self.orders_of(file) for file in self._files)
            self._of_source = {orders[0] for orders in decided if len(orders) == 1}
        return next(iter(self._of_source)) if len(self._of_source) == 1 else None

    def beside(self, file: SourceFile) -> OrdersBeside:
        """Return what the source's dates say to a file whose first rows leave the order open."""
        return OrdersBeside(self, file)


class OrdersBeside:
    """What a file's further rows and the other files say about its dates; implements ``OrdersElsewhere``."""

    def __init__(self, orders: DateOrders, file: SourceFile) -> None:
        self._orders = orders
        self._file = file

    def of_file(self) -> Sequence[str]:
        """Return the orders that all dates of the file allow."""
        return self._orders.orders_of(self._file)

    def of_source(self) -> str | None:
        """Return the order that the other files of the source show; None if none does, or two differ."""
        return self._orders.of_source()

    def tell(self, sentence: str) -> None:
        """Keep a sentence about the file, which the run says at its end."""
        told = f"{self._file.label}: {sentence}"
        if told not in self._orders.sentences:
            self._orders.sentences.append(told)
