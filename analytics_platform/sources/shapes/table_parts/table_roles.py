"""Who speaks in the rows of a ticket table that has no column of roles, or that marks internal notes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.sources.row_rules.role_vocabularies import vocabulary_of
from analytics_platform.sources.rows import Rows
from analytics_platform.sources.shapes.table_parts.column_names import by_form, column_form
from analytics_platform.sources.shapes.table_parts.table_mails import has_mail_columns
from analytics_platform.sources.shapes.table_parts.table_people import author_columns, requester_columns

TRUE_WORDS = (
    "true", "1", "yes", "t", "y", "ja", "wahr", "oui", "vrai", "vero", "verdadero", "verdadeiro", "waar", "prawda",
    "sí", "si", "sì", "sim", "tak", "да", "是", "はい",
)  # fmt: skip
FALSE_WORDS = (
    "false", "0", "no", "f", "n", "nein", "falsch", "non", "faux", "falso", "nee", "onwaar", "fałsz", "não", "nao",
    "nie", "нет", "否", "いいえ",
)  # fmt: skip
"""Texts that mean true and false in a column of flags, in any case."""
_LOOKED_AT = 200
_TRUE, _FALSE = pa.array(TRUE_WORDS), pa.array(FALSE_WORDS)

_AGENT_FLAGS = (
    "from_agent", "is_agent", "is_staff", "by_agent", "outbound", "is_outbound", "is_support", "from_me", "is_from_me",
    "outgoing", "is_outgoing", "sent_by_agent", "sent_by_staff", "is_from_agent", "is_from_staff", "from_staff",
)  # fmt: skip
_CUSTOMER_FLAGS = (
    "from_customer", "is_customer", "inbound", "is_inbound", "incoming", "by_customer", "from_user", "is_user",
    "is_incoming", "is_from_customer", "is_from_user", "sent_by_customer", "sent_by_user",
)  # fmt: skip
_PROMPTER_FLAGS = ("is_created_by_user", "iscreatedbyuser")
"""Columns that are true for the user of a language model, and false for the model."""
_NOTE_FLAGS = (
    "private", "is_private", "internal", "is_internal", "internal_note", "is_note", "is_internal_note",
    "privat", "intern", "interne_notiz", "prive", "interne", "note_interne", "privado", "interno", "nota_interna",
    "privato", "nota_privata", "interne_notitie", "prywatny", "prywatne", "wewnetrzny", "wewnetrzne",
)  # fmt: skip
_PUBLIC_FLAGS = (
    "public", "is_public", "comment_public", "offentlich", "ist_offentlich", "publique", "publico", "pubblico",
    "openbaar", "publiczny", "publiczne",
)  # fmt: skip

_BOT_FLAGS = ("is_bot", "from_bot", "by_bot", "is_assistant", "is_ai", "is_from_bot", "sent_by_bot")
_BOTS_AMONG_AUTHORS = (*_BOT_FLAGS, "bot", "author_bot", "author_is_bot", "sender_bot", "sender_is_bot")
"""Columns that are true for a bot, beside a column of roles that does not tell bots from agents."""
KINDS = ("type", "message_type", "part_type", "kind", "visibility", "comment_type", "note_type", "event_type")
NOTE_WORDS = (
    "note", "private_note", "internal_note", "private note", "internal note", "private-note", "internal-note",
    "privatenote", "internalnote", "internal", "private", "internal comment", "internal_comment", "private comment",
    "private_comment", "notiz", "interne notiz", "intern", "privat",
    "note interne", "interne", "privé", "privée", "nota interna", "interno", "interna", "privado", "privada", "privato",
    "privata", "interne notitie", "notatka wewnętrzna", "wewnętrzna", "prywatna", "agents", "agents_only", "whisper",
)  # fmt: skip
"""Values that mark an internal note in a column of ``KINDS``, ``_NOTE_FLAGS`` or ``_PUBLIC_FLAGS``, in any case."""
_PUBLIC_WORDS = (
    "public", "reply", "öffentlich", "publique", "público", "pública", "pubblico", "pubblica", "openbaar", "publiczny",
    "publiczna",
)  # fmt: skip
_NOTES, _NOTES_AND_PUBLIC = pa.array(NOTE_WORDS), pa.array([*NOTE_WORDS, *_PUBLIC_WORDS])


@dataclass(frozen=True)
class RoleFlags:
    """The columns of a table that say who speaks.

    Attributes:
        speaker: Column that is true for an agent, or for a customer; None if a column of roles exists.
        speaker_if_true: Role of a row in which ``speaker`` is true.
        speaker_if_false: Role of a row in which ``speaker`` is false.
        bot: Column that is true for a bot, beside a column of roles; None if the table has none.
        role_column: Column of roles; empty if the table has none.
        words: Words for roles that mean another role beside the column's other words, and the role; mostly none.
        author: Column of who wrote a row, where no other column says who speaks and it names the customer on some rows.
        requester: Column of the ticket's customer, beside ``author``.
        note: Column that tells internal notes from messages; None if the table has none.
        note_if_true: Whether ``note`` is true for a note.
        kinds: Columns that may say ``note`` or ``internal`` of an internal note, each row for itself.
        kinds_with_notes: Columns of ``kinds`` that say so of a first row.
    """

    speaker: str | None = None
    speaker_if_true: str = "agent"
    speaker_if_false: str = "user"
    bot: str | None = None
    role_column: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    author: str | None = None
    requester: str | None = None
    note: str | None = None
    note_if_true: bool = True
    kinds: tuple[str, ...] = ()
    kinds_with_notes: tuple[str, ...] = ()

    @property
    def tells_speaker(self) -> bool:
        """Whether columns other than one of roles say who speaks."""
        return self.speaker is not None or self.author is not None

    def apply(self, rows: Rows, role_column: str) -> Rows:
        """Return rows with a column of roles in which internal notes have the role system.

        Args:
            rows: The rows.
            role_column: Column of roles, which is made if the table has none.
        """
        columns = dict(rows.columns)
        if self.speaker is not None and self.speaker in columns:
            flag = _flag(columns[self.speaker])
            columns[role_column] = pc.if_else(flag, self.speaker_if_true, self.speaker_if_false)
        if self.author in columns and self.requester in columns:
            columns[role_column] = pc.if_else(_is_same(columns[self.author], columns[self.requester]), "user", "agent")
        if self.words and role_column in columns:
            columns[role_column] = self._meant(columns[role_column])
        if self.bot in columns and role_column in columns:
            is_bot = pc.fill_null(_flag(columns[self.bot]), fill_value=False)
            columns[role_column] = pc.if_else(is_bot, "assistant", columns[role_column])
        if role_column in columns and not columns.keys().isdisjoint((self.note, *self.kinds)):
            columns[role_column] = pc.if_else(self._is_note(rows), "system", columns[role_column])
        return replace(rows, columns=columns)

    def _meant(self, roles: pa.Array) -> pa.Array:
        """Return the roles with our word for each word that means another role in this column."""
        places = pc.index_in(_plain(roles), value_set=pa.array(list(self.words), pa.string()))
        return pc.coalesce(pa.array(list(self.words.values()), pa.string()).take(places), roles)

    def count_notes(self, rows: Rows) -> int:
        """Return the number of internal notes among rows."""
        return int(pc.sum(self._is_note(rows)).as_py() or 0)

    def _is_note(self, rows: Rows) -> pa.Array:
        found = pa.repeat(pa.scalar(value=False), len(rows.numbers))
        if self.note is not None and self.note in rows.columns:
            found = _is_noted(rows.columns[self.note], note_if_true=self.note_if_true)
        for kind in self.kinds:
            if kind in rows.columns:
                found = pc.or_(found, _is_note_word(rows.columns[kind]))
                if self.role_column in rows.columns and rows.columns[self.role_column].null_count:
                    is_comment = pc.and_(
                        pc.equal(_plain(rows.columns[kind]), "comment"), rows.columns[self.role_column].is_null()
                    )
                    found = pc.or_(found, pc.fill_null(is_comment, fill_value=False))
        return found

    def notes(self) -> list[str]:
        """Return sentences that say what is derived."""
        sentences = []
        if self.speaker:
            sentences.append(
                f"Who speaks is told by the column {self.speaker}: {self.speaker_if_true} where it is true."
            )
        if self.words:
            meanings = ", ".join(f"{word} is {role}" for word, role in self.words.items())
            sentences.append(
                f"By the words beside them, words for roles mean: {meanings}; `roles:` in a mapping says otherwise."
            )
        if self.bot:
            sentences.append(f"Rows whose {self.bot} is true have the role assistant.")
        if self.author:
            sentences.append(
                f"Who speaks is told by the column {self.author}: user where it is {self.requester}, else agent."
            )
        if self.note:
            which = "true or private" if self.note_if_true else "false or private"
            sentences.append(f"Rows whose {self.note} is {which} are internal notes and get the role system.")
        sentences += [
            f"Rows whose {kind} is note or internal are internal notes and get the role system."
            for kind in self.kinds_with_notes
        ]
        return sentences


def role_flags(
    columns: Mapping[str, pa.Array],
    *,
    has_roles: bool,
    role_column: str = "",
    stated: Collection[str] = (),
    but: Collection[str] = (),
) -> RoleFlags:
    """Return the columns of a table that say who speaks by their usual names.

    Args:
        columns: Columns of the table with their first values. A column of notes has truth values, and not each row is
            a note: a table in which all rows are private says something else about them.
        has_roles: Whether a column of roles exists.
        role_column: Column of roles, whose words may mean other roles than elsewhere.
        stated: Words whose meaning the mapping says.
        but: Columns that the mapping decides about.
    """
    names = [name for name in columns if name not in but]
    name_of = by_form(names)
    speaker, if_true, if_false = None, "agent", "user"
    if not has_roles:
        prompter = next((name_of[form] for form in _PROMPTER_FLAGS if form in name_of), None)
        agent = next((name_of[form] for form in _AGENT_FLAGS if form in name_of), None)
        customer = next((name_of[form] for form in _CUSTOMER_FLAGS if form in name_of), None)
        bot = next((name_of[form] for form in _BOT_FLAGS if form in name_of), None)
        speaker, if_true = (agent, "agent") if agent else (customer, "user") if customer else (bot, "assistant")
        if_false = "agent" if if_true == "user" else "user"
        if prompter:
            speaker, if_true, if_false = prompter, "user", "assistant"
    values = columns[role_column].slice(0, _LOOKED_AT).to_pylist() if role_column in columns else []
    words = {word: role for word, role in vocabulary_of(column_form(role_column), values).items() if word not in stated}
    author, requester = (None, None) if has_roles or speaker else author_and_requester(columns)
    private = next((name_of[form] for form in _NOTE_FLAGS if form in name_of), None)
    public = next((name_of[form] for form in _PUBLIC_FLAGS if form in name_of), None)
    if not _tells_apart(columns, private, note_if_true=True):
        private = None
    if not _tells_apart(columns, public, note_if_true=False):
        public = None
    # A note may stand anywhere in a long file, so that first rows without one decide nothing.
    marked = {name_of[form]: _is_note_word(columns[name_of[form]]) for form in KINDS if form in name_of}
    kinds = tuple(name for name, is_note in marked.items() if not len(is_note) or not pc.all(is_note).as_py())
    with_notes = tuple(name for name in kinds if pc.any(marked[name]).as_py())
    return RoleFlags(
        speaker,
        if_true,
        if_false,
        _bot_column(columns, name_of) if has_roles else None,
        role_column if role_column in columns else "",
        words,
        author,
        requester,
        private or public,
        note_if_true=private is not None,
        kinds=kinds,
        kinds_with_notes=with_notes,
    )


def _bot_column(columns: Mapping[str, pa.Array], name_of: Mapping[str, str]) -> str | None:
    """Return a column that is true for some of the first rows and for no other value than a truth value."""
    for name in (name_of[form] for form in _BOTS_AMONG_AUTHORS if form in name_of):
        flags = _flag(columns[name])
        if pc.any(flags).as_py() and flags.null_count == columns[name].null_count:
            return name
    return None


def author_and_requester(columns: Mapping[str, pa.Array]) -> tuple[str, str] | tuple[None, None]:
    """Return the columns of the author and of the ticket's customer, if the customer wrote some of the first rows.

    Of several such pairs, such as ids and names, the one in which the customer wrote most rows counts.

    Args:
        columns: Columns of the table with their first values.
    """
    written = {
        (author, requester): pc.sum(_is_same(columns[author], columns[requester])).as_py() or 0
        for author in author_columns(columns)
        for requester in requester_columns(columns)
        if author != requester
    }
    pair = max(written, key=lambda one: written[one], default=None)
    return pair if pair is not None and written[pair] else (None, None)


def _is_same(author: pa.Array, requester: pa.Array) -> pa.Array:
    """Return which rows their ticket's customer wrote; null where one of the two is not stated."""
    return pc.equal(_plain(author), _plain(requester))


def _is_note_word(values: pa.Array) -> pa.Array:
    return pc.is_in(_plain(values), value_set=_NOTES)


def _plain(values: pa.Array) -> pa.Array:
    return pc.utf8_lower(pc.utf8_trim_whitespace(values))


def _is_noted(values: pa.Array, *, note_if_true: bool) -> pa.Array:
    """Return which rows a column marks as internal notes, by a truth value or by a word such as ``private``."""
    flags = _flag(values)
    is_note = pc.fill_null(flags if note_if_true else pc.invert(flags), fill_value=False)
    return pc.or_(is_note, _is_note_word(values))


def says_who_speaks(names: Collection[str]) -> bool:
    """Tell whether columns other than one of roles may tell agents from customers."""
    forms = set(map(column_form, names))
    has_pair = bool(author_columns(names)) and bool(requester_columns(names))
    return (
        has_pair
        or has_mail_columns(names)
        or not forms.isdisjoint({*_AGENT_FLAGS, *_CUSTOMER_FLAGS, *_BOT_FLAGS, *_PROMPTER_FLAGS})
    )


def _tells_apart(columns: Mapping[str, pa.Array], name: str | None, *, note_if_true: bool) -> bool:
    """Tell whether a column has truth values or words for notes, and at least one says that its row is no note."""
    if name is None:
        return False
    values = columns[name]
    is_known = pc.or_(pc.is_valid(_flag(values)), pc.is_in(_plain(values), value_set=_NOTES_AND_PUBLIC))
    if pc.any(pc.and_not(pc.is_valid(values), is_known)).as_py():
        return False
    return not pc.all(_is_noted(values, note_if_true=note_if_true)).as_py()


def _flag(values: pa.Array) -> pa.Array:
    """Return booleans of a column of texts; null for a text that is neither true nor false."""
    words = _plain(values)
    known = pc.or_(pc.is_in(words, value_set=_TRUE), pc.is_in(words, value_set=_FALSE))
    return pc.if_else(known, pc.is_in(words, value_set=_TRUE), pa.scalar(None, pa.bool_()))
