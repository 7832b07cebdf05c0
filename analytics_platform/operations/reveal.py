"""Reads a conversation from the lake and puts its personal data back, if it was kept encrypted.

``transform.pii.sealing`` encrypts and decrypts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow.compute as pc

from analytics_platform.defs.assets.clean_assets import SPANS_KEPT
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.model.tables.clean_tables import MESSAGES
from analytics_platform.operations.stored_conversation import day_of
from analytics_platform.transform.pii.sealing import Findings, Sealer
from analytics_platform.transform.privacy import Privacy

_COLUMNS = ("conversation_id", "message_id", "position", "role", "sent_at", "text", "code", "pii_spans")


class RevealError(UserError):
    """A conversation cannot be revealed; the message says why and what to do."""


@dataclass(frozen=True)
class RevealedMessage:
    """A message with its personal data; markup and whitespace stay cleaned.

    Attributes:
        message_id: Identifier of the message.
        position: Place within the conversation, from 0.
        role: Role of the speaker.
        sent_at: Time of the message, ISO 8601.
        text: The cleaned text with its personal data.
        code: Its pieces of code with their personal data.
        found: The personal data: ``piece`` (index of the piece of code; None for the text), ``start``, ``kind``,
            ``value``.
    """

    message_id: str
    position: int
    role: str
    sent_at: str
    text: str
    code: Sequence[str]
    found: Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Revealed:
    """A conversation with its personal data.

    Attributes:
        date: Its day.
        conversation_id: Identifier of the conversation.
        messages: Its messages in order.
    """

    date: str
    conversation_id: str
    messages: Sequence[RevealedMessage]

    def as_json(self) -> dict[str, Any]:
        """Return the conversation as a dictionary for JSON."""
        return asdict(self)


def reveal(platform: Platform, conversation_id: str, day: str | None) -> Revealed:
    """Read a conversation from the lake and put its personal data back. Neither MongoDB nor Dagster is opened.

    Args:
        platform: The platform with the lake and the key.
        conversation_id: Identifier of the conversation.
        day: Its day, ``YYYY-MM-DD``; all stored days are searched when None.

    Raises:
        RevealError: If no key is set, the conversation is not stored, or its day was computed under another key or
            none.
        SealError: If the key is too short, or the encrypted data was altered.
    """
    key = platform.secret("pii_spans_key")  # only this secret: a reader need not have the other ones
    if not key:
        raise RevealError(
            "ANALYTICS_PII_SPANS_KEY: not set; set the key under which the day was computed, because sealed values "
            "cannot be read without it"
        )
    sealer, privacy = Sealer(key.encode()), Privacy(spans_key=key.encode())
    stored_day = day_of(platform, conversation_id, day, RevealError)
    info = platform.lake.info(MESSAGES.name, stored_day)
    kept_under = info.annotations.get(SPANS_KEPT) if info else None
    if kept_under != privacy.spans_proof:
        why = "under another ANALYTICS_PII_SPANS_KEY" if kept_under else "without ANALYTICS_PII_SPANS_KEY"
        raise RevealError(
            f"conversation {conversation_id!r}: {stored_day} was computed {why}, so its personal data cannot be put "
            f"back; `analytics run --from {stored_day} --to {stored_day}` computes it again with the key set now"
        )
    table = platform.lake.read(MESSAGES.name, stored_day, _COLUMNS)
    rows = table.filter(pc.equal(table["conversation_id"], conversation_id)).sort_by("position").to_pylist()
    return Revealed(stored_day, conversation_id, [_revealed(sealer, row) for row in rows])


def _revealed(sealer: Sealer, row: dict[str, Any]) -> RevealedMessage:
    sealed = row["pii_spans"]
    findings = sealer.open(row["message_id"], sealed) if sealed is not None else Findings(redacted=False, places=())
    return RevealedMessage(
        message_id=row["message_id"],
        position=row["position"],
        role=row["role"],
        sent_at=row["sent_at"].isoformat(),
        text=findings.put_back(row["text"]),
        code=[findings.put_back(code, piece) for piece, code in enumerate(row["code"])],
        found=[asdict(place) for place in findings.places],
    )
