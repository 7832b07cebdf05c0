"""Tables of the LLM tier: its labels, the ledger of its calls, and the conversations it could not label."""

from __future__ import annotations

from analytics_platform.model.table import BOOLEAN, INTEGER, NUMBER, STRING, TIMESTAMP, Column, Table
from analytics_platform.model.tables.clean_tables import CONVERSATION_ID
from analytics_platform.model.tables.insight_tables import CONVERSATION_INSIGHTS, REASONS_TYPE, RESOLUTIONS, URGENCIES
from analytics_platform.model.tables.raw_tables import DATE_COLUMN

CALL_STATUSES = frozenset(
    {
        "ok",  # a valid answer
        "invalid",  # an answer of the wrong form
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

_MODEL = Column("model", STRING, "Name of the LLM that was asked.")
PROMPT_VERSION = Column("prompt_version", STRING, "Name and hash of the file with the prompt.")
_OWN = {
    column.name: column
    for column in (
        Column(
            "urgency", STRING, "How soon the customer needs an answer, as the LLM judges.", allowed=frozenset(URGENCIES)
        ),
        Column("urgency_confidence", NUMBER, "Confidence of the LLM in the urgency.", minimum=0, maximum=1),
        Column(
            "resolution",
            STRING,
            "Whether the customer's concern was settled, as the LLM judges; the LLM is not told of a stated outcome.",
            allowed=frozenset(RESOLUTIONS),
        ),
        Column("resolution_confidence", NUMBER, "Confidence of the LLM in the resolution.", minimum=0, maximum=1),
        Column(
            "reasons",
            REASONS_TYPE,
            "Evidence for each label: the message and its words. The weight is the confidence in the "
            "label, and rule is null.",
        ),
    )
}
"""Columns that differ from the engine's, because the LLM knows neither stated outcomes nor the taxonomy's rules."""

_UNASKED = frozenset({"sentiment_change"})
"""Columns that the LLM is not asked for, because the engine computes them from single messages."""

LLM_INSIGHTS = Table(
    name="llm_insights",
    grain="one row per conversation that the LLM labelled",
    columns=(
        *(_OWN.get(column.name, column) for column in CONVERSATION_INSIGHTS.columns if column.name not in _UNASKED),
        Column(
            "was_cut", BOOLEAN, "Whether the LLM saw only a part of the conversation, because the whole is too long."
        ),
        _MODEL,
        PROMPT_VERSION,
    ),
    key=("conversation_id",),
)

LLM_CALLS = Table(
    name="llm_calls",
    grain="one row per request sent to the LLM endpoint, or per request of a batch",
    columns=(
        DATE_COLUMN,
        Column("call_id", STRING, "Identifier of the call."),
        CONVERSATION_ID,
        Column(
            "called_at",
            TIMESTAMP,
            "Time at which the request was sent, UTC; for a batch, the time at which its answer was collected.",
        ),
        _MODEL,
        PROMPT_VERSION,
        Column(
            "mode",
            STRING,
            "Whether the request was sent by itself (realtime) or in a file with others (batch).",
            allowed=frozenset({"realtime", "batch"}),
        ),
        Column(
            "question",
            INTEGER,
            "1 for the first question about the conversation, 2 for the question after an answer of a wrong form.",
            minimum=1,
        ),
        Column(
            "attempt", INTEGER, "Number of the attempt at this question, from 1; above 1 after an error.", minimum=1
        ),
        Column("status", STRING, "Result of the call: ok, or what was wrong.", allowed=CALL_STATUSES),
        Column(
            "input_tokens",
            INTEGER,
            "Number of tokens sent; null when the endpoint did not report it.",
            nullable=True,
            minimum=0,
        ),
        Column(
            "cached_tokens",
            INTEGER,
            "Number of the tokens sent that the endpoint had in its own cache; null when the endpoint "
            "did not report it.",
            nullable=True,
            minimum=0,
        ),
        Column(
            "output_tokens",
            INTEGER,
            "Number of tokens in the answer; null when the endpoint did not report it.",
            nullable=True,
            minimum=0,
        ),
        Column(
            "cost_usd",
            NUMBER,
            "Cost of the call by the price list; null when tokens or price are unknown.",
            nullable=True,
            unit="USD",
            minimum=0,
        ),
        Column(
            "latency_ms",
            NUMBER,
            "Time from sending the request to the last byte of the answer; null for a batch.",
            nullable=True,
            unit="ms",
            minimum=0,
        ),
        Column("error", STRING, "What went wrong, in words; null when the call succeeded.", nullable=True),
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
        Column("reason", STRING, "Why the conversation has no labels of the LLM.", allowed=FAILURE_REASONS),
        Column(
            "will_retry",
            BOOLEAN,
            "Whether the next run asks again; false when the failure is final for this model and prompt.",
        ),
        Column("detail", STRING, "What was wrong, as a sentence for a person who can mend it."),
        Column(
            "tries",
            INTEGER,
            "Number of questions without a usable answer; 0 when the conversation was not asked about.",
            minimum=0,
        ),
        Column("failed_at", TIMESTAMP, "Time at which the tier gave up, UTC."),
    ),
    key=("conversation_id",),
)
