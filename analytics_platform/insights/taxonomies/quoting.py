"""What a regular expression of a rule matched in a text: the expression that ``taxonomy`` tries and ``rules`` runs.

Belongs here: that expression. Does not belong here: running it.
"""

from __future__ import annotations


def quoting(regex: str) -> str:
    """Return an RE2 expression of a whole text whose first group is what a rule's expression finds in it."""
    return rf"(?i)\A(?s:.*?)({regex})(?s:.*)\z"
