"""What `analytics why` says of a partition: from what, why, and whether it is stale."""

from __future__ import annotations

import dagster as dg
import pytest

from analytics_platform.cli.console import why_lines
from analytics_platform.defs.assets.everyday import recipes_of
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.operations.why import Explanation, UnknownPartitionError, explain
from analytics_platform.sources import published_days
from analytics_platform.sources.row_rules.deduplication import UNPLACED_DAY
from analytics_platform.storage.warehouse.dbt_project import mart_names

DAY = "2024-01-05"
RAW = [dg.AssetKey(name) for name in ("raw_messages", "quarantined_rows", "unplaced_rows")]


def why(home, asset: str = "raw_messages", day: str = DAY) -> Explanation:
    settings = home.platform.settings
    marts = mart_names(settings.dbt_project_dir)
    return explain(home.platform, recipes_of(settings), marts, home.instance, day, asset)


def with_one_day(home):
    home.write(home.row("a", "1", DAY))
    assert home.materialize(DAY).failures == []
    return home


@pytest.fixture
def stored(home):
    """A home whose raw tables hold one day."""
    return with_one_day(home)


@pytest.fixture(scope="module")
def unchanged(lasting_home):
    """The same, for tests that only read."""
    return with_one_day(lasting_home)


def test_a_current_day_names_what_it_was_computed_from_and_why(unchanged):
    found = why(unchanged)
    assert found.is_stored
    assert found.stale_because == ()
    assert found.computed_because == "not stored before"
    assert {part.name for part in found.parts} == {"code", "schema", "source"}
    assert all(part.stored == part.now for part in found.parts)
    assert next(iter(why_lines(found))) == f"raw_messages {DAY} (lake) is current: a run would not compute it."


def test_a_changed_source_is_named_before_and_after_the_day_is_computed_again(stored):
    """ "Why was this day computed again?" had no answer."""
    stored.write(stored.row("a", "1", DAY, "changed"))
    reason = "changed rows at the source"
    assert why(stored).stale_because == (reason,)
    assert why(stored, "quarantined_rows").stale_because == (reason,)

    assert stored.materialize(DAY).failures == []
    found = why(stored)
    assert found.stale_because == ()
    assert found.computed_because == reason


def test_a_table_whose_inputs_are_missing_says_which(unchanged):
    found = why(unchanged, "conversations")
    assert not found.is_stored
    assert found.stale_because == (f"missing input messages {DAY}",)
    first, reason, *_ = why_lines(found)
    assert first == f"conversations {DAY} (lake) is not stored; a run over this day would compute it."
    assert reason == f"Reason: missing input messages {DAY}."


@pytest.mark.parametrize("mart", ["fct_conversation", "dim_user", "agg_daily"])
def test_a_mart_without_its_day_in_the_lake_says_what_is_missing(unchanged, mart):
    assert "missing input" in why(unchanged, mart).stale_because[0]


def test_a_table_whose_stored_input_is_stale_is_not_called_current(stored):
    """The source had changed, and `why` said that a run would compute nothing."""
    chosen = [dg.AssetKey("messages")]
    assert stored.materialize(DAY, selection=[*RAW, *chosen]).failures == []
    assert why(stored, "messages").stale_inputs == ()
    stored.write(stored.row("a", "1", DAY, "changed"))

    found = why(stored, "messages")
    assert found.stale_because == ()
    assert found.stale_inputs == ("raw_messages (changed rows at the source)",)
    assert "current" not in next(iter(why_lines(found)))


def test_a_source_that_was_not_read_since_it_changed_is_told(stored):
    stored.write(stored.row("a", "1", DAY, "changed"))
    looking = Platform(stored.platform.settings, stages=False)
    settings = looking.settings
    marts = mart_names(settings.dbt_project_dir)
    found = explain(looking, recipes_of(settings), marts, stored.instance, DAY, "raw_messages")
    assert found.source_changed
    assert "current" not in next(iter(why_lines(found)))


def test_an_unknown_table_is_refused_with_the_names_there_are(unchanged):
    with pytest.raises(UnknownPartitionError, match=r"no such table; there are .*conversation_insights"):
        why(unchanged, "conversation_insight")


def test_a_run_reads_each_table_of_a_source_day_once(home, monkeypatch):
    """The rows of a day were read three times: for messages, for their counts, for what is in quarantine."""
    read, tables = published_days._read_table, []

    def counted(folder, staged, declared, day, rows):
        tables.append((declared.name, day))
        return read(folder, staged, declared, day, rows)

    monkeypatch.setattr(published_days, "_read_table", counted)
    home.write(home.row("a", "1", DAY), home.row("", "2", DAY))
    assert home.materialize(DAY).failures == []
    assert sorted(tables) == [("quarantined_rows", str(UNPLACED_DAY)), ("quarantined_rows", DAY), ("raw_messages", DAY)]
