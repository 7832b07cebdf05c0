"""Computes ``raw_conversations`` from raw messages, and the metrics of ``conversations`` from clean messages.

Metrics come from times and counts alone; ``insights`` labels what a conversation is about.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.model.tables.clean_tables import CONVERSATIONS, MESSAGES
from analytics_platform.model.tables.raw_tables import RAW_CONVERSATIONS, RAW_MESSAGES, TIME_SOURCES
from analytics_platform.model.word_sets.languages import UNKNOWN
from analytics_platform.transform.language import normalise_codes
from analytics_platform.transform.outcomes import KNOWN_TO_EVERYBODY, Outcomes
from analytics_platform.transform.privacy import DEFAULT_PRIVACY, Privacy
from analytics_platform.transform.roles import is_agent, is_customer
from analytics_platform.transform.waits import says_something, waits_of

_ID = "conversation_id"
_UNCHANGED = ("date", _ID, "agent_id", "model", "channel", "started_at", "ended_at", "time_source", "message_count")
_STATED = ("rating", "outcome", "variant", "tokens", "cost", "cost_source")
_DIGITS = 9  # of computed floats: finer than any measurement, coarser than rounding errors

HALF_SPEED_SECONDS = 300.0
"""Median response time, in seconds, at which the speed part of the quality score is one half."""
QUALITY_WEIGHTS = {"answered": 0.5, "speed": 0.3, "balance": 0.2}


def raw_conversations(raw_messages: pa.Table) -> pa.Table:
    """Group the messages of one day into conversations.

    Args:
        raw_messages: ``RAW_MESSAGES`` of the day, rows in any order.

    Returns:
        ``RAW_CONVERSATIONS``, one row per conversation.

    Raises:
        SchemaError: If the input is not ``RAW_MESSAGES``.
    """
    raw = RAW_MESSAGES.conform(raw_messages)
    if not raw.num_rows:
        return RAW_CONVERSATIONS.empty()
    any_stated = pc.ScalarAggregateOptions(min_count=1)
    said_by = pc.if_else(pa.array(is_customer(raw["role"])), raw["user_id"], pa.scalar(None, pa.string()))
    found = (
        raw.append_column("customer", said_by)
        .append_column("time_rank", pc.index_in(raw["time_source"], pa.array(TIME_SOURCES)))
        .group_by(_ID, use_threads=False)
        .aggregate(
            [
                ("date", "first"),
                ("customer", "first"),
                ("user_id", "first"),
                ("channel", "first"),
                ("language", "first"),
                ("timestamp", "min"),
                ("timestamp", "max"),
                ("time_rank", "max"),
                ("message_id", "count"),
                ("rating", "last"),
                ("outcome", "last"),
                ("variant", "first"),
                ("tokens", "sum", any_stated),
                ("cost", "sum", any_stated),
                ("cost_source", "min"),
                ("cost_source", "max"),
                ("outcome_range", "last"),
            ]
        )
    )
    ids = found[_ID]
    return RAW_CONVERSATIONS.conform(
        pa.table(
            {
                _ID: ids,
                **{name: found[f"{name}_first"] for name in ("date", "channel", "language", "variant")},
                # A source may name the author of each message as its user, an agent too.
                "user_id": pc.coalesce(found["customer_first"], found["user_id_first"]),
                **{name: found[f"{name}_last"] for name in ("rating", "outcome", "outcome_range")},
                "agent_id": _most_frequent(raw, "agent_id", ids),
                "model": _most_frequent(raw, "model", ids),
                "started_at": found["timestamp_min"],
                "ended_at": found["timestamp_max"],
                "time_source": pa.array(TIME_SOURCES).take(found["time_rank_max"].combine_chunks()),
                "message_count": found["message_id_count"],
                "tokens": found["tokens_sum"],
                "cost": pc.round(found["cost_sum"], _DIGITS),
                "cost_source": pc.if_else(
                    pc.equal(found["cost_source_min"], found["cost_source_max"]), found["cost_source_min"], "mixed"
                ),
            }
        )
    )


def _most_frequent(raw: pa.Table, column: str, ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return for each conversation the agent or model that sent most answers, ties to the first to speak.

    A conversation without answers gets the value that its first message with a value states.

    Args:
        raw: Sorted raw messages.
        column: ``agent_id`` or ``model``.
        ids: Conversations, one result each, in this order.
    """
    rows = pa.table(
        {
            _ID: raw[_ID],
            "value": raw[column],
            "answers": is_agent(raw["role"]).astype(np.int64),
            "row": np.arange(raw.num_rows),
        }
    ).filter(pc.is_valid(raw[column]))
    counted = rows.group_by([_ID, "value"], use_threads=False).aggregate([("answers", "sum"), ("row", "min")])
    ranked = counted.sort_by([(_ID, "ascending"), ("answers_sum", "descending"), ("row_min", "ascending")])
    best = ranked.group_by(_ID, use_threads=False).aggregate([("value", "first")])
    return best["value_first"].take(pc.index_in(ids, best[_ID].combine_chunks()))


def conversation_metrics(
    messages: pa.Table,
    raw_conversations: pa.Table,
    privacy: Privacy = DEFAULT_PRIVACY,
    outcomes: Outcomes = KNOWN_TO_EVERYBODY,
) -> pa.Table:
    """Compute the metrics of the conversations of one day.

    Args:
        messages: ``MESSAGES`` of the day.
        raw_conversations: ``RAW_CONVERSATIONS`` of the day.
        privacy: Whether users get pseudonyms, and from which columns personal data is redacted.
        outcomes: Which stated outcomes are successes, and which are failures.

    Returns:
        ``CONVERSATIONS``, one row per conversation. Percentiles interpolate linearly between the two nearest values.

    Raises:
        SchemaError: If an input does not have its declared schema.
        ValueError: If a message's conversation is missing, or a conversation does not have its stated number of
            messages; names the first such conversation.
    """
    messages, raw = MESSAGES.conform(messages), RAW_CONVERSATIONS.conform(raw_conversations)
    size = raw.num_rows
    codes = _conversation_codes(messages, raw)
    customer, agent = is_customer(messages["role"]), is_agent(messages["role"])
    words = messages["word_count"].to_numpy()
    customer_words = np.bincount(codes[customer], words[customer], size)
    agent_words = np.bincount(codes[agent], words[agent], size)
    talk_ratio = _share(agent_words, customer_words + agent_words)
    answers = agent & says_something(messages["text"], messages["code"])
    ended_waits = waits_of(codes, customer, answers).ended
    response = _response_times(messages["response_seconds"].to_numpy(), codes, size)
    resolved = outcomes.resolved(raw["outcome"], raw["outcome_range"])
    is_timed = pc.equal(raw["time_source"], "message")
    duration = pc.subtract(raw["ended_at"].cast(pa.int64()), raw["started_at"].cast(pa.int64())).to_numpy() / 1e6
    return CONVERSATIONS.conform(
        pa.table(
            {
                **{name: privacy.protect_column(name, raw[name]) for name in (*_UNCHANGED, *_STATED)},
                "user_id": privacy.pseudonyms(raw["user_id"]),
                "language": pc.coalesce(
                    normalise_codes(raw["language"].combine_chunks()),
                    _spoken_languages(messages, codes, customer, size),
                ),
                "duration_seconds": pc.if_else(is_timed, pa.array(duration), pa.scalar(None, pa.float64())),
                "user_message_count": np.bincount(codes[customer], minlength=size),
                "agent_message_count": np.bincount(codes[agent], minlength=size),
                "turn_count": _turn_counts(codes, customer, agent, size),
                "answer_count": np.bincount(codes[ended_waits], minlength=size),
                "first_response_seconds": _nullable(response["first"]),
                "response_seconds_p50": _nullable(response["p50"]),
                "response_seconds_p90": _nullable(response["p90"]),
                "agent_talk_ratio": _nullable(talk_ratio),
                "token_count": np.bincount(codes, messages["token_count"].to_numpy(), size).astype(np.int64),
                "resolved": resolved,
                "closed": outcomes.closed(raw["outcome"], resolved),
                "quality_score": _quality(
                    _answered_share(codes, customer, ended_waits, size),
                    response["p50"],
                    talk_ratio,
                    is_timed.to_numpy(),
                ),
            }
        )
    )


def _conversation_codes(messages: pa.Table, raw: pa.Table) -> npt.NDArray[np.int64]:
    """Return for each message the row of its conversation.

    Raises:
        ValueError: If a message's conversation is missing, or the number of its messages differs from the stated
            number.
    """
    ids = raw[_ID].combine_chunks()
    found = pc.index_in(messages[_ID], ids)
    if found.null_count:
        stray = messages[_ID].filter(pc.is_null(found))[0]
        raise ValueError(f"messages name conversation {stray.as_py()!r}, which raw_conversations does not have")
    codes: npt.NDArray[np.int64] = found.to_numpy().astype(np.int64)
    counted, stated = np.bincount(codes, minlength=len(ids)), raw["message_count"].to_numpy()
    for row in np.flatnonzero(counted != stated)[:1]:
        raise ValueError(f"conversation {ids[row].as_py()!r} has {stated[row]} raw and {counted[row]} clean messages")
    return codes


def _response_times(
    seconds: npt.NDArray[np.float64], codes: npt.NDArray[np.int64], size: int
) -> dict[str, npt.NDArray[np.floating[Any]]]:
    """Return per conversation the first response time, p50 and p90 in seconds; NaN without a response time."""
    answered = ~np.isnan(seconds)
    grouped = pd.Series(seconds[answered]).groupby(codes[answered])
    every = range(size)
    return {
        "first": grouped.first().reindex(every).to_numpy(),
        "p50": grouped.quantile(0.5).reindex(every).round(_DIGITS).to_numpy(),
        "p90": grouped.quantile(0.9).reindex(every).round(_DIGITS).to_numpy(),
    }


def _spoken_languages(
    messages: pa.Table, codes: npt.NDArray[np.int64], customer: npt.NDArray[np.bool_], size: int
) -> pa.Array:
    """Return the known language with most of the customer's words, ties to the first in the alphabet."""
    known = customer & pc.not_equal(messages["language"], UNKNOWN).to_numpy()
    spoken = pa.table(
        {
            "code": codes[known],
            "language": messages["language"].filter(known),
            "words": messages["word_count"].filter(known),
        }
    )
    counted = spoken.group_by(["code", "language"], use_threads=False).aggregate([("words", "sum")])
    ranked = counted.sort_by([("code", "ascending"), ("words_sum", "descending"), ("language", "ascending")])
    best = ranked.group_by("code", use_threads=False).aggregate([("language", "first")])
    rows = pc.index_in(pa.array(np.arange(size)), best["code"].combine_chunks())
    return best["language_first"].combine_chunks().take(rows).fill_null(UNKNOWN)


def _turn_counts(
    codes: npt.NDArray[np.int64], customer: npt.NDArray[np.bool_], agent: npt.NDArray[np.bool_], size: int
) -> npt.NDArray[np.int64]:
    """Count the runs of messages by one side; messages of neither side do not end a run."""
    spoken = customer | agent
    side, conversation = customer[spoken], codes[spoken]
    begins = np.ones(len(side), np.bool_)
    begins[1:] = (side[1:] != side[:-1]) | (conversation[1:] != conversation[:-1])
    return np.bincount(conversation[begins], minlength=size)


def _quality(
    answered: npt.NDArray[np.float64],
    median_seconds: npt.NDArray[np.floating[Any]],
    talk_ratio: npt.NDArray[np.float64],
    is_timed: npt.NDArray[np.bool_],
) -> npt.NDArray[np.float64]:
    """Score the service from 0 to 1; docs/data-model.md explains the formula.

    ``0.5 * answered + 0.3 * speed + 0.2 * balance``, where answered is the share of the customer's waits that an
    answer ended, speed is ``300 / (300 + median response seconds)`` and balance ``1 - |2 * agent_talk_ratio - 1|``.
    A part that cannot be measured, because nobody answered or nobody spoke, counts 0. Where the source states no times
    of messages, the two other parts alone make up the score.
    """
    weights = QUALITY_WEIGHTS
    speed = np.nan_to_num(HALF_SPEED_SECONDS / (HALF_SPEED_SECONDS + median_seconds))
    balance = np.nan_to_num(1 - np.abs(2 * talk_ratio - 1))
    untimed = weights["answered"] * answered + weights["balance"] * balance
    score = np.where(is_timed, untimed + weights["speed"] * speed, untimed / (1 - weights["speed"]))
    rounded: npt.NDArray[np.float64] = np.clip(np.round(score, _DIGITS), 0, 1)
    return rounded


def _answered_share(
    codes: npt.NDArray[np.int64], customer: npt.NDArray[np.bool_], ended_waits: npt.NDArray[np.int64], size: int
) -> npt.NDArray[np.float64]:
    """Return per conversation the share of the customer's waits that an answer ended; 0 without a wait.

    Args:
        codes: Conversation of each message.
        customer: Whether the customer sent the message.
        ended_waits: Rows of the answers that ended a wait.
        size: Number of conversations.
    """
    rows = np.arange(len(codes))
    last_asked, last_answered = np.full(size, -1), np.full(size, -1)
    np.maximum.at(last_asked, codes[customer], rows[customer])
    np.maximum.at(last_answered, codes[ended_waits], ended_waits)
    answers = np.bincount(codes[ended_waits], minlength=size).astype(np.float64)
    return np.nan_to_num(_share(answers, answers + (last_asked > last_answered)))


def _share(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Divide two arrays elementwise, rounded to 9 digits; NaN where the divisor is 0."""
    shares: npt.NDArray[np.float64] = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return np.round(shares, _DIGITS)


def _nullable(values: npt.NDArray[np.floating[Any]]) -> pa.Array:
    return pa.array(values, from_pandas=True)
