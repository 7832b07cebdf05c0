"""Take the columns of a table for input columns by the names that help desks and chat systems give them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType

from analytics_platform.model.raw_tables import REQUIRED_INPUT

_NAMES: dict[str, tuple[str, ...]] = {
    "conversation_id": (
        "conversation", "conversationid", "ticket_id", "ticketid", "ticket", "thread_id", "threadid", "thread",
        "session_id", "sessionid", "session", "chat_id", "chatid", "chat", "case_id", "casenumber", "case_number",
        "dialog_id",
        "dialogue_id", "conv_id", "conversation_uuid", "conversation_hash", "issue_id", "room_id", "ticket_number",
        "gespräch", "vorgang", "konversation", "conversación",
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
        "message_body", "utterance", "msg", "comment_text", "html_body", "value",
        "nachricht", "mensaje", "comment",
    ),
    "message_id": (
        "messageid", "comment_id", "commentid", "msg_id", "event_id", "message_uuid", "comment", "id",
        "uuid",
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
_REFERRED: dict[str, tuple[str, ...]] = {
    "conversation_id": ("case", "issue", "dialog", "dialogue", "request", "inquiry", "support_request", "call", "room"),
    "user_id": ("contact", "client", "user", "requester", "person", "kunde", "cliente"),
    "agent_id": ("operator", "employee", "staff", "representative", "support_agent"),
}
"""What a table is called whose rows are conversations, customers or agents, further to the names of columns."""
_SEPARATORS = re.compile(r"[\W_]+")


def usual_columns(
    names: Collection[str], stated: Collection[str], excluded: Mapping[str, Collection[str]] = MappingProxyType({})
) -> dict[str, str]:
    """Return the columns that a table lacks by our names, with the table's columns that usually mean them.

    A table that has every required column by name is taken as it is; then nothing is guessed.

    Args:
        names: Columns of the table.
        stated: Input columns that the mapping fills.
        excluded: Input column to the columns of the table that cannot be it, because their type does not fit.

    Returns:
        Input column to column of the table; a column is taken at most once.
    """
    if all(name in names or name in stated for name in REQUIRED_INPUT):
        return {}
    wanted = [column for column in _NAMES if column not in names and column not in stated]
    return _matches(names, wanted, excluded)


def usual_attributes(
    names: Collection[str], wanted: Collection[str], excluded: Mapping[str, Collection[str]] = MappingProxyType({})
) -> dict[str, str]:
    """Return the input columns of ``wanted`` that a table has by our names or by their usual names.

    Args:
        names: Columns of a table of conversations.
        wanted: Input columns.
        excluded: As for ``usual_columns``.
    """
    return _matches(names, [column for column in _NAMES if column in wanted], excluded)


def meaning_of(name: str) -> str | None:
    """Return the input column that a name such as ``Tickets`` or ``Customer`` usually means; None if it means none.

    Args:
        name: Name of a table, or of a column that refers to a table; singular or plural.
    """
    form = _form(name)
    forms = {form, form.removesuffix("s"), form.removesuffix("es")}
    for column in ("conversation_id", "user_id", "agent_id"):
        if forms & {column, *_NAMES[column], *_REFERRED.get(column, ())}:
            return column
    return None


def _matches(
    names: Collection[str], wanted: Collection[str], excluded: Mapping[str, Collection[str]]
) -> dict[str, str]:
    by_form: dict[str, str] = {}
    for name in names:
        by_form.setdefault(_form(name), name)
    taken: set[str] = set()
    guessed: dict[str, str] = {}
    for column in wanted:
        unfit = taken | {*excluded.get(column, ())}
        forms = (form for form in (column, *_NAMES[column]) if by_form.get(form, "") not in unfit)
        match = next((by_form[form] for form in forms if form in by_form), None)
        if match is not None:
            guessed[column] = match
            taken.add(match)
    return guessed


def _form(name: str) -> str:
    return _SEPARATORS.sub("_", name.strip().lower()).strip("_")
