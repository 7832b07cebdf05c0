"""Urgency and resolution that people teach: labelled conversations say how often each rule is right, and vote.

Labelled conversations of a rule are counted beside the shipped counts, so that a rule means what it means to this
company; conversations also vote by the similarity of their words. Each of the two counts only if it is better on the
labelled conversations themselves, each of which is judged without its own label.

People who correct only what is wrong say nothing about how often the rules are right. So corrections teach only if some
of them confirm the rules, as corrections of conversations read at random do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics_platform.insights.encoders.device import CPU, Device
from analytics_platform.insights.heads.experts import MOST_EXACT, NeighbourExpert
from analytics_platform.insights.heads.training_set import LabelledVectors, training_documents
from analytics_platform.insights.tiers.examples import general_texts
from analytics_platform.insights.tiers.taught_head import TaughtHead, Voters, evidence_of, fit_stack
from analytics_platform.insights.tiers.tier import Documents, Floats, Ints, Singles
from analytics_platform.insights.vectors.document_vectors import pool_both
from analytics_platform.insights.vectors.static_multilingual import StaticEncoder
from analytics_platform.insights.vectors.unit_length import unit

_OWN_WEIGHT = 5.0
"""Labelled conversations that the shipped answer of a rule counts for. Of 1, 2, 3 and 5, this one lowers the log-loss
most on the conversations of ``training/outcomes`` and ``training/gold``, from 0.79 to 0.73."""
_RULE_LENGTH = 0.7
"""Length of the part of a vector that names the rule, against 1 for the words."""
_GENERAL = 400
"""Number of general texts, which vote for no label: a conversation that resembles them keeps the label of the rules."""
_FEWEST = 20
"""Fewest labelled conversations of a kind; fewer do not tell whether they help."""
_FOLDS = 5
_LEAST_CONFIRMED = 0.5
"""Least share of corrections that confirm the rules, in parts of the confidence of the rules."""


@dataclass(frozen=True)
class TaughtOutcome:
    """What people taught about urgency or resolution.

    Attributes:
        counts: Labelled conversations by rule and label; shape (rules, labels).
        head: The labelled conversations that vote, and their weight; None if votes do not help.
    """

    counts: Floats
    head: TaughtHead | None

    @classmethod
    def fit(
        cls,
        encoder: StaticEncoder,
        labels: Sequence[str],
        rules: Sequence[str],
        taught: LabelledVectors,
        device: Device = CPU,
    ) -> TaughtOutcome | None:
        """Return what labelled conversations teach; None if they are too few, or the rules alone do no worse.

        Args:
            encoder: Makes the static vectors of the general texts.
            labels: Names of the labels.
            rules: Names of the rules, in the order of their numbers.
            taught: The labelled conversations, with the rule and the probabilities of each.
            device: Device of the products with voters.
        """
        if taught.answers is None or taught.answers.shape[1] != len(labels):
            return None
        codes = np.array([list(labels).index(label) for label in taught.labels], np.int64)
        number = np.array([list(rules).index(one) if one in rules else -1 for one in taught.rules], np.int64)
        rows = np.flatnonzero(_is_representative(taught, codes) & (number >= 0))
        if len(rows) < _FEWEST:
            return None
        codes, number, own = codes[rows], number[rows], taught.answers[rows]
        counts = np.zeros((len(rules), len(labels)))
        np.add.at(counts, (number, codes), 1)
        counted = count_in(own, counts[number] - np.eye(len(labels))[codes])  # each without its own label
        if not _is_better(counted, own, codes):
            return None
        general = training_documents(general_texts(_GENERAL), encoder)
        vectors = np.concatenate(
            [
                _beside_rule(taught.vectors[rows], number, len(rules)),
                _beside_rule(pool_both(general, np.arange(_GENERAL)), np.full(_GENERAL, -1), len(rules)),
            ]
        )
        of_voters = np.append(codes, np.full(_GENERAL, len(labels)))
        voters = Voters(vectors, of_voters, np.ones(len(of_voters)))
        if not _is_better(_try_votes(voters, counted), counted, codes):
            return cls(counts, None)
        return cls(counts, TaughtHead.fit(voters, counted, np.arange(len(rows)), device))

    def adjust(self, confidence: Floats, documents: Documents, rule: Ints) -> Floats:
        """Return probabilities with regard to what was taught.

        Args:
            confidence: Probabilities by the rules; shape (conversations, labels).
            documents: The conversations.
            rule: Number of each conversation's rule.
        """
        counted = count_in(confidence, self.counts[rule])
        if self.head is None:
            return counted
        words = pool_both(documents, np.arange(len(documents)))
        voted = self.head.adjust(counted, _beside_rule(words, rule, len(self.counts)))
        return np.where(np.any(words, axis=1, keepdims=True), voted, counted)


def count_in(confidence: Floats, counts: Floats) -> Floats:
    """Return probabilities with regard to labelled conversations of the same rule; shapes (conversations, labels)."""
    return np.asarray((_OWN_WEIGHT * confidence + counts) / (_OWN_WEIGHT + counts.sum(axis=1, keepdims=True)))


def _is_representative(taught: LabelledVectors, codes: Ints) -> np.ndarray:
    """Return which conversations say how often rules are right: of labelled files, and of corrections that confirm."""
    assert taught.answers is not None
    corrected = taught.weights > 1
    right = taught.answers.argmax(axis=1) == codes
    expected = taught.answers.max(axis=1)
    if corrected.any() and right[corrected].mean() < _LEAST_CONFIRMED * expected[corrected].mean():
        return ~corrected
    return np.ones(len(codes), np.bool_)


def _beside_rule(vectors: Floats | Singles, rule: Ints, count: int) -> Singles:
    """Return vectors of words beside the rule, of unit length; -1 stands for no rule."""
    of_rule = np.eye(count + 1, count)[rule] * _RULE_LENGTH
    return np.asarray(unit(np.hstack([vectors, of_rule])), np.float32)


def _try_votes(voters: Voters, own: Floats) -> Floats:
    """Return the probabilities of labelled conversations by votes beside a head, each without its own vote.

    The weights of the votes are fitted on the conversations of other folds.

    Args:
        voters: The labelled conversations, then general texts.
        own: The head's probabilities of the labelled conversations; shape (conversations, labels).
    """
    count, codes = len(own), voters.codes[: len(own)]
    votes = NeighbourExpert(MOST_EXACT).fit(voters.vectors, voters.codes, own.shape[1], voters.weights).scores[:count]
    fold = np.random.default_rng(0).permutation(count) % _FOLDS
    tried = np.empty_like(own)
    for number in range(_FOLDS):
        rows, fitted = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        stack = fit_stack(own[fitted], votes[fitted], codes[fitted])
        tried[rows] = stack.predict(evidence_of(own[rows], votes[rows], shifts=True))
    return tried


def _is_better(answers: Floats, before: Floats, codes: Ints) -> bool:
    """Tell whether no fewer labels are right, and the right labels are more probable."""

    def right(one: Floats) -> int:
        return int((one.argmax(axis=1) == codes).sum())

    def surprise(one: Floats) -> float:
        return float(-np.log(np.maximum(one[np.arange(len(codes)), codes], 1e-6)).mean())

    return right(answers) >= right(before) and surprise(answers) < surprise(before)
