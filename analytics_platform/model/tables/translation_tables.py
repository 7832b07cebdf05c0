"""Tables of translations: translated messages, messages without a translation, and figures by language."""

from __future__ import annotations

from analytics_platform.model.table import INTEGER, NUMBER, STRING, Column, Table
from analytics_platform.model.tables.clean_tables import CONVERSATION_ID, MESSAGE_ID
from analytics_platform.model.tables.llm_tables import LLM_FAILURES, PROMPT_VERSION
from analytics_platform.model.tables.raw_tables import DATE_COLUMN

PROMPT_PREFIX = "translation."
"""Beginning of the name of every prompt for translations, which tells their calls in the ledger from others."""
SOURCE_LANGUAGE = Column(
    "source_language", STRING, "ISO 639-1 code of the message's language, from the table messages."
)
TARGET_LANGUAGE = Column("target_language", STRING, "ISO 639-1 code of the translation's language.")
_OF_A_MESSAGE = {column.name: column for column in LLM_FAILURES.columns}

MESSAGE_TRANSLATIONS = Table(
    name="message_translations",
    grain="one row per message that the LLM translated, and target language",
    columns=(
        DATE_COLUMN,
        CONVERSATION_ID,
        MESSAGE_ID,
        Column("position", INTEGER, "Place of the message within its conversation, from 0.", minimum=0),
        SOURCE_LANGUAGE,
        TARGET_LANGUAGE,
        Column("text", STRING, "Translated text; personal data is replaced by its kind, as in the original."),
        Column(
            "quality",
            NUMBER,
            "Estimated quality: the similarity of the vectors of original and translation, scaled so that 0 is that of "
            "unrelated texts and 1 that of good translations; 0 when the translation is still in the message's "
            "language; null when a text has no words that the encoder knows.",
            nullable=True,
            minimum=0,
            maximum=1,
        ),
        Column(
            "length_ratio",
            NUMBER,
            "Length of the translation divided by that of the original, in letters; a Chinese character counts as "
            "three letters, a Japanese or Korean syllable as two.",
            minimum=0,
        ),
        Column("translator", STRING, "Name of the LLM that translated."),
        PROMPT_VERSION,
    ),
    key=("conversation_id", "message_id", "target_language"),
    order=("conversation_id", "position"),
)

TRANSLATION_FAILURES = Table(
    name="translation_failures",
    grain="one row per message that was to be translated and has no translation",
    columns=(
        DATE_COLUMN,
        CONVERSATION_ID,
        MESSAGE_ID,
        SOURCE_LANGUAGE,
        TARGET_LANGUAGE,
        Column("reason", STRING, "Why the message has no translation.", allowed=_OF_A_MESSAGE["reason"].allowed),
        *(_OF_A_MESSAGE[name] for name in ("will_retry", "detail")),
        Column(
            "tries",
            INTEGER,
            "Number of questions without a usable answer; 0 when the message was not asked about.",
            minimum=0,
        ),
        _OF_A_MESSAGE["failed_at"],
    ),
    key=("conversation_id", "message_id"),
)

TRANSLATION_LANGUAGES = Table(
    name="translation_languages",
    grain="one row per day, source language and target language with messages to translate",
    columns=(
        DATE_COLUMN,
        SOURCE_LANGUAGE,
        TARGET_LANGUAGE,
        Column("message_count", INTEGER, "Number of messages to translate.", minimum=1),
        Column("translated_count", INTEGER, "Number of messages with a translation.", minimum=0),
        Column("translated_share", NUMBER, "Share of the messages that have a translation.", minimum=0, maximum=1),
        Column(
            "quality_p50",
            NUMBER,
            "Median quality of the translations; null when none has a quality.",
            nullable=True,
            minimum=0,
            maximum=1,
        ),
        Column(
            "length_ratio_p50",
            NUMBER,
            "Median length ratio of the translations; null when there are none.",
            nullable=True,
            minimum=0,
        ),
        Column(
            "cost_usd",
            NUMBER,
            "Cost of all requests for translations of the day's conversations, in all runs; the cost of a conversation "
            "in several languages is divided by their numbers of messages; null when no price is known.",
            nullable=True,
            unit="USD",
            minimum=0,
        ),
    ),
    key=("source_language", "target_language"),
)
