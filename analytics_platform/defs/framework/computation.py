"""One partition on its way: what goes in, what is left out of it, and what failed.

Belongs here: the meeting of a table's pure function with the failures kept in the stores. Does not belong here: when a
partition is computed (``recipe``), how failing conversations are found (``isolation``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from functools import cache

import pyarrow as pa

from analytics_platform.defs.framework.isolation import Inputs, describe, isolate, only, without
from analytics_platform.storage.failures import Failure, as_annotations, failures_of
from analytics_platform.storage.partitions import PartitionInfo


class Computation:
    """The computation of one partition, used once and by one thread.

    Args:
        function: Makes the table of ``inputs()`` by keyword.
        inputs: Reads the inputs.
        left_out: Conversations that failed further up; no input shows them to the function.
        isolates: Whether conversations that fail are left out too, instead of failing the partition.
    """

    def __init__(
        self,
        function: Callable[..., pa.Table],
        inputs: Callable[[], Inputs],
        left_out: Callable[[], Collection[str]],
        *,
        isolates: bool,
    ) -> None:
        self._function = function
        self._read = inputs
        self._left_out = cache(left_out)
        self._isolates = isolates
        self._errors: dict[str, str] = {}

    def compute(self) -> pa.Table:
        """Return the table; whatever the function raises comes through."""
        return self._function(**self._inputs())

    def rescue(self, error: Exception, checked: Callable[[pa.Table], pa.Table]) -> pa.Table:
        """Return the table without the conversations that fail alone, after ``compute`` or a check raised ``error``.

        Args:
            error: What was raised.
            checked: Returns the table as it is stored, or raises if it cannot be.

        Raises:
            Exception: ``error``, when it is not about a few conversations.
        """
        if not self._isolates:
            raise error
        inputs = self._inputs()
        table, failed = isolate(inputs, lambda given: checked(self._function(**given)), error)
        self._errors = {name: describe(raised, only(inputs, [name])) for name, raised in failed.items()}
        return table

    def annotations(self, before: PartitionInfo | None) -> Mapping[str, str]:
        """Return what to keep with the partition of failures.

        Args:
            before: What is stored of the same inputs and code, whose tries are counted on; None to count anew.
        """
        tries = {failure.conversation_id: failure.attempts for failure in failures_of(before)}
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        failures = [Failure(name, error, tries.get(name, 0) + 1, now) for name, error in self._errors.items()]
        return as_annotations(failures, self._left_out())

    def _inputs(self) -> Inputs:
        return without(self._read(), self._left_out())
