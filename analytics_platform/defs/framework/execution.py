"""Runs one Dagster job in this process, and ends it at once on an interruption, a full disk or a lost lease."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from analytics_platform.storage.leases.held_lease import LeaseLostError
from analytics_platform.system import interruption
from analytics_platform.system.disk_full import DiskFullError, disk_full_told, is_nearly_full

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_STORING_FAILED = ("Exception while storing event batch", "Falling back to storing multiple single-event")
_FULL_DISK = ("[Errno 28]", "[Errno 122]")
_UNCLEAR = ("MongoStoreError", "MongoUnreachableError", "EmbeddedMongoError")
"""Classes of errors that a full disk causes without naming it, when the embedded MongoDB writes to the disk."""


def execute(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    *,
    run_config: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    selection: Sequence[dg.AssetKey] | None = None,
    raise_on_error: bool = False,
) -> dg.ExecuteInProcessResult:
    """Run a job in this process without console output.

    Args:
        job: The job.
        instance: The Dagster instance that records the run.
        run_config: Run configuration, apart from that of the logger.
        tags: Tags of the run.
        selection: Assets to materialize; all when None.
        raise_on_error: Whether the error of a step is raised, instead of recorded in the result.

    Raises:
        KeyboardInterrupt: If the process was interrupted; Dagster has then recorded the run as failed.
        DiskFullError: If a step or the event history found the disk full.
        LeaseLostError: If another machine has taken over the days of the run.
    """
    home = Path(instance.root_directory).parent
    with disk_full_told(home), _without_storing_failures():
        result = job.execute_in_process(
            run_config={**_QUIET, **(run_config or {})},
            instance=instance,
            tags=dict(tags or {}),
            asset_selection=selection,
            raise_on_error=raise_on_error,
        )
    interruption.stop_if_interrupted()  # Dagster would let the next run start
    for event in result.all_events:
        if event.is_step_failure and (full := _full_disk_of(event.step_failure_data.error, home)):
            raise full
        if event.is_step_failure and (lost := _lost_lease_of(event.step_failure_data.error)):
            raise lost
    return result


def _lost_lease_of(error: Any) -> LeaseLostError | None:
    """Return a ``LeaseLostError`` if a stored error, or a cause of it, is one; Dagster stores only its message."""
    while error is not None:
        if error.cls_name == LeaseLostError.__name__:
            return LeaseLostError(str(error.message).strip().partition(f"{error.cls_name}: ")[2])
        error = error.cause or error.context
    return None


def _full_disk_of(error: Any, home: Path) -> DiskFullError | None:
    """Return a ``DiskFullError`` if a stored error, or a cause of it, is about a full disk; None otherwise."""
    while error is not None:
        message = str(error.message).strip().partition(f"{error.cls_name}: ")[2]
        if error.cls_name == DiskFullError.__name__:
            return DiskFullError.from_message(message)
        if error.cls_name == "OSError" and message.startswith(_FULL_DISK):
            return DiskFullError(home)
        if error.cls_name in _UNCLEAR and is_nearly_full(home):
            return DiskFullError(home)
        error = error.cause or error.context
    return None


@contextlib.contextmanager
def _without_storing_failures() -> Iterator[None]:
    """Hide Dagster's messages about storing events one by one; the underlying error is raised anyway."""
    before = sys.stderr
    sys.stderr = _Filtered(before)
    try:
        yield
    finally:
        sys.stderr = before


class _Filtered:
    """A text stream that drops Dagster's messages about storing events."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return len(text) if text.startswith(_STORING_FAILED) else int(self._stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
