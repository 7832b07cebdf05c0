"""Findings about one day: sentences with numbers that a reader should notice.

Each kind of finding has one rule. A rule yields nothing if its numbers are missing, too small, or explained by chance.
``highlights`` finds sentences about a range of days.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from analytics_platform.analytics.reports import wording
from analytics_platform.analytics.reports.evidence import FEW, OTHER, QUIET_DAY, Evidence
from analytics_platform.analytics.reports.reading_list import (
    LONG_WAIT_SECONDS,
    deciding_reason,
    longest_waits,
    most_negative,
)

MOST_FINDINGS, FEWEST_FINDINGS = 5, 3
FILLER = 0.2
"""Findings of at most this weight appear only in a report with fewer than ``FEWEST_FINDINGS`` stronger findings."""

_SURPRISE = 2.0  # standard errors
_AGENT_MEASURES = (  # first usable one: figure, title, count behind it, noun, least gap
    ("resolved_rate", "Share of successes", "outcome_count", "stated outcomes", 0.2),
    ("quality_score_mean", "Quality score", "conversation_count", "conversations", 0.1),
)


@dataclass(frozen=True)
class Finding:
    """A sentence and its weight: 0 only fills a report, 1 is worth interrupting a reader."""

    weight: float
    text: str


def find(evidence: Evidence) -> list[str]:
    """Return at most five findings, most striking first; a day without conversations has exactly one."""
    if not evidence.total:
        usual = evidence.usual("conversation_count")
        against = f"; the mean of {evidence.baseline} is {wording.mean(usual)}" if usual else ""
        return [f"No conversations started on this day{against}."]
    found = sorted((finding for rule in _RULES for finding in rule(evidence)), key=lambda one: (-one.weight, one.text))
    striking = [finding for finding in found if finding.weight > FILLER]
    filled = striking if len(striking) >= FEWEST_FINDINGS else found[:FEWEST_FINDINGS]
    return [finding.text for finding in filled[:MOST_FINDINGS]]


def _volume(evidence: Evidence) -> Iterator[Finding]:
    """Yield a finding about a number of conversations far from the usual one, beyond counting noise, or simply low."""
    total, usual = evidence.total, evidence.usual("conversation_count")
    if len(evidence.before) >= 3 and usual and abs(total - usual) >= max(0.3 * usual, _SURPRISE * math.sqrt(usual)):
        text = (
            f"{wording.count(total, 'conversation')}: {wording.compared(total, usual, 'more', 'fewer')} the mean of "
            f"{wording.mean(usual)} over {evidence.baseline}."
        )
        yield Finding(min(1.0, 0.4 + abs(total / usual - 1) / 2), text)
    elif total < QUIET_DAY:
        yield Finding(0.5, f"A quiet day: {wording.count(total, 'conversation')}, too few to compare shares.")


def _missing(evidence: Evidence) -> Iterator[Finding]:
    """Yield a finding about conversations that no figure includes, since they limit the trust in all figures."""
    failed = evidence.day["failed_conversation_count"]
    if failed:
        verb = "could not be processed and is" if failed == 1 else "could not be processed and are"
        text = f"{wording.count(failed, 'conversation')} {verb} missing from this report; see processing_errors."
        yield Finding(min(1.0, 0.5 + failed / (failed + evidence.total)), text)


def _untimed(evidence: Evidence) -> Iterator[Finding]:
    """Yield a finding about conversations without times of messages, since waits and durations leave them out."""
    if evidence.untimed:
        text = (
            f"Of {wording.part(evidence.untimed, evidence.total)} the source states no times of single messages, so "
            "response times and durations leave them out."
        )
        yield Finding(0.3 + 0.3 * evidence.untimed / evidence.total, text)


def _topic_growth(evidence: Evidence) -> Iterator[Finding]:
    """Yield a finding about the topic whose share grew most, in standard errors, against the earlier days."""
    total, earlier = evidence.total, evidence.pooled("conversation_count")
    before: dict[str, int] = {}
    for day in evidence.before:
        for topic in day["topics"]:
            before[topic["label"]] = before.get(topic["label"], 0) + topic["count"]
    grown = [
        (surprise_of(topic["count"], total, before.get(topic["label"], 0), earlier), topic["label"], topic["count"])
        for topic in evidence.day["topics"]
        if topic["label"] != OTHER and topic["count"] >= FEW
    ]
    surprise, name, count = max(grown, default=(0.0, "", 0))
    if surprise >= _SURPRISE:
        text = (
            f"More about {wording.label(name)}: {wording.part(count, total)}, up from "
            f"{wording.share(before.get(name, 0) / earlier)} over {evidence.baseline}."
        )
        yield Finding(min(1.0, surprise / 5), text)


def _top_topic(evidence: Evidence) -> Iterator[Finding]:
    known = [topic for topic in evidence.day["topics"] if topic["label"] != OTHER]
    if known and evidence.total >= QUIET_DAY:
        text = (
            f"Asked about most: {wording.label(known[0]['label'])}, {wording.part(known[0]['count'], evidence.total)}."
        )
        yield Finding(FILLER, text)


def _speed(evidence: Evidence) -> Iterator[Finding]:
    """Yield a finding about a median first response at least 30 s and 1.5 times slower or quicker than usual."""
    median, usual = evidence.day["first_response_seconds_p50"], evidence.usual("first_response_seconds_p50")
    few = min(evidence.day["answered_count"], evidence.pooled("answered_count")) < QUIET_DAY
    if few or median is None or usual is None or abs(median - usual) < 30:
        return
    slower = median > 1.5 * usual
    if slower or usual > 1.5 * median:
        text = (
            f"Answers were {'slow' if slower else 'quick'}: a median of {wording.seconds(median)} to the first, "
            f"against {wording.seconds(usual)} on average over {evidence.baseline}."
        )
        yield Finding(min(1.0, median / usual / 4) if slower and usual else 0.4, text)


def _longest_wait(evidence: Evidence) -> Iterator[Finding]:
    median = evidence.day["first_response_seconds_p50"] or 0
    for row in longest_waits(evidence.conversations, 1):
        wait = row["first_response_seconds"]
        if wait >= 5 * median:
            text = (
                f"The longest wait for a first answer was {wording.seconds(wait)}, in conversation "
                f"{wording.named(row['conversation_id'])}; the median was {wording.seconds(median)}."
            )
            yield Finding(min(0.6, 0.2 + wait / LONG_WAIT_SECONDS / 40), text)


def _unanswered(evidence: Evidence) -> Iterator[Finding]:
    """Yield a finding about unanswered conversations: more than chance explains, or at least a fifth of all."""
    total, earlier = evidence.total, evidence.pooled("conversation_count")
    unanswered = total - evidence.day["answered_count"]
    before = earlier - evidence.pooled("answered_count")
    surprise = surprise_of(unanswered, total, before, earlier)
    if unanswered < FEW or (surprise < _SURPRISE and unanswered / total < 0.2):
        return
    against = f", against {wording.share(before / earlier)} over {evidence.baseline}" if earlier else ""
    weight = min(1.0, surprise / 5) if surprise >= _SURPRISE else 0.3
    yield Finding(weight, f"{wording.part(unanswered, total)} got no answer{against}.")


def _negative(evidence: Evidence) -> Iterator[Finding]:
    """Yield a finding about negative conversations: the most negative one and the message that decided its label."""
    for row in most_negative(evidence.insights, 1):
        count = evidence.day["negative_count"]
        reason = deciding_reason(row["reasons"], "sentiment", "negative")
        decided = ""
        if reason:
            words = f" ({wording.quoted(reason['words'])})" if reason["words"] else ""
            rule = f" and the rule {wording.named(reason['rule'])}" if reason["rule"] else ""
            decided = f", decided by message {wording.named(reason['message_id'])}{words}{rule}"
        text = (
            f"{wording.part(count, evidence.total)} {'was' if count == 1 else 'were'} negative; the lowest is "
            f"{wording.named(row['conversation_id'])} at {wording.signed(row['sentiment'])}{decided}."
        )
        yield Finding(min(1.0, 0.35 + 2 * count / evidence.total), text)


def _mood(evidence: Evidence) -> Iterator[Finding]:
    """Yield a finding about a mean sentiment that differs from the usual one by at least 0.1."""
    mean, usual = evidence.day["sentiment_mean"], evidence.usual("sentiment_mean")
    few = min(evidence.total, evidence.pooled("conversation_count")) < QUIET_DAY
    if few or mean is None or usual is None or abs(mean - usual) < 0.1:
        return
    text = (
        f"Customers sounded {'better' if mean > usual else 'worse'} than usual: mean sentiment {wording.signed(mean)}, "
        f"against {wording.signed(usual)} over {evidence.baseline}."
    )
    yield Finding(min(1.0, abs(mean - usual) / 0.3), text)


def _outcomes(evidence: Evidence) -> Iterator[Finding]:
    """Yield a finding about successes among the stated outcomes, with the earlier share if it differs clearly."""
    stated, resolved = evidence.day["outcome_count"], evidence.day["resolved_count"]
    closed = evidence.day["closed_count"]
    if closed >= FEW and not stated:
        text = f"{wording.part(closed, evidence.total)} {'was' if closed == 1 else 'were'} closed; the source states no"
        yield Finding(0.25, f"{text} failures, so there is no share of successes.")
    if stated < FEW:
        return
    earlier, before = evidence.pooled("outcome_count"), evidence.pooled("resolved_count")
    surprise = max(
        surprise_of(resolved, stated, before, earlier),
        surprise_of(stated - resolved, stated, earlier - before, earlier),
    )
    text = (
        f"{wording.part(resolved, stated, 'stated outcome')} {'was a success' if resolved == 1 else 'were successes'}"
    )
    if surprise >= _SURPRISE:
        against = f"{wording.share(before / earlier)} over {evidence.baseline}"
        yield Finding(min(1.0, surprise / 5), f"{text}, against {against}.")
    else:
        yield Finding(0.25, f"{text}.")


def _agents(evidence: Evidence) -> Iterator[Finding]:
    """Yield a finding about the best and the worst agent with enough conversations, if they differ clearly."""
    for measure, title, enough, noun, gap in _AGENT_MEASURES:
        judged = [
            (row[measure], row["agent_id"], row[enough])
            for row in evidence.agents.select(["agent_id", measure, enough]).to_pylist()
            if row[measure] is not None and row[enough] >= FEW
        ]
        if len(judged) < 2:
            continue
        (high, best, best_of), (low, worst, worst_of) = max(judged), min(judged)
        if high - low >= gap:
            text = (
                f"{title} of the {len(judged)} agents with {FEW} or more {noun}: highest {wording.named(best)} "
                f"({high:.2f} over {best_of}), lowest {wording.named(worst)} ({low:.2f} over {worst_of})."
            )
            yield Finding(min(0.8, 0.2 + high - low), text)
            return


def _frequent_customer(evidence: Evidence) -> Iterator[Finding]:
    counts = evidence.conversations.group_by("user_id").aggregate([("conversation_id", "count")]).to_pylist()
    known = [(-row["conversation_id_count"], row["user_id"]) for row in counts if row["user_id"] is not None]
    negated, name = min(known, default=(0, ""))
    if -negated >= FEW and -negated >= 0.05 * evidence.total:
        text = f"One customer, {wording.named(name)}, opened {wording.part(-negated, evidence.total)}."
        yield Finding(min(1.0, 0.2 - 2 * negated / evidence.total), text)


def _busiest_hour(evidence: Evidence) -> Iterator[Finding]:
    hourly = evidence.day["hourly_conversations"]
    most = max(hourly)
    if evidence.total >= QUIET_DAY and most >= FEW:
        hour = hourly.index(most)
        text = f"Busiest hour: {hour:02d}:00 to {hour + 1:02d}:00 UTC with {wording.part(most, evidence.total)}."
        yield Finding(FILLER / 2, text)


_RULES: tuple[Callable[[Evidence], Iterator[Finding]], ...] = (
    _volume,
    _missing,
    _untimed,
    _topic_growth,
    _top_topic,
    _speed,
    _longest_wait,
    _unanswered,
    _negative,
    _mood,
    _outcomes,
    _agents,
    _frequent_customer,
    _busiest_hour,
)


def surprise_of(some: float, of: float, some_before: float, of_before: float) -> float:
    """Return by how many standard errors a share exceeds the earlier share (two-proportion test); 0 if unknown."""
    if not of or not of_before:
        return 0.0
    pooled = (some + some_before) / (of + of_before)
    error = math.sqrt(pooled * (1 - pooled) * (1 / of + 1 / of_before))
    return (some / of - some_before / of_before) / error if error else 0.0
