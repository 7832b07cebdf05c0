"""Kinds of personal data, and the columns beside texts in which it may be looked for."""

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
"""Every kind that can be found; where two spans overlap, the kind named first here wins."""
STRUCTURED = frozenset(KINDS) - {"ADDRESS", "NAME"}
"""Kinds with a form of their own, found with high precision."""
REDACTABLE_COLUMNS = ("channel", "model", "outcome", "variant")
"""Columns beside texts in which a source may state what it likes, and from which personal data can be taken out."""
_GROUPS = {"STRUCTURED": STRUCTURED, "ALL": frozenset(KINDS), "NONE": frozenset[str]()}


def kinds_named(words: str) -> frozenset[str]:
    """Return the kinds that a list such as ``structured,name`` names; case and spaces do not matter.

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
    """Return the columns that a list such as ``channel,variant`` names; case and spaces do not matter.

    Raises:
        ValueError: If a word is none of ``REDACTABLE_COLUMNS``.
    """
    columns = {word.strip().lower() for word in words.split(",")} - {""}
    for unknown in sorted(columns.difference(REDACTABLE_COLUMNS)):
        raise ValueError(f"must be of {', '.join(REDACTABLE_COLUMNS)}; {unknown} is none of them")
    return frozenset(columns)
