"""Which days are tried again on their own, the check that nothing is lost, and how a redrive reads."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pyarrow as pa
import pytest

from analytics_platform.cli.console import redriven_lines
from analytics_platform.defs.assets.processing_errors import processing_errors
from analytics_platform.defs.automation.retry import RETRIED_DAYS, build_retry_schedule, days_to_retry
from analytics_platform.defs.checks.completeness import _lost
from analytics_platform.defs.consistency.left_out import FailedConversation, failed_conversations
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.model.tables.clean_tables import MESSAGES
from analytics_platform.operations.redrive import Redriven
from analytics_platform.operations.runs.outcome import Outcome
from analytics_platform.settings.loader import load_settings
from analytics_platform.storage.failures import MOST_TRIES, Failure, as_annotations

TRIED_AT = "2024-01-01T00:00:00+00:00"


@pytest.fixture
def platform(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path))
    return Platform(load_settings())


def write(platform: Platform, day: str, attempts: int | None) -> None:
    """Store a day on which one conversation failed so often, or none."""
    failures = [] if attempts is None else [Failure("c1", "E in f (g.py:1)", attempts, TRIED_AT)]
    platform.lake.write("messages", day, MESSAGES.empty(), "", as_annotations(failures, ()))
    none = {name: [] for name in processing_errors.recipe.inputs}
    table = processing_errors.recipe.compute(day=day, **{**none, "messages": failures})
    platform.lake.write("processing_errors", day, table, "")


def test_days_with_tries_left_are_asked_for_and_others_rest(platform):
    write(platform, "2006-05-15", 1)
    write(platform, "2006-05-16", MOST_TRIES)
    write(platform, "2006-05-17", None)
    write(platform, "2006-05-18", MOST_TRIES - 1)
    assert days_to_retry(platform) == ["2006-05-15", "2006-05-18"]
    schedule = build_retry_schedule(platform, "everything")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    at = dt.datetime(2006, 6, 1, 10, 47, tzinfo=dt.UTC)
    with dg.build_schedule_context(scheduled_execution_time=at) as context:
        requests = schedule(context)
    assert [(one.run_key, one.tags["dagster/asset_partition_range_end"]) for one in requests] == [
        ("20060601T1047/2006-05-15", "2006-05-15"),
        ("20060601T1047/2006-05-18", "2006-05-18"),
    ]


def test_only_the_last_days_are_looked_at_and_nothing_is_a_reason_to_skip(platform):
    days = [(dt.date(2006, 5, 15) + dt.timedelta(days=n)).isoformat() for n in range(RETRIED_DAYS + 1)]
    for day in days:
        write(platform, day, 1 if day == days[0] else None)
    assert days_to_retry(platform) == []
    with dg.build_schedule_context(scheduled_execution_time=dt.datetime(2006, 7, 1, tzinfo=dt.UTC)) as context:
        assert isinstance(build_retry_schedule(platform, "everything")(context), dg.SkipReason)


def test_failures_are_listed_with_day_and_table(platform):
    write(platform, "2006-05-15", 2)
    [entry] = failed_conversations(platform, ["2006-05-14", "2006-05-15"])
    assert entry == FailedConversation("2006-05-15", "c1", "messages", "E in f (g.py:1)", 2)
    [row] = platform.lake.read("processing_errors", "2006-05-15").to_pylist()
    assert (row["table_name"], row["attempts"], row["last_tried_at"].isoformat()) == ("messages", 2, TRIED_AT)


def test_a_conversation_that_is_nowhere_is_named(platform):
    write(platform, "2006-05-15", 1)
    for name, ids in {
        "raw_messages": ["c1", "c2", "c3", "c3"], "conversations": ["c2", "c3"], "conversation_insights": ["c3"],
    }.items():  # fmt: skip
        platform.lake.write(name, "2006-05-15", pa.table({"conversation_id": ids}), "")
    assert list(_lost(platform.lake, ["2006-05-15"])) == [
        "2006-05-15: conversation_insights lacks 1 conversation that did not fail, e.g. 'c2'"
    ]


def test_a_redrive_reads_as_a_line_for_each_failure_and_a_sum():
    entry = FailedConversation("2006-05-15", "c1", "messages", "E in f (g.py:1)", 1)
    outcome = Outcome()
    assert list(redriven_lines(Redriven(outcome, ["2006-05-15"], [entry], [entry], 5, 2))) == [
        "succeeded      2006-05-15 c1: messages",
        "still failing  2006-05-15 c1: messages: E in f (g.py:1)",
        "1 day tried again: 1 succeeded, 1 still failing; 2 rows in quarantine, 5 before",
    ]
    assert list(redriven_lines(Redriven(outcome, [], [], [], 0, 0))) == [
        "Nothing failed on these days, and no row is in quarantine."
    ]
