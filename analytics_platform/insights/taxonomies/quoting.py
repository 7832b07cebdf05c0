"""The expression that extracts a rule's match from a text; `taxonomy` validates it, `label_rules` runs it."""

from __future__ import annotations


def quoting(regex: str) -> str:
    """Return an RE2 expression that matches a whole text and captures a rule's first match in its first group."""
    return rf"(?i)\A(?s:.*?)({regex})(?s:.*)\z"
