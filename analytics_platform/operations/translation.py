"""Reads a conversation from the lake with the translations of its messages.

The translation of a conversation is made here, from its messages in order; no table stores it a second time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow.compute as pc

from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.model import Table
from analytics_platform.model.tables.clean_tables import MESSAGES
from analytics_platform.model.tables.translation_tables import MESSAGE_TRANSLATIONS, TRANSLATION_FAILURES
from analytics_platform.operations.stored_conversation import day_of


class TranslationError(UserError):
    """The translations of a conversation cannot be shown; the message says why and what to do."""


@dataclass(frozen=True)
class TranslatedMessage:
    """A message and its translation.

    Attributes:
        message_id: Identifier of the message.
        position: Place within the conversation, from 0.
        role: Role of the speaker.
        sent_at: Time of the message, ISO 8601.
        language: Language of the message, ``und`` when unknown.
        text: The cleaned text.
        target_language: Language of the translation; None without a translation.
        translation: The translated text; None without a translation.
        quality: Estimated quality from 0 to 1; None when unknown.
        length_ratio: Length of the translation divided by that of the text; None without a translation.
        failure: Why a message that was to be translated has no translation; None otherwise.
    """

    message_id: str
    position: int
    role: str
    sent_at: str
    language: str
    text: str
    target_language: str | None
    translation: str | None
    quality: float | None
    length_ratio: float | None
    failure: str | None


@dataclass(frozen=True)
class TranslatedConversation:
    """A conversation and its translation.

    Attributes:
        date: Its day.
        conversation_id: Identifier of the conversation.
        state: Whether translation is on now, as a phrase.
        messages: Its messages in order.
    """

    date: str
    conversation_id: str
    state: str
    messages: Sequence[TranslatedMessage]

    @property
    def text(self) -> str:
        """The translated conversation: one line per message with text, its role first; else the message as it is."""
        said = ((message.role, message.translation or message.text) for message in self.messages)
        return "\n".join(f"{role}: {' '.join(words.split())}" for role, words in said if words.strip())

    def as_json(self) -> dict[str, Any]:
        """Return the conversation as a dictionary for JSON."""
        return {**asdict(self), "text": self.text}


def translation_of(platform: Platform, conversation_id: str, day: str | None) -> TranslatedConversation:
    """Read a conversation and its translations from the lake. Neither MongoDB nor the LLM endpoint is contacted.

    Args:
        platform: The platform with the lake.
        conversation_id: Identifier of the conversation.
        day: Its day, ``YYYY-MM-DD``; all stored days are searched when None.

    Raises:
        TranslationError: If the conversation or the translations of its day are not stored.
    """
    stored_day = day_of(platform, conversation_id, day, TranslationError)
    if platform.lake.info(MESSAGE_TRANSLATIONS.name, stored_day) is None:
        raise TranslationError(
            f"the translations of {stored_day} are not stored; `analytics run --select '*{MESSAGE_TRANSLATIONS.name}' "
            f"--from {stored_day} --to {stored_day}` makes them"
        )
    messages = _rows(platform, MESSAGES, stored_day, conversation_id)
    translations = _rows(platform, MESSAGE_TRANSLATIONS, stored_day, conversation_id)
    failures = _rows(platform, TRANSLATION_FAILURES, stored_day, conversation_id)
    ordered = sorted(messages.values(), key=lambda row: row["position"])
    return TranslatedConversation(
        stored_day,
        conversation_id,
        platform.translations.state,
        [_translated(row, translations.get(row["message_id"], {}), failures.get(row["message_id"])) for row in ordered],
    )


def _rows(platform: Platform, table: Table, day: str, conversation_id: str) -> dict[str, dict[str, Any]]:
    """Return the conversation's rows of a table by message; none if the day is not stored."""
    if platform.lake.info(table.name, day) is None:
        return {}
    rows = platform.lake.read(table.name, day)
    return {
        row["message_id"]: row for row in rows.filter(pc.equal(rows["conversation_id"], conversation_id)).to_pylist()
    }


def _translated(
    message: Mapping[str, Any], translation: Mapping[str, Any], failure: Mapping[str, Any] | None
) -> TranslatedMessage:
    return TranslatedMessage(
        **{name: message[name] for name in ("message_id", "position", "role", "language", "text")},
        sent_at=message["sent_at"].isoformat(),
        target_language=translation.get("target_language"),
        translation=translation.get("text"),
        quality=translation.get("quality"),
        length_ratio=translation.get("length_ratio"),
        failure=failure["reason"] if failure else None,
    )
