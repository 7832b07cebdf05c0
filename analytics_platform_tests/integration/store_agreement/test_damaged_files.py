"""Files of the lake and the warehouse that are damaged, misplaced or gone: found, named, and made again alone."""

from __future__ import annotations

import re
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from analytics_platform.defs.consistency.repair_job import find_disagreements
from analytics_platform_tests.integration.store_agreement.built_home import (
    DAY,
    DAYS,
    MONGO,
    WAREHOUSE,
    Home,
    edit_a_document,
)
from analytics_platform_tests.sizes import by_day_or_night


@pytest.mark.parametrize("table", ["raw_messages", "messages", "message_embeddings", "conversations", "agent_daily"])
@pytest.mark.parametrize("how", ["truncated", "rewritten"])
def test_a_damaged_file_is_computed_again_from_its_upstream_to_the_same_content(home, table, how):
    path = home.file(table)
    before = home.content()
    if how == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        content, footer = pq.read_table(path), pq.read_metadata(path).metadata
        pq.write_table(content.slice(0, content.num_rows - 1).replace_schema_metadata(footer), path)
    assert ("lake", table, DAY) in home.look()
    repair = home.repair()
    assert [(one.store, one.table, one.day) for one in repair.mended] == [("lake", table, DAY)]
    assert repair.left == []
    assert home.content() == before


def test_a_missing_file_is_computed_again_when_something_was_computed_from_it(home):
    before = home.content()
    for table in ("messages", "conversations"):
        home.file(table).unlink()
    assert home.look([DAYS[0]]) == []
    assert {("lake", "messages", DAY), ("lake", "conversations", DAY)} <= set(home.look())
    repair = home.repair([DAY])
    assert [(one.table, one.day) for one in repair.mended] == [("messages", DAY), ("conversations", DAY)]
    assert home.content() == before


def test_a_day_that_the_source_no_longer_has_is_never_emptied(home, monkeypatch):
    kept = home.file("raw_messages").read_bytes()
    home.file("raw_messages").write_bytes(kept[:50])
    held = {day: version for day, version in home.platform.source.days().items() if day != DAY}
    monkeypatch.setattr(home.platform.source, "days", lambda: held)
    repair = home.repair()
    assert repair.mended == []
    assert [(one.table, one.day) for one in repair.left] == [("raw_messages", DAY)]
    assert "the source no longer has this day" in str(repair.left[0])
    assert home.file("raw_messages").read_bytes() == kept[:50]
    home.file("raw_messages").write_bytes(kept)


@pytest.mark.parametrize("how", ["unreadable", "another day"])
def test_a_warehouse_that_no_day_can_be_built_over_is_built_anew(home, how):
    before = home.platform.marts.warehouse.rows()
    if how == "unreadable":
        (home.path / "warehouse.duckdb").write_bytes(b"no database" * 1000)
    else:
        home.warehouse(
            f"insert into fct_conversation by name select * "
            f"replace ('x' as conversation_id, date '1999-01-01' as date) "
            f"from fct_conversation where date = '{DAY}' limit 1"
        )
    assert {store for store, _, _ in home.look()} == {WAREHOUSE}
    assert home.repair().left == []
    assert home.look() == []
    assert home.platform.marts.warehouse.rows() == before


def tables_of_the_warehouse(home: Home) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of the published file."""
    with duckdb.connect(home.path / "warehouse.duckdb", read_only=True) as connection:
        names = [name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()]
        return {name: connection.execute(f"from {name} order by all").fetchall() for name in names}


def damage_the_warehouse(home: Home, how: str | float) -> None:
    path = home.path / "warehouse.duckdb"
    content = path.read_bytes()
    if how == "deleted":
        path.unlink()
    elif isinstance(how, float):
        start = int(how * len(content))
        flipped = bytes(byte ^ 0xFF for byte in content[start : start + 4096])
        path.write_bytes(content[:start] + flipped + content[start + 4096 :])
    else:
        path.write_bytes({"empty": b"", "half": content[: len(content) // 2]}[how])


@pytest.mark.parametrize(
    "how", by_day_or_night([0.005, 0.7, "empty", "deleted"], [0.005, 0.2, 0.35, 0.7, 0.9, "empty", "half", "deleted"])
)
def test_a_damaged_warehouse_is_told_in_one_line_and_built_anew(home, how):
    """Some parts ended the repair with a traceback, others were never read and counted as right."""
    before = tables_of_the_warehouse(home)
    damage_the_warehouse(home, how)
    assert home.look([DAYS[0]]) == [(WAREHOUSE, "every table", "")]
    repair = home.repair([DAYS[0]])
    assert [(one.store, one.table) for one in repair.found] == [(WAREHOUSE, "every table")]
    assert "\n" not in str(repair.found[0])
    assert {one.day for one in repair.mended} == set(DAYS)
    assert repair.left == []
    assert tables_of_the_warehouse(home) == before


def test_a_run_over_a_damaged_warehouse_names_what_mends_it_and_keeps_the_file(home):
    damage_the_warehouse(home, "half")
    damaged = (home.path / "warehouse.duckdb").read_bytes()
    [failure] = [line for line in home.run([DAY], "fct_message").failures if line.startswith("marts")]
    assert re.search(r"warehouse\.duckdb: damaged \(.*\); `analytics repair` builds it anew$", failure)
    assert (home.path / "warehouse.duckdb").read_bytes() == damaged


def test_a_warehouse_is_built_anew_without_the_days_that_the_lake_has_lost(home, monkeypatch):
    """One day that cannot be mended kept the whole warehouse from coming back."""
    kept = {home.file(table): home.file(table).read_bytes() for table in ("raw_messages", "messages")}
    for path, content in kept.items():
        path.write_bytes(content[:50])
    held = {day: version for day, version in home.platform.source.days().items() if day != DAY}
    monkeypatch.setattr(home.platform.source, "days", lambda: held)
    damage_the_warehouse(home, "half")
    repair = home.repair()
    assert {one.day for one in repair.mended if one.store == WAREHOUSE} == {DAYS[0], DAYS[2]}
    assert {(one.table, one.day) for one in repair.left} >= {("raw_messages", DAY), ("messages", DAY)}
    for path, content in kept.items():
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("table", "other"),
    [
        ("messages", f"messages/date={DAYS[2]}"),
        ("quarantined_rows", f"quarantined_rows/date={DAYS[2]}"),
        ("conversation_insights", f"conversation_insights/date={DAYS[2]}"),
        ("user_daily", f"user_daily/date={DAYS[2]}"),
        ("conversations", f"raw_conversations/date={DAY}"),
    ],
)
def test_a_misplaced_file_is_found_and_mended_alone(home, table, other):
    """A valid file of another day or table passed as right, and ended the repair with a traceback."""
    before = home.content()
    home.file(table).write_bytes((home.path / "lake" / other / "data.parquet").read_bytes())
    identity = edit_a_document(home)
    found = find_disagreements(home.platform, home.recipes, None).found
    assert [str(one) for one in found if one.table == table and "it is the file of" in str(one)]
    repair = home.repair()
    assert {(one.store, one.table, one.day) for one in repair.mended} == {
        ("lake", table, DAY), (MONGO, "conversation_messages", DAY),
    }  # fmt: skip
    assert identity in {name for one in repair.found for name in one.ids}
    assert (repair.left, home.content()) == ([], before)


def test_a_run_computes_nothing_from_a_misplaced_file(home):
    kept, before = home.file("messages").read_bytes(), home.content()
    home.file("messages").write_bytes(home.file("messages", DAYS[2]).read_bytes())
    misplaced = home.content()
    [failure] = home.run([DAY], "message_embeddings").failures
    assert "it is the file of messages 2006-05-18" in failure
    assert home.content() == misplaced
    home.file("messages").write_bytes(kept)
    assert home.content() == before


def test_a_file_of_somebody_else_is_left_and_the_rest_is_mended(home):
    kept = home.file("agent_daily").read_bytes()
    pq.write_table(pq.read_table(home.file("agent_daily")).replace_schema_metadata(None), home.file("agent_daily"))
    theirs = home.file("agent_daily").read_bytes()
    edit_a_document(home)
    repair = home.repair()
    assert [(one.store, one.table) for one in repair.mended] == [(MONGO, "conversation_messages")]
    assert [(one.table, "not written by this platform" in one.problem) for one in repair.left] == [
        ("agent_daily", True)
    ]
    assert home.file("agent_daily").read_bytes() == theirs
    home.file("agent_daily").write_bytes(kept)


@pytest.mark.parametrize("table", ["quarantined_rows", "conversation_embeddings", "model_daily", "llm_calls"])
def test_a_missing_file_that_nothing_is_computed_from_is_made_again(home, table):
    """A day with a report went through the whole graph; its missing file counted as never computed."""
    before = home.content()
    home.file(table).unlink()
    assert home.look() == [("lake", table, DAY)]
    repair = home.repair()
    assert [(one.store, one.table, one.day) for one in repair.mended] == [("lake", table, DAY)]
    assert (repair.left, home.content()) == ([], before)
