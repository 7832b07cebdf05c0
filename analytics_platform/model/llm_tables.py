"""Tables of the LLM tier: its labels, the ledger of its calls, and the conversations it could not label."""

from __future__ import annotations

from analytics_platform.model.clean_tables import CONVERSATION_ID
from analytics_platform.model.insight_tables import CONVERSATION_INSIGHTS, REASONS_TYPE, RESOLUTIONS, URGENCIES
from analytics_platform.model.raw_tables import DATE_COLUMN
from analytics_platform.model.table import BOOLEAN, INTEGER, NUMBER, STRING, TIMESTAMP, Column, Table

CALL_STATUSES = frozenset(
    {
        "ok",  # an answer that fits
        "invalid",  # an answer that does not
        "cut_off",  # the answer reached the limit of tokens
        "refused",  # the model declined
        "filtered",  # the endpoint's content filter
        "rejected",  # 4xx: the request itself
        "rate_limited",  # 429
        "server_error",  # 5xx
        "timeout",
        "connection",
        "unreadable",  # a reply that is no chat completion
    }
)
FAILURE_REASONS = frozenset({"invalid", "cut_off", "refused", "filtered", "rejected", "budget", "unavailable"})

_MODEL = Column("model", STRING, "The model asked.")
_PROMPT = Column("prompt_version", STRING, "Name and hash of the prompt file.")
_OWN = {
    column.name: column
    for column in (
        Column("urgency", STRING, "How soon the customer needs an answer.", allowed=frozenset(URGENCIES)),
        Column("urgency_confidence", NUMBER, "Confidence in the urgency, 0 to 1.", minimum=0, maximum=1),
        Column("resolution", STRING, "Whether what the customer came for was settled.", allowed=frozenset(RESOLUTIONS)),
        Column("resolution_confidence", NUMBER, "Confidence in the resolution, 0 to 1.", minimum=0, maximum=1),
        Column("reasons", REASONS_TYPE, "What decided each label: the message and its words; no rules."),
    )
}
"""Columns whose values come about otherwise than in the engine: the model knows neither outcomes nor rules."""

LLM_INSIGHTS = Table(
    name="llm_insights",
    grain="one row per conversation that the LLM labelled",
    columns=(
        *(_OWN.get(column.name, column) for column in CONVERSATION_INSIGHTS.columns),
        Column("was_cut", BOOLEAN, "Whether the model saw only a part of a long conversation."),
        _MODEL,
        _PROMPT,
    ),
    key=("conversation_id",),
)

LLM_CALLS = Table(
    name="llm_calls",
    grain="one row per request sent to the LLM endpoint, or per request of a batch",
    columns=(
        DATE_COLUMN,
        Column("call_id", STRING, "The call."),
        CONVERSATION_ID,
        Column("called_at", TIMESTAMP, "When the request was sent, UTC; for a batch when its answer was collected."),
        _MODEL,
        _PROMPT,
        Column("mode", STRING, "How it was asked.", allowed=frozenset({"realtime", "batch"})),
        Column(
            "question", INTEGER, "1 for the question, 2 for asking again after an answer that did not fit.", minimum=1
        ),
        Column("attempt", INTEGER, "Which attempt at the question, from 1; more than 1 after an error.", minimum=1),
        Column("status", STRING, "What came of it.", allowed=CALL_STATUSES),
        Column("input_tokens", INTEGER, "Tokens sent; null when the endpoint did not say.", nullable=True, minimum=0),
        Column("cached_tokens", INTEGER, "Of those, what the endpoint had in its own cache.", nullable=True, minimum=0),
        Column("output_tokens", INTEGER, "Tokens answered; null when it did not say.", nullable=True, minimum=0),
        Column(
            "cost_usd", NUMBER, "By the price list; null without tokens or price.", nullable=True, unit="USD", minimum=0
        ),
        Column(
            "latency_ms", NUMBER, "From sending to the last byte; null in a batch.", nullable=True, unit="ms", minimum=0
        ),
        Column("error", STRING, "What went wrong; null when nothing did.", nullable=True),
    ),
    key=("call_id",),
    order=("called_at",),
)

LLM_FAILURES = Table(
    name="llm_failures",
    grain="one row per conversation that the LLM was to label and that has no labels",
    columns=(
        DATE_COLUMN,
        CONVERSATION_ID,
        Column("reason", STRING, "Why it has none.", allowed=FAILURE_REASONS),
        Column("will_retry", BOOLEAN, "Whether the next run asks again; others are final for this model and prompt."),
        Column("detail", STRING, "What was wrong, for a person to act on."),
        Column("tries", INTEGER, "Questions put in vain; 0 when it was not asked.", minimum=0),
        Column("failed_at", TIMESTAMP, "When it was given up, UTC."),
    ),
    key=("conversation_id",),
)
