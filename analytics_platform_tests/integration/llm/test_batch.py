"""Batches: submitted once, collected whenever, also by another process than the one that was killed."""

from __future__ import annotations

import json

import pytest

from analytics_platform.insights.llm.api.prices import Usage, load_prices
from analytics_platform.insights.llm.config import LlmError

pytestmark = pytest.mark.integration

BUDGET = 190_000


@pytest.fixture
def make_batch_tier(make_tier):
    return lambda **changes: make_tier(mode="batch", poll_seconds=0.01, **changes)


@pytest.fixture
def talks(build):
    return build(*(f"talk{n} about sound" for n in range(8)))


def cost(served, steps, *, batch):
    price = load_prices().price(steps.MODEL, batch=batch)
    return sum(price.cost(Usage(*tokens)) for tokens in served)


def test_a_batch_labels_like_single_questions_at_half_the_price(
    endpoint, make_tier, make_batch_tier, talks, steps, store
):
    endpoint.looks_until_over = 3
    outcome = make_batch_tier().label_conversations(talks)
    assert outcome.insights.num_rows == 8
    assert len(endpoint.bodies) == 1  # the first is asked at once, to see that all is well
    assert outcome.calls["mode"].to_pylist().count("batch") == 7
    assert sum(outcome.calls["cost_usd"].to_pylist()) == pytest.approx(
        cost(endpoint.served[:1], steps, batch=False) + cost(endpoint.served[1:], steps, batch=True)
    )
    assert len(store.calls(steps.DAY)) == 8
    assert store.batches() == {}
    single = make_tier().label_conversations(talks)
    assert len(endpoint.bodies) == 1  # both modes share their answers
    assert single.insights.equals(outcome.insights)


def test_answers_that_do_not_fit_are_asked_again_in_a_second_batch(endpoint, make_batch_tier, talks, steps, store):
    def answer(body):
        about = steps.transcript_of(body)[0]["text"]
        if "talk3" in about and len(body["messages"]) == 2:
            return "I do not know"
        return "never" if "talk5" in about else json.dumps(steps.good_answer(body))

    endpoint.batch_answer = answer
    outcome = make_batch_tier().label_conversations(talks)
    assert outcome.insights.num_rows == 7
    (failure,) = outcome.failures.to_pylist()
    assert (failure["conversation_id"], failure["reason"], failure["tries"]) == ("talk5", "invalid", 2)
    assert len(endpoint.batches) == 2
    assert len(store.calls(steps.DAY)) == len(endpoint.served) == 10
    assert store.batches() == {}


def test_trouble_with_the_account_in_a_batch_is_no_fault_of_the_conversations(endpoint, make_batch_tier, talks):
    work_off = endpoint._work_off

    def refuses(batch):
        work_off(batch)
        lines = [json.loads(line) for line in endpoint.files[batch["output_file_id"]].splitlines()]
        for line, status in zip(lines, (401, 402, 403, 404, 400), strict=False):
            line["response"] = {"status_code": status, "body": {"error": {"message": "no"}}}
        endpoint.files[batch["output_file_id"]] = "\n".join(map(json.dumps, lines)).encode()

    endpoint._work_off = refuses
    outcome = make_batch_tier().label_conversations(talks)
    assert (outcome.insights.num_rows, len(outcome.not_done), outcome.failures.num_rows) == (3, 4, 5)
    endpoint._work_off = work_off
    assert make_batch_tier().label_conversations(talks).insights.num_rows == 7


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("moment", ["before", "put_batch", "wait", "record", "forget"])
def test_a_killed_run_is_gone_on_with_by_the_next_and_pays_once(
    endpoint, make_batch_tier, talks, store, steps, monkeypatch, moment
):
    tier = make_batch_tier(timeout_seconds=0.5)

    def dies(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        if moment == "before":  # remembered, and nothing submitted
            patch.setattr("analytics_platform.insights.llm.batch.BatchRunner._create", dies)
        elif moment == "put_batch":  # submitted, and the process dies before it has noted the batch's id
            patch.setattr(store, "put_batch", notes_once(store.put_batch))
        elif moment == "wait":
            patch.setattr("analytics_platform.insights.llm.batch.BatchRunner._wait", dies)
        elif moment == "record":
            patch.setattr("analytics_platform.insights.llm.batch.batch_file.read", dies)
        else:
            patch.setattr(store, "drop_batch", dies)
        with pytest.raises(BaseException):  # noqa: B017, PT011  (a kill, or what asyncio makes of it)
            tier.label_conversations(talks)
    outcome = make_batch_tier(timeout_seconds=0.5).label_conversations(talks)
    assert outcome.insights.num_rows == 8
    assert len(endpoint.batches) == 1
    assert len(endpoint.served) == 8
    assert len(store.calls(steps.DAY)) == 8
    assert make_batch_tier().label_conversations(talks).calls.num_rows == 0


def notes_once(put_batch):
    """Work the first time, and be killed the second."""
    times = iter([put_batch])

    def put(mark, document):
        for kept in times:
            return kept(mark, document)
        raise Killed

    return put


def test_a_batch_that_comes_to_nothing_is_left_for_the_next_run(endpoint, make_batch_tier, talks, store):
    endpoint.looks_until_over = 10**6

    def expires(batch_id):
        endpoint.batches[batch_id]["status"] = "expired"
        return endpoint.batches[batch_id]

    original, endpoint.look_at_batch = endpoint.look_at_batch, expires
    outcome = make_batch_tier().label_conversations(talks)
    assert len(outcome.not_done) == 7
    assert "expired" in outcome.failures["detail"][0].as_py()
    assert store.batches() == {}
    endpoint.look_at_batch, endpoint.looks_until_over = original, 1
    assert make_batch_tier().label_conversations(talks).insights.num_rows == 8


def test_a_budget_bounds_a_batch(endpoint, make_batch_tier, talks):
    done = 0
    for _ in range(8):
        before = len(endpoint.served)
        outcome = make_batch_tier(budget_tokens=12_000).label_conversations(talks)
        assert sum(i + o for i, o, _ in endpoint.served[before:]) <= 12_000
        assert outcome.insights.num_rows > done
        done = outcome.insights.num_rows
        if not outcome.not_done:
            break
    assert (done, len(endpoint.served)) == (8, 8)


def test_asking_again_has_what_the_first_batch_left_of_the_budget(endpoint, make_batch_tier, talks, steps):
    """The first batch sets aside more than it uses; the second would not fit beside all of that."""

    def answer(body):
        return "I do not know" if len(body["messages"]) == 2 else json.dumps(steps.good_answer(body))

    endpoint.batch_answer = answer
    outcome = make_batch_tier(budget_tokens=BUDGET, answer_tokens=20_000).label_conversations(talks)
    assert (outcome.insights.num_rows, len(endpoint.batches)) == (8, 2)
    assert sum(sent + answered for sent, answered, _ in endpoint.served) <= BUDGET


def test_an_endpoint_without_batches_is_one_clear_error(endpoint, make_batch_tier, talks, monkeypatch):
    def refuse(*_):
        raise KeyError

    monkeypatch.setattr(endpoint, "keep_file", refuse)
    with pytest.raises(LlmError, match=r"cannot upload a batch.*ANALYTICS_LLM_MODE=realtime"):
        make_batch_tier(attempts=2).label_conversations(talks)


def test_a_conversation_that_changed_meanwhile_is_asked_anew_and_the_old_answer_accounted_for(
    endpoint, make_batch_tier, build, store, steps, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr("analytics_platform.insights.llm.batch.BatchRunner._wait", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            make_batch_tier().label_conversations(build("talk1 a", "talk2 b", "talk3 c"))
    outcome = make_batch_tier().label_conversations(build("talk1 a", "talk2 b", "talk3 changed"))
    assert outcome.insights.num_rows == 3
    assert len(store.calls(steps.DAY)) == len(endpoint.served) == 4
    old = [call for call in store.calls(steps.DAY) if call["status"] == "invalid"]
    assert [call["conversation_id"] for call in old] == ["talk3"]
