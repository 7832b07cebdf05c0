"""ANALYTICS_MONGO_DAYS: MongoDB keeps the most recent days of conversations, and all reports."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

import pytest

from analytics_platform.defs.assets.everyday import EVERYTHING, tables_of
from analytics_platform.operations.runs.graph import Graph
from analytics_platform.operations.runs.outcome import Outcome
from analytics_platform.operations.runs.run import materialize
from analytics_platform.operations.status import examine
from analytics_platform.operations.why import explain
from analytics_platform.storage.staleness import RecomputePolicy
from analytics_platform_tests.integration.store_agreement.built_home import DAYS, MONGO, Home, first

COLLECTIONS = ("conversation_analytics", "conversation_messages", "conversation_categories")


@pytest.fixture
def limited(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Home]]:
    """Return the built home under another ANALYTICS_MONGO_DAYS; afterwards it is complete again."""
    opened: list[Home] = []

    def reopen(days: str) -> Home:
        monkeypatch.setenv("ANALYTICS_MONGO_DAYS", days)
        opened.append(Home(home.path, home.instance))
        return opened[-1]

    yield reopen
    for one in opened:
        one.close()
    every_day = {dt.date.fromisoformat(day) for day in DAYS}
    if any(days_in(home, collection) != every_day for collection in COLLECTIONS):
        assert home.run(DAYS).failures == []


def update(home: Home, *, force: bool = False) -> Outcome:
    platform = home.platform
    return materialize(
        platform, Graph.of(home.definitions, home.instance), DAYS, job_name=EVERYTHING,
        assets=tables_of(platform.settings), selection=None, force=force,
    )  # fmt: skip


def days_in(home: Home, collection: str) -> set[dt.date]:
    return {found["date"].date() for found in home.database[collection].find({}, {"date": 1})}


def test_earlier_days_are_removed_and_neither_written_nor_missed(home, limited):
    recent = limited("2")
    outcome = update(recent)
    assert outcome.failures == []
    assert outcome.parts == {}  # the removal is no reason to compute a day
    kept = {dt.date.fromisoformat(day) for day in DAYS[1:]}
    assert {collection: days_in(recent, collection) for collection in COLLECTIONS} == dict.fromkeys(COLLECTIONS, kept)
    assert len(days_in(recent, "analytics_reports")) == 3  # a report has no other copy
    assert recent.look() == []
    forced = update(recent, force=True)
    assert forced.failures == []
    assert days_in(recent, "conversation_messages") == kept
    assert recent.look() == []
    assert examine(recent.platform, lambda: recent.instance).mongo_from == DAYS[1]
    explained = explain(recent.platform, recent.recipes, [], recent.instance, DAYS[0], "mongo/conversation_messages")
    assert (explained.stale_because, explained.is_stored) == ((), False)
    assert explained.not_kept == f"MongoDB keeps 2 days, from {DAYS[1]} on (ANALYTICS_MONGO_DAYS=2)"


def test_without_the_limit_removed_days_come_back(home, limited):
    assert update(limited("1")).failures == []
    everything = limited("")
    assert update(everything).failures == []
    assert {str(day) for day in days_in(everything, "conversation_messages")} == set(DAYS)
    assert everything.look() == []


def test_documents_of_a_removed_day_are_found_and_removed(home, limited):
    document = first(home, "conversation_categories", DAYS[0])
    recent = limited("2")
    assert update(recent).failures == []
    recent.database["conversation_categories"].insert_one(document)
    assert recent.look() == [(MONGO, "conversation_categories", DAYS[0])]
    assert recent.repair().left == []
    assert str(min(days_in(recent, "conversation_categories"))) == DAYS[1]


def test_the_graph_says_how_many_days_a_collection_keeps(home, limited):
    recent = limited("2")
    descriptions = {
        spec.key.to_user_string(): spec.description for spec in recent.definitions.resolve_all_asset_specs()
    }
    assert "MongoDB keeps 2 days only (ANALYTICS_MONGO_DAYS)" in descriptions["mongo/conversation_messages"]
    assert "ANALYTICS_MONGO_DAYS" not in descriptions["mongo/user_analytics"] + descriptions["daily_report"]


def test_a_stored_day_that_is_no_longer_kept_is_not_stale(home, limited):
    recent = limited("2")
    recipe = next(one for one in recent.recipes.values() if one.table.name == "conversation_messages")
    stores = {"mongo": recent.platform.mongo, "lake": recent.platform.lake}
    decided = recipe.decisions(DAYS, stores, recent.platform.recipe_resources(), RecomputePolicy.EVERYTHING)
    assert [bool(decision.is_stale) for decision in decided.values()] == [False, True, True]
    assert decided[DAYS[0]].stored is not None
