"""Rules by meaning: what the first and the last messages of a conversation do, where no list of phrases decides.

Only conversations that a weak rule of ``resolution`` decides are read, and only their last message of each side and the
customer's first one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from analytics_platform.insights.tiers.tier import Ints
from analytics_platform.insights.verdicts.acts import ActReader
from analytics_platform.insights.verdicts.course import Course
from analytics_platform.insights.verdicts.cue_matching import Mask

RULES: Mapping[str, str] = {
    "chat_unanswered": "unclear",
    "task_answered": "resolved",
    "agent_served": "resolved",
    "agent_did_not_settle": "unresolved",
    "agent_advised": "unclear",
    "customer_content": "resolved",
    "customer_upset": "unresolved",
    "customer_waits": "unresolved",
    "customer_thanked": "resolved",
    "opening_chat": "unclear",
}
"""The rules, with the label that each is expected to mean."""
BY_CUSTOMER = ("customer_content", "customer_upset", "customer_waits", "customer_thanked")
"""Rules that the customer's last message decides; the other answered ones follow from the agent's last message."""

_UNANSWERED = ("unanswered", "remark_unanswered")
_ANSWERED = (
    *("answered", "question_answered", "regretted", "nothing_asked", "complaint_answered", "will_try", "not_known"),
    *("thanked_not_knowing", "welcomed", "asked_back"),
)
"""Weak rules of conversations that end with an agent's message."""
_ANSWERED_TASK = (*_ANSWERED, "answered_at_length", "promised", "refused", "done", "handed_over")
"""The same where the answer is a text that was ordered, and its words say nothing about the conversation."""
_ANSWERED_REMARK = ("last_remark", "details_given", "replied_briefly", "nothing_asked")
_REMARKED = (*_ANSWERED_REMARK, "remark_unanswered")
"""Weak rules of conversations that end with a customer's message. Where nobody answered, nothing is resolved, however
content the customer sounds."""
_TOOK_NOTE = ("accepted", "will_try")
"""Rules of customers who take note, of whatever the agent said."""


def refine(course: Course, rule: Ints, names: Sequence[str], reader: ActReader) -> Ints:
    """Return the rules after reading the conversations that weak rules decide.

    Args:
        course: Facts about the conversations.
        rule: Number of each conversation's rule; shape (conversations,).
        names: Names of all rules, in the order of their numbers.
        reader: Reads the acts.
    """
    weak = {*_UNANSWERED, *_ANSWERED_TASK, *_REMARKED, *_TOOK_NOTE}
    rows = np.flatnonzero(np.isin(rule, [names.index(name) for name in weak]))
    refined = rule.copy()
    if not len(rows):
        return refined
    dialogue = course.dialogue
    last = course.last_customer[rows]
    first = np.where(course.answered, course.begun, course.last_question)[rows]
    agent = dialogue.last(~dialogue.by_customer)[rows]
    opening = reader.read_messages("opening", course.parts, dialogue.messages(first))
    customer = reader.read_messages("customer", course.parts, dialogue.messages(last))
    answer = reader.read_agents(_texts(course, agent))
    heard, by_agent = agent >= 0, agent > last
    declined = answer.among("refuses", "defers", "refers")
    task = opening.among("task")

    def by(*some: str) -> Mask:
        return np.asarray(np.isin(rule[rows], [names.index(name) for name in some]))

    ends = heard & ~by_agent
    conditions: dict[str, Mask] = {
        "chat_unanswered": ~heard & by(*_UNANSWERED) & opening.among("social"),
        "task_answered": by_agent
        & by(*_ANSWERED_TASK)
        & task
        & ~answer.together("refuses", "refers")
        & ~answer.among("asks"),
        "opening_chat": by_agent & by("nothing_asked", "answered", "welcomed") & opening.among("social"),
        "agent_did_not_settle": (by_agent & by(*_ANSWERED) & declined)
        | (ends & by("accepted") & (declined | answer.together("refuses", "refers")))
        | (ends & by("will_try") & answer.together("refuses", "refers"))
        | (ends & by("replied_briefly") & declined & ~customer.among("content", "discontent", "waits", "thanks")),
        "agent_served": by_agent & by(*_ANSWERED) & answer.among("done", "informs"),
        "agent_advised": by_agent & by(*_ANSWERED) & answer.among("advises") & opening.among("problem"),
        "customer_content": ends & by(*_ANSWERED_REMARK) & customer.among("content"),
        "customer_upset": ends & by(*_REMARKED, "accepted") & customer.among("discontent"),
        "customer_waits": ends & by(*_REMARKED, "accepted") & customer.among("waits"),
        "customer_thanked": ends & by(*_ANSWERED_REMARK) & customer.among("thanks"),
    }
    free = np.ones(len(rows), np.bool_)
    for name, holds in conditions.items():
        refined[rows[free & holds]] = names.index(name)
        free &= ~holds
    return refined


def _texts(course: Course, turn: Ints) -> list[str]:
    """Return the text of the message at each turn, empty for no turn."""
    return [course.parts.texts[message] if message >= 0 else "" for message in course.dialogue.messages(turn).tolist()]
