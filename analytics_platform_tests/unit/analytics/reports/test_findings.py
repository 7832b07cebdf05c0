from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from analytics_platform.analytics.reports import daily_report


def findings(tables: dict[str, Any]) -> list[str]:
    found: list[str] = daily_report(**tables)["findings"][0].as_py()
    return found


def about(found: list[str], words: str) -> str:
    """The one finding with these words."""
    fitting = [text for text in found if words in text]
    assert len(fitting) == 1, found
    return fitting[0]


def test_an_empty_day_says_so_and_nothing_else(day: Any, make: Any, week: Any) -> None:
    empty = day(make.metrics(conversations=0), [], [], [])
    assert findings(empty) == ["No conversations started on this day."]
    after_a_week = findings(day(make.metrics(conversations=0), week(), [], []))
    assert after_a_week == ["No conversations started on this day; the mean of the 7 days before is 100."]


def test_a_quiet_day_says_so(day: Any, make: Any) -> None:
    assert "A quiet day: 2 conversations, too few to compare shares." in findings(day(make.metrics(conversations=2)))


def test_an_ordinary_day_is_filled_with_plain_facts_only(day: Any, week: Any) -> None:
    assert findings(day(before=week())) == [
        "Asked about most: sound, 100 of 100 conversations (100%).",
        "Busiest hour: 09:00 to 10:00 UTC with 100 of 100 conversations (100%).",
    ]


def test_unusual_volume_comes_first_and_names_what_it_is_compared_with(day: Any, make: Any, week: Any) -> None:
    assert findings(day(make.metrics(conversations=250), week()))[0] == (
        "250 conversations: 150% more than the mean of 100 over the 7 days before."
    )
    gap = [table for table in week() if table["date"][0].as_py().day % 2]
    assert (
        "fewer than the mean of 100 over the 4 days with data" in findings(day(make.metrics(conversations=30), gap))[0]
    )


@pytest.mark.parametrize(("today", "usual"), [(12, 10), (119, 100), (2, 1)])
def test_chance_is_not_unusual_volume(day: Any, make: Any, week: Any, today: int, usual: int) -> None:
    found = findings(day(make.metrics(conversations=today), week(conversations=usual)))
    assert not any("the mean of" in text for text in found)


def test_two_days_of_history_are_too_few_to_call_a_volume_unusual(day: Any, make: Any, week: Any) -> None:
    assert not any("the mean of" in text for text in findings(day(make.metrics(conversations=500), week()[-2:])))


def test_the_topic_that_grew_most_surprisingly_is_named_but_never_other(day: Any, make: Any, week: Any) -> None:
    today = make.metrics(topics={"other": 60, "sound": 25, "disks": 15})
    found = findings(day(today, week(topics={"sound": 90, "disks": 5, "other": 5})))
    assert about(found, "More about") == (
        "More about disks: 15 of 100 conversations (15%), up from 5% over the 7 days before."
    )


def test_slow_and_quick_answers_are_told_against_the_usual_median(day: Any, make: Any, week: Any) -> None:
    slow = findings(day(make.metrics(first_response_seconds_p50=240.0), week()))
    assert about(slow, "Answers were") == (
        "Answers were slow: a median of 4 min to the first, against 1 min on average over the 7 days before."
    )
    quick = findings(day(make.metrics(first_response_seconds_p50=0.0), week()))
    assert about(quick, "Answers were").startswith("Answers were quick: a median of 0 s")


def test_the_usual_is_weighted_by_conversations(day: Any, make: Any, week: Any) -> None:
    quiet = week(conversations=1, answered_count=1, first_response_seconds_p50=3600.0)
    busy = make.metrics(make.date - dt.timedelta(days=1), 1000, answered_count=1000, first_response_seconds_p50=60.0)
    found = findings(day(make.metrics(conversations=1000, first_response_seconds_p50=60.0), [*quiet[:-1], busy]))
    assert not any("Answers were" in text for text in found)


def test_the_longest_wait_names_its_conversation(day: Any, make: Any) -> None:
    waits = [make.conversation("one"), make.conversation("two", first_response_seconds=5040.0)]
    assert about(findings(day(conversations=waits)), "longest wait") == (
        "The longest wait for a first answer was 1 h 24 min, in conversation two; the median was 1 min."
    )


def test_unanswered_conversations_are_told_against_the_days_before(day: Any, make: Any, week: Any) -> None:
    found = findings(day(make.metrics(answered_count=60), week()))
    assert about(found, "no answer") == (
        "40 of 100 conversations (40%) got no answer, against 10% over the 7 days before."
    )


def test_the_most_negative_conversation_comes_with_the_message_that_decided(day: Any, make: Any) -> None:
    reasons = [("sentiment", "negative", "m7", ["broken", "useless"], 2.0), ("topic", "sound", "m1", ["audio"], 9.0)]
    labels = [make.insight("one", -0.4), make.insight("two", -0.91, reasons=reasons)]
    found = findings(day(make.metrics(negative_count=2), insights=labels))
    assert about(found, "negative") == (
        "2 of 100 conversations (2%) were negative; the lowest is two at \N{MINUS SIGN}0.91, "
        "decided by message m7 (“broken”, “useless”)."
    )


def test_a_rule_that_decided_is_named(day: Any, make: Any) -> None:
    reasons = [("sentiment", "negative", "m7", ["broken"], 2.0, "says_broken")]
    found = findings(day(make.metrics(negative_count=1), insights=[make.insight("one", -0.9, reasons=reasons)]))
    assert about(found, "negative").endswith("decided by message m7 (“broken”) and the rule says_broken.")


def test_a_negative_conversation_without_reasons_is_still_told(day: Any, make: Any) -> None:
    found = findings(day(make.metrics(negative_count=1), insights=[make.insight("one", -0.4), make.insight("two")]))
    assert about(found, "negative").endswith("(1%) was negative; the lowest is one at \N{MINUS SIGN}0.40.")


def test_a_change_of_mood_is_told(day: Any, make: Any, week: Any) -> None:
    found = findings(day(make.metrics(sentiment_mean=-0.2), week()))
    assert about(found, "sounded") == (
        "Customers sounded worse than usual: mean sentiment \N{MINUS SIGN}0.20, against +0.10 over the 7 days before."
    )


def test_outcomes_are_compared_only_beyond_chance(day: Any, make: Any, week: Any) -> None:
    before = week(outcome_count=20, resolved_count=16, resolved_rate=0.8)
    fell = findings(day(make.metrics(outcome_count=20, resolved_count=6, resolved_rate=0.3), before))
    assert about(fell, "outcomes") == (
        "6 of 20 stated outcomes (30%) were successes, against 80% over the 7 days before."
    )
    same = findings(day(make.metrics(outcome_count=20, resolved_count=15, resolved_rate=0.75), before))
    assert about(same, "outcomes") == "15 of 20 stated outcomes (75%) were successes."


def test_agents_are_compared_only_when_each_has_enough_conversations(day: Any, make: Any) -> None:
    agents = [
        make.agent("ana", 9, quality_score_mean=0.8),
        make.agent("bo", 5, quality_score_mean=0.5),
        make.agent("cy", 4, quality_score_mean=0.1),
        make.agent("di", 9, quality_score_mean=None),
    ]
    assert about(findings(day(agents=agents)), "agents") == (
        "Quality score of the 2 agents with 5 or more conversations: "
        "highest ana (0.80 over 9), lowest bo (0.50 over 5)."
    )
    assert not any("agents" in text for text in findings(day(agents=agents[:1] + agents[2:])))


def test_agents_with_stated_outcomes_are_compared_by_successes(day: Any, make: Any) -> None:
    agents = [
        make.agent("ana", 9, quality_score_mean=0.1, outcome_count=8, resolved_count=6, resolved_rate=0.75),
        make.agent("bo", 9, quality_score_mean=0.9, outcome_count=8, resolved_count=2, resolved_rate=0.25),
    ]
    assert "Share of successes of the 2 agents" in about(findings(day(agents=agents)), "agents")


def test_a_customer_with_many_conversations_is_named_and_unknown_customers_are_not(day: Any, make: Any) -> None:
    known = [make.conversation(f"k{n}", user_id="wre") for n in range(6)]
    unknown = [make.conversation(f"u{n}", user_id=None) for n in range(9)]
    assert about(findings(day(conversations=known + unknown)), "customer") == (
        "One customer, wre, opened 6 of 100 conversations (6%)."
    )


def test_there_are_at_most_five_findings_and_their_order_is_stable(day: Any, make: Any, week: Any) -> None:
    today = make.metrics(
        conversations=300,
        answered_count=100,
        first_response_seconds_p50=600.0,
        sentiment_mean=-0.5,
        negative_count=150,
        topics={"disks": 300},
        outcome_count=50,
        resolved_count=0,
        resolved_rate=0.0,
    )
    before = week(outcome_count=20, resolved_count=16, resolved_rate=0.8)
    tables = day(today, before, insights=[make.insight("one", -0.9), make.insight("two")])
    assert len(findings(tables)) == 5
    assert findings(tables) == findings(tables)


def test_conversations_that_could_not_be_processed_are_said_to_be_missing(day: Any, make: Any) -> None:
    some = make.metrics(failed_conversation_count=3, quarantined_row_count=5)
    assert (
        about(findings(day(some)), "could not be")
        == "3 conversations could not be processed and are missing from this report; see processing_errors."
    )
    metrics = {one["name"]: one["value"] for one in daily_report(**day(some))["metrics"][0].as_py()}
    assert (metrics["failed_conversation_count"], metrics["quarantined_row_count"]) == (3, 5)
    assert not [text for text in findings(day(make.metrics())) if "could not be" in text]


def test_missing_times_of_messages_are_told_instead_of_zero_seconds(day: Any, make: Any) -> None:
    """A source without times had 'a median of 0 s to the first answer' and a busiest hour."""
    unknown = dict.fromkeys(("duration_seconds_mean", "first_response_seconds_p50", "first_response_seconds_p90"))
    tables = day(make.metrics(timed_count=0, hourly_conversations=[0] * 24, **unknown))
    found = findings(tables)
    assert about(found, "no times of single messages").startswith("Of 100 of 100 conversations (100%)")
    assert not any("hour" in text for text in found)
    assert daily_report(**tables)["summary"][0].as_py() == (
        "100 conversations with 100 customers, 90% answered, response times unknown, because the source states no "
        "times of single messages; asked about most: sound."
    )


def test_closed_tickets_are_no_share_of_successes(day: Any, make: Any) -> None:
    """A help desk that only ever says solved or closed had '100% successes'."""
    found = findings(day(make.metrics(closed_count=40)))
    assert about(found, "closed") == (
        "40 of 100 conversations (40%) were closed; the source states no failures, so there is no share of successes."
    )
