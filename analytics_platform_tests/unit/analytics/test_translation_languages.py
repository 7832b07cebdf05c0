"""Figures of translations by language: numbers, shares, medians, and the cost of the ledger, divided."""

from __future__ import annotations

import datetime as dt

import pytest

from analytics_platform.analytics.translation_languages import count_languages
from analytics_platform.model.tables.llm_tables import LLM_CALLS
from analytics_platform.model.tables.translation_tables import MESSAGE_TRANSLATIONS, TRANSLATION_FAILURES

DAY = dt.date(2026, 1, 5)
NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)


def translation(conversation, message, language, quality):
    return {
        "date": DAY, "conversation_id": conversation, "message_id": message, "position": 0,
        "source_language": language, "target_language": "en", "text": "x", "quality": quality, "length_ratio": 1.0,
        "translator": "m", "prompt_version": "translation.v1-1",
    }  # fmt: skip


def failure(conversation, message, language):
    return {
        "date": DAY, "conversation_id": conversation, "message_id": message, "source_language": language,
        "target_language": "en", "reason": "budget", "will_retry": True, "detail": "", "tries": 0, "failed_at": NOON,
    }  # fmt: skip


def call(conversation, cost, prompt="translation.v1-1", status="ok"):
    return {
        "date": DAY, "call_id": f"{conversation}{cost}{prompt}", "conversation_id": conversation, "called_at": NOON,
        "model": "m", "prompt_version": prompt, "mode": "realtime", "question": 1, "attempt": 1, "status": status,
        "input_tokens": 1, "cached_tokens": 0, "output_tokens": 1, "cost_usd": cost, "latency_ms": 1.0, "error": None,
    }  # fmt: skip


def count(translations, failures, calls):
    table = count_languages(
        MESSAGE_TRANSLATIONS.from_rows(translations),
        TRANSLATION_FAILURES.from_rows(failures),
        LLM_CALLS.from_rows(calls),
    )
    return {row["source_language"]: row for row in table.to_pylist()}


TRANSLATIONS = [
    translation("a", "1", "de", 0.8), translation("a", "2", "de", 0.6), translation("a", "3", "fr", None),
    translation("b", "1", "de", 0.1),
]  # fmt: skip


def test_messages_are_counted_by_language_and_their_cost_is_divided():
    calls = [call("a", 0.3), call("b", 0.1), call("a", 9.0, "conversation.v1-1"), call("b", None, status="timeout")]
    rows = count(TRANSLATIONS, [failure("b", "2", "de"), failure("c", "1", "it")], calls)
    german = rows["de"]
    assert (german["message_count"], german["translated_count"], german["translated_share"]) == (4, 3, 0.75)
    assert (german["quality_p50"], german["length_ratio_p50"]) == (0.6, 1.0)
    assert german["cost_usd"] == pytest.approx(0.3)
    assert (rows["fr"]["quality_p50"], rows["fr"]["cost_usd"]) == (None, pytest.approx(0.1))
    assert (rows["it"]["translated_count"], rows["it"]["length_ratio_p50"], rows["it"]["cost_usd"]) == (0, None, 0.0)


def test_the_cost_is_unknown_where_no_price_is_known():
    assert count(TRANSLATIONS, [], [call("a", None)])["de"]["cost_usd"] is None


def test_nothing_to_translate_is_an_empty_table():
    assert count([], [], [call("a", 0.3)]) == {}
