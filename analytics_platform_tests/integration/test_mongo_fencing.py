"""Partitions of a MongoDB that machines share: a holder that lost its lease does not replace its successor's."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from types import SimpleNamespace

import pyarrow as pa
import pytest
from pymongo import MongoClient

from analytics_platform.model.tables.operational_tables import CONVERSATION_CATEGORIES, USER_PROFILES
from analytics_platform.storage.leases.held_lease import LeaseLostError
from analytics_platform.storage.mongo import EmbeddedMongo, MongoStore
from analytics_platform.storage.mongo.replacement import Replacement

pytestmark = pytest.mark.integration

CATEGORIES = CONVERSATION_CATEGORIES.name
DAY = "2026-01-05"


@dataclass(frozen=True)
class Holder:
    """A holder of every day, who has just asked whether its lease is held.

    Attributes:
        token: Fencing token of its lease.
    """

    token: int

    def lease_of(self, _: str) -> SimpleNamespace:
        return SimpleNamespace(token=self.token, require=lambda: None)


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    with EmbeddedMongo(tmp_path_factory.mktemp("home") / "mongo") as uri:
        yield uri


@pytest.fixture(params=[True, False], ids=["transaction", "in_order"])
def holder(uri, request):
    """Return a store under a lease with a token, in a database of the test's own."""
    name, stores = f"test_{uuid.uuid4().hex}", []

    def make(token: int | None) -> MongoStore:
        fence = Holder(token) if token is not None else None
        stores.append(MongoStore(uri, name, transactions=request.param, fence=fence))
        return stores[-1]

    yield make
    for store in stores:
        store.close()
    with MongoClient(uri) as client:
        client.drop_database(name)


def categories(*confidences: float) -> pa.Table:
    day = dt.date.fromisoformat(DAY)
    rows = [
        {"date": day, "conversation_id": f"c{number}", "topic": "billing", "confidence": confidence, "rank": 1}
        for number, confidence in enumerate(confidences)
    ]
    return CONVERSATION_CATEGORIES.from_rows(rows)


def test_a_holder_with_an_earlier_lease_is_refused_and_changes_nothing(holder):
    """A machine that slept wrote over the documents of the machine that had taken its day over."""
    later, earlier = holder(7), holder(5)
    earlier.write(CATEGORIES, DAY, categories(0.1), "earlier")
    info = later.write(CATEGORIES, DAY, categories(0.2, 0.3), "later")
    with pytest.raises(LeaseLostError, match=f"{CATEGORIES}/{DAY}: a run with a later lease"):
        earlier.write(CATEGORIES, DAY, categories(0.4), "earlier again")
    assert later.info(CATEGORIES, DAY) == info
    assert later.read(CATEGORIES, DAY).equals(categories(0.2, 0.3))


def test_later_leases_and_homes_without_leases_replace_a_partition(holder):
    for token in (5, 5, 7, None, 3):
        store = holder(token)
        info = store.write(CATEGORIES, DAY, categories(0.1), f"of {token}")
        assert store.info(CATEGORIES, DAY) == info


def test_an_unpartitioned_collection_is_written_by_holders_of_any_days(holder):
    """Two machines on different days write it one after the other, not in the order of their leases."""
    for token in (7, 5):
        holder(token).write(USER_PROFILES.name, "", USER_PROFILES.empty(), "")


@pytest.mark.parametrize("holder", [False], indirect=True, ids=["in_order"])
def test_a_holder_overtaken_while_it_writes_leaves_a_partition_that_is_written_again(holder, monkeypatch):
    """Without transactions the documents of two holders are mixed, and the ledger said that they were the later's."""
    later, earlier, replace = holder(7), holder(5), Replacement._replace_documents

    def overtaken(self, *args, **kwargs):
        if self.token == 5:
            later.write(CATEGORIES, DAY, categories(0.2, 0.3), "later")
        return replace(self, *args, **kwargs)

    later.migrate()
    monkeypatch.setattr(Replacement, "_replace_documents", overtaken)
    with pytest.raises(LeaseLostError):
        earlier.write(CATEGORIES, DAY, categories(0.4), "earlier")
    assert later.info(CATEGORIES, DAY) is None
    later.write(CATEGORIES, DAY, categories(0.2, 0.3), "later")
    assert later.read(CATEGORIES, DAY).equals(categories(0.2, 0.3))
