"""The taxonomy's rules: find the messages on which they fire, and apply their effects to probabilities.

Each condition is evaluated once for all messages of a day. Only RE2 runs regular expressions: customers write the
texts, and RE2 takes linear time for every expression.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analytics_platform.insights.encoders.words import TermMatcher, Words, split_words
from analytics_platform.insights.taxonomies.quoting import quoting
from analytics_platform.insights.taxonomies.taxonomy import REMAINDERS, LabelRule
from analytics_platform.insights.tiers.tier import Classified, Floats, Ints, Kind

Mask = NDArray[np.bool_]

_FORCED = 0.501
"""Least probability of a forced label: slightly more than all other labels together, so that it is chosen."""
_ROLES = {"customer": ("user",), "agent": ("agent", "assistant")}
_WORDS_PER_REASON = 4


class RuleBook:
    """Compiled rules; safe to share between threads.

    Args:
        rules: Rules in the order of the file.
    """

    def __init__(self, rules: Sequence[LabelRule]) -> None:
        self.rules = tuple(rules)
        self._matchers = [TermMatcher(rule.when) if rule.when else None for rule in self.rules]

    def find(self, said: pa.Table, words: Words, endings: Mapping[str, Mask] | None = None) -> Mask:
        """Return which rules fire on which messages; shape (messages, rules).

        Args:
            said: Columns text and role.
            words: Words of the texts.
            endings: Masks of the messages at which a conversation ends, by the ending's name; None for messages without
                conversations, on which no rule with an ending fires.
        """
        fires = np.zeros((len(said), len(self.rules)), np.bool_)
        for column, (rule, matcher) in enumerate(zip(self.rules, self._matchers, strict=True)):
            if rule.ending:
                found = (endings or {}).get(rule.ending, fires[:, column])
            elif rule.regex:
                matches = pc.match_substring_regex(said["text"], rule.regex, ignore_case=True)
                found = matches.fill_null(False).to_numpy()
            else:
                assert matcher is not None
                found = np.bincount(words.text_of[matcher.find(words).start], minlength=len(said)) > 0
            if rule.who:
                found = found & pc.is_in(said["role"], pa.array(_ROLES[rule.who])).to_numpy()
            fires[:, column] = found
        return fires

    def apply(self, kind: Kind, answer: Classified, fires: Mask) -> Classified:
        """Return a tier's answer with the effects of the rules; documents without a firing rule are unchanged.

        Args:
            kind: Kind of label.
            answer: The tier's answer.
            fires: Which rules fire on which documents; shape (documents, rules).
        """
        confidence = answer.confidence.copy()
        forbidden = np.zeros(confidence.shape, np.bool_)
        forcing: list[tuple[int, Mask]] = []
        touched = np.zeros(len(confidence), np.bool_)
        for rule, fired in zip(self.rules, fires.T, strict=True):
            if rule.kind != kind or not fired.any():
                continue
            column = answer.labels.index(rule.label)
            touched |= fired
            if rule.strength:
                confidence[fired, column] *= np.exp(rule.strength)
            elif rule.effect == "forbid":
                forbidden[fired, column] = True
            else:
                forcing.append((column, fired))
        confidence[forbidden] = 0
        confidence[touched, answer.labels.index(REMAINDERS[kind])] += 1e-12  # at least one label stays possible
        confidence[touched] /= confidence[touched].sum(axis=1, keepdims=True)
        _force(confidence, forcing, forbidden)
        return Classified(answer.labels, confidence)

    def speaking(self, kind: Kind, labels: Sequence[str], chosen: Ints, before: Ints, fires: Mask) -> Mask:
        """Return which firing rules support each document's label; shape (documents, rules).

        A rule supports the label if it speaks for it, or if it speaks against the tier's own, different choice.

        Args:
            kind: Kind of label.
            labels: Names of the columns.
            chosen: Column of each document's label.
            before: Column of the tier's own choice.
            fires: Which rules fire on which documents; shape (documents, rules).
        """
        speaks = np.zeros(fires.shape, np.bool_)
        for number, rule in enumerate(self.rules):
            if rule.kind == kind:
                column = labels.index(rule.label)
                against = rule.effect == "forbid" or (rule.strength or 0) < 0
                about = (before == column) & (chosen != column) if against else chosen == column
                speaks[:, number] = fires[:, number] & about
        return speaks

    def quote(self, rule: int, words: Words, texts: pa.ChunkedArray, parts: Ints) -> list[tuple[str, ...]]:
        """Return the words that made a rule fire, at most four per message; no words for a rule with an ending."""
        matcher, regex = self._matchers[rule], self.rules[rule].regex
        if regex:
            said = texts.take(pa.array(parts))
            matched = pc.replace_substring_regex(said, quoting(regex), r"\1", max_replacements=1)
            subset = split_words(matched)
            spans = dict(enumerate(zip(subset.offsets[:-1].tolist(), subset.offsets[1:].tolist(), strict=True)))
        elif matcher is not None:
            subset = words.take_written(parts)
            found = matcher.find(subset)
            order = np.lexsort((-found.length, found.start))[::-1]  # the first, longest match is written last
            spans = {
                int(subset.text_of[s]): (int(s), int(s + n))
                for s, n in zip(found.start[order], found.length[order], strict=True)
            }
        else:
            return [()] * len(parts)
        names = subset.vocabulary.to_pylist()
        quoted = []
        for place in range(len(parts)):
            start, end = spans.get(place, (0, 0))
            quoted.append(tuple(names[code] for code in subset.codes[start : min(end, start + _WORDS_PER_REASON)]))
        return quoted


def _force(confidence: Floats, forcing: Sequence[tuple[int, Mask]], forbidden: Mask) -> None:
    """Raise each forced label above all other labels together, in place; the other labels keep their proportions."""
    done = np.zeros(len(confidence), np.bool_)
    for column, fired in forcing:
        rows = np.flatnonzero(fired & ~done & ~forbidden[:, column])
        done[rows] = True
        own = confidence[rows, column]
        raised = np.maximum(own, _FORCED)
        rest = 1 - own
        confidence[rows] *= np.where(rest > 0, (1 - raised) / np.where(rest > 0, rest, 1), 0)[:, None]
        confidence[rows, column] = raised
