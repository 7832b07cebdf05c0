"""Runs the groups of the lake over all days of the settings, and lets worker processes compute however few rows."""

from __future__ import annotations

import logging
import os
import signal
import sys

import dagster as dg
import psutil

from analytics_platform.definitions import EVERYTHING, build_definitions
from analytics_platform.defs.executors.process_pool import LocalProcesses
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.operations.runs.graph_run import run_range
from analytics_platform.operations.runs.outcome import Outcome
from analytics_platform.settings.loader import load_settings
from analytics_platform.storage.partitions import PartitionInfo


def main() -> None:
    """Run; the argument ``workers`` or ``itself`` says whom to kill once the first day of messages is cleaned."""
    victim = sys.argv[1] if len(sys.argv) > 1 else ""
    logging.basicConfig(level=logging.WARNING)
    settings = load_settings()
    platform = Platform(settings)

    def kill(name: str, _: PartitionInfo) -> None:
        nonlocal victim
        if name != "messages" or not victim:
            return
        workers = [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]
        assert len(workers) in (1, 2)  # the second starts when the first is at work
        sys.stdout.write(" ".join(str(worker.pid) for worker in workers))
        sys.stdout.flush()
        for worker in workers if victim == "workers" else [psutil.Process()]:
            os.kill(worker.pid, signal.SIGKILL)
        victim = ""

    definitions = build_definitions(
        platform, kill, LocalProcesses(settings, 2, lambda: platform.lake, least_rows=1)
    )  # fmt: skip
    groups = dg.AssetSelection.groups("raw", "clean", "insights", "analytics")
    outcome = Outcome()
    with dg.DagsterInstance.ephemeral() as instance:
        run_range(
            definitions, EVERYTHING, str(settings.first_day), str(settings.last_day), outcome,
            selection=sorted(groups.resolve(definitions.resolve_asset_graph())), instance=instance,
        )  # fmt: skip
    platform.close()
    assert not outcome.failures, outcome.failures


if __name__ == "__main__":
    main()
