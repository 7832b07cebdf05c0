"""Tables of the ``analytics`` group: metrics of days, customers, agents and LLMs."""

from __future__ import annotations

import pyarrow as pa

from analytics_platform.model.table import DATE, INTEGER, NUMBER, STRING, TIMESTAMP, Column, Table
from analytics_platform.model.tables.raw_tables import DATE_COLUMN

SHARES_TYPE = pa.list_(
    pa.field(
        "item",
        pa.struct([pa.field("label", STRING, nullable=False), pa.field("count", INTEGER, nullable=False)]),
        nullable=False,
    )
)


def _count(name: str, of: str) -> Column:
    return Column(name, INTEGER, f"Number of {of}.", minimum=0)


def _mean(
    name: str, of: str, *, unit: str | None = None, minimum: float | None = 0, maximum: float | None = None
) -> Column:
    return Column(
        name,
        NUMBER,
        f"{of}; null when there is no conversation to average over.",
        nullable=True,
        unit=unit,
        minimum=minimum,
        maximum=maximum,
    )


_KNOWN_OUTCOME = "whose stated outcome means a success or a failure"
_CLOSED = "conversations of which the source only says that they were closed, not whether with success"
_TIMED = "conversations whose source states a time for each message"
_HOURS = (
    "Number of conversations started in each UTC hour, from hour 0 to hour 23; without conversations whose source "
    "states no time of the day."
)
_VOLUME = (
    _count("conversation_count", "conversations started"),
    _count("message_count", "messages of any role in these conversations"),
)
_SERVICE = (
    _count("answered_count", "conversations that got an answer"),
    _count("timed_count", _TIMED),
    _count("outcome_count", f"conversations {_KNOWN_OUTCOME}"),
    _count("resolved_count", "conversations whose stated outcome is a success"),
    _count("closed_count", _CLOSED),
    _count("rated_count", "conversations with a rating by the customer"),
    _mean("duration_seconds_mean", "Mean time from the first to the last message, over timed_count", unit="s"),
    _mean(
        "first_response_seconds_p50",
        "Median time to the first answer, over answered conversations whose messages have times",
        unit="s",
    ),
    _mean(
        "first_response_seconds_p90",
        "90th percentile of the time to the first answer, over answered conversations whose messages have times",
        unit="s",
    ),
    _mean("answered_rate", "Share of conversations that got an answer", maximum=1),
    _mean("resolved_rate", f"Share of successes among conversations {_KNOWN_OUTCOME}", maximum=1),
    _mean("rating_mean", "Mean rating by customers, on the source's own scale", minimum=None),
    _mean("quality_score_mean", "Mean of the quality scores", maximum=1),
    _mean("sentiment_mean", "Mean sentiment of the customers", minimum=-1, maximum=1),
)
_TOPICS = Column(
    "topics", SHARES_TYPE, "Primary topics, each with its number of conversations, most frequent first, ties by label."
)
_INTENTS = Column(
    "intents", SHARES_TYPE, "Intents, each with its number of conversations, most frequent first, ties by label."
)
_LLM = (
    Column(
        "tokens",
        INTEGER,
        "Sum of the LLM tokens that the source states; null when no conversation states any.",
        nullable=True,
        minimum=0,
    ),
    Column(
        "cost",
        NUMBER,
        "Sum of the LLM cost, as stated or computed; null when no conversation has one.",
        nullable=True,
        unit="USD",
        minimum=0,
    ),
)

DAILY_METRICS = Table(
    name="daily_metrics",
    grain="one row per day that has been materialized",
    columns=(
        DATE_COLUMN,
        *_VOLUME,
        _count("user_count", "distinct customers"),
        _count("agent_count", "distinct agents; a conversation counts for the agent who sent most of its messages"),
        *_SERVICE,
        _TOPICS,
        _INTENTS,
        Column(
            "hourly_conversations",
            pa.list_(pa.field("item", INTEGER, nullable=False), 24),
            _HOURS,
        ),
        _count("negative_count", "conversations with sentiment below -0.25"),
        _count("positive_count", "conversations with sentiment above 0.25"),
        *_LLM,
        _count(
            "failed_conversation_count",
            "conversations in `processing_errors`, which are in no other figure",
        ),
        _count("quarantined_row_count", "source rows of the day in `quarantined_rows`"),
    ),
    key=("date",),
)

USER_DAILY = Table(
    name="user_daily",
    grain="one row per day and customer",
    columns=(
        DATE_COLUMN,
        Column("user_id", STRING, "Identifier of the customer, or a pseudonym when ANALYTICS_PSEUDONYM_KEY is set."),
        *_VOLUME,
        Column("first_seen_at", TIMESTAMP, "Time at which the customer's first conversation of the day started, UTC."),
        Column("last_seen_at", TIMESTAMP, "Time of the last message in the customer's conversations of the day, UTC."),
        *_SERVICE,
        _TOPICS,
        Column(
            "hourly_conversations",
            pa.list_(pa.field("item", INTEGER, nullable=False), 24),
            _HOURS,
        ),
    ),
    key=("date", "user_id"),
)

AGENT_DAILY = Table(
    name="agent_daily",
    grain="one row per day and agent",
    columns=(
        DATE_COLUMN,
        Column(
            "agent_id",
            STRING,
            "Identifier of the agent, a person or an assistant; a conversation counts for the agent "
            "who sent the most messages, on a tie the first to speak.",
        ),
        *_VOLUME,
        _count("user_count", "distinct customers"),
        *_SERVICE,
        _TOPICS,
        *_LLM,
    ),
    key=("date", "agent_id"),
)

MODEL_DAILY = Table(
    name="model_daily",
    grain="one row per day and LLM",
    columns=(
        DATE_COLUMN,
        Column("model", STRING, "Name of the LLM; a conversation counts for the LLM that sent most of its messages."),
        *_VOLUME,
        _count("user_count", "distinct customers"),
        *_SERVICE,
        _TOPICS,
        *_LLM,
    ),
    key=("date", "model"),
)

USER_ANALYTICS = Table(
    name="user_analytics",
    grain="one row per customer, over all days",
    columns=(
        Column("user_id", STRING, "Identifier of the customer, or a pseudonym when ANALYTICS_PSEUDONYM_KEY is set."),
        *_VOLUME,
        _count("active_day_count", "UTC days on which the customer started a conversation"),
        _count("answered_count", "conversations that got an answer"),
        _count("timed_count", _TIMED),
        _count("outcome_count", f"conversations {_KNOWN_OUTCOME}"),
        _count("resolved_count", "conversations whose stated outcome is a success"),
        _count("closed_count", _CLOSED),
        _count("rated_count", "conversations with a rating by the customer"),
        Column("first_date", DATE, "First UTC day on which the customer started a conversation."),
        Column("last_date", DATE, "Last UTC day on which the customer started a conversation."),
        _mean("duration_seconds_mean", "Mean time from the first to the last message, over timed_count", unit="s"),
        _mean("answered_rate", "Share of conversations that got an answer", maximum=1),
        _mean("resolved_rate", f"Share of successes among conversations {_KNOWN_OUTCOME}", maximum=1),
        _mean("rating_mean", "Mean rating by customers, on the source's own scale", minimum=None),
        _mean("quality_score_mean", "Mean of the quality scores", maximum=1),
        _mean("sentiment_mean", "Mean sentiment of the customer", minimum=-1, maximum=1),
        _TOPICS,
        Column(
            "hourly_conversations",
            pa.list_(pa.field("item", INTEGER, nullable=False), 24),
            _HOURS,
        ),
        Column(
            "weekday_conversations",
            pa.list_(pa.field("item", INTEGER, nullable=False), 7),
            "Number of conversations started on each weekday, from Monday to Sunday.",
        ),
    ),
    key=("user_id",),
)
