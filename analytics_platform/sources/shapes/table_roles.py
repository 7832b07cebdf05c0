"""Who speaks in the rows of a ticket table that has no column of roles, or that marks internal notes."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.sources.rows import Rows

_SEPARATORS = re.compile(r"[\W_]+")
TRUE_WORDS, FALSE_WORDS = ("true", "1", "yes", "t", "y"), ("false", "0", "no", "f", "n")
"""Texts that mean true and false in a column of flags, in any case."""
_TRUE, _FALSE = pa.array(TRUE_WORDS), pa.array(FALSE_WORDS)

_AGENT_FLAGS = ("from_agent", "is_agent", "is_staff", "by_agent", "outbound", "is_outbound", "is_support", "from_me")
_CUSTOMER_FLAGS = ("from_customer", "is_customer", "inbound", "is_inbound", "incoming", "by_customer", "from_user")
_NOTE_FLAGS = ("private", "is_private", "internal", "is_internal", "internal_note", "is_note", "is_internal_note")
_PUBLIC_FLAGS = ("public", "is_public", "comment_public")

ROLE = "role"


@dataclass(frozen=True)
class RoleFlags:
    """The columns of a table that say who speaks.

    Attributes:
        speaker: Column that is true for an agent, or for a customer; None if a column of roles exists.
        speaker_if_true: Role of a row in which ``speaker`` is true.
        note: Column that tells internal notes from messages; None if the table has none.
        note_if_true: Whether ``note`` is true for a note.
    """

    speaker: str | None = None
    speaker_if_true: str = "agent"
    note: str | None = None
    note_if_true: bool = True

    def apply(self, rows: Rows, role_column: str) -> Rows:
        """Return rows with a column of roles in which internal notes have the role system.

        Args:
            rows: The rows.
            role_column: Column of roles, which is made if the table has none.
        """
        columns = dict(rows.columns)
        if self.speaker in columns:
            other = "user" if self.speaker_if_true == "agent" else "agent"
            flag = _flag(columns[self.speaker])
            columns[role_column] = pc.if_else(flag, self.speaker_if_true, other)
        if self.note in columns and role_column in columns:
            flag = _flag(columns[self.note])
            is_note = pc.fill_null(flag if self.note_if_true else pc.invert(flag), fill_value=False)
            columns[role_column] = pc.if_else(is_note, "system", columns[role_column])
        return replace(rows, columns=columns)

    def notes(self) -> list[str]:
        """Return sentences that say what is derived."""
        sentences = []
        if self.speaker:
            sentences.append(
                f"Who speaks is told by the column {self.speaker}: {self.speaker_if_true} where it is true."
            )
        if self.note:
            which = "true" if self.note_if_true else "false"
            sentences.append(f"Rows whose {self.note} is {which} are internal notes and get the role system.")
        return sentences


def role_flags(names: Collection[str], *, has_roles: bool) -> RoleFlags:
    """Return the columns of a table that say who speaks by their usual names.

    Args:
        names: Columns of the table.
        has_roles: Whether a column of roles exists.
    """
    by_form = {_SEPARATORS.sub("_", name.strip().lower()).strip("_"): name for name in names}
    speaker, if_true = None, "agent"
    if not has_roles:
        agent = next((by_form[form] for form in _AGENT_FLAGS if form in by_form), None)
        customer = next((by_form[form] for form in _CUSTOMER_FLAGS if form in by_form), None)
        speaker, if_true = (agent, "agent") if agent else (customer, "user")
    private = next((by_form[form] for form in _NOTE_FLAGS if form in by_form), None)
    public = next((by_form[form] for form in _PUBLIC_FLAGS if form in by_form), None)
    return RoleFlags(speaker, if_true, private or public, note_if_true=private is not None)


def _flag(values: pa.Array) -> pa.Array:
    """Return booleans of a column of texts; null for a text that is neither true nor false."""
    words = pc.utf8_lower(pc.utf8_trim_whitespace(values))
    known = pc.or_(pc.is_in(words, value_set=_TRUE), pc.is_in(words, value_set=_FALSE))
    return pc.if_else(known, pc.is_in(words, value_set=_TRUE), pa.scalar(None, pa.bool_()))
