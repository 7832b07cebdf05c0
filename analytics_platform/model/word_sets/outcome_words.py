"""The words with which sources say how a conversation ended, in lower case.

``not`` before a word reverses its meaning.
"""

from __future__ import annotations

SUCCESS_WORDS = frozenset(
    {
        "resolved", "solved", "success", "successful", "succeeded", "completed", "complete", "done", "fixed",
        "answered", "passed", "pass", "true", "yes", "1",
    }
)  # fmt: skip
FAILURE_WORDS = frozenset(
    {
        "unresolved", "unsolved", "failure", "failed", "fail", "unsuccessful", "incomplete", "abandoned", "unanswered",
        "dropped", "false", "no", "0",
    }
)  # fmt: skip
CLOSING_WORDS = frozenset({"closed", "ended", "finished", "archived"})
"""Words that say that a conversation is over, and not how it ended."""

STATE_WORDS = frozenset(
    {
        "new", "open", "opened", "reopened", "active", "assigned", "unassigned", "todo", "to do", "in progress",
        "pending", "hold", "on hold", "waiting", "waiting on customer", "waiting on third party", "awaiting customer",
        "snoozed", "deferred", "deleted", "merged",
    }
)  # fmt: skip
"""States of a ticket that say nothing of how it ended."""

OUTCOME_RANGES = ("both", "closings")
"""Whether a source may state failures, too: of tickets that are only ever open, solved or closed, nobody learns a
success.
"""
