"""The computation of one partition: its inputs, the conversations it leaves out, and the failures it records.

``recipe`` decides when a partition is computed; ``isolation`` finds the failing conversations.
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
    """The computation of one partition. An object serves one partition and one thread.

    Args:
        function: Computes the table from the inputs as keyword arguments.
        inputs: Reads the inputs.
        left_out: Returns the conversations that failed in upstream tables; they are removed from every input.
        isolates: Whether conversations that fail alone are left out, instead of failing the partition.
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
        """Return the table; errors of the function are raised unchanged."""
        return self._function(**self._inputs())

    def rescue(self, error: Exception, checked: Callable[[pa.Table], pa.Table]) -> pa.Table:
        """Return the table without the conversations that fail alone, after ``compute`` or a check raised ``error``.

        Args:
            error: The error that was raised.
            checked: Returns the table in the form in which it is stored, or raises if it is invalid.

        Raises:
            Exception: ``error``, if single conversations do not cause it.
        """
        if not self._isolates:
            raise error
        inputs = self._inputs()
        table, failed = isolate(inputs, lambda tables: checked(self._function(**tables)), error)
        self._errors = {name: describe(raised, only(inputs, [name])) for name, raised in failed.items()}
        return table

    def annotations(self, before: PartitionInfo | None) -> Mapping[str, str]:
        """Return the annotations that record the failures and the left-out conversations of the partition.

        Args:
            before: The stored partition of the same inputs and code, whose attempts are continued; None to count from
                one.
        """
        tries = {failure.conversation_id: failure.attempts for failure in failures_of(before)}
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        failures = [Failure(name, error, tries.get(name, 0) + 1, now) for name, error in self._errors.items()]
        return as_annotations(failures, self._left_out())

    def _inputs(self) -> Inputs:
        return without(self._read(), self._left_out())
