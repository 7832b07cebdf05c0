"""The checks of a collection: what they read of the days that the same run has written."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from analytics_platform.defs.consistency.collection_checks import AGREES
from analytics_platform.storage.mongo import MongoStore
from analytics_platform_tests.integration.store_agreement.built_home import DAY, DAYS, Home, first
from analytics_platform_tests.integration.store_agreement.test_agreement import failed_checks

DAILY = ("conversation_analytics", "conversation_messages", "conversation_categories")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the partitions that are read from MongoDB, by collection."""
    counts: Counter[str] = Counter()
    for method in ("read", "read_back"):
        original = getattr(MongoStore, method)

        def counted(self: MongoStore, name: str, *args: Any, original: Any = original, **options: Any) -> Any:
            counts[name] += 1
            return original(self, name, *args, **options)

        monkeypatch.setattr(MongoStore, method, counted)
    return counts


def rewrite(home: Home) -> None:
    """Remove the days of the collections, so that a run writes them."""
    for name in DAILY:
        for day in DAYS:
            home.platform.mongo.delete(name, day)


def test_one_of_the_written_days_is_read_back_and_every_day_that_was_not_written_once(home, reads):
    """Two checks read every document of every day, one after the other."""
    rewrite(home)
    assert home.run(DAYS).failures == []
    assert {name: reads[name] for name in DAILY} == dict.fromkeys(DAILY, 1)
    reads.clear()
    assert home.run(DAYS).failures == []
    assert {name: reads[name] for name in DAILY} == dict.fromkeys(DAILY, len(DAYS))


@pytest.mark.parametrize("how", ["added", "deleted"])
def test_documents_changed_after_a_run_wrote_them_fail_its_check(home, monkeypatch, how):
    """The record of the write would call a day right that somebody changed meanwhile."""
    write = MongoStore.write
    document = first(home, "conversation_categories")
    rewrite(home)

    def tampered(self: MongoStore, name: str, key: str, *args: Any) -> Any:
        info = write(self, name, key, *args)
        if (name, key) == ("conversation_categories", DAY):
            collection = home.database[name]
            if how == "added":
                collection.insert_one({**document, "_id": "foreign", "conversation_id": "foreign"})
            else:
                collection.delete_one({"_id": document["_id"]})
        return info

    monkeypatch.setattr(MongoStore, "write", tampered)
    outcome = home.run(DAYS)
    assert failed_checks(outcome) == [f"check {AGREES} of mongo/conversation_categories failed"]
    assert f"{DAY}: mongo conversation_categories: 1 row differs" in str(outcome.failures)
    assert not {"daily_report", "mongo/user_analytics"} & set(outcome.tables)
