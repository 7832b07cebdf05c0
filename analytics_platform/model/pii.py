"""Kinds of personal data.

Belongs here: their names. Does not belong here: how they are found (``transform.pii``).
"""

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
