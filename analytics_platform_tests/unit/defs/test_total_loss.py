"""A source of which no row can be used fails a run, and leaves what is stored as it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import dagster as dg
import pytest

from analytics_platform.cli.commands import run_graph
from analytics_platform.cli.console import print_outcome
from analytics_platform.cli.graph_commands import redrive_days
from analytics_platform.defs.automation.sensor_state import SensorState
from analytics_platform.defs.automation.source_sensor import next_tick
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.operations.status import examine
from analytics_platform.settings.loader import load_settings
from analytics_platform.sources.base import NothingUsableError

pytestmark = pytest.mark.slow  # each run opens a Dagster instance and takes two seconds

HEADER = "conversation_id,role,text,timestamp\n"
DAY = dt.date(2024, 6, 20)
SELECT = "key:raw_messages or key:quarantined_rows or key:unplaced_rows"


@contextmanager
def platform_over(folder: Path, rows: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    path = folder / "rows.csv"
    path.write_text(HEADER + rows)
    for name, value in {
        "ANALYTICS_HOME": str(folder / "home"),
        "ANALYTICS_SOURCE": "files",
        "ANALYTICS_SOURCE_PATH": str(path),
        "ANALYTICS_MONGO_URI": "",
    }.items():
        monkeypatch.setenv(name, value)
    with closing(Platform(load_settings())) as platform:
        yield platform


def test_a_total_loss_fails_the_run_and_replaces_nothing(tmp_path, monkeypatch, capfd):
    """The run ended with exit 0 and empty tables, and the next one computed 1,632 empty days."""
    monkeypatch.chdir(tmp_path)
    with platform_over(tmp_path, "c1,user,hi,2024-06-20\n", monkeypatch) as platform:
        first, _ = run_graph(platform, DAY, DAY, SELECT, quiet=True)
        assert (first.failures, first.source.kept) == ([], 1)
    with platform_over(tmp_path, "c1,user,hi,20/06/24 at ten\n" * 3, monkeypatch) as platform:
        for days in ((DAY, DAY), (None, None)):
            outcome, worked = run_graph(platform, *days, SELECT, quiet=True)
            assert (outcome.runs, worked, outcome.quarantined) == ([], [], 3)
            assert outcome.failures[0].startswith(
                "none of the 3 rows of the source can be used, so nothing is computed"
            )
        assert platform.lake.read("raw_messages", str(DAY)).num_rows == 1
        assert platform.lake.keys("raw_messages") == [str(DAY)]
        with dg.DagsterInstance.ephemeral() as instance, pytest.raises(NothingUsableError):
            next_tick(platform, instance, SensorState.from_text(None), dt.datetime.now(dt.UTC))
    print_outcome(outcome)
    printed = "".join(capfd.readouterr())
    assert "3 bad_timestamp: e.g. timestamp is '20/06/24 at ten' (rows.csv row 1); `timestamp_formats:`" in printed
    assert "failed: none of the 3 rows" in printed


@pytest.mark.parametrize(("share", "warned"), [("0.1", True), ("0.5", False)])
def test_a_run_warns_from_a_share_of_lost_rows_on(tmp_path, monkeypatch, share, warned):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANALYTICS_QUARANTINE_WARN_SHARE", share)
    rows = "c1,user,hi,2024-06-20\n" * 3 + "c2,wizard,hi,2024-06-20\n"
    with platform_over(tmp_path, rows, monkeypatch) as platform:
        outcome, _ = run_graph(platform, DAY, DAY, SELECT, quiet=True)
    found = [line for line in outcome.warnings if "1 of 4 rows of the source cannot be used (25%" in line]
    assert bool(found) == warned
    assert outcome.as_json()["source"]["unknown_roles"] == {"wizard": 1}


def test_rows_without_a_day_are_counted_over_any_days_and_redriven(tmp_path, monkeypatch):
    """They lay on the first day with rows, so that no count over other days had them."""
    monkeypatch.chdir(tmp_path)
    good = "c1,user,hi,2024-06-18\nc1,agent,hello,2024-06-18\nc3,user,hi,2024-06-20\n"
    with platform_over(tmp_path, good + "c2,user,hi,the 20th\n", monkeypatch) as platform:
        outcome, _ = run_graph(platform, DAY, DAY, SELECT, quiet=True)
        assert (outcome.failures, outcome.quarantined) == ([], 1)
        assert platform.lake.read("quarantined_rows", str(DAY)).num_rows == 0
        stored = platform.lake.info("unplaced_rows", "")
        run_graph(platform, DAY, DAY, SELECT, quiet=True, force=True)
        assert platform.lake.info("unplaced_rows", "").content_hash == stored.content_hash
        status = examine(platform, dg.DagsterInstance.ephemeral)
        assert (status.quarantined, status.unplaced) == (1, 1)
    with platform_over(tmp_path, good + "c2,user,hi,2024-06-19\n", monkeypatch) as platform:
        waiting = examine(platform, dg.DagsterInstance.ephemeral).waiting
        redriven = redrive_days(platform, DAY, DAY, quiet=True)
        assert (redriven.outcome.failures, redriven.quarantined_before, redriven.quarantined_after) == ([], 1, 0)
    assert "2024-06-19" in waiting


def test_a_selection_without_the_quarantine_states_no_count_of_it(tmp_path, monkeypatch, capfd):
    """'0 rows in quarantine' stood above the source's line with the rows in quarantine."""
    monkeypatch.chdir(tmp_path)
    rows = "c1,user,hi,2024-06-20\n" * 3 + "c2,wizard,hi,2024-06-20\n"
    with platform_over(tmp_path, rows, monkeypatch) as platform:
        outcome, _ = run_graph(platform, DAY, DAY, "raw_messages", quiet=True)

    print_outcome(outcome)

    printed = "".join(capfd.readouterr())
    assert "rows in quarantine" not in printed
    assert "+ 1 in quarantine" in printed
