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
