"""Worker processes start before their first order only in a run that will order a table."""

from __future__ import annotations

import datetime as dt
from functools import partial

import dagster as dg
import pyarrow as pa
import pytest

from analytics_platform.defs.assets.everyday import tables_of
from analytics_platform.defs.framework.daily_partitions import daily_partitions, partitioned
from analytics_platform.defs.framework.table_asset import FORCE_TAG, GraphPlace, Upstream, orders_follow, table_asset
from analytics_platform.model import Column, Table
from analytics_platform.model.cadence import Cadence
from analytics_platform.model.table import INTEGER
from analytics_platform.settings.loader import load_settings
from analytics_platform.storage.io_manager import StoreIOManager
from analytics_platform.storage.lake import Lake
from analytics_platform.storage.partitions import PartitionStream

DAYS = ["2024-03-01", "2024-03-02"]
RANGE = {"dagster/asset_partition_range_start": DAYS[0], "dagster/asset_partition_range_end": DAYS[-1]}


def declared(name: str) -> Table:
    return Table(name, "one row per number", (Column("n", INTEGER, "A number."),), ("n",))


@table_asset(declared("read"), GraphPlace("g"))
def read(day: str, source: int) -> pa.Table:
    """Only the process of the run reads the source."""
    return pa.table({"n": [100 * source, 100 * source + int(day[-2:])]})


@table_asset(declared("kept"), GraphPlace("g"), upstream=Upstream({"read": read}))
def kept(read: pa.Table) -> pa.Table:
    """Computed day by day, and therefore never by other processes."""
    return read


@table_asset(declared("cleaned"), GraphPlace("g"), upstream=Upstream({"kept": kept}), spans_days=True)
def cleaned(kept: pa.Table) -> pa.Table:
    """Computed in blocks, and therefore also by other processes."""
    return kept.slice(0, 1)


@table_asset(declared("summed"), GraphPlace("g"), upstream=Upstream({"cleaned": cleaned}), cadence=Cadence.WHOLE)
def summed(cleaned: PartitionStream) -> pa.Table:
    """Computed last, with as many rows as the others."""
    return pa.table({"n": list(range(len(cleaned)))})


ASSETS = [read, kept, cleaned, summed]


class Workers:
    """Worker processes that do nothing; each event is noted with the table that was stored last."""

    least_rows = 1
    width = 1

    def __init__(self) -> None:
        self.events: list[str] = []

    def start(self) -> None:
        self.events.append("start")

    def deliver(self, order) -> dict:
        self.events.append(f"order {order.table}")
        return {}

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("selected", "expected"),
    [
        pytest.param(None, {"start", "order cleaned"}, id="all"),
        pytest.param(["read", "cleaned"], {"order cleaned"}, id="the table between them left out"),
        pytest.param(["cleaned"], {"order cleaned"}, id="only what workers compute"),
        pytest.param(["read", "kept"], set(), id="only what this process reads"),
        pytest.param(["summed"], set(), id="only what comes last"),
    ],
)
def test_workers_start_early_only_if_the_run_orders_a_later_table(tmp_path, selected, expected):
    """A start costs seconds of processor time for each worker, and the end of the run waits for their imports."""
    lake = Lake.open(str(tmp_path))
    days = daily_partitions(dt.date(2024, 3, 1), dt.date(2024, 3, 2))
    assets = [partitioned(asset.definition, days) for asset in ASSETS]
    tables = {asset.name: asset.recipe.table for asset in ASSETS}

    def run(source: int, workers: Workers, names: list[str] | None) -> None:
        manager = StoreIOManager(
            lambda: lake, tables, 1, delegate=workers, orders_follow=partial(orders_follow, ASSETS)
        )
        definitions = dg.Definitions(
            assets=assets,
            resources={"lake": manager, "source": source, "days": None},
            jobs=[dg.define_asset_job("everything")],
            executor=dg.in_process_executor,
        )
        selection = None if names is None else [dg.AssetKey(name) for name in names]
        definitions.resolve_job_def("everything").execute_in_process(
            tags={**RANGE, FORCE_TAG: "yes"}, asset_selection=selection
        )

    if selected is not None:
        run(1, Workers(), None)
    workers = Workers()
    run(2, workers, selected)
    assert set(workers.events) == expected
    if "start" in expected:
        assert workers.events[0] == "start"


def test_of_the_everyday_tables_workers_compute_those_after_the_source(monkeypatch):
    monkeypatch.setenv("ANALYTICS_MONGO_URI", "off")
    assets = tables_of(load_settings())
    assert {"raw_messages", "messages", "user_analytics"} <= {asset.name for asset in assets}
    assert orders_follow(assets, "raw_messages", [])
    assert orders_follow(assets, "raw_messages", ["raw_messages", "messages"])
    assert not orders_follow(assets, "raw_messages", ["raw_messages"])
    assert not orders_follow(assets, "user_analytics", [])
