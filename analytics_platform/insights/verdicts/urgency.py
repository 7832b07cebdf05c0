"""Urgency: how soon the customer needs an answer, by the most telling message of the customer.

The rules are tried in the order of ``RULES`` on each message; the earliest rule of any message decides a conversation.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.insights.tiers.tier import Ints
from analytics_platform.insights.verdicts.cue_matching import CueHits, Mask
from analytics_platform.insights.verdicts.decision_table import Verdict, first_rule
from analytics_platform.insights.verdicts.dialogue import Dialogue
from analytics_platform.insights.verdicts.stakes import Stakes

OPPOSITES: Mapping[str, str | None] = {"pressing": "can_wait", "endangered": None, "outage": None, "deadline": None}

_BY_WORDS: Mapping[str, str] = {
    "danger": "critical",
    "outage": "critical",
    "pressing_and_blocked": "high",
    "pressing_and_deadline": "high",
    "pressing": "high",
    "blocked_before_deadline": "high",
    "blocked": "high",
    "deadline": "high",
    "can_wait": "low",
    "shouting": "normal",
    "nothing_urgent": "normal",
}
"""Rules that are tried on each message, in their order."""
RULES: Mapping[str, str] = {**_BY_WORDS, "small_stakes": "low"}
"""The rules in their order, with the label that each is expected to mean."""

GUESSES = ("shouting", "nothing_urgent", "small_stakes")
"""Rules without words about time or danger; the tier's opinion of the most telling message counts beside them."""

_CUES: Mapping[str, tuple[str, ...]] = {
    "danger": ("endangered",),
    "outage": ("outage",),
    "pressing_and_blocked": ("pressing",),
    "pressing_and_deadline": ("pressing",),
    "pressing": ("pressing",),
    "blocked_before_deadline": ("blocked",),
    "blocked": ("blocked",),
    "deadline": ("deadline",),
    "can_wait": ("can_wait",),
}
"""Cues whose words are quoted as the reason of a rule."""

_UNIT = r"(?:min|hour|hr|h\b|std|stund|heure|hora|ora|ore|uur|godz|час|мин|دقيقة|ساعة|ساعات)"
_COUNTDOWN = "|".join(
    (
        rf"(?i)\b(?:in|within|en|dans|em|tra|fra|over|binnen|za|через|خلال|بعد)\s+\d+\s*{_UNIT}",
        r"\d+\s*(?:dakika|saat)\s+(?:içinde|sonra)|yarım saat",  # noqa: RUF001
        r"[\d半两一二三]\s*个?(?:分钟|小时)[内后之]|半小时",
        r"[\d一二三]\s*(?:分|時間)(?:以内|後)",
        r"\d+\s*(?:분|시간)\s*(?:안|내|후|뒤)",
        r"half an hour|halben stunde|demi-heure|media hora|meia hora|mezz'ora|half uur|pół godziny|полчаса",
    )
)
"""A number of minutes or hours that are left."""
_SHOUTING = r"[!！]{3,}|\b\p{Lu}{3,}\s+(?:\p{Lu}{2,}\s+)*\p{Lu}{3,}\b"
"""Three exclamation marks, or at least two long words in capitals."""


def decide(dialogue: Dialogue, hits: CueHits, said: pa.Table, stakes: Stakes) -> Verdict:
    """Return the rule of each conversation; ``nothing_urgent`` if no customer says anything.

    Args:
        dialogue: The conversations' messages.
        hits: Cues of the messages.
        said: The column text of the messages.
        stakes: What the conversations' labels say about the cost of a wait; it decides where no words do.
    """
    by_message = _rules_of_messages(hits, said)
    number = np.where(dialogue.by_customer, by_message, len(_BY_WORDS) - 1)
    rule = np.full(dialogue.count, len(_BY_WORDS) - 1)
    np.minimum.at(rule, dialogue.of_message, number)
    telling = dialogue.by_customer & (number == rule[dialogue.of_message])
    turn = dialogue.first(telling)
    message = dialogue.messages(turn)
    cue = np.full(dialogue.count, "", dtype=object)
    names = list(RULES)
    rule[stakes.low & (rule >= names.index("shouting"))] = names.index("small_stakes")
    for place, name in enumerate(names):
        for one in _CUES.get(name, ()):
            cue[rule == place] = one
    return Verdict(rule, message, cue.tolist(), np.zeros((dialogue.count, 0)))


def _rules_of_messages(hits: CueHits, said: pa.Table) -> Ints:
    """Return the number of each message's rule."""
    pressing, blocked = hits["pressing"], hits["blocked"]
    deadline = hits["deadline"] | np.asarray(pc.match_substring_regex(said["text"], _COUNTDOWN)).astype(np.bool_)
    conditions: dict[str, Mask] = {
        "danger": hits["endangered"],
        "outage": hits["outage"],
        "pressing_and_blocked": pressing & blocked & ~hits["can_wait"],
        "pressing_and_deadline": pressing & deadline & ~hits["can_wait"],
        "pressing": pressing & ~hits["can_wait"],
        "blocked_before_deadline": blocked & deadline & ~hits["can_wait"],
        "blocked": blocked & ~hits["can_wait"],
        "deadline": deadline & ~hits["can_wait"],
        "can_wait": hits["can_wait"],
        "shouting": np.asarray(pc.match_substring_regex(said["text"], _SHOUTING)).astype(np.bool_),
        "nothing_urgent": np.ones(len(said), np.bool_),
    }
    return first_rule([conditions[name] for name in _BY_WORDS])
