"""Who the people of a conversation are, where the conversation lists them and its messages name them by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.row_rules.role_words import default_role_words, plain_word
from analytics_platform.sources.shapes.shape import first_of

PEOPLE = ("users", "participants", "Participants", "members", "people", "authors")
"""Keys of a conversation's list of people."""
PROMPTER = "isCreatedByUser"
"""LibreChat's key of a message that a person wrote; its key ``sender`` has the name of the model."""
_IDS = ("id", "userId", "user_id", "participantId", "participant_id", "ParticipantId", "accountId", "name")
_ROLES = (
    "type", "role", "participantRole", "ParticipantRole", "userType", "user_type", "participantPurpose", "purpose",
)  # fmt: skip
_AUTHORS = (
    "author_id", "authorId", "sender_id", "senderId", "participant_id", "participantId", "ParticipantId", "user_id",
    "userId", "from",
)  # fmt: skip
_OWN_ROLES = ("role", "author_type", "sender_type", "senderType", "authorType", "sentBy", "ParticipantRole")


def with_roles_of_people(messages: Sequence[Record], conversation: Mapping[str, Any]) -> list[Record]:
    """Return messages with the role of their author, where they name a person of the conversation by id.

    A message that no person wrote has the role system if its kind says so.

    Args:
        messages: Objects of a list of the conversation.
        conversation: The record that has a list of people with an id and a word for a role each.
    """
    roles = roles_of_people(conversation)
    return [_with_role(message, roles) for message in messages] if roles else list(messages)


def roles_of_people(conversation: Mapping[str, Any]) -> dict[str, str]:
    """Return the role of each person, by the id as a text, whom a conversation lists with a known word for a role."""
    return {
        str(first_of(person, *_IDS)): role
        for name in PEOPLE
        for person in (conversation.get(name) if isinstance(conversation.get(name), list) else None) or ()
        if isinstance(person, Mapping) and (role := _role(first_of(person, *_ROLES))) is not None
    }


def with_stated_prompters(messages: Sequence[Record]) -> list[Record]:
    """Return messages with a role where a truth value says whether the user of a language model wrote them."""
    return [
        {**message, "role": "user" if message[PROMPTER] else "assistant"}
        if isinstance(message.get(PROMPTER), bool) and "role" not in message
        else message
        for message in messages
    ]


def _with_role(message: Record, roles: Mapping[str, str]) -> Record:
    if first_of(message, *_OWN_ROLES) is not None:
        return message
    role = roles.get(str(first_of(message, *_AUTHORS)))
    if role is None and _role(message.get("type")) == "system":
        role = "system"
    return message if role is None else {**message, "role": role}


def _role(word: Any) -> str | None:
    return default_role_words().get(plain_word(word)) if isinstance(word, str) else None
