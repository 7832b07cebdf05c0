"""Take the columns of a table for input columns by the names that help desks and chat systems give them."""

from __future__ import annotations

import re
from collections.abc import Collection

from analytics_platform.model.raw_tables import REQUIRED_INPUT

_NAMES: dict[str, tuple[str, ...]] = {
    "conversation_id": (
        "conversation", "conversationid", "ticket_id", "ticketid", "ticket", "thread_id", "threadid", "thread",
        "session_id", "sessionid", "session", "chat_id", "chatid", "chat", "case_id", "casenumber", "case_number",
        "dialog_id",
        "dialogue_id", "conv_id", "conversation_uuid", "conversation_hash", "issue_id", "room_id", "ticket_number",
        "gespräch", "vorgang", "konversation", "conversación",
    ),
    "message_id": (
        "messageid", "comment_id", "commentid", "msg_id", "event_id", "message_uuid", "comment", "id",
        "uuid",
    ),
    "role": (
        "author_role", "author_type", "authortype", "sender_type", "sendertype", "sender_role", "speaker",
        "speaker_role",
        "from_role", "user_type", "message_role", "participant", "participant_type", "from", "sender", "author",
        "actor",
        "direction", "who", "rolle", "absender", "rôle", "rol", "type",
    ),
    "text": (
        "message", "body", "content", "message_text", "messagetext", "plain_body", "text_body", "comment_body",
        "message_body", "utterance", "msg", "comment_text", "comment", "html_body", "value",
        "nachricht", "mensaje",
    ),
    "timestamp": (
        "created_at", "createdat", "created", "time", "datetime", "date_time", "date", "sent_at", "sentat", "sent",
        "message_time", "comment_created_at", "message_created_at", "create_time", "createdtime", "created_time",
        "createddatetime", "ts", "event_time", "posted_at", "created_date", "date_created",
        "timestamp_utc", "published_at", "zeit", "zeitpunkt", "zeitstempel", "datum", "fecha",
    ),
    "user_id": (
        "userid", "customer_id", "customerid", "requester_id", "requesterid", "requester", "contact_id", "client_id",
        "end_user_id", "customer", "customer_email", "requester_email",
    ),
    "agent_id": ("agentid", "assignee_id", "assignee", "agent", "operator_id", "agent_name", "agent_email"),
    "channel": ("via", "via_channel", "source_channel"),
    "model": ("model_name", "llm", "engine"),
    "language": ("lang", "locale", "language_code"),
    "rating": ("csat", "satisfaction", "satisfaction_score", "score", "stars", "csat_score", "bewertung"),
    "outcome": ("status", "ticket_status", "resolution", "state"),
}  # fmt: skip
_SEPARATORS = re.compile(r"[\W_]+")


def usual_columns(names: Collection[str], stated: Collection[str]) -> dict[str, str]:
    """Return the columns that a table lacks by our names, with the table's columns that usually mean them.

    A table that has every required column by name is taken as it is; then nothing is guessed.

    Args:
        names: Columns of the table.
        stated: Input columns that the mapping fills.

    Returns:
        Input column to column of the table; a column is taken at most once.
    """
    if all(name in names or name in stated for name in REQUIRED_INPUT):
        return {}
    by_form: dict[str, str] = {}
    for name in names:
        by_form.setdefault(_SEPARATORS.sub("_", name.strip().lower()).strip("_"), name)
    taken: set[str] = set()
    guessed: dict[str, str] = {}
    for column, usual in _NAMES.items():
        if column in names or column in stated:
            continue
        match = next(
            (by_form[form] for form in (column, *usual) if form in by_form and by_form[form] not in taken), None
        )
        if match is not None:
            guessed[column] = match
            taken.add(match)
    return guessed
