"""The check of steady labels over stored days: what it compares, what it says, and that it stops nothing."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pyarrow as pa
import pytest

from analytics_platform.cli.console import print_outcome
from analytics_platform.defs.automation.event_log import EventPosition, read_failures
from analytics_platform.defs.checks.label_drift import labels_are_steady
from analytics_platform.defs.framework.day_ranges import RANGE_END_TAG, RANGE_START_TAG
from analytics_platform.model.tables.insight_tables import CONVERSATION_INSIGHTS
from analytics_platform.model.tables.topic_tables import CONVERSATION_TOPICS
from analytics_platform.operations.runs.graph_run import run_range
from analytics_platform.operations.runs.outcome import Outcome
from analytics_platform.storage.lake import Lake
from analytics_platform_tests.insight_rows import insight_row

DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-04-01")


class Days:
    """A lake of labelled days, and the check run over some of them."""

    def __init__(self, path: str) -> None:
        self.lake = Lake.open(path)
        asset = dg.AssetSpec("conversation_insights", partitions_def=DAYS)
        job = dg.define_asset_job("drift", selection=dg.AssetSelection.all_asset_checks())
        self.definitions = dg.Definitions(
            assets=[asset], asset_checks=[labels_are_steady], jobs=[job], resources={"stores": lambda _: self.lake}
        )

    def store(
        self, day: str, topics: list[str], *, taxonomy: str = "t1", tier: str = "static", last_tier: str | None = None
    ) -> None:
        rows = [
            insight_row(conversation_id=f"{day} {number}", primary_topic=topic, tier=tier, taxonomy_version=taxonomy)
            for number, topic in enumerate(topics)
        ]
        rows[-1]["tier"] = last_tier or tier
        table = pa.Table.from_pylist(rows, schema=CONVERSATION_INSIGHTS.arrow_schema)
        date = pa.array([day] * len(rows)).cast(pa.date32())
        self.lake.write(
            CONVERSATION_INSIGHTS.name, day, CONVERSATION_INSIGHTS.conform(table.set_column(0, "date", date)), ""
        )

    def store_topics(self, day: str, names: list[str | None]) -> None:
        empty = dict.fromkeys(CONVERSATION_TOPICS.column_names)
        rows = [
            {**empty, "conversation_id": f"{day} {number}", "date": dt.date.fromisoformat(day), "topic_id": name,
             "topic_name": name, "parent_id": name, "parent_name": name, "topic_confidence": 0.5}
            for number, name in enumerate(names)
        ]  # fmt: skip
        self.lake.write(CONVERSATION_TOPICS.name, day, CONVERSATION_TOPICS.from_rows(rows), "")

    def check(self, first: str, last: str) -> dg.AssetCheckEvaluation:
        result = self.definitions.resolve_job_def("drift").execute_in_process(
            tags={RANGE_START_TAG: first, RANGE_END_TAG: last}
        )
        [evaluation] = result.get_asset_check_evaluations()
        return evaluation


@pytest.fixture
def days(tmp_path) -> Days:
    days = Days(str(tmp_path))
    for number in range(1, 11):
        days.store(f"2024-01-{number:02}", ["billing"] * 8 + ["account"] * 2)
    return days


def nothing_was_compared(evaluation: dg.AssetCheckEvaluation) -> bool:
    """Return whether the check says so, in yellow: a check that looked at nothing said "passed" in green."""
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    return bool(evaluation.description) and evaluation.description.startswith("Nothing was compared: ")


def test_a_run_tells_of_a_check_without_data_neither_as_passed_nor_as_a_warning(days, capsys):
    """Every first run over young data would warn of labels, and nobody could mend it."""
    outcome = Outcome()
    with dg.DagsterInstance.ephemeral() as instance:
        run_range(days.definitions, "drift", "2024-01-01", "2024-01-05", outcome, instance=instance)
        assert read_failures(instance, EventPosition(0.0))[0] == []
    assert (outcome.failures, outcome.warnings, outcome.checks_passed, outcome.checks_without_data) == ([], [], 0, 1)
    print_outcome(outcome)
    assert "0 checks passed, 1 check without data, 0 failures, 0 warnings" in capsys.readouterr().out


def test_a_day_of_other_topics_warns_with_their_shares(days):
    days.store("2024-01-12", ["account"] * 25 + ["billing"] * 15)
    found = days.check("2024-01-12", "2024-01-12")
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    [problem] = found.metadata["problems"].value
    assert problem.startswith("shares of primary_topic differ by 0.")
    shares = found.metadata["shares_of_primary_topic"].records
    assert shares[0].data == {"label": "account", "now": 0.625, "before": 0.2}
    counted = [found.metadata[name].value for name in ("conversations_now", "conversations_before", "days_before")]
    assert counted == [40, 100, 10]


def test_a_warning_names_the_discovered_topics_that_moved(days):
    days.store("2024-01-12", ["account"] * 25 + ["billing"] * 15)
    for number in range(1, 11):
        days.store_topics(f"2024-01-{number:02}", ["lost card"] * 2 + ["top-up"] * 6 + [None] * 2)
    days.store_topics("2024-01-12", ["lost card"] * 32 + ["top-up"] * 8)
    found = days.check("2024-01-12", "2024-01-12")
    said = "lost card (20% before, 80% now), top-up (60% before, 20% now), no topic (20% before, 0% now)"
    assert said in (found.description or "")
    shares = found.metadata["shares_of_discovered_topic"].records
    assert shares[0].data == {"label": "lost card", "now": 0.8, "before": 0.2}


def test_a_run_is_no_worse_for_a_warning_and_tells_of_it_once(days, capsys):
    days.store("2024-01-12", ["account"] * 40)
    outcome = Outcome()
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            run_range(days.definitions, "drift", "2024-01-12", "2024-01-13", outcome, instance=instance)
    assert (outcome.failures, outcome.checks_passed, len(outcome.runs)) == ([], 0, 2)
    [warning] = outcome.warnings
    check = "check labels_are_steady of conversation_insights"
    assert warning.startswith(f"{check} warns for 2024-01-12 to 2024-01-13: ['shares of primary_topic differ by 0.")
    print_outcome(outcome)
    printed = capsys.readouterr()
    assert "0 failures, 1 warning" in printed.out
    assert f"warning: {warning}\n" in printed.err


def test_a_day_like_those_before_passes(days):
    days.store("2024-01-12", ["billing"] * 30 + ["account"] * 10)
    found = days.check("2024-01-12", "2024-01-12")
    assert found.passed
    assert found.metadata["problem_count"].value == 0


def test_days_of_one_run_are_compared_with_those_before_and_never_with_later_ones(days):
    for day in ("2024-01-12", "2024-01-13"):
        days.store(day, ["account"] * 20)
    assert not days.check("2024-01-12", "2024-01-13").passed
    early = days.check("2024-01-01", "2024-01-05")
    assert nothing_was_compared(early)
    assert early.metadata["conversations_before"].value == 0


@pytest.mark.parametrize("other", [{"taxonomy": "t2"}, {"tier": "cascade"}])
def test_another_taxonomy_or_tier_is_no_drift(days, other):
    days.store("2024-01-12", ["account"] * 40, **other)
    found = days.check("2024-01-12", "2024-01-12")
    assert nothing_was_compared(found)
    assert found.metadata["conversations_before"].value == 0


def test_days_of_the_run_with_another_taxonomy_than_its_last_are_left_out(days):
    days.store("2024-01-12", ["account"] * 40, taxonomy="t0")
    days.store("2024-01-13", ["billing"] * 24 + ["account"] * 6)
    found = days.check("2024-01-12", "2024-01-13")
    assert found.passed
    counted = [found.metadata[name].value for name in ("conversations_now", "conversations_before")]
    assert counted == [30, 100]


def test_conversations_that_the_llm_left_to_the_engine_are_passed_over(days):
    days.store("2024-01-12", ["account"] * 40, last_tier="llm")
    found = days.check("2024-01-12", "2024-01-12")
    assert not found.passed
    assert found.metadata["conversations_now"].value == 39


def test_too_few_conversations_are_not_compared(days):
    days.store("2024-01-12", ["account"] * 29)
    found = days.check("2024-01-12", "2024-01-12")
    assert nothing_was_compared(found)
    assert "problem_count" not in found.metadata


def test_no_conversations_are_not_compared(tmp_path):
    assert nothing_was_compared(Days(str(tmp_path)).check("2024-01-12", "2024-01-12"))


def test_only_the_latest_28_stored_days_are_the_past(days):
    for number in range(1, 29):
        days.store(f"2024-02-{number:02}", ["account"] * 2)
    days.store("2024-03-01", ["account"] * 40)
    found = days.check("2024-03-01", "2024-03-01")
    assert found.passed
    assert found.metadata["conversations_before"].value == 56


def test_past_days_that_cannot_be_read_are_left_out_and_named(days, tmp_path):
    name = CONVERSATION_INSIGHTS.name
    (tmp_path / name / "date=2024-01-03" / "data.parquet").write_bytes(b"PAR1 and no more")
    older = days.lake.read(name, "2024-01-04")
    days.lake.write(name, "2024-01-04", older.drop_columns("taxonomy_version"), "")
    number = older.column_names.index("confidence")
    days.lake.write(name, "2024-01-05", older.set_column(number, "confidence", older["confidence"].cast("string")), "")
    days.store("2024-01-12", ["account"] * 40)
    found = days.check("2024-01-12", "2024-01-12")
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert found.metadata["days_not_read"].value == ["2024-01-03", "2024-01-04", "2024-01-05"]
    counted = [found.metadata[name].value for name in ("conversations_before", "days_before")]
    assert counted == [70, 7]
