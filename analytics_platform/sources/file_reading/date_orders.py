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
        self._numbers: dict[SourceFile, DateNumbers] = {}
        self.sentences: list[str] = []

    def numbers_of(self, file: SourceFile) -> DateNumbers:
        """Return the numbers of the dates of a file, up to the row from which on they show an order."""
        if file not in self._numbers:
            numbers = DateNumbers()
            with suppress(SourceError):  # a file that cannot be read is refused when its rows are read
                for times in self._times_of(file):
                    numbers.add(times)
                    if all(len(numbers.orders(separator)) == 1 for separator in numbers.separators):
                        break
            self._numbers[file] = numbers
        return self._numbers[file]

    def of_source(self, separator: str) -> str | None:
        """Return the one order that files of the source show by themselves; None if none does, or two differ.

        Dates with slashes and dashes also tell each other's order, where no file shows it for the separator itself.
        """
        numbers = [self.numbers_of(file) for file in self._files]
        for separators in (separator, "" if separator == "." else "/-"):
            shown = {tuple(one.orders(other)) for one in numbers for other in separators}
            decided = {orders[0] for orders in shown if len(orders) == 1}
            if decided:
                return decided.pop() if len(decided) == 1 else None
        return None

    def beside(self, file: SourceFile) -> OrdersBeside:
        """Return what the source's dates say to a file whose first rows leave the order open."""
        return OrdersBeside(self, file)


class OrdersBeside:
    """What a file's further rows and the other files say about its dates; implements ``OrdersElsewhere``."""

    def __init__(self, orders: DateOrders, file: SourceFile) -> None:
        self._orders = orders
        self._file = file

    def of_file(self) -> DateNumbers:
        """Return the numbers of the dates of the file."""
        return self._orders.numbers_of(self._file)

    def of_source(self, separator: str) -> str | None:
        """Return the order that the files of the source show for a separator; None if none does, or two differ."""
        return self._orders.of_source(separator)

    def tell(self, sentence: str) -> None:
        """Keep a sentence about the file, which the run says at its end."""
        told = f"{self._file.label}: {sentence}"
        if told not in self._orders.sentences:
            self._orders.sentences.append(told)
