"""Words that mean a role only beside others in one column, or in a column of one name.

``user`` is a customer in most systems, and the agent in systems that call the customer a contact. A vocabulary says so
of all the words of a column at once; words with one meaning everywhere are in ``role_words``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from analytics_platform.sources.row_rules.role_words import default_role_words, plain_word

_LOOKED_AT = 200


@dataclass(frozen=True)
class _Vocabulary:
    """The words of one system.

    Attributes:
        roles: Word to role, where the word alone means another role, or none.
        telling: Words of which one must occur.
        needed: Words that must all occur.
        columns: Forms of the columns' names; empty for any column.
        excluded: Roles that no other word of the column may mean, because the system would then say the same twice.
    """

    roles: Mapping[str, str]
    telling: Collection[str] = ()
    needed: Collection[str] = ()
    columns: Collection[str] = ()
    excluded: Collection[str] = ()

    def fits(self, column: str, words: Collection[str]) -> bool:
        """Tell whether the words of a column are of this vocabulary."""
        known = default_role_words()
        others = {known.get(word) for word in words if word not in self.roles}
        return (
            (not self.columns or column in self.columns)
            and all(word in words for word in self.needed)
            and (not self.telling or any(word in words for word in self.telling))
            and None not in others
            and not any(role in others for role in self.excluded)
        )


_CUSTOMERS = ("customer", "lead", "visitor", "client", "end-user", "end_user", "enduser", "guest")
_NOTES = ("note", "private note", "private_note", "internal note", "internal_note")
_KIND_COLUMNS = ("type", "message_type", "thread_type", "kind")
_VOCABULARIES = (
    # Drift, Chatwoot and Freshchat call the customer a contact, and whoever works with their program a user.
    _Vocabulary({"user": "agent"}, needed=("user",), telling=("contact",), excluded=("agent",)),
    _Vocabulary({"user": "agent"}, needed=("user",), telling=_CUSTOMERS, excluded=("agent", "assistant")),
    # Help Scout's kinds of threads: a message is an agent's.
    _Vocabulary(
        {
            "message": "agent", "reply": "agent", "chat": "user", "phone": "user", "note": "system",
            "lineitem": "system", "forwardparent": "system", "forwardchild": "system",
        },
        needed=("customer",), telling=("message", "reply"), columns=_KIND_COLUMNS,
    ),
    # Trengo and others say in the column of the speaker that a row is a note.
    _Vocabulary(dict.fromkeys(_NOTES, "system"), telling=_NOTES, columns=(*_KIND_COLUMNS, "direction")),
    _Vocabulary({"v": "user", "a": "agent", "s": "system", "b": "assistant"}, needed=("v", "a")),  # tawk.to
    _Vocabulary({"external": "user", "internal": "agent"}, needed=("external", "internal")),  # Genesys
    _Vocabulary(  # the numbers of Chatwoot's database
        {"0": "user", "1": "agent", "2": "system", "3": "assistant"}, needed=("0", "1"), columns=("message_type",)
    ),
    _Vocabulary({"0": "assistant", "1": "user"}, needed=("0", "1"), columns=("from_role",)),  # Copilot Studio
)  # fmt: skip


def vocabulary_of(column: str, values: Iterable[Any]) -> Mapping[str, str]:
    """Return the words of a column that mean another role there than elsewhere, each with its role; mostly none.

    Args:
        column: Form of the column's name; see ``column_form``.
        values: First values of the column.
    """
    words = {plain_word(str(value)) for value in islice(values, _LOOKED_AT) if value is not None}
    fitting = (one.roles for one in _VOCABULARIES if words and one.fits(column, words))
    return {word: role for word, role in next(fitting, {}).items() if word in words}


def tells_roles(column: str, values: Iterable[Any]) -> bool:
    """Tell whether the first values of a column have a word for a customer, an agent or an assistant.

    Args:
        column: Form of the column's name.
        values: First values of the column.
    """
    first = list(islice(values, _LOOKED_AT))
    known = default_role_words()
    words = (plain_word(value) for value in first if isinstance(value, str))
    meant = {known.get(word) for word in words} | {*vocabulary_of(column, first).values()}
    return any(role in _SPEAKERS for role in meant)


_SPEAKERS = frozenset({"user", "agent", "assistant"})
