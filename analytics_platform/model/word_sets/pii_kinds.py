"""Kinds of personal data, and the columns beside texts that may be searched for personal data."""

KINDS = (
    "SECRET",
    "URL",
    "EMAIL",
    "IBAN",
    "CARD",
    "SSN",
    "IP",
    "MAC",
    "NATIONAL_ID",
    "PHONE",
    "ADDRESS",
    "NAME",
)
"""Every kind of personal data. Where two spans overlap, the kind that stands first in this list wins."""
STRUCTURED = frozenset(KINDS) - {"ADDRESS", "NAME"}
"""Kinds with a fixed form, which are found with high precision."""
REDACTABLE_COLUMNS = ("channel", "model", "outcome", "variant")
"""Columns beside texts that hold free text of the source, and from which personal data can be redacted."""
_GROUPS = {"STRUCTURED": STRUCTURED, "ALL": frozenset(KINDS), "NONE": frozenset[str]()}


def kinds_named(words: str) -> frozenset[str]:
    """Return the kinds in a list such as ``structured,name``; case and spaces do not matter.

    Raises:
        ValueError: If a word is neither a kind nor ``structured``, ``all`` or ``none``.
    """
    kinds: set[str] = set()
    for word in filter(None, (word.strip().upper() for word in words.split(","))):
        if word not in _GROUPS and word not in KINDS:
            raise ValueError(f"must be structured, all, none or of {', '.join(KINDS)}; {word} is none of them")
        kinds |= _GROUPS.get(word, {word})
    return frozenset(kinds)


def columns_named(words: str) -> frozenset[str]:
    """Return the columns in a list such as ``channel,variant``; case and spaces do not matter.

    Raises:
        ValueError: If a word is not in ``REDACTABLE_COLUMNS``.
    """
    columns = {word.strip().lower() for word in words.split(",")} - {""}
    for unknown in sorted(columns.difference(REDACTABLE_COLUMNS)):
        raise ValueError(f"must be of {', '.join(REDACTABLE_COLUMNS)}; {unknown} is none of them")
    return frozenset(columns)
