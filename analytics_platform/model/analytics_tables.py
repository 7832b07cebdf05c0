"""Tables of the ``analytics`` group: days, users, agents and models."""

from __future__ import annotations

import pyarrow as pa

from analytics_platform.model.raw_tables import DATE_COLUMN
from analytics_platform.model.table import DATE, INTEGER, NUMBER, STRING, TIMESTAMP, Column, Table

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
        f"{of}; null when there is nothing to average.",
        nullable=True,
        unit=unit,
        minimum=minimum,
        maximum=maximum,
    )


_KNOWN_OUTCOME = "whose stated outcome is known as a success or a failure"
_VOLUME = (_count("conversation_count", "conversations started"), _count("message_count", "messages"))
_SERVICE = (
    _count("answered_count", "conversations with an answer"),
    _count("outcome_count", f"conversations {_KNOWN_OUTCOME}"),
    _count("resolved_count", "conversations whose stated outcome is a success"),
    _count("rated_count", "conversations that were rated"),
    _mean("duration_seconds_mean", "Mean duration", unit="s"),
    _mean("first_response_seconds_p50", "Median first-response time", unit="s"),
    _mean("first_response_seconds_p90", "90th percentile of first-response time", unit="s"),
    _mean("answered_rate", "Share of conversations with an answer", maximum=1),
    _mean("resolved_rate", f"Share of successes among conversations {_KNOWN_OUTCOME}", maximum=1),
    _mean("rating_mean", "Mean rating among rated conversations", minimum=None),
    _mean("quality_score_mean", "Mean quality score", maximum=1),
    _mean("sentiment_mean", "Mean customer sentiment", minimum=-1, maximum=1),
)
_TOPICS = Column(
    "topics", SHARES_TYPE, "Primary topics with their number of conversations, most frequent first, ties by label."
)
_INTENTS = Column(
    "intents", SHARES_TYPE, "Intents with their number of conversations, most frequent first, ties by label."
)
_LLM = (
    Column("tokens", INTEGER, "LLM tokens that the source states; null when none.", nullable=True, minimum=0),
    Column("cost", NUMBER, "LLM cost that the source states; null when none.", nullable=True, unit="USD", minimum=0),
)

DAILY_METRICS = Table(
    name="daily_metrics",
    grain="one row per day that has been materialized",
    columns=(
        DATE_COLUMN,
        *_VOLUME,
        _count("user_count", "distinct customers"),
        _count("agent_count", "distinct agents"),
        *_SERVICE,
        _TOPICS,
        _INTENTS,
        Column(
            "hourly_conversations",
            pa.list_(pa.field("item", INTEGER, nullable=False), 24),
            "Conversations started in each UTC hour, from 0 to 23.",
        ),
        _count("negative_count", "conversations with sentiment below -0.25"),
        _count("positive_count", "conversations with sentiment above 0.25"),
        *_LLM,
        _count(
            "failed_conversation_count",
            "conversations that could not be processed (`processing_errors`) and are in no other figure",
        ),
        _count("quarantined_row_count", "rows of the source that could not be used (`quarantined_rows`)"),
    ),
    key=("date",),
)

USER_DAILY = Table(
    name="user_daily",
    grain="one row per day and customer",
    columns=(
        DATE_COLUMN,
        Column("user_id", STRING, "The customer."),
        *_VOLUME,
        Column("first_seen_at", TIMESTAMP, "Start of the customer's first conversation of the day, UTC."),
        Column("last_seen_at", TIMESTAMP, "Last message in the customer's conversations of the day, UTC."),
        *_SERVICE,
        _TOPICS,
        Column(
            "hourly_conversations",
            pa.list_(pa.field("item", INTEGER, nullable=False), 24),
            "Conversations started in each UTC hour, from 0 to 23.",
        ),
    ),
    key=("date", "user_id"),
)

AGENT_DAILY = Table(
    name="agent_daily",
    grain="one row per day and agent",
    columns=(
        DATE_COLUMN,
        Column("agent_id", STRING, "The agent: a person or an assistant."),
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
        Column("model", STRING, "Name of the LLM behind the assistant."),
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
        Column("user_id", STRING, "The customer."),
        *_VOLUME,
        _count("active_day_count", "days with a conversation"),
        _count("answered_count", "conversations with an answer"),
        _count("outcome_count", f"conversations {_KNOWN_OUTCOME}"),
        _count("resolved_count", "conversations whose stated outcome is a success"),
        _count("rated_count", "conversations that were rated"),
        Column("first_date", DATE, "First day with a conversation."),
        Column("last_date", DATE, "Last day with a conversation."),
        _mean("duration_seconds_mean", "Mean duration of the conversations", unit="s"),
        _mean("answered_rate", "Share of conversations with an answer", maximum=1),
        _mean("resolved_rate", f"Share of successes among conversations {_KNOWN_OUTCOME}", maximum=1),
        _mean("rating_mean", "Mean rating among rated conversations", minimum=None),
        _mean("quality_score_mean", "Mean quality score", maximum=1),
        _mean("sentiment_mean", "Mean sentiment", minimum=-1, maximum=1),
        _TOPICS,
        Column(
            "hourly_conversations",
            pa.list_(pa.field("item", INTEGER, nullable=False), 24),
            "Conversations started in each UTC hour, from 0 to 23.",
        ),
        Column(
            "weekday_conversations",
            pa.list_(pa.field("item", INTEGER, nullable=False), 7),
            "Conversations started on each weekday, Monday first.",
        ),
    ),
    key=("user_id",),
)
