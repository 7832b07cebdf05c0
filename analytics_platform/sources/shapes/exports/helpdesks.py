"""Tickets and conversations of help desks: Zendesk, Intercom and Chatwoot, as their interfaces export them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.shapes.identity import (
    MessagePlace,
    Turn,
    forget_oldest,
    identify,
    identify_conversation,
    identify_rows,
)
from analytics_platform.sources.shapes.people import roles_of_people
from analytics_platform.sources.shapes.shape import Context, Shape, content_text, first_of, is_list_of, role_of

_NOTE = "system"
"""Role of an internal note: the customer does not see it, so it is no answer."""


def _list(value: Any, key: str) -> list[Record] | None:
    """Return the list of an export that may be wrapped under its own name, as Intercom's parts are."""
    if isinstance(value, Mapping):
        value = value.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else None


def _id_of(value: Any) -> Any:
    return value.get("id") if isinstance(value, Mapping) else value


def _is_zendesk(record: Record) -> bool:
    ticket = _ticket_of(record)
    comments = _list(record.get("comments"), "comments") or _list(ticket.get("comments"), "comments")
    if comments:
        return any(key in comments[0] for key in ("body", "plain_body", "html_body"))
    return any(_is_audit(audit) for audit in _audits(record))


def _ticket_of(record: Record) -> Record:
    return record["ticket"] if isinstance(record.get("ticket"), dict) else record


def _audits(record: Record) -> list[Record]:
    """Return the audits of a ticket, or of a list of them; a record may be an audit itself."""
    if _is_audit(record):
        return [record]
    return _list(record.get("audits"), "audits") or _list(_ticket_of(record).get("audits"), "audits") or []


def _is_audit(record: Record) -> bool:
    events = record.get("events")
    return "author_id" in record and is_list_of(events, lambda event: isinstance(event, dict) and "type" in event)


def _comments_of_audits(audits: list[Record]) -> list[Record]:
    """Return the events that are comments; who wrote them, and when, may stand in their audit only."""
    return [
        {**{name: audit.get(name) for name in ("author_id", "created_at")}, **event}
        for audit in audits
        for event in _list(audit.get("events"), "events") or []
        if str(event.get("type")).endswith("Comment")
    ]


def _requesters(context: Context) -> OrderedDict[str, Any]:
    """Return the requester of each ticket whose creation stands in an audit of the records read so far.

    Of the records before those that are read together, the last tickets are kept.
    """
    requesters: OrderedDict[str, Any] = context.memory.setdefault("requesters", OrderedDict())
    if context.memory.get("audited") is not context.neighbours:
        context.memory["audited"] = context.neighbours
        forget_oldest(requesters)
        requesters |= {
            str(audit.get("ticket_id")): event.get("value")
            for record in context.neighbours
            for audit in _audits(record)
            for event in _list(audit.get("events"), "events") or []
            if event.get("type") == "Create" and event.get("field_name") == "requester_id"
        }
    return requesters


def _zendesk(record: Record, context: Context) -> Iterator[Record]:
    ticket = _ticket_of(record)
    comments = _list(record.get("comments"), "comments") or _list(ticket.get("comments"), "comments") or []
    audits = [] if comments else _audits(record)
    if not audits:
        yield from _zendesk_ticket(record, ticket, comments, context)
        return
    own = {} if _is_audit(record) else ticket
    by_ticket: dict[str, list[Record]] = {}
    for audit in audits:
        key = first_of(own, "id") or audit.get("ticket_id")
        by_ticket.setdefault("" if key is None else str(key), []).append(audit)
    requesters = _requesters(context)
    for key, of_ticket in by_ticket.items():
        stated = {"id": key, "requester_id": requesters.get(str(of_ticket[0].get("ticket_id"))), **own}
        yield from _zendesk_ticket(record, stated, _comments_of_audits(of_ticket), context)


def _zendesk_ticket(record: Record, ticket: Record, comments: list[Record], context: Context) -> Iterator[Record]:
    conversation = str(ticket.get("id") or identify_conversation(context, ticket.get("created_at"), comments))
    requester = first_of(ticket, "requester_id") or _id_of(ticket.get("requester"))
    rating = ticket.get("satisfaction_rating")
    roles = {**roles_of_people(record), **roles_of_people(ticket)}
    common = {
        "conversation_id": conversation,
        "channel": first_of(ticket.get("via") or {}, "channel"),
        "outcome": ticket.get("status"),
        "subject": ticket.get("subject"),
    }
    turns = [
        Turn(_author_of(comment), first_of(comment, "plain_body", "body", "html_body"), comment.get("created_at"))
        for comment in comments
    ]
    is_whole = not _is_audit(record)
    has_requester = requester is not None or (is_whole and len({turn.role for turn in turns}) == 1)
    for comment, turn, place in zip(comments, turns, identify(context, conversation, turns), strict=True):
        author = turn.role
        stated = comment["author"].get("role") if isinstance(comment.get("author"), Mapping) else None
        role = role_of(stated or roles.get(str(author)))
        if role is None and has_requester:
            role = "user" if requester is None or str(author) == str(requester) else "agent"
        note = comment.get("public") is False
        row = {
            **common,
            "message_id": _message_id(conversation, comment, place),
            "role": _NOTE if note else role,
            "text": turn.text,
            **context.time_of(turn.time, ticket.get("created_at"), place.position),
            "user_id": author if role == "user" and requester is None else requester,
            "agent_id": author if role not in {None, "user"} and not note else None,
        }
        if note:
            row["note"] = True
            context.internal_notes += 1
        if isinstance(rating, Mapping):
            row["rating"] = rating.get("score")
        yield row


def _author_of(comment: Record) -> Any:
    return first_of(comment, "author_id") or _id_of(comment.get("author"))


def _message_id(conversation: Any, message: Record, place: MessagePlace) -> str:
    return f"{conversation}:{message['id']}" if message.get("id") is not None else place.message_id


ZENDESK = Shape(
    "zendesk",
    "Zendesk tickets with comments",
    _is_zendesk,
    _zendesk,
    "The requester is the customer, everyone else an agent, unless the list of users says otherwise; internal notes "
    "have the role system.",
)


def _is_intercom(record: Record) -> bool:
    return "conversation_parts" in record or (
        record.get("type") == "conversation_part" or {"part_type", "conversation_id"} <= record.keys()
    )


def _intercom(record: Record, context: Context) -> Iterator[Record]:
    conversation = str(first_of(record, "conversation_id", "id") or identify_conversation(context, record))
    if "conversation_parts" not in record:
        yield from _intercom_part(record, conversation, {}, context)
        return
    source = record.get("source") or record.get("conversation_message") or {}
    rating = (record.get("conversation_rating") or {}).get("rating")
    common = {"channel": source.get("type"), "rating": rating, "outcome": record.get("state")}
    opening = {"created_at": record.get("created_at"), "part_type": "comment", **source}
    yield from _intercom_part({"id": "source", **opening}, conversation, common, context)
    for part in _list(record["conversation_parts"], "conversation_parts") or []:
        yield from _intercom_part(part, conversation, common, context)


def _intercom_part(part: Record, conversation: str, common: Record, context: Context) -> Iterator[Record]:
    """Yield a part with a body; assignments, openings and closings without one are no messages."""
    if not part.get("body"):
        return
    author = part.get("author") or {}
    role = role_of(author.get("type") or part.get("author_type"))
    note = "note" in str(part.get("part_type"))
    context.internal_notes += note
    person = author.get("id") or part.get("author_id")
    yield {
        **common,
        "conversation_id": conversation,
        "message_id": None if part.get("id") is None else f"{conversation}:{part['id']}",
        "role": _NOTE if note else role,
        "text": part["body"],
        "timestamp": part.get("created_at"),
        "user_id": person if role == "user" else None,
        "agent_id": person if role != "user" and not note else None,
        "part_type": part.get("part_type"),
    }


INTERCOM = Shape(
    "intercom",
    "Intercom conversations with parts",
    _is_intercom,
    _intercom,
    "Parts without a body, such as assignments, are no messages; notes have the role system.",
)


def _freshdesk_ticket(record: Record) -> Record:
    """Return the ticket of an answer of the interface, or of a file of the whole export."""
    ticket = record.get("helpdesk_ticket")
    return ticket if isinstance(ticket, dict) else record


def _freshdesk_messages(ticket: Record) -> list[Record] | None:
    """Return the messages of a ticket; older exports wrap each of them: ``{"note": {...}}``."""
    messages = _list(ticket.get("conversations"), "conversations") or _list(ticket.get("notes"), "notes")
    return messages and [message["note"] if isinstance(message.get("note"), dict) else message for message in messages]


def _is_freshdesk(record: Record) -> bool:
    messages = _freshdesk_messages(_freshdesk_ticket(record))
    return bool(messages) and "incoming" in messages[0] and bool({"body", "body_text"} & messages[0].keys())  # type: ignore[index]


def _freshdesk(record: Record, context: Context) -> Iterator[Record]:
    record = _freshdesk_ticket(record)
    conversation = str(first_of(record, "id", "ticket_id") or identify_conversation(context, record))
    requester = first_of(record, "requester_id") or _id_of(record.get("requester"))
    common = {"conversation_id": conversation, "subject": record.get("subject")}
    common["outcome"] = first_of(record, "status_name", "status")
    opening = {"incoming": True, "user_id": requester, "created_at": record.get("created_at"), "id": "description"}
    text = first_of(record, "description_text", "description")
    messages = [
        *([{**opening, "body_text": text}] if text else []),
        *(_freshdesk_messages(record) or []),
    ]
    turns = [
        Turn(message.get("incoming"), first_of(message, "body_text", "body"), message.get("created_at"))
        for message in messages
    ]
    for message, turn, place in zip(messages, turns, identify(context, conversation, turns), strict=True):
        role = "user" if message.get("incoming") else "agent"
        note = bool(message.get("private"))
        context.internal_notes += note
        yield {
            **common,
            "message_id": _message_id(conversation, message, place),
            "role": _NOTE if note else role,
            "text": turn.text,
            **context.time_of(turn.time, record.get("created_at"), place.position),
            "user_id": requester,
            "agent_id": message.get("user_id") if role == "agent" and not note else None,
        }


FRESHDESK = Shape(
    "freshdesk",
    "Freshdesk tickets with conversations",
    _is_freshdesk,
    _freshdesk,
    "The description is the first message; private notes have the role system.",
)

_CHATWOOT_ROLES = {
    "0": "user", "1": "agent", "2": "system", "3": "assistant",
    "incoming": "user", "outgoing": "agent", "activity": "system", "template": "assistant",
}  # fmt: skip


def _is_chatwoot_message(record: Mapping[str, Any]) -> bool:
    return {"message_type", "content"} <= record.keys() and bool(record.keys() & {"private", "content_type", "sender"})


def _is_chatwoot(record: Record) -> bool:
    messages = record.get("messages")
    nested = isinstance(messages, list) and bool(messages) and isinstance(messages[0], dict)
    return _is_chatwoot_message(record) or (nested and _is_chatwoot_message(messages[0]))  # type: ignore[index]


def _chatwoot(record: Record, context: Context) -> Iterator[Record]:
    if _is_chatwoot_message(record):
        yield _chatwoot_message(record, record.get("conversation_id"), None, context)
        return
    conversation = first_of(record, "id", "display_id") or identify_conversation(context, record)
    messages = [(message.get("conversation_id") or conversation, message) for message in record["messages"]]
    turns = [
        (whole, Turn(message.get("message_type"), message.get("content"), message.get("created_at")))
        for whole, message in messages
    ]
    meta = record.get("meta")
    common = {
        "outcome": record.get("status"),
        "channel": meta.get("channel") if isinstance(meta, Mapping) else None,
    }
    for (whole, message), place in zip(messages, identify_rows(context, turns), strict=True):
        yield {**common, **_chatwoot_message(message, whole, place, context)}


def _chatwoot_message(message: Record, conversation: Any, place: MessagePlace | None, context: Context) -> Record:
    """Return a message as a row; ``place`` is None if the message is a record of its own."""
    kind = str(message.get("message_type")).strip().lower()
    role = _CHATWOOT_ROLES.get(kind, kind)
    sender = message.get("sender")
    if isinstance(sender, Mapping) and str(sender.get("type")).lower() in {"agent_bot", "captain", "bot"}:
        role = "assistant"
    private = str(message.get("private")).strip().lower() in {"true", "1", "t", "yes"}
    context.internal_notes += private
    person = first_of(sender, "email", "id", "name") if isinstance(sender, Mapping) else sender
    files = [
        f"[{file.get('file_type') or 'file'}]" for file in message.get("attachments") or [] if isinstance(file, dict)
    ]
    text = content_text(message.get("content"))
    return {
        "conversation_id": str(conversation) if conversation is not None else None,
        "message_id": _chatwoot_id(conversation, message, place),
        "role": _NOTE if private else role,
        "text": "\n".join([*([text] if text else []), *files]) or None,
        **context.time_of(message.get("created_at"), position=place.position if place else 0),
        "user_id": person if role == "user" else None,
        "agent_id": person if role in {"agent", "assistant"} and not private else None,
        "private": message.get("private"),
    }


def _chatwoot_id(conversation: Any, message: Record, place: MessagePlace | None) -> str | None:
    """Return a message's id; None if the rules for rows make it."""
    if message.get("id") is None and place is None:
        return None
    return f"{conversation}:{message['id']}" if place is None else _message_id(conversation, message, place)


CHATWOOT = Shape(
    "chatwoot",
    "Chatwoot messages",
    _is_chatwoot,
    _chatwoot,
    "Private notes and activities have the role system.",
)

_GLADLY_TEXTS = ("content", "body", "text", "transcript", "transcription", "message")
_GLADLY_OWN = frozenset({"CUSTOMER_ACTIVITY", "TASK"})
"""Kinds of Gladly's items whose text nobody says to anybody."""


def with_own_names(record: Record) -> Record:
    """Return an item of Gladly or a comment of Zoho Desk under the usual names of keys; other records as they are."""
    if "commentedTime" in record and "createdTime" not in record:  # beside threads, which have createdTime and author
        own = {"createdTime": record["commentedTime"], "author": record.get("commenter")}
        return {**record, **own, **({"type": "note"} if record.get("isPublic") is False else {})}
    return _with_gladly_text(record)


def _with_gladly_text(record: Record) -> Record:
    """Return an item of a conversation of Gladly with its kind, and the text that it has.

    An internal note has the kind ``note``; what has no text, such as a change of the status, the kind ``event``.
    """
    content = record.get("content")
    if not isinstance(content, Mapping) or not isinstance(record.get("initiator"), Mapping) or "type" in record:
        return record
    kind = str(content.get("type") or "")
    if not kind.isupper():
        return record
    text = None if kind in _GLADLY_OWN else first_of(content, *_GLADLY_TEXTS)
    kind = "event" if text is None else "note" if kind.endswith("_NOTE") else kind.lower()
    return {**record, "content": text, "type": kind}


def offline_messages(record: Record) -> list[Record]:
    """Return what a visitor of Zendesk Chat wrote while nobody was there: the record is no chat, and has no history."""
    if record.get("type") != "offline_msg" or not record.get("message"):
        return []
    return [{"role": "user", "text": record["message"], "timestamp": record.get("timestamp")}]
