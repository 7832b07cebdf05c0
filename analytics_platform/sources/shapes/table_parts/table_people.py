"""Names of the columns that say who wrote a row, and who is the customer of its ticket."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from analytics_platform.sources.shapes.table_parts.column_names import word_form

_KIND = r"(?:_(?:id|name|full_name|display_name|email|e_mail|mail|email_address|address|username|login))?"
_AUTHOR = re.compile(
    r"(?:(?:comment|message|msg|note|reply|post|event|kommentar|nachricht|mensaje|comentario|commentaire|messaggio)_?)?"
    r"(?:de_|du_|di_)?(?:author|sender|from|writer|poster|commenter|actor|posted_by|sent_by|written_by|commented_by|"
    rf"replied_by|autor|autorin|verfasser|absender|auteur|expediteur|remitente|autore|mittente|remetente|afzender){_KIND}"
)
_REQUESTER = re.compile(
    r"(?:ticket_|case_|conversation_|chat_)?(?:requester|requestor|customer|contact|client|end_user|reporter|"
    rf"anfragender|anfragesteller|kunde|kunden|demandeur|solicitante|cliente|richiedente|aanvrager|klant|klient){_KIND}"
)
_AGENT = re.compile(
    r"(?:chat_|ticket_|case_)?(?:agent|operator|assignee|assigned_to|assigned_agent|representative|rep|support_agent|"
    rf"advisor|employee|staff|handled_by|owner|bearbeiter|mitarbeiter|agente|conseiller|operador|operatore){_KIND}"
)
_VISITOR = re.compile(rf"(?:chat_)?(?:visitor|user|member|guest|caller|besucher|nutzer|usuario|visiteur){_KIND}")
_FIRST_AUTHORS = (
    "author_id", "authorid", "sender_id", "senderid", "from_id", "actor_id", "commenter_id", "author_email",
    "sender_email", "from_email", "author_name", "sender_name", "from_name",
)  # fmt: skip
"""Forms that go before others, an id before an address before a name."""


_WRITERS = re.compile(rf"(?:created_by|initiator|from_user|user_user){_KIND}")
"""Forms of the names of who wrote a row, where its role is known; on a ticket's rows, who opened the ticket."""


def writer_columns(names: Iterable[str]) -> list[str]:
    """Return the columns that name who wrote a row of a known role, by their usual names, the most exact first."""
    columns = list(names)
    others = [name for name in columns if _WRITERS.fullmatch(word_form(name))]
    return [*author_columns(columns), *sorted(others, key=lambda name: not word_form(name).endswith("_id"))]


def author_columns(names: Iterable[str]) -> list[str]:
    """Return the columns that name who wrote a row, by their usual names, the most exact first."""
    found = {name: word_form(name) for name in names}
    columns = [name for name, form in found.items() if form in _FIRST_AUTHORS or _AUTHOR.fullmatch(form)]
    return sorted(columns, key=lambda name: _rank(found[name]))


def requester_columns(names: Iterable[str]) -> list[str]:
    """Return the columns that name the customer of a ticket on each of its rows, by their usual names."""
    return [name for name in names if _REQUESTER.fullmatch(word_form(name)) or word_form(name) in _JOINED]


def people_of_chats(names: Collection[str]) -> dict[str, str]:
    """Return the columns that name the customer or the agent of a whole chat, by their usual names, with the role."""
    customers = {*requester_columns(names)}
    found = {name: "user" if name in customers or _VISITOR.fullmatch(word_form(name)) else None for name in names}
    agents = {name: "agent" for name in names if _AGENT.fullmatch(word_form(name))}
    return {name: role for name, role in found.items() if role is not None} | agents


_JOINED = ("requesterid", "customerid")


def _rank(form: str) -> int:
    return _FIRST_AUTHORS.index(form) if form in _FIRST_AUTHORS else len(_FIRST_AUTHORS)
