"""The stores of the LLM tier: in memory and in MongoDB, alike."""

from __future__ import annotations

import datetime as dt
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from analytics_platform.insights.llm.llm_store import moment
from analytics_platform.model.tables.llm_tables import LLM_CALLS, LLM_FAILURES
from analytics_platform.storage.mongo import EmbeddedMongo, MongoLlmStore, MongoStore
from analytics_platform_tests.memory_llm_store import MemoryLlmStore

pytestmark = pytest.mark.integration

DAY, NEXT_DAY = dt.date(2026, 1, 5), dt.date(2026, 1, 6)
LABELS = LLM_FAILURES.name


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    with EmbeddedMongo(tmp_path_factory.mktemp("home") / "mongo") as uri:
        yield uri


@pytest.fixture(params=["memory", "mongo"])
def shared(request):
    if request.param == "memory":
        yield MemoryLlmStore()
        return
    with MongoStore(request.getfixturevalue("uri"), f"test_{uuid.uuid4().hex}") as mongo:
        yield MongoLlmStore(mongo)


def call(call_id: str, day: dt.date = DAY) -> dict:
    return {
        "date": day, "call_id": call_id, "conversation_id": "c", "called_at": moment(), "model": "m",
        "prompt_version": "p", "mode": "realtime", "question": 1, "attempt": 1, "status": "ok", "input_tokens": 10,
        "cached_tokens": 0, "output_tokens": 5, "cost_usd": None, "latency_ms": 1.5, "error": None,
    }  # fmt: skip


def test_the_first_answer_stays_unless_it_is_to_be_replaced(shared):
    assert shared.put("k", {"labels": {"sentiment": 0.5}})["labels"] == {"sentiment": 0.5}
    assert shared.put("k", {"labels": {"sentiment": 0.9}})["labels"] == {"sentiment": 0.5}
    assert dict(shared.get_many(["k", "unknown"])["k"])["labels"] == {"sentiment": 0.5}
    shared.put("k", {"labels": {}}, replace=True)
    assert shared.get_many(["k"])["k"]["labels"] == {}
    assert shared.get_many([]) == {}


def test_of_answers_put_at_once_all_get_the_same_one(shared):
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda n: shared.put("k", {"n": n})["n"], range(8)))
    assert len(set(kept)) == 1


def test_calls_are_kept_once_and_come_back_as_they_were(shared):
    calls = [call("a"), call("b"), call("c", NEXT_DAY)]
    shared.record_calls(calls)
    shared.record_calls([{**calls[0], "status": "invalid"}])
    shared.record_calls([])
    assert sorted(shared.calls(DAY), key=lambda c: c["call_id"]) == calls[:2]
    assert (shared.count_calls(DAY), shared.count_calls(NEXT_DAY)) == (2, 1)
    assert LLM_CALLS.from_rows(shared.calls(DAY)).num_rows == 2


def test_failures_of_a_day_are_replaced(shared):
    failure = {
        "date": DAY, "conversation_id": "c", "reason": "budget", "will_retry": True, "detail": "spent", "tries": 0,
        "failed_at": moment(),
    }  # fmt: skip
    shared.replace_failures(LABELS, DAY, [failure, {**failure, "conversation_id": "d"}])
    shared.replace_failures(LABELS, NEXT_DAY, [{**failure, "date": NEXT_DAY}])
    shared.replace_failures(LABELS, DAY, [failure])
    assert shared.failures(LABELS, DAY) == [failure]
    assert LLM_FAILURES.from_rows(shared.failures(LABELS, NEXT_DAY)).num_rows == 1
    shared.replace_failures(LABELS, DAY, [])
    assert shared.failures(LABELS, DAY) == []


def test_batches_are_remembered_until_they_are_dropped(shared):
    shared.put_batch("b", {"batch_id": None, "asked": {"k": {"date": "2026-01-05", "conversation_id": "c"}}})
    shared.put_batch("b", {"batch_id": "x", "asked": {}})
    assert {mark: dict(batch) for mark, batch in shared.batches().items()} == {"b": {"batch_id": "x", "asked": {}}}
    shared.drop_batch("b")
    shared.drop_batch("b")
    assert shared.batches() == {}


def test_a_tier_over_mongodb_pays_once_whatever_process_asks(uri, endpoint, make_tier, build, steps):
    messages = build(*(f"talk{n} about sound" for n in range(6)))
    name = f"test_{uuid.uuid4().hex}"
    with MongoStore(uri, name) as mongo, MongoStore(uri, name) as other:
        first = make_tier(MongoLlmStore(mongo)).label_conversations(messages)
        second = make_tier(MongoLlmStore(other)).label_conversations(messages)
        ledger = LLM_CALLS.from_rows(MongoLlmStore(other).calls(steps.DAY))
    assert len(endpoint.bodies) == 6
    assert second.insights.equals(first.insights)
    assert ledger.equals(first.calls)
