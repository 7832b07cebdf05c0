"""Evidence about how a conversation ends: what its first message and its last ones do, who spoke last, and how long.

A small head (`tiers/conversation_heads.py`) weighs it beside what the rules of `resolution` say.
"""

from __future__ import annotations

import numpy as np

from analytics_platform.insights.tiers.tier import Documents, Floats, Ints
from analytics_platform.insights.verdicts.acts import ActReader
from analytics_platform.insights.verdicts.course import Course
from analytics_platform.insights.verdicts.stakes import Stakes


def ending_evidence(course: Course, parts: Documents, reader: ActReader, stakes: Stakes) -> Floats:
    """Return the evidence; shape (conversations, pieces).

    Args:
        course: Facts about the conversations.
        parts: The messages as documents.
        reader: Reads what messages do.
        stakes: What the conversations' labels say about whether anything was asked.
    """
    dialogue = course.dialogue
    of_agent = dialogue.last(~dialogue.by_customer)
    first, customer, agent = (dialogue.messages(turn) for turn in (course.begun, course.last_customer, of_agent))
    spoken, heard = _count(course, dialogue.by_customer), _count(course, ~dialogue.by_customer)
    by_agent = (of_agent > course.last_customer).astype(np.float64)
    opening = reader.read_messages("opening", parts, first).probability
    answer = reader.read_messages("agent", parts, agent).probability
    reply = reader.read_messages("customer", parts, customer).probability * (spoken > 1)[:, None]
    words = np.where(agent >= 0, np.append(course.long, 0)[agent], 0)
    asks_back, asks = (
        course.at(of_agent, course.has_question_mark),
        course.at(course.last_customer, course.has_question_mark),
    )
    return np.column_stack(
        [
            opening,
            by_agent[:, None] * answer,
            (1 - by_agent)[:, None] * answer,
            (1 - by_agent)[:, None] * reply,
            by_agent,
            heard == 0,
            spoken == 1,
            np.log1p(spoken),
            by_agent * np.log1p(words),
            by_agent * asks_back,
            (1 - by_agent) * asks,
            stakes.none,
        ]
    )


def _count(course: Course, which: np.ndarray) -> Ints:
    """Return the number of marked messages of each conversation."""
    return np.bincount(course.dialogue.of_message[which], minlength=course.dialogue.count)
