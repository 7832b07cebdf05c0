"""Decisions by the first rule that holds, each with the shares of labels that it had on labelled conversations.

``training/outcomes/fit.py`` counts the labels of `development.jsonl` by rule and writes `rule_counts.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from analytics_platform.insights.tiers.tier import Floats, Ints

COUNTS = Path(__file__).parent / "rule_counts.yaml"

PRIOR_WEIGHT = 3.0
"""Conversations that a rule's expected label counts for, beside the labelled ones. Chosen of 1, 2, 3, 5 and 8 by the
leave-one-out log-loss on the labelled conversations."""
PRIOR_SHARE = 0.7
"""Share of the expected label before any conversation is labelled; the rest is divided among the other labels."""


@dataclass(frozen=True)
class Verdict:
    """The rule that decides each conversation, and what decided.

    Attributes:
        rule: Number of the rule in its table; shape (conversations,).
        message: Index of the message that decided, -1 for none; shape (conversations,).
        cue: Name of the cue that decided, empty for none; by conversation.
        evidence: What else speaks for a label; shape (conversations, pieces), without pieces for urgency.
    """

    rule: Ints
    message: Ints
    cue: list[str]
    evidence: Floats


@dataclass(frozen=True)
class DecisionTable:
    """Rules of one kind of label, in the order in which they are tried.

    Attributes:
        labels: Names of the labels.
        rules: Label that each rule is expected to mean, by the rule's name.
        counts: Labelled conversations by rule and label; shape (rules, labels).
    """

    labels: tuple[str, ...]
    rules: Mapping[str, str]
    counts: Floats

    @classmethod
    def load(cls, kind: str, labels: Sequence[str], rules: Mapping[str, str]) -> DecisionTable:
        """Return the table of a kind with the shipped counts; a rule without counts has only its expected label."""
        counted = _shipped_counts().get(kind, {})
        counts = [[float(counted.get(rule, {}).get(label, 0)) for label in labels] for rule in rules]
        return cls(tuple(labels), rules, np.array(counts))

    def place(self, rule: str) -> int:
        """Return the number of a rule."""
        return list(self.rules).index(rule)

    def places(self, rules: Sequence[str]) -> Ints:
        """Return the numbers of some rules; shape (rules,)."""
        return np.array([self.place(rule) for rule in rules])

    @property
    def shares(self) -> Floats:
        """Probability of each label by rule; shape (rules, labels)."""
        return shares_of(self.counts, self.prior)

    @property
    def prior(self) -> Floats:
        """Pseudo-counts of each label by rule; shape (rules, labels)."""
        expected = np.array([[label == meant for label in self.labels] for meant in self.rules.values()], np.float64)
        other = (1 - PRIOR_SHARE) / (len(self.labels) - 1)
        return np.asarray(PRIOR_WEIGHT * np.where(expected > 0, PRIOR_SHARE, other))


def shares_of(counts: Floats, prior: Floats) -> Floats:
    """Return smoothed shares; each row sums to 1."""
    total = counts + prior
    return np.asarray(total / total.sum(axis=1, keepdims=True))


def first_rule(conditions: Sequence[NDArray[np.bool_]]) -> Ints:
    """Return the number of the first condition that holds in each place; the last one where none does.

    >>> first_rule([np.array([True, False]), np.array([True, True])]).tolist()
    [0, 1]
    """
    stacked = np.vstack([*conditions[:-1], np.ones(len(conditions[-1]), np.bool_)])
    return np.asarray(stacked.argmax(axis=0), np.int64)


@cache
def _shipped_counts() -> dict[str, dict[str, dict[str, int]]]:
    counts: dict[str, dict[str, dict[str, int]]] = yaml.safe_load(COUNTS.read_text(encoding="utf-8")) or {}
    return counts
