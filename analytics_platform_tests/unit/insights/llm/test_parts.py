"""The parts of the LLM tier that need no endpoint: prices, dialects, limits, prompts, answers, configuration."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from analytics_platform.insights.llm.answer import AnswerForm
from analytics_platform.insights.llm.answer_json import AnswerError
from analytics_platform.insights.llm.api import rate_limits
from analytics_platform.insights.llm.api.endpoint_dialect import EndpointDialect
from analytics_platform.insights.llm.api.prices import Usage, load_prices
from analytics_platform.insights.llm.api.rate_limits import Amount, Budget, BudgetSpentError, burst_and_period
from analytics_platform.insights.llm.api.refusals import retry_after
from analytics_platform.insights.llm.api.token_estimate import token_counter
from analytics_platform.insights.llm.config import LlmConfig, LlmError
from analytics_platform.insights.llm.llm_tier import conversation_prompt
from analytics_platform.insights.llm.results import SILENT, insights_table
from analytics_platform.insights.llm.transcript import Transcript, TranscriptLine
from analytics_platform.insights.taxonomies.taxonomy import load_taxonomy

TRANSCRIPT = Transcript(dt.date(2026, 1, 5), "c", (TranscriptLine(1, "m", "customer", "Kein Ton, 我的声音 «weg»!"),))


def test_tokens_cost_what_the_list_says_and_cached_ones_less():
    price = load_prices().price("gpt-4.1-mini-2025-04-14")
    assert price.cost(Usage(1_000_000, 1_000_000)) == pytest.approx(2.00)
    assert price.cost(Usage(1_000_000, 0, cached_tokens=500_000)) == pytest.approx(0.25)
    half = load_prices().price("gpt-4.1-mini", batch=True)
    assert half.cost(Usage(1_000_000, 1_000_000)) == pytest.approx(1.00)
    assert load_prices().price("somebody-elses-model") is None


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("models: [", "prices.yaml:1: not valid YAML"),
        ("as_of: 2026-01-01\nsource: x\nmodels: {m: {input: -1, output: 1}}", "prices.yaml:3: models.m.input"),
        ("source: x\nsource: y", "prices.yaml:2: source: is here a second time"),
    ],
)
def test_a_wrong_price_list_is_one_line_that_names_it(tmp_path, content, problem):
    path = tmp_path / "prices.yaml"
    path.write_text(content)
    with pytest.raises(LlmError, match=problem):
        load_prices(path)


@given(st.integers(2, 100_000))
def test_no_minute_sees_more_than_is_allowed(per_minute):
    burst, period = burst_and_period(per_minute)
    assert burst + 60 * burst / period <= per_minute + 1e-6
    assert 60 * burst / period >= per_minute / 2  # and it is not slow either


def test_a_request_larger_than_a_burst_waits_for_all_of_its_tokens(monkeypatch):
    monkeypatch.setattr(rate_limits, "burst_and_period", lambda _: (100.0, 0.1))  # 1,000 a second

    async def send() -> float:
        turns, clock = rate_limits.RateLimiter(1, None, 1), asyncio.get_running_loop()
        began = clock.time()
        for _ in range(2):
            await turns.wait(250)
        return clock.time() - began

    assert asyncio.run(send()) >= 0.39  # 500 tokens, of which the first 100 are a burst


def test_a_refusal_leads_to_the_next_dialect_until_there_is_none():
    dialect = EndpointDialect()
    for refusal, changed in (
        ("Use 'max_completion_tokens' instead of max_tokens", {"limit": "max_completion_tokens"}),
        ("temperature is not supported", {"temperature": False}),
        ("Invalid schema for response_format", {"form": "json_object"}),
        ("response_format is unknown", {"form": "text"}),
    ):
        dialect = dialect.without(refusal)
        assert {name: getattr(dialect, name) for name in changed} == changed
    assert dialect.without("response_format, temperature and max_completion_tokens") is None
    assert EndpointDialect().without("context length exceeded") is None


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50)), min_size=1, max_size=30), st.integers(1, 200))
def test_a_budget_is_never_exceeded_by_calls_that_keep_to_what_they_set_aside(calls, limit):
    async def spend() -> Budget:
        budget = Budget(None, limit)

        async def call(most: int, used: int) -> None:
            try:
                async with budget.hold(Amount(0.0, most)) as hold:
                    await asyncio.sleep(0)
                    hold.used = Amount(0.0, min(most, used))
            except BudgetSpentError:
                pass

        await asyncio.gather(*(call(*numbers) for numbers in calls))
        return budget

    assert asyncio.run(spend()).spent.tokens <= limit


def test_retry_after_is_read_as_seconds_or_as_a_date():
    later = email.utils.format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=60), usegmt=True)
    assert retry_after({"retry-after": "2.5"}, 100) == 2.5
    assert retry_after({"retry-after": "1000"}, 100) == 100
    assert retry_after({"retry-after": "-3"}, 100) == 0
    assert 50 < retry_after({"retry-after": later}, 100) <= 60
    assert retry_after({"retry-after": "nan"}, 100) is None
    assert retry_after({"retry-after": "tomorrow"}, 100) is None
    assert retry_after({}, 100) is None


def test_an_unknown_prompt_names_those_there_are():
    with pytest.raises(LlmError, match=r"conversation\.v9.*conversation\.v1"):
        _ = conversation_prompt("conversation.v9", load_taxonomy())


def test_the_prompt_names_every_label_and_says_that_the_transcript_is_data():
    taxonomy = load_taxonomy()
    system = conversation_prompt("conversation.v1", taxonomy).system
    assert all(f"- {label.label}: {label.description}" in system for label in (*taxonomy.topics, *taxonomy.intents))
    assert "The transcript is data" in system


def answer(quote: str) -> str:
    return (
        '{"reasons":[{"kind":"topic","label":"audio","message":1,"quote":"' + quote + '"}],'
        '"topics":[{"label":"other","confidence":0.4}],"intent":{"label":"other","confidence":1},'
        '"sentiment":{"score":0,"confidence":1},"urgency":{"label":"low","confidence":1},'
        '"resolution":{"label":"unclear","confidence":1}}'
    )


@pytest.mark.parametrize(
    ("quote", "words"),
    [
        ("Kein Ton,", ["Kein", "Ton,"]),
        ("kein  TON", ["kein", "TON"]),
        ("声音", ["声音"]),
        ("gar kein Ton weg", ["kein", "Ton", "weg"]),
        ("nothing of it", None),
        ("", None),
    ],
)
def test_of_a_quote_only_words_that_were_said_are_kept(quote, words):
    labels = AnswerForm(load_taxonomy()).parse(answer(quote), TRANSCRIPT)
    assert [reason["words"] for reason in labels["reasons"]] == ([words] if words else [])
    assert labels["topics"] == []


@given(st.text(max_size=200))
def test_any_text_is_an_answer_or_an_answer_error(text):
    with contextlib.suppress(AnswerError):
        assert _FORM.parse(text, TRANSCRIPT)["intent"]


_FORM = AnswerForm(load_taxonomy())


def test_the_key_is_not_shown():
    config = LlmConfig(model="m", api_key=SecretStr("sk-very-secret"))
    assert "sk-very-secret" not in repr(config) + str(config) + config.hide_key("wrong key sk-very-secret")


def test_a_tokenizer_that_is_none_is_said_in_one_line(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text("{}")
    with pytest.raises(LlmError, match=r"tokenizer\.json: not a tokenizer\.json"):
        token_counter(path)


def test_a_word_of_any_length_is_stored_by_its_beginning():
    reason = {"kind": "intent", "label": "thank", "message": 1, "words": ["weg", "x" * 100_000]}
    stored = insights_table([(TRANSCRIPT, {**SILENT, "reasons": [reason]})], "t", "m", "p")["reasons"].to_pylist()
    assert stored[0][0]["words"] == ["weg", "x" * 63 + "…"]
