"""Table assets: streaming ranges, provenance, failures half-way; on a small graph of their own."""

from __future__ import annotations

import datetime as dt
import sys
from types import SimpleNamespace

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from analytics_platform.defs.framework.daily_partitions import daily_partitions, partitioned
from analytics_platform.defs.framework.recipe import PartitionFacts
from analytics_platform.defs.framework.table_asset import FORCE_TAG, GraphPlace, Upstream, table_asset
from analytics_platform.model import Column, Table
from analytics_platform.model.cadence import Cadence
from analytics_platform.model.table import INTEGER, STRING
from analytics_platform.storage.io_manager import COMPUTED_BECAUSE, StoreIOManager
from analytics_platform.storage.lake import Lake
from analytics_platform.storage.partitions import PartitionStream
from analytics_platform.storage.staleness import RecomputePolicy

NUMBERS = Table("numbers", "one row per number", (Column("n", INTEGER, "A number."),), ("n",))
SQUARES = Table("squares", "one row per square", (Column("n", INTEGER, "A square."),), ("n",))
WINDOWS = Table("windows", "one row per day", (Column("days", STRING, "Days seen."),), ("days",))
TOTALS = Table("totals", "one row", (Column("n", INTEGER, "The sum of all numbers."),), ("n",))

DAYS = [f"2006-05-{day}" for day in range(15, 20)]


class Numbers(dict[str, list[int]]):
    """The source: numbers by day; counts how often a day was computed."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.computed: list[str] = []


@table_asset(
    NUMBERS,
    GraphPlace("g"),
    facts=PartitionFacts(version=lambda day, source: {"source": str(source.get(day))}),
)
def numbers(day: str, source: Numbers) -> pa.Table:
    """The numbers of the day."""
    source.computed.append(f"numbers {day}")
    return pa.table({"n": pa.array(source.get(day, []), pa.int64())})


@table_asset(SQUARES, GraphPlace("g"), upstream=Upstream({"numbers": numbers}))
def squares(numbers: pa.Table, source: Numbers) -> pa.Table:
    """Squares of the numbers of the day."""
    source.computed.append("squares")
    return pa.table({"n": pa.array([n * n for n in numbers["n"].to_pylist()], pa.int64())})


@table_asset(WINDOWS, GraphPlace("g"), upstream=Upstream({"numbers": numbers}, days_before=2))
def windows(day: str, numbers: PartitionStream) -> pa.Table:
    """Which days a daily table with a stream sees."""
    return pa.table({"days": [f"{day}: {' '.join(numbers)}"]})


@table_asset(TOTALS, GraphPlace("g"), upstream=Upstream({"numbers": numbers}), cadence=Cadence.WHOLE)
def totals(numbers: PartitionStream) -> pa.Table:
    """The sum over all days."""
    return pa.table({"n": [sum(sum(table["n"].to_pylist()) for table in numbers.values())]})


ASSETS = [numbers, squares, windows, totals]


@pytest.fixture
def lake(tmp_path):
    return Lake.open(str(tmp_path / "lake"))


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def source():
    return Numbers({day: [n, n + 1] for n, day in enumerate(DAYS)})


def definitions(lake: Lake, source: Numbers, workers: int = 2, extra: list[dg.AssetsDefinition] | None = None):
    days = daily_partitions(dt.date(2006, 5, 15), dt.date(2006, 5, 19))
    tables = {asset.recipe.table.name: asset.recipe.table for asset in ASSETS}
    return dg.Definitions(
        assets=[*(partitioned(asset.definition, days) for asset in ASSETS), *(extra or [])],
        resources={"lake": StoreIOManager(lambda: lake, tables, workers), "source": source, "days": None},
        jobs=[dg.define_asset_job("everything")],
        executor=dg.in_process_executor,
    )


def run(lake, source, instance, first=DAYS[0], last=DAYS[-1], tags=None, raise_on_error=True, select=None, workers=2):
    job = definitions(lake, source, workers).resolve_job_def("everything")
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last, **(tags or {})}
    return job.execute_in_process(instance=instance, tags=tags, raise_on_error=raise_on_error, asset_selection=select)


def rows(lake: Lake, name: str, key: str) -> list[int]:
    return lake.read(name, key)["n"].to_pylist()


def test_a_range_is_one_run_and_every_partition_has_its_row_count(lake, source, instance):
    result = run(lake, source, instance)
    assert [rows(lake, "squares", day) for day in DAYS] == [[n * n, (n + 1) ** 2] for n in range(5)]
    assert rows(lake, "totals", "") == [25]
    events = [e.step_materialization_data.materialization for e in result.get_asset_materialization_events()]
    rows_told = {(e.asset_key.to_user_string(), e.partition): e.metadata["dagster/partition_row_count"] for e in events}
    assert {place: told.value for place, told in rows_told.items()} == {
        **{(name, day): 2 for name in ("numbers", "squares") for day in DAYS},
        **{("windows", day): 1 for day in DAYS},
        ("totals", None): 1,
    }


def test_one_day_is_a_range_of_one(lake, source, instance):
    definitions(lake, source).resolve_job_def("everything").execute_in_process(instance=instance, partition_key=DAYS[2])
    assert lake.keys("squares") == [DAYS[2]]
    assert rows(lake, "totals", "") == [5]


def test_a_daily_stream_sees_its_own_day_and_some_before(lake, source, instance):
    run(lake, source, instance)
    assert lake.read("windows", DAYS[0])["days"].to_pylist() == [f"{DAYS[0]}: {DAYS[0]}"]
    assert lake.read("windows", DAYS[4])["days"].to_pylist() == [f"{DAYS[4]}: {' '.join(DAYS[2:])}"]


def test_a_second_run_computes_nothing_and_changes_no_byte(lake, source, instance, tmp_path):
    run(lake, source, instance)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    source.computed.clear()
    result = run(lake, source, instance)
    assert source.computed == []
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")} == before
    facts = [e.step_materialization_data.materialization.metadata for e in result.get_asset_materialization_events()]
    assert all(fact["reused"].value for fact in facts)


def test_force_computes_again_and_gives_the_same_bytes(lake, source, instance, tmp_path):
    run(lake, source, instance)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    source.computed.clear()
    run(lake, source, instance, tags={FORCE_TAG: "true"})
    assert len(source.computed) == 10
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")} == before


def test_a_restated_day_recomputes_what_depends_on_it_and_only_that(lake, source, instance):
    run(lake, source, instance)
    source[DAYS[2]] = [7]
    resources = {"source": source}
    stale = {
        asset.recipe.table.name: {
            day: decision.reasons
            for day, decision in asset.recipe.decisions(
                dict.fromkeys(map(asset.recipe.cadence.partition_of, DAYS)), {"lake": lake}, resources
            ).items()
            if decision.is_stale
        }
        for asset in ASSETS
    }
    assert list(stale["numbers"]) == [DAYS[2]]
    source.computed.clear()
    run(lake, source, instance)
    assert source.computed == [f"numbers {DAYS[2]}", "squares"]
    assert rows(lake, "squares", DAYS[2]) == [49]
    assert rows(lake, "totals", "") == [27]


def test_a_day_whose_content_did_not_change_stops_there(lake, source, instance):
    source[DAYS[0]] = [2, 1]
    run(lake, source, instance)
    source[DAYS[0]] = [1, 2]  # another version at the source, the same table
    source.computed.clear()
    run(lake, source, instance)
    assert source.computed == [f"numbers {DAYS[0]}"]


def test_after_a_failure_the_days_before_it_stay_and_a_run_again_does_only_the_rest(lake, source, instance):
    source[DAYS[3]] = [1, 1]  # breaks the key
    result = run(lake, source, instance, raise_on_error=False, workers=1)
    assert not result.success
    failure = result.filter_events(lambda event: event.is_step_failure)[0].step_failure_data.error
    messages = " ".join(error.message for error in (failure, failure.cause) if error)
    assert f"partition {DAYS[3]} of numbers" in messages
    assert "is unique" in messages
    assert lake.keys("numbers") == DAYS[:3]
    assert instance.get_materialized_partitions(dg.AssetKey("numbers")) == set(DAYS[:3])
    source[DAYS[3]] = [1]
    source.computed.clear()
    run(lake, source, instance)
    assert {step for step in source.computed if step != "squares"} == {f"numbers {day}" for day in DAYS[3:]}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_missing_input_is_named_with_its_partition_and_the_days_before_it_are_reported(
    lake, source, instance, workers
):
    run(lake, source, instance, last=DAYS[2], select=[dg.AssetKey("numbers")])
    result = run(lake, source, instance, raise_on_error=False, select=[dg.AssetKey("squares")], workers=workers)
    (failure,) = result.filter_events(lambda event: event.is_step_failure)
    named = failure.step_failure_data.error.cause
    assert named.cls_name == "PartitionError"
    assert f"partition {DAYS[3]} of squares: numbers has no partition {DAYS[3]}; materialize it" in named.message
    assert lake.keys("squares") == DAYS[:3]
    assert instance.get_materialized_partitions(dg.AssetKey("squares")) == set(DAYS[:3])


def test_a_day_stored_before_a_failure_says_why_it_was_computed(lake, source, instance):
    """Without the reason, `analytics why` names an older computation as the last one."""
    run(lake, source, instance)
    source[DAYS[1]], source[DAYS[2]] = [7], [1, 1]  # the second breaks the key
    assert not run(lake, source, instance, raise_on_error=False, workers=1).success
    for day, reason in ((DAYS[1], "changed rows at the source"), (DAYS[0], None)):
        wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey("numbers"), asset_partitions=[day])
        (record,) = instance.fetch_materializations(wanted, limit=1).records
        because = record.asset_materialization.metadata.get(COMPUTED_BECAUSE)
        assert (because.value if because else None) == reason


def test_of_a_generator_that_fails_half_way_the_days_before_it_are_reported(lake, instance):
    days = daily_partitions(dt.date(2006, 5, 15), dt.date(2006, 5, 19))

    @dg.asset(
        name="numbers",
        io_manager_key="lake",
        metadata={"analytics/table": "numbers"},
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def failing():
        yield dg.MaterializeResult(value=one_day_then_none())

    def one_day_then_none():
        yield DAYS[0], pa.table({"n": [1]})
        raise OSError("the line is down")

    manager = StoreIOManager(lambda: lake, {"numbers": NUMBERS}, workers=1)
    tags = {"dagster/asset_partition_range_start": DAYS[0], "dagster/asset_partition_range_end": DAYS[1]}
    result = dg.materialize([failing], resources={"lake": manager}, instance=instance, tags=tags, raise_on_error=False)
    assert not result.success
    assert instance.get_materialized_partitions(dg.AssetKey("numbers")) == {DAYS[0]}


def test_tables_and_frames_are_given_where_an_asset_asks_for_them(lake, source, instance):
    @dg.asset(ins={"numbers": dg.AssetIn(metadata={"columns": ["n"]})})
    def as_table(numbers: pa.Table) -> int:
        return int(sum(numbers["n"].to_pylist()))

    @dg.asset
    def as_frame(numbers: pd.DataFrame) -> int:
        return int(numbers["n"].sum())

    job = definitions(lake, source, extra=[as_table, as_frame]).resolve_job_def("everything")
    tags = {"dagster/asset_partition_range_start": DAYS[0], "dagster/asset_partition_range_end": DAYS[-1]}
    result = job.execute_in_process(instance=instance, tags=tags)
    assert result.output_for_node("as_table") == result.output_for_node("as_frame") == 25


class GpuFrame:
    """What cuDF's frame is to the IO manager: made of an Arrow table, and turned into one without its index."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    @classmethod
    def from_arrow(cls, table: pa.Table) -> GpuFrame:
        return cls(table)

    def to_arrow(self, *, preserve_index: bool) -> pa.Table:
        return self.table if not preserve_index else self.table.append_column("__index__", self.table.column(0))


def test_a_frame_on_the_gpu_is_given_where_an_asset_asks_for_it_and_stored_where_it_returns_one(
    lake, source, instance, monkeypatch
):
    monkeypatch.setitem(sys.modules, "cudf", SimpleNamespace(DataFrame=GpuFrame))

    @dg.asset
    def as_gpu_frame(numbers: GpuFrame) -> int:
        return int(sum(numbers.table["n"].to_pylist()))

    @dg.asset(name="totals", io_manager_key="lake", metadata={"analytics/table": "totals"})
    def made_on_gpu() -> GpuFrame:
        return GpuFrame(pa.table({"n": [50]}))

    job = definitions(lake, source, extra=[as_gpu_frame]).resolve_job_def("everything")
    tags = {"dagster/asset_partition_range_start": DAYS[0], "dagster/asset_partition_range_end": DAYS[-1]}
    result = job.execute_in_process(instance=instance, tags=tags)
    assert result.output_for_node("as_gpu_frame") == 25
    manager = StoreIOManager(lambda: lake, {"totals": TOTALS}, workers=1)
    dg.materialize([made_on_gpu], resources={"lake": manager}, instance=instance)
    assert rows(lake, "totals", "") == [50]


def test_an_asset_may_return_a_generator_or_a_mapping_or_one_table(lake, source, instance):
    days = daily_partitions(dt.date(2006, 5, 15), dt.date(2006, 5, 19))
    single_run = dg.BackfillPolicy.single_run()

    def declared(table: Table):
        return dg.asset(
            name=table.name, io_manager_key="lake", metadata={"analytics/table": table.name},
            partitions_def=days, backfill_policy=single_run,
        )  # fmt: skip

    @declared(NUMBERS)
    def generator(context):
        return dg.MaterializeResult(value=((day, pa.table({"n": [1]})) for day in context.partition_keys))

    @declared(SQUARES)
    def mapping(context):
        return {day: pd.DataFrame({"n": [4]}) for day in context.partition_keys}

    @dg.asset(name="totals", io_manager_key="lake", metadata={"analytics/table": "totals"})
    def one() -> pa.Table:
        return pa.table({"n": [9]})

    manager = StoreIOManager(lambda: lake, {t.name: t for t in (NUMBERS, SQUARES, TOTALS)}, workers=2)
    dg.materialize(
        [generator, mapping, one], resources={"lake": manager, "days": None}, instance=instance,
        tags={"dagster/asset_partition_range_start": DAYS[1], "dagster/asset_partition_range_end": DAYS[2]},
    )  # fmt: skip
    assert lake.keys("numbers") == lake.keys("squares") == DAYS[1:3]
    assert rows(lake, "squares", DAYS[1]) == [4]
    assert rows(lake, "totals", "") == [9]


@pytest.mark.parametrize("cadence", [Cadence.WEEKLY, Cadence.MONTHLY])
def test_an_asset_of_weeks_or_months_is_refused(cadence):
    """It would have no partitions, and its checks would take a Monday for the week."""
    with pytest.raises(ValueError, match=f"table totals: cadence is {cadence}, and an asset is daily or whole"):
        table_asset(TOTALS, GraphPlace("g"), cadence=cadence)


def test_the_graph_says_what_a_table_is():
    spec = squares.definition.get_asset_spec()
    assert spec.description.startswith("One row per square.\n\nSquares of the numbers")
    assert [column.name for column in spec.metadata["dagster/column_schema"].columns] == ["n"]
    assert (spec.group_name, spec.owners, spec.kinds) == ("g", ["team:analytics"], {"parquet"})
    assert spec.code_version


@table_asset(
    SQUARES,
    GraphPlace("g"),
    upstream=Upstream({"numbers": numbers}),
    facts=PartitionFacts(is_off=lambda source: not source),
)
def roots(numbers: pa.Table, source: Numbers) -> pa.Table:
    """Computes something unless the source is empty."""
    return pa.table({"n": pa.array([len(source)] * numbers.num_rows, pa.int64())})


@pytest.mark.parametrize(("given", "rows_told"), [({}, 0), ({DAYS[0]: [1, 2]}, 2)])
def test_a_table_that_is_off_is_empty_and_reads_nothing(lake, given, rows_told):
    lake.write("numbers", DAYS[0], pa.table({"n": [1, 2]}), "")
    read = []
    streams = {"numbers": PartitionStream(lake, "numbers", DAYS)}
    lake.read = lambda name, key, columns=None: read.append(key) or Lake.read(lake, name, key, columns)
    resources = {"source": Numbers(given)}
    task = roots.recipe.task(DAYS[0], streams, resources, policy=RecomputePolicy.EVERYTHING)
    assert task.compute().num_rows == rows_told
    block = roots.recipe.block(streams, resources)
    assert (block is None) == bool(given)  # on, its function computes one day at a time
    assert block is None or block.compute(DAYS).num_rows == 0
    assert len(read) == bool(given)
