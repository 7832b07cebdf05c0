"""Key findings over a range of days, which a run prints at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.analytics.reports import wording
from analytics_platform.analytics.reports.evidence import FEW, OTHER, QUIET_DAY, Day, mean_of_days

_FINDINGS = 3


def key_findings(
    daily_metrics: Iterable[pa.Table],
    user_analytics: pa.Table | None = None,
    model_daily: Iterable[pa.Table] = (),
) -> list[str]:
    """Return the most important findings about a range of days.

    Args:
        daily_metrics: ``DAILY_METRICS`` of the days; each table is read once.
        user_analytics: ``USER_ANALYTICS``, for a finding on returning customers.
        model_daily: ``MODEL_DAILY`` of the days, for a comparison of LLMs.

    Returns:
        At most three sentences; exactly one if no conversation took place.
    """
    days = [row for table in daily_metrics for row in table.to_pylist() if row["conversation_count"]]
    if not days:
        return ["No conversations took place in these days."]
    found = [
        *_volume(days),
        *_models(model_daily),
        *_service(days),
        *_outcomes(days),
        *(_returning(user_analytics) if user_analytics is not None else ()),
        *_mood(days),
    ]
    return found[:_FINDINGS]


def _volume(days: Sequence[Day]) -> Iterator[str]:
    """Yield a sentence about the busiest day, and about the most frequent topic over all days."""
    total = _sum(days, "conversation_count")
    busiest = min(days, key=lambda day: (-day["conversation_count"], day["date"]))
    topics: Counter[str] = Counter()
    for day in days:
        topics.update({topic["label"]: topic["count"] for topic in day["topics"] if topic["label"] != OTHER})
    ranked = sorted(topics.items(), key=lambda item: (-item[1], item[0]))
    about = f" Asked about most: {wording.label(ranked[0][0])}, {wording.part(ranked[0][1], total)}." if ranked else ""
    yield (
        f"Busiest of {wording.count(len(days), 'day')} with conversations: {wording.day(busiest['date'])} with "
        f"{wording.count(busiest['conversation_count'])} of {wording.count(total)}.{about}"
    )


def _models(model_daily: Iterable[pa.Table]) -> Iterator[str]:
    """Yield a sentence about the LLMs with the highest and the lowest success rate among their stated outcomes."""
    stated: Counter[str] = Counter()
    resolved: Counter[str] = Counter()
    for table in model_daily:
        for row in table.select(["model", "outcome_count", "resolved_count"]).to_pylist():
            stated[row["model"]] += row["outcome_count"]
            resolved[row["model"]] += row["resolved_count"]
    ranked = sorted((-resolved[model] / count, model) for model, count in stated.items() if count >= FEW)
    told = [
        f"{wording.named(model)} {wording.part(resolved[model], stated[model])}"
        for _, model in (ranked[:1] + ranked[1:][-1:])
    ]
    if told:
        yield f"Successes by LLM, of conversations with a stated outcome: {' against '.join(told)}."


def _service(days: Sequence[Day]) -> Iterator[str]:
    """Yield a sentence about the typical first response time, and about the share of unanswered conversations."""
    total = _sum(days, "conversation_count")
    unanswered = f"{wording.part(total - _sum(days, 'answered_count'), total)} got no answer"
    median = mean_of_days(days, "first_response_seconds_p50")
    timed = sum(day.get("timed_count", day["conversation_count"]) for day in days)
    if not timed:
        yield f"{unanswered}; the source states no times of single messages, so waits are unknown."
    elif median is None:
        yield f"{unanswered}."
    else:
        waited = f"the others typically waited {wording.seconds(median)} for one"
        partly = f", over the {wording.part(timed, total)} with times of messages" if timed < total else ""
        yield f"{unanswered}; {waited} (the days' medians, averaged by volume{partly})."


def _outcomes(days: Sequence[Day]) -> Iterator[str]:
    """Yield a sentence about the number of successes among the stated outcomes."""
    stated, resolved = _sum(days, "outcome_count"), _sum(days, "resolved_count")
    closed = sum(day.get("closed_count", 0) for day in days)
    if closed and not stated:
        total = _sum(days, "conversation_count")
        yield (
            f"{wording.part(closed, total)} {'was' if closed == 1 else 'were'} closed; the source states no failures, "
            "so there is no share of successes."
        )
    if stated:
        verb = "was a success" if resolved == 1 else "were successes"
        yield f"{wording.part(resolved, stated, 'stated outcome')} {verb}."


def _returning(user_analytics: pa.Table) -> Iterator[str]:
    """Yield a sentence about the number of customers with conversations on more than one day."""
    customers = user_analytics.num_rows
    if customers:
        returned = pc.sum(pc.greater(user_analytics["active_day_count"], 1)).as_py()
        yield f"{wording.part(returned, customers, 'customer')} came back on another day."


def _mood(days: Sequence[Day]) -> Iterator[str]:
    """Yield a sentence about the day with the lowest mean sentiment among the days that are not quiet."""
    busy = [day for day in days if day["conversation_count"] >= QUIET_DAY and day["sentiment_mean"] is not None]
    if len(busy) > 1:
        mean, date = min((day["sentiment_mean"], day["date"]) for day in busy)
        yield f"Customers sounded worst on {wording.day(date)}: mean sentiment {wording.signed(mean)}."


def _sum(days: Sequence[Day], name: str) -> int:
    return int(sum(day[name] for day in days))
