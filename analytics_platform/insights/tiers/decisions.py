"""Decide one kind of label for a set of documents: combine the tier's answer, the rules and stated outcomes.

The module also makes the rows of reasons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.insights.encoders.words import quoted
from analytics_platform.insights.reasons.quotes import Quotes
from analytics_platform.insights.taxonomies.label_rules import Mask, RuleBook
from analytics_platform.insights.taxonomies.taxonomy import OTHER
from analytics_platform.insights.tiers.tier import Classified, Documents, Floats, Ints, Kind, Labeller, choose
from analytics_platform.model.tables.insight_tables import REASONS_TYPE

DECIMALS = 4
"""Stored decimals: few enough that threads and batch sizes cannot change them."""
LEAST_WEIGHT = 0.05
"""Least weight of a shown reason, in log-odds; words below it explain nothing to a reader."""
_MOST_GAIN = 20.0
"""Largest stored weight of a rule or a correction, in log-odds; without it, certainty would be infinite."""
BY_A_PERSON = "corrected by a person"
"""What the field ``rule`` of a reason says about a label that a person gave."""


@dataclass(frozen=True)
class Decision:
    """One kind of label for a set of documents.

    Attributes:
        name: Kind of label.
        documents: The documents.
        own: The tier's answer.
        answer: The answer after rules and stated outcomes.
        fires: Which rules fire on which documents; shape (documents, rules).
        stated: Whether the source or a person states a document's label; shape (documents,).
        corrected: Whether a person states it; shape (documents,).
    """

    name: Kind
    documents: Documents
    own: Classified
    answer: Classified
    fires: Mask
    stated: Mask
    corrected: Mask

    @classmethod
    def of(
        cls,
        kind: Kind,
        documents: Documents,
        tier: Labeller,
        rules: RuleBook,
        fires: Mask,
        states: pa.Array | None = None,
        corrections: pa.Array | None = None,
    ) -> Decision:
        """Classify the documents, and apply the rules, the labels that the source states and those of people.

        Args:
            kind: Kind of label.
            documents: The documents.
            tier: The tier that classifies, or the answers of another classifier.
            rules: Rules of all kinds.
            fires: Which rules fire on which documents; shape (documents, rules).
            states: The label that the source states for each document, null for none.
            corrections: The label that a person gave each document, null for none; it overrides all others.
        """
        own = tier.classify(kind, documents)
        answer = rules.apply(kind, own, fires)
        stated, corrected = (_state(answer, labels) for labels in (states, corrections))
        return cls(kind, documents, own, answer, fires, stated | corrected, corrected)

    @cached_property
    def chosen(self) -> Ints:
        """Column of the chosen label per document; see ``choose``."""
        return _chosen(self.answer)

    @cached_property
    def silent(self) -> Mask:
        """Whether a document has no text, no stated label, and no label chosen by a rule."""
        unsaid = self.documents.weights.getnnz(axis=1) == 0
        return np.asarray(unsaid & ~self.stated & (self.chosen == _chosen(self.own)))

    @cached_property
    def best(self) -> Floats:
        """Confidence in the chosen label; 0 for a silent document."""
        confidence = self.answer.confidence[np.arange(len(self.chosen)), self.chosen]
        return np.where(self.silent, 0.0, confidence)

    @cached_property
    def label(self) -> pa.Array:
        """Name of the chosen label per document."""
        return pa.array(self.answer.labels, pa.string()).take(pa.array(self.chosen))

    def is_overridden(self, rules: RuleBook) -> Mask:
        """Return the documents whose label a stated outcome fixes, or on which a forcing or forbidding rule fires.

        Args:
            rules: Rules of all kinds.
        """
        strict = [rule.kind == self.name and not rule.strength for rule in rules.rules]
        return np.asarray(self.stated | self.fires[:, strict].any(axis=1))

    def add_reasons(
        self,
        rows: list[list[dict[str, object]]],
        said: pa.Table,
        of_part: Ints,
        at_part: Mask,
        tier: Labeller,
        rules: RuleBook,
    ) -> None:
        """Append the reasons of each document to its row: the words with the largest weight, then the rules.

        Function words are not quoted; see ``reasons.quotes``. A label that a person gave has this as its only reason,
        at the conversation's first message with text.

        Args:
            rows: One list per document.
            said: The parts: columns position, message_id and text.
            of_part: Index of each part's document; shape (parts,).
            at_part: Which rules fire on which parts; shape (parts, rules).
            tier: The classifier that explains.
            rules: Rules of all kinds.
        """
        ids, labels = said["message_id"].to_pylist(), self.answer.labels
        reasons = tier.explain(self.name, self.documents, self.chosen)
        quotes = Quotes(self.documents.words, (reason.part for reason in reasons if reason))
        for row, column, stated, reason in zip(rows, self.chosen, self.stated, reasons, strict=True):
            if reason is not None and not stated and reason.weight >= LEAST_WEIGHT:
                is_asked = self.name == "intent"
                words = (
                    reason.words if reason.is_phrase else quotes.choose(reason.part, reason.words, is_asked=is_asked)
                )
                row.append(self._reason(labels[column], ids[reason.part], words, reason.weight, reason.rule))
        order = np.lexsort((said["position"].to_numpy(), of_part))
        for document, part in self._corrected_parts(of_part, order):
            label = labels[self.chosen[document]]
            rows[document].append(self._reason(label, ids[part], (), _MOST_GAIN, BY_A_PERSON))
        speaks = rules.speaking(self.name, labels, self.chosen, _chosen(self.own), self.fires)
        speaks &= ~self.stated[:, None]
        for number in np.flatnonzero(speaks.any(axis=0)).tolist():
            firing = order[at_part[order, number] & speaks[of_part[order], number]]
            documents, first = np.unique(of_part[firing], return_index=True)
            parts = firing[first]
            quoted_words = rules.quote(number, self.documents.words, said["text"], parts)
            quotes = Quotes(self.documents.words, parts.tolist())
            rule = rules.rules[number]
            weights = np.full(len(documents), abs(rule.strength)) if rule.strength else self._gain[documents]
            for document, part, words, weight in zip(documents, parts, quoted_words, weights, strict=True):
                label, words = labels[self.chosen[document]], quotes.choose(int(part), words)
                rows[document].append(self._reason(label, ids[part], words, weight, rule.name))

    def _corrected_parts(self, of_part: Ints, order: Ints) -> list[tuple[int, int]]:
        """Return each document whose label a person gave, with its first part; ``order`` sorts parts by document."""
        if not self.corrected.any():
            return []
        found, first = np.unique(of_part[order], return_index=True)
        wanted = self.corrected[found]
        return list(zip(found[wanted].tolist(), order[first[wanted]].tolist(), strict=True))

    @cached_property
    def _gain(self) -> Floats:
        """Increase of the log-odds of each document's label by the rules; shape (documents,)."""
        picked = np.arange(len(self.chosen)), self.chosen
        before, after = (np.clip(one.confidence[picked], 1e-9, 1 - 1e-9) for one in (self.own, self.answer))
        return np.asarray(np.clip(np.log(after / (1 - after)) - np.log(before / (1 - before)), 0, _MOST_GAIN))

    def _reason(
        self, label: str, message_id: str, words: Sequence[str], weight: float, rule: str | None = None
    ) -> dict[str, object]:
        return {
            "kind": self.name,
            "label": label,
            "message_id": message_id,
            "words": quoted(words),
            "weight": round(float(weight), DECIMALS),
            "rule": rule,
        }


def reasons_array(rows: list[list[dict[str, object]]]) -> pa.Array:
    """Return reasons as an Arrow array of the stored type."""
    return pa.array(rows, REASONS_TYPE)


def _state(answer: Classified, labels: pa.Array | None) -> Mask:
    """Make stated labels certain, in place; return which documents have one that is a label of the answer.

    Args:
        answer: The answer.
        labels: The stated label of each document, null for none; None for no labels.
    """
    if labels is None:
        return np.zeros(len(answer.confidence), np.bool_)
    columns = pc.index_in(labels, pa.array(answer.labels)).fill_null(-1).to_numpy().astype(np.int64)
    stated = columns >= 0
    answer.confidence[stated] = np.eye(len(answer.labels))[columns[stated]]
    return np.asarray(stated)


def _chosen(answer: Classified) -> Ints:
    return choose(answer.confidence, answer.labels.index(OTHER) if OTHER in answer.labels else None)
