"""What an asset and partition costs in Dagster's event history: its own SQLite storage against ours.

Runs the same graph of empty assets over a range of days on both, each on a fresh instance, and prints milliseconds
per asset and partition, and their ratio. Usage: ``python benchmarks/event_history.py [--days 40] [--assets 10]``.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from pathlib import Path

import dagster as dg

POOLED = """
storage:
  custom:
    module: analytics_platform.storage.event_history.sqlite_history
    class: PooledSqliteStorage
    config: {base_dir: {env: DAGSTER_HOME}}
"""


def graph(assets: int, days: dg.DailyPartitionsDefinition) -> dg.Definitions:
    """Return a chain of assets that do nothing but give each partition its metadata."""

    def link(number: int) -> dg.AssetsDefinition:
        @dg.asset(
            name=f"a{number}",
            partitions_def=days,
            backfill_policy=dg.BackfillPolicy.single_run(),
            deps=[f"a{number - 1}"] if number else [],
        )
        def asset(context) -> None:
            for day in context.partition_keys:
                context.add_asset_metadata({"rows": 3, "content_hash": "x" * 64}, partition_key=day)

        return asset

    job = dg.define_asset_job("chain")
    return dg.Definitions([link(number) for number in range(assets)], jobs=[job], executor=dg.in_process_executor)


def measure(configuration: str, assets: int, days: int) -> float:
    """Return milliseconds per asset and partition."""
    partitions = dg.DailyPartitionsDefinition("2006-01-01", end_date="2007-01-01")
    keys = partitions.get_partition_keys()[:days]
    tags = {"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]}
    with tempfile.TemporaryDirectory() as home:
        os.environ["DAGSTER_HOME"] = home
        (Path(home) / "dagster.yaml").write_text("telemetry: {enabled: false}\n" + configuration)
        job = graph(assets, partitions).resolve_job_def("chain")
        with dg.DagsterInstance.get() as instance:
            started = time.perf_counter()
            quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
            job.execute_in_process(run_config=quiet, instance=instance, tags=tags)
            return 1000 * (time.perf_counter() - started) / (assets * days)


def main() -> None:
    """Print both figures and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=40)
    parser.add_argument("--assets", type=int, default=10)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ["DAGSTER_EVENT_BATCH_SIZE"] = "500"
    own = measure("", arguments.assets, arguments.days)
    pooled = measure(POOLED, arguments.assets, arguments.days)
    print(f"dagster's own {own:6.1f} ms   pooled {pooled:6.1f} ms   ratio {own / pooled:.1f}")


if __name__ == "__main__":
    main()
