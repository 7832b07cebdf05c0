"""Failures kept with a partition: how often they are tried, when they rest, and what follows leaves out."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from analytics_platform.defs.framework.recipe import PartitionFacts
from analytics_platform.defs.framework.table_asset import GraphPlace, Upstream, table_asset
from analytics_platform.model import Column, Table
from analytics_platform.model.table import INTEGER, STRING
from analytics_platform.storage.failures import MOST_TRIES, Failures, failures_of, has_tries_left, left_out_of
from analytics_platform.storage.lake import Lake
from analytics_platform.storage.partitions import PartitionError, PartitionStream, PartitionTasks
from analytics_platform.storage.staleness import RecomputePolicy
from analytics_platform.storage.work.storing import store_all

COLUMNS = (Column("conversation_id", STRING, "It."), Column("n", INTEGER, "A number.", minimum=0))
NUMBERS = Table("numbers", "one row per number", COLUMNS, ("conversation_id",))
ROOTS = Table("roots", "one row per root", COLUMNS, ("conversation_id",))
SUMS = Table("sums", "one row per sum", COLUMNS, ("conversation_id",))
ERRORS = Table("errors", "one row per failure", (*COLUMNS, Column("error", STRING, "Why.")), ("conversation_id",))
DAY = "2006-05-15"


class Broken(set[str]):
    """Conversations that the computation cannot take, and what it was asked for."""

    calls = 0


@table_asset(
    NUMBERS,
    GraphPlace("g"),
    facts=PartitionFacts(version=lambda _, source: {"source": str(source)}),
)
def numbers(source: dict[str, int]) -> pa.Table:
    """The numbers."""
    return pa.table({"conversation_id": list(source), "n": list(source.values())})


@table_asset(ROOTS, GraphPlace("g"), upstream=Upstream({"numbers": numbers}), isolates=True)
def roots(numbers: pa.Table, broken: Broken) -> pa.Table:
    """Roots, but not of what is broken."""
    broken.calls += 1
    if broken.intersection(numbers["conversation_id"].to_pylist()):
        raise ArithmeticError("no root of 'this'")
    return numbers


@table_asset(SUMS, GraphPlace("g"), upstream=Upstream({"numbers": numbers, "roots": roots}))
def sums(numbers: pa.Table, roots: pa.Table) -> pa.Table:
    """Sums of what is in both; it must be the same."""
    assert numbers["conversation_id"].equals(roots["conversation_id"])
    return numbers


@table_asset(ERRORS, GraphPlace("g"), upstream=Upstream({"roots": roots}))
def errors(roots: Failures) -> pa.Table:
    """What failed."""
    return ERRORS.from_rows([{"conversation_id": f.conversation_id, "n": f.attempts, "error": f.error} for f in roots])


class Graph:
    """The tables above in a lake, run by hand."""

    def __init__(self, path) -> None:
        self.lake = Lake.open(str(path))
        self.broken = Broken()
        self.source = {f"c{n}": n for n in range(8)}

    @property
    def resources(self):
        return {"source": self.source, "broken": self.broken}

    def run(self, again: RecomputePolicy = RecomputePolicy.UNFINISHED) -> list[str]:
        """Run every table of the day; return those that were computed."""
        computed = []
        for asset in (numbers, roots, sums, errors):
            recipe = asset.recipe
            streams = {name: PartitionStream(self.lake, given.table, [DAY]) for name, given in recipe.inputs.items()}
            given = {name: self.resources[name] for name in recipe.resources}
            task = recipe.task(DAY, streams, given, policy=again)
            [(_, reasons)] = store_all(PartitionTasks([task]), self.lake, recipe.table, 1)
            computed += [recipe.table.name] if reasons else []
        return computed

    def is_stale(self, again: RecomputePolicy = RecomputePolicy.UNFINISHED) -> bool:
        stores = {"lake": self.lake}
        return any(
            asset.recipe.decisions([DAY], stores, self.resources, again)[DAY].is_stale
            for asset in (numbers, roots, sums)
        )

    def attempts(self) -> dict[str, int]:
        return {f.conversation_id: f.attempts for f in failures_of(self.lake.info("roots", DAY))}

    def ids(self, table: str) -> list[str]:
        return self.lake.read(table, DAY)["conversation_id"].to_pylist()


@pytest.fixture
def graph(tmp_path) -> Graph:
    return Graph(tmp_path)


def test_a_day_without_failures_is_computed_once_and_says_nothing(graph) -> None:
    assert graph.run() == ["numbers", "roots", "sums", "errors"]
    assert graph.broken.calls == 1
    assert graph.lake.info("roots", DAY).annotations == {}
    assert graph.run() == []


def test_what_fails_is_kept_with_the_partition_and_left_out_of_what_follows(graph) -> None:
    graph.broken |= {"c3", "c5"}
    graph.run()
    rest = [f"c{n}" for n in (0, 1, 2, 4, 6, 7)]
    assert graph.ids("roots") == graph.ids("sums") == rest
    assert left_out_of(graph.lake.info("sums", DAY)) == {"c3", "c5"}
    [failure, _] = failures_of(graph.lake.info("roots", DAY))
    assert failure.conversation_id == "c3"
    assert failure.error.startswith("ArithmeticError in ")
    assert failure.error.endswith(": no root of …")
    assert dt.datetime.fromisoformat(failure.last_tried_at).tzinfo == dt.UTC
    assert graph.lake.read("errors", DAY)["n"].to_pylist() == [1, 1]


def test_a_failure_is_tried_again_until_its_tries_are_used_up(graph) -> None:
    graph.broken.add("c3")
    for attempt in range(1, MOST_TRIES + 1):
        assert graph.is_stale()
        assert graph.run() == (["numbers", "roots", "sums", "errors"] if attempt == 1 else ["roots", "errors"])
        assert graph.attempts() == {"c3": attempt}
    assert not has_tries_left(graph.lake.info("roots", DAY))
    assert not graph.is_stale()
    assert graph.run() == []


def test_a_run_that_is_told_so_leaves_failures_alone(graph) -> None:
    graph.broken.add("c3")
    graph.run()
    assert not graph.is_stale(RecomputePolicy.NOTHING)
    assert graph.run(RecomputePolicy.NOTHING) == []


def test_what_is_mended_comes_back_and_everything_is_as_if_it_had_never_failed(graph, tmp_path) -> None:
    graph.broken.add("c3")
    graph.run()
    graph.broken.clear()
    assert graph.run() == ["roots", "sums", "errors"]
    clean = Graph(tmp_path / "clean")
    clean.run()
    for name in ("roots", "sums", "errors"):
        assert graph.lake.info(name, DAY) == clean.lake.info(name, DAY)


def test_other_inputs_count_the_tries_anew_and_so_does_who_asks_for_it(graph) -> None:
    graph.broken.add("c3")
    for _ in range(MOST_TRIES):
        graph.run()
    graph.source["c8"] = 8
    graph.run()
    assert graph.attempts() == {"c3": 1}
    for again in (RecomputePolicy.FAILURES, RecomputePolicy.EVERYTHING):
        graph.run()
        graph.run(again)
        assert graph.attempts() == {"c3": 1}


def test_a_redrive_computes_what_failed_and_reads_the_source_and_nothing_else(graph) -> None:
    graph.run()
    assert graph.run(RecomputePolicy.FAILURES) == ["numbers"]
    graph.broken.add("c3")
    graph.run(RecomputePolicy.EVERYTHING)
    assert graph.run(RecomputePolicy.FAILURES)[:2] == ["numbers", "roots"]


def test_a_row_that_breaks_its_declaration_fails_alone_too(graph) -> None:
    graph.source["c9"] = 5
    graph.run()
    graph.lake.write(
        "numbers", DAY, NUMBERS.from_rows([{"conversation_id": f"c{n}", "n": n - 1} for n in range(9)]), ""
    )
    recipe = roots.recipe
    task = recipe.task(
        DAY,
        {"numbers": PartitionStream(graph.lake, "numbers", [DAY])},
        {"broken": graph.broken},
        policy=RecomputePolicy.NOTHING,
    )
    [(info, _)] = store_all(PartitionTasks([task]), graph.lake, ROOTS, 1)
    [failure] = failures_of(info)
    assert (failure.conversation_id, info.rows) == ("c0", 8)
    assert "roots.n: 1 row breaks" in failure.error


def test_too_many_failures_fail_the_day_with_the_first_error(graph) -> None:
    graph.broken |= {f"c{n}" for n in range(4)}
    with pytest.raises(PartitionError, match=r"partition 2006-05-15 of roots: no root of 'this'"):
        graph.run()
    assert graph.lake.info("roots", DAY) is None


def test_the_tags_of_a_run_say_what_is_computed_again() -> None:
    from analytics_platform.defs.automation.retry import redrive_job
    from analytics_platform.defs.framework.asset_definition import _policy
    from analytics_platform.defs.framework.table_asset import FORCE_TAG, NO_RETRY_TAG

    assert _policy({}) is RecomputePolicy.UNFINISHED
    assert _policy({FORCE_TAG: "true"}) is RecomputePolicy.EVERYTHING
    assert _policy({NO_RETRY_TAG: "true"}) is RecomputePolicy.NOTHING
    assert _policy(redrive_job.tags) is RecomputePolicy.FAILURES
