"""Tables of mails: whose address stands on one side of nearly all threads is the company, and the others its customers.

Nothing in a mail says who works for the company. A company's mails come from one domain, or from one address where the
domain is that of a provider; customers differ from thread to thread.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.sources.rows import Rows
from analytics_platform.sources.shapes.table_parts.column_names import word_form

_FROM = re.compile(r"(?:from|sender|von|absender|de|remitente|expediteur|mittente|remetente)(?:_(?:e_?mail|address))*")
_TO = re.compile(
    r"(?:to|recipients?|receivers?|an|empfanger|para|destinatarios?|destinataires?|destinatari)(?:_(?:e_?mail|address))*"
)
_ADDRESS = r"(?P<address>[\w.+'-]+@(?P<domain>[\w-]+(?:\.[\w-]+)+))"
_SERVICE = re.compile(
    r"(?:support|help|helpdesk|service|kundenservice|info|kontakt|contact|sales|team|hello|care|office|orders?|noreply|"
    r"no-reply|billing|soporte|ayuda|assistance|servizio|klantenservice)\b"
)
"""Beginnings of the addresses of companies."""
_PROVIDER = re.compile(
    r"(?:gmail|googlemail|hotmail|outlook|live|msn|yahoo|ymail|aol|icloud|me|mac|proton|protonmail|pm|gmx|web|freenet|"
    r"t-online|mail|yandex|bk|list|inbox|qq|163|126|naver|daum|orange|wanadoo|free|laposte|libero|virgilio|wp|o2|onet|"
    r"zoho|fastmail|comcast|verizon|att|sbcglobal|btinternet|sky|bluewin|seznam)\.(?:com?\.)?[a-z]{2,4}"
)
"""Domains at which anybody has an address, so that a company there is known by its whole address."""
_SECOND_LEVELS = frozenset({"co", "com", "net", "org", "ac", "gov", "edu", "or", "ne", "gob"})
"""Parts such as that of example.co.uk, below which domains are registered."""
_LOOKED_AT = 5000
_NEARLY_ALL, _MOST_ALONE, _LEAST_ADDRESSES = 0.9, 0.1, 0.8


@dataclass(frozen=True)
class MailSides:
    """Who writes in a table of mails.

    Attributes:
        sender: Column of who wrote a mail.
        recipient: Column of whom it was sent to.
        company: Domain, or whole address, of the company; in small letters.
        is_guess: Whether only the beginning of an address, or who wrote first, tells the company.
    """

    sender: str
    recipient: str
    company: str
    is_guess: bool = False

    def apply(self, rows: Rows, role_column: str, filled: Collection[str]) -> Rows:
        """Return rows with a role: agent for the company's mails, system for those within it, user for all others.

        Args:
            rows: The rows.
            role_column: Column of roles, which is made.
            filled: Which of ``user_id`` and ``agent_id`` the table lacks; they get the addresses.
        """
        if self.sender not in rows.columns or self.recipient not in rows.columns:
            return rows
        senders, recipients = (_addresses(rows.columns[name]) for name in (self.sender, self.recipient))
        is_ours = self._is_ours(senders)
        is_within = pc.and_(is_ours, pc.fill_null(self._is_ours(recipients), fill_value=False))
        roles = pc.if_else(is_within, "system", pc.if_else(is_ours, "agent", "user"))
        nothing = pa.scalar(None, pa.string())
        customers = pc.if_else(is_within, nothing, pc.if_else(is_ours, recipients, senders))
        people = {"user_id": customers, "agent_id": pc.if_else(is_ours, senders, nothing)}
        return replace(rows, columns={**rows.columns, role_column: roles, **{name: people[name] for name in filled}})

    def _is_ours(self, addresses: pa.Array) -> pa.Array:
        domain = re.escape(self.company)
        pattern = f"^{domain}$" if "@" in self.company else rf"[@.]{domain}$"
        return pc.match_substring_regex(addresses, pattern)

    def note(self) -> str:
        """Return a sentence that says what was taken."""
        why = "by its name, or because others wrote first" if self.is_guess else "which stands in nearly all threads"
        return (
            f"Who speaks is told by the addresses in {self.sender}: agent for {self.company}, {why}, else user; "
            "`rules:` in a mapping say otherwise."
        )


def has_mail_columns(names: Iterable[str]) -> bool:
    """Tell whether a table has columns of senders and of recipients, by their usual names."""
    return _columns(names) is not None


def mail_sides(columns: Mapping[str, pa.Array], thread: str) -> MailSides | None:
    """Return who writes in a table of mails; None for another table, or where nothing tells who the company is.

    Args:
        columns: Columns of the table with their first values.
        thread: Column of the conversation.
    """
    found = _columns(columns)
    if found is None or thread not in columns:
        return None
    senders, recipients = (columns[name].slice(0, _LOOKED_AT) for name in found)
    written, received = _addresses(senders), _addresses(recipients)
    filled = len(senders) - senders.null_count
    if not filled or (len(written) - written.null_count) < _LEAST_ADDRESSES * filled:
        return None
    mails = [
        (str(key), sender, recipient)
        for key, sender, recipient in zip(
            columns[thread].slice(0, _LOOKED_AT).to_pylist(), written.to_pylist(), received.to_pylist(), strict=True
        )
        if sender and recipient
    ]
    candidates = _companies([(key, _side(one), _side(other)) for key, one, other in mails])
    if len(candidates) == 1 and len({key for key, *_ in mails}) > 1:
        return MailSides(*found, candidates[0])
    # One customer's threads, or a single one: both sides stand in all of them.
    named = {_side(one) for _, *two in mails for one in two if _SERVICE.match(one)}
    likely = [one for one in candidates if one in named]
    likely = likely if len(likely) == 1 else _not_opening(mails, candidates)
    return MailSides(*found, likely[0], is_guess=True) if len(likely) == 1 else None


def _columns(names: Iterable[str]) -> tuple[str, str] | None:
    forms = {name: word_form(name) for name in names}
    sender = next((name for name, form in forms.items() if _FROM.fullmatch(form)), None)
    recipient = next((name for name, form in forms.items() if _TO.fullmatch(form)), None)
    return None if sender is None or recipient is None else (sender, recipient)


def _addresses(values: pa.Array) -> pa.Array:
    """Return the first mail address of each text in small letters; null where there is none."""
    return pc.struct_field(pc.extract_regex(pc.utf8_lower(values), _ADDRESS), "address")


def _side(address: str) -> str:
    """Return the registered domain of an address; of an address at a provider, the address."""
    labels = address.rpartition("@")[2].split(".")
    has_second_level = len(labels) > 2 and labels[-2] in _SECOND_LEVELS
    domain = ".".join(labels[-3 if has_second_level else -2 :])
    return address if _PROVIDER.fullmatch(domain) else domain


def _companies(mails: Sequence[tuple[str, str, str]]) -> list[str]:
    """Return who stands on one side of nearly all threads: of mails with a thread, a sender and a recipient each."""
    sides: dict[str, set[str]] = defaultdict(set)
    for key, *two in mails:
        sides[key].update(two)
    threads = Counter(one for members in sides.values() for one in members)
    alone = Counter(one for members in sides.values() if len(members) == 1 for one in members)
    return [
        one
        for one, count in threads.items()
        if count >= _NEARLY_ALL * len(sides) and alone[one] <= _MOST_ALONE * len(sides)
    ]


def _not_opening(mails: Sequence[tuple[str, str, str]], candidates: Sequence[str]) -> list[str]:
    """Return the candidates that wrote the first mail of no thread."""
    openers = {_side(sender) for sender in {key: sender for key, sender, _ in reversed(mails)}.values()}
    return [one for one in candidates if one not in openers]
