"""What a conversation is, and its metrics against values worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_platform.model import find_violations
from analytics_platform.model.tables.clean_tables import CONVERSATIONS, MESSAGES
from analytics_platform.model.tables.raw_tables import RAW_CONVERSATIONS, RAW_MESSAGES, ROLES
from analytics_platform.transform.conversations import conversation_metrics, raw_conversations
from analytics_platform.transform.messages import clean_messages
from analytics_platform.transform.outcomes import parse_outcomes
from analytics_platform_tests.sizes import by_day_or_night

MakeRaw = Callable[..., pa.Table]


def measure(raw: pa.Table) -> list[dict[str, Any]]:
    metrics = conversation_metrics(clean_messages(raw), raw_conversations(raw))
    assert find_violations(CONVERSATIONS, metrics) == []
    rows: list[dict[str, Any]] = metrics.to_pylist()
    return rows


def test_a_conversation_has_what_its_messages_state_first_or_last(make_raw: MakeRaw) -> None:
    raw = make_raw(
        {"at": 0, "channel": "web", "language": "de", "rating": 1.0, "outcome": "open", "tokens": 5},
        {"at": 9, "user_id": "u", "channel": "mail", "variant": "A", "cost": 0.1, "tokens": 7},
        {"at": 4, "user_id": None, "language": "fr", "rating": 3.0, "outcome": "solved", "cost": 0.2},
    )
    (row,) = raw_conversations(raw).to_pylist()
    assert (row["user_id"], row["channel"], row["language"], row["variant"]) == ("u", "web", "de", "A")
    assert (row["rating"], row["outcome"], row["tokens"], row["cost"]) == (3.0, "solved", 12, 0.3)
    assert (row["ended_at"] - row["started_at"]).total_seconds() == 9
    assert row["message_count"] == 3


def test_the_customer_is_whom_the_customers_messages_name(make_raw: MakeRaw) -> None:
    """Where a source names the author of each message as its user, an agent who opened became the customer."""
    raw = make_raw(
        {"conversation_id": "a", "role": "agent", "user_id": "agent-7"},
        {"conversation_id": "a", "role": "user", "user_id": "ann"},
        {"conversation_id": "b", "role": "agent", "user_id": "bob"},
        {"conversation_id": "b", "role": "user", "user_id": None},
    )
    assert raw_conversations(raw)["user_id"].to_pylist() == ["ann", "bob"]


def test_what_no_message_states_is_null(make_raw: MakeRaw) -> None:
    (row,) = raw_conversations(make_raw({})).to_pylist()
    assert {name for name, value in row.items() if value is None} == {
        "user_id", "agent_id", "model", "channel", "language", "rating", "outcome", "variant", "tokens", "cost",
        "outcome_range", "cost_source",
    }  # fmt: skip


def test_the_agent_is_who_answers_most_and_ties_go_to_the_first(make_raw: MakeRaw) -> None:
    raw = make_raw(
        {"conversation_id": "a", "role": "agent", "agent_id": "zoe"},
        {"conversation_id": "a", "role": "agent", "agent_id": "bob"},
        {"conversation_id": "a", "role": "user", "agent_id": "bob"},
        {"conversation_id": "b", "role": "agent", "agent_id": "zoe"},
        {"conversation_id": "b", "role": "assistant", "agent_id": "bob", "model": "m"},
        {"conversation_id": "b", "role": "assistant", "agent_id": "bob", "model": "n"},
        {"conversation_id": "c", "role": "user", "agent_id": "assigned"},
    )
    found = raw_conversations(raw)
    assert found["agent_id"].to_pylist() == ["zoe", "bob", "assigned"]
    assert found["model"].to_pylist() == [None, "m", None]


def test_the_metrics_of_a_conversation_worked_out_by_hand(make_raw: MakeRaw) -> None:
    (row,) = measure(
        make_raw(
            {"role": "user", "at": 0, "text": "one two"},
            {"role": "user", "at": 5, "text": "three"},
            {"role": "tool", "at": 6, "text": "not counted at all"},
            {"role": "agent", "at": 100, "text": "one two three four five six"},
            {"role": "user", "at": 200, "text": "seven"},
            {"role": "agent", "at": 500, "text": "one two"},
            {"role": "user", "at": 600, "text": ""},
        )
    )
    assert (row["message_count"], row["user_message_count"], row["agent_message_count"]) == (7, 4, 2)
    assert row["turn_count"] == 5
    assert row["duration_seconds"] == 600
    assert row["first_response_seconds"] == 100
    assert (row["response_seconds_p50"], row["response_seconds_p90"]) == (200, 280)
    assert row["agent_talk_ratio"] == pytest.approx(8 / 12)
    expected = 0.5 * 2 / 3 + 0.3 * 300 / (300 + 200) + 0.2 * (1 - abs(2 * 8 / 12 - 1))
    assert row["quality_score"] == pytest.approx(expected, abs=1e-8)


def test_an_unanswered_conversation_scores_zero(make_raw: MakeRaw) -> None:
    (row,) = measure(make_raw({"text": "anybody here?"}))
    assert row["first_response_seconds"] is None
    assert (row["quality_score"], row["agent_talk_ratio"], row["duration_seconds"]) == (0, 0, 0)


def test_an_immediate_balanced_answer_scores_one(make_raw: MakeRaw) -> None:
    (row,) = measure(make_raw({"at": 0, "text": "one two"}, {"at": 0, "role": "agent", "text": "one two"}))
    assert row["quality_score"] == 1


def test_nobody_said_a_word(make_raw: MakeRaw) -> None:
    (row,) = measure(make_raw({"text": ""}, {"role": "tool", "text": "x"}))
    assert row["agent_talk_ratio"] is None
    assert row["quality_score"] == 0


ENGLISH = "could you please tell me how to install this driver?"
GERMAN = "kannst du mir bitte sagen, wie ich den Treiber installiere? Danke"


@pytest.mark.parametrize(
    ("messages", "language"),
    [
        ([{"text": ENGLISH}, {"text": GERMAN}], "de"),
        ([{"text": ENGLISH}, {"text": GERMAN, "role": "agent"}, {"text": "ok " * 90}], "en"),
        ([{"text": "ok"}, {"text": GERMAN, "role": "agent"}], "und"),
        ([{"text": GERMAN}, {"text": "ok", "language": "EN-us"}], "en"),
    ],
)
def test_the_language_is_the_stated_one_or_that_of_the_customer(
    make_raw: MakeRaw, messages: list[dict[str, Any]], language: str
) -> None:
    assert measure(make_raw(*messages))[0]["language"] == language


@pytest.mark.parametrize(
    ("outcome", "resolved"),
    [
        ("resolved", True),
        (" Success ", True),
        ("1.0", True),
        ("unresolved", False),
        ("FAILED", False),
        ("not-resolved", False),
        ("Not Solved", False),
        ("not_failed", True),
        ("0", False),
        ("closed", None),
        ("not really resolved", None),
        ("", None),
        (None, None),
    ],
)
def test_resolved_follows_the_stated_outcome(make_raw: MakeRaw, outcome: str | None, resolved: bool | None) -> None:
    assert measure(make_raw({"outcome": outcome}))[0]["resolved"] is resolved


def test_an_empty_day_gives_empty_tables() -> None:
    assert raw_conversations(RAW_MESSAGES.empty()).equals(RAW_CONVERSATIONS.empty())
    assert conversation_metrics(MESSAGES.empty(), RAW_CONVERSATIONS.empty()).equals(CONVERSATIONS.empty())


def test_messages_and_conversations_that_do_not_fit_are_refused_by_name(make_raw: MakeRaw) -> None:
    raw = make_raw({"conversation_id": "a"}, {"conversation_id": "lost"}, {"conversation_id": "lost"})
    messages, found = clean_messages(raw), raw_conversations(raw)
    with pytest.raises(ValueError, match="'lost', which raw_conversations does not have"):
        conversation_metrics(messages, found.slice(0, 1))
    with pytest.raises(ValueError, match="'lost' has 2 raw and 1 clean messages"):
        conversation_metrics(messages.slice(0, 2), found)


ROWS = st.fixed_dictionaries(
    {
        "role": st.sampled_from(sorted(ROLES)),
        "at": st.integers(0, 1000),
        "conversation_id": st.sampled_from("abc"),
        "text": st.sampled_from(["", "hello there", "one"]),
    }
)


@pytest.mark.slow
@settings(max_examples=by_day_or_night(20, 200), deadline=None)  # each example is a dozen tables
@given(st.lists(ROWS, min_size=1, max_size=25))
def test_metrics_equal_those_of_each_conversation_alone(make_raw: MakeRaw, rows: list[dict[str, Any]]) -> None:
    raw = make_raw(*rows)
    together = measure(raw)
    assert together == measure(raw)
    for row in together:
        alone = make_raw(*(message for message in rows if message["conversation_id"] == row["conversation_id"]))
        assert measure(alone) == [row]
        times = clean_messages(alone)["response_seconds"].drop_null().to_numpy()
        if len(times):
            assert row["response_seconds_p90"] == pytest.approx(np.quantile(times, 0.9), abs=1e-8)
        assert row["user_message_count"] + row["agent_message_count"] <= row["message_count"]


@pytest.mark.parametrize("source", ["conversation", "day", "file"])
def test_times_that_no_message_states_make_no_waits(make_raw: MakeRaw, source: str) -> None:
    """A source without times of messages gave a median of 0 s to the first answer, and a duration of 0 s."""
    (row,) = measure(make_raw({"role": "user", "time_source": source}, {"role": "agent", "time_source": source}))
    times = ("duration_seconds", "first_response_seconds", "response_seconds_p50", "response_seconds_p90")
    assert [row[name] for name in times] == [None] * 4
    assert (row["time_source"], row["answer_count"]) == (source, 1)
    assert row["quality_score"] == 1  # answered and balanced; nobody knows how quickly


def test_one_message_without_a_time_hides_only_its_own_wait(make_raw: MakeRaw) -> None:
    (row,) = measure(
        make_raw(
            {"role": "user", "time_source": "conversation", "at": 0},
            {"role": "agent", "at": 5},
            {"role": "user", "at": 10},
            {"role": "agent", "at": 17},
        )
    )
    assert (row["response_seconds_p50"], row["answer_count"], row["duration_seconds"]) == (7, 2, None)


def test_closed_is_no_success_where_no_failure_can_be_stated(make_raw: MakeRaw) -> None:
    """A help desk that only ever says solved or closed had 100% successes."""
    raw = make_raw(
        {"conversation_id": "a", "outcome": "solved", "outcome_range": "closings"},
        {"conversation_id": "b", "outcome": "closed", "outcome_range": "closings"},
        {"conversation_id": "c", "outcome": "solved", "outcome_range": "both"},
        {"conversation_id": "d", "outcome": "closed", "outcome_range": "both"},
        {"conversation_id": "e"},
    )
    rows = measure(raw)
    assert [row["resolved"] for row in rows] == [None, None, True, None, None]
    assert [row["closed"] for row in rows] == [True, True, False, True, None]


def test_own_words_for_outcomes_win_over_the_range(make_raw: MakeRaw) -> None:
    raw = make_raw(
        {"conversation_id": "a", "outcome": "solved", "outcome_range": "closings"},
        {"conversation_id": "b", "outcome": "sale", "outcome_range": "closings"},
    )
    for setting, expected in (("sale=success", [None, True]), ("sale=failure", [True, False])):
        metrics = conversation_metrics(clean_messages(raw), raw_conversations(raw), outcomes=parse_outcomes(setting))
        assert metrics["resolved"].to_pylist() == expected


def test_a_conversation_says_where_its_cost_comes_from(make_raw: MakeRaw) -> None:
    raw = make_raw(
        {"conversation_id": "a", "cost": 0.1, "cost_source": "stated"},
        {"conversation_id": "b", "cost": 0.1, "cost_source": "stated"},
        {"conversation_id": "b", "cost": 0.1, "cost_source": "computed"},
        {"conversation_id": "c"},
    )
    assert [row["cost_source"] for row in measure(raw)] == ["stated", "mixed", None]
