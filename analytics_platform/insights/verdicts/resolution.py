"""Resolution: whether a conversation settled what the customer came for, by who spoke last and what they said.

The rules are tried in the order of ``RULES``. An unanswered question is never resolved, whatever words it contains.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from analytics_platform.insights.tiers.tier import Documents, Ints
from analytics_platform.insights.verdicts import closing
from analytics_platform.insights.verdicts.acts import ActReader
from analytics_platform.insights.verdicts.course import Course
from analytics_platform.insights.verdicts.cue_matching import CueHits, Mask
from analytics_platform.insights.verdicts.decision_table import Verdict, first_rule
from analytics_platform.insights.verdicts.dialogue import Dialogue
from analytics_platform.insights.verdicts.ending import ending_evidence
from analytics_platform.insights.verdicts.stakes import Stakes

OPPOSITES: Mapping[str, str | None] = {"confirms": "complains", "own_solution": "complains", "done": None}

RULES: Mapping[str, str] = {
    "customer_silent": "unclear",
    "solved_alone": "resolved",
    "thanked_unanswered": "unresolved",
    "unanswered": "unresolved",
    "remark_unanswered": "unresolved",
    "nothing_asked": "unclear",
    "wanted_person": "unresolved",
    "confirmed": "resolved",
    "partly_confirmed": "partly_resolved",
    "complained": "unresolved",
    "further_question": "partly_resolved",
    "details_given": "unresolved",
    "left_open": "unresolved",
    "last_remark": "unclear",
    "handed_over": "unresolved",
    "refused": "unresolved",
    "promised": "unresolved",
    "will_try": "unclear",
    "done_and_refused": "partly_resolved",
    "done_and_accepted": "resolved",
    "declined_more": "resolved",
    "thanked_not_knowing": "unresolved",
    "thanked": "resolved",
    "accepted": "resolved",
    "closed_unheard": "unclear",
    "done": "resolved",
    "welcomed": "resolved",
    "not_known": "unresolved",
    "complaint_answered": "unresolved",
    "asked_twice": "unresolved",
    "answered_at_length": "resolved",
    "asked_back": "unresolved",
    "replied_briefly": "resolved",
    "regretted": "unresolved",
    "question_answered": "resolved",
    "answered": "unclear",
    **closing.RULES,
    "no_matter": "unclear",
}
"""The rules in their order, with the label that each is expected to mean."""

NEVER_RESOLVED = ("thanked_unanswered", "unanswered", "remark_unanswered", "left_open", "further_question")
"""Rules of an unanswered question."""
BY_QUESTION = (
    *("left_open", "further_question", "details_given", "last_remark", "asked_twice", "replied_briefly"),
    *closing.BY_CUSTOMER,
)
"""Rules whose reason quotes the content of a customer's message. Where nobody answered, the rule is the reason."""
GUESSES = (
    *("last_remark", "will_try", "thanked", "accepted", "asked_back", "complaint_answered", "answered_at_length"),
    *("replied_briefly", "regretted", "question_answered", "answered"),
)
"""Rules without decisive words; the tier's opinion of the customer's last messages counts beside them."""

DECIDED = (
    *("customer_silent", "no_matter", "solved_alone", "wanted_person", "confirmed", "partly_confirmed", "complained"),
    *("remark_unanswered", "will_try", "handed_over", "refused", "promised", "done_and_refused", "done_and_accepted"),
    *("declined_more", "regretted"),
)
"""Rules of conversations in which nothing is left to weigh: the customer's words decide, or an agent's refusal or
promise, or nobody answered, or there is no matter."""

_DOUBTFUL = (
    *("remark_unanswered", "last_remark", "accepted", "welcomed", "answered_at_length", "asked_back"),
    "replied_briefly",
    *("question_answered", "answered", "chat_unanswered", "task_answered", "agent_served", "agent_did_not_settle"),
    *("agent_advised", "customer_content", "customer_thanked", "opening_chat", "nothing_asked"),
)
"""Rules that say little where the conversation's intent is that nothing was asked."""
_ENDINGS = ("refuses", "excluded", "promises", "done", "hands_over")
"""Cues of the agent that end the matter for the time being; the latest of them counts."""

_CUES: Mapping[str, tuple[str, ...]] = {
    "solved_alone": ("own_solution",),
    "wanted_person": ("wants_person",),
    "confirmed": ("confirms", "own_solution"),
    "partly_confirmed": ("partly", "complains", "persists", "contrasts"),
    "complained": ("complains", "persists", "thanks_anyway"),
    "handed_over": ("hands_over",),
    "refused": ("refuses", "excluded"),
    "promised": ("promises",),
    "will_try": ("will_try",),
    "done_and_refused": ("refuses", "excluded"),
    "done_and_accepted": ("done",),
    "declined_more": ("no_more", "negates"),
    "thanked_not_knowing": ("not_known",),
    "thanked": ("thanks",),
    "accepted": ("accepts",),
    "closed_unheard": ("closes_unheard",),
    "done": ("done",),
    "welcomed": ("welcomes", "greets"),
    "regretted": ("regrets",),
    "not_known": ("not_known",),
}
"""Cues whose words are quoted as the reason of a rule; the message of a rule without cues is quoted by its content."""

_BY_AGENT = frozenset(
    {
        "handed_over",
        "refused",
        "promised",
        "done_and_refused",
        "done_and_accepted",
        "thanked_not_knowing",
        "closed_unheard",
        "done",
    }
    | {"welcomed", "asked_back", "not_known", "regretted", "question_answered", "complaint_answered"}
    | {"answered_at_length", "answered", "task_answered", "agent_served", "agent_did_not_settle", "agent_advised"}
)
"""Rules that an agent's message decides."""


def decide(
    dialogue: Dialogue, hits: CueHits, parts: Documents, said: pa.Table, reader: ActReader, stakes: Stakes
) -> Verdict:
    """Return the rule of each conversation.

    Args:
        dialogue: The conversations' messages.
        hits: Cues of the messages.
        parts: The messages as documents.
        said: Columns text and role of the messages.
        reader: Reads messages in which no list of phrases finds anything decisive.
        stakes: What the conversations' labels say about whether anything was asked.
    """
    course = Course(dialogue, hits, parts, said)
    answered, tail = course.answered, course.tail
    agent_last = course.last_answer > course.substance
    agent = {cue: course.last_of_agent(cue) for cue in (*_ENDINGS, "not_known")}
    latest = np.maximum.reduce([agent[cue] for cue in _ENDINGS])

    def decided(cue: str) -> Mask:
        return np.asarray(agent_last & (agent[cue] >= 0) & (agent[cue] == latest))

    done = decided("done")
    customer_left = ~(tail["thanks"] | tail["accepts"] | tail["no_more"] | tail["will_try"])
    conditions = {
        "customer_silent": course.last_customer < 0,
        "solved_alone": ~answered & course.solved_alone,
        "thanked_unanswered": ~answered & course.asked & tail["thanks"],
        "unanswered": ~answered & course.asked & course.demanded,
        "remark_unanswered": ~answered & course.asked,
        "nothing_asked": ~answered | (~course.asked & (latest < 0) & ~tail["thanks"]),
        "wanted_person": tail["wants_person"] & ~done,
        "confirmed": course.verdict("confirms"),
        "partly_confirmed": course.verdict("partly"),
        "complained": course.verdict("complains") & ~agent_last,
        "further_question": course.open_last & ~agent_last & course.confirmed_before,
        "details_given": course.open_last & ~agent_last & ~course.demanded_last & course.was_asked,
        "left_open": course.open_last & ~agent_last & course.demanded_last,
        "last_remark": course.open_last & ~agent_last,
        "handed_over": decided("hands_over") & ~done,
        "refused": (decided("refuses") | (decided("excluded") & ~(tail["thanks"] & course.question_answered))) & ~done,
        "promised": decided("promises") & ~done,
        "will_try": tail["will_try"],
        "done_and_refused": course.done_and_refused,
        "done_and_accepted": done & ~customer_left,
        "declined_more": tail["no_more"],
        "thanked_not_knowing": tail["thanks"] & (agent["not_known"] > course.substance),
        "thanked": tail["thanks"],
        "accepted": tail["accepts"],
        "closed_unheard": course.last_of_agent("closes_unheard") > course.substance,
        "done": done,
        "welcomed": np.maximum(course.last_of_agent("welcomes"), course.farewell) > course.substance,
        "not_known": agent["not_known"] > course.substance,
        "complaint_answered": course.complained,
        "asked_twice": np.zeros(dialogue.count, np.bool_),
        "answered_at_length": course.answered_at_length,
        "asked_back": course.asked_back & (course.last_answer > course.last_customer),
        "replied_briefly": course.last_customer > course.last_answer,
        "regretted": course.last_of_agent("regrets") > course.substance,
        "question_answered": course.question_answered,
        "answered": np.ones(dialogue.count, np.bool_),
    }
    names = list(RULES)
    rule = first_rule([conditions[name] for name in conditions])
    rule = np.array([names.index(name) for name in conditions])[rule]
    twice = names.index("asked_twice")
    rule[course.asked_twice(rule > twice)] = twice  # comparing texts is costly, and few conversations come to this rule
    rule = closing.refine(course, rule, names, reader)
    rule[stakes.none & np.isin(rule, [names.index(name) for name in _DOUBTFUL])] = names.index("no_matter")
    return Verdict(rule, *_evidence(course, rule), ending_evidence(course, parts, reader, stakes))


def _evidence(course: Course, rule: Ints) -> tuple[Ints, list[str]]:
    """Return the message that decided each conversation and the cue that decided.

    Args:
        course: Facts about the conversations.
        rule: Number of each conversation's rule.

    Returns:
        Indices of messages, -1 for none, and names of cues, empty for none.
    """
    message = np.full(len(rule), -1)
    cue = np.full(len(rule), "", dtype=object)
    for number, name in enumerate(RULES):
        rows = np.flatnonzero(rule == number)
        if not len(rows):
            continue
        cues = _CUES.get(name, ())
        turn = _deciding_turn(course, name, cues)
        message[rows] = course.dialogue.messages(turn)[rows]
        for one in reversed(cues):
            cue[rows[course.at(turn, course.hits[one])[rows]]] = one
    return message, cue.tolist()


def _deciding_turn(course: Course, rule: str, cues: tuple[str, ...]) -> Ints:
    """Return the turn of the message that decides if a rule holds."""
    if rule in ("customer_silent", "nothing_asked", "opening_chat", "no_matter"):
        return np.full(course.dialogue.count, -1)
    if rule in _BY_AGENT:
        return np.maximum.reduce([course.last_of_agent(cue) for cue in cues]) if cues else course.last_answer
    if rule in ("confirmed", "partly_confirmed", "complained"):
        return course.substance
    if rule in ("replied_briefly", *closing.BY_CUSTOMER):
        return course.last_customer
    if cues:
        found = np.any([course.hits[cue] for cue in cues], axis=0)
        return course.dialogue.last(course.dialogue.by_customer & found & course.dialogue.since(course.substance))
    return course.last_question
