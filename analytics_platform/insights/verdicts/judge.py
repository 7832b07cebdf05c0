"""The classifier of urgency and resolution: rules over cues, beside the tier's opinion where no cue decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.insights.encoders.blas_threads import one_blas_thread
from analytics_platform.insights.encoders.words import Words
from analytics_platform.insights.grouping import Conversations
from analytics_platform.insights.heads.training_set import OUTCOME_KINDS, LabelledVectors
from analytics_platform.insights.reasons.quotes import Quotes
from analytics_platform.insights.taxonomies.taxonomy import REMAINDERS, Taxonomy
from analytics_platform.insights.tiers.conversation_heads import EncoderName, shipped_conversation_heads
from analytics_platform.insights.tiers.decisions import LEAST_WEIGHT
from analytics_platform.insights.tiers.tier import Classified, Documents, Floats, Ints, Kind, Reason, Tier
from analytics_platform.insights.vectors.static_multilingual import static_encoder
from analytics_platform.insights.vectors.text_encoder import TextEncoder
from analytics_platform.insights.verdicts import resolution, urgency
from analytics_platform.insights.verdicts.acts import ActReader
from analytics_platform.insights.verdicts.cue_lists import RESOLUTION_CUES, URGENCY_CUES, shipped_cues
from analytics_platform.insights.verdicts.cue_matching import CueHits, CueMatcher, Mask
from analytics_platform.insights.verdicts.decision_table import DecisionTable, Verdict
from analytics_platform.insights.verdicts.dialogue import Dialogue
from analytics_platform.insights.verdicts.stakes import Stakes
from analytics_platform.insights.verdicts.taught_outcomes import TaughtOutcome
from analytics_platform.model.tables.insight_tables import RESOLUTIONS, URGENCIES

KINDS = OUTCOME_KINDS

OPINION_WEIGHT = 0.25
"""Weight of the tier's log-odds of a label against the remainder, where no cue decides. Chosen of 0, 0.25, 0.5 and 1 by
the log-loss on the labelled conversations."""
BAR = 0.5
"""Least probability of a resolution; a guess below it says ``unclear``."""
MISREAD: Mapping[Kind, float] = {"urgency": 0.14, "resolution": 0.16}
"""Share of conversations that the rules misread beyond what their counts tell, because the counted conversations are
plainer than customers' are. One number per kind, at which the mean confidence on the conversations of
``training/gold`` is the share that is right. Chosen on three of their domains and measured on the fourth, it lowers the
calibration error of urgency from 0.16 to 0.10 and of resolution from 0.11 to 0.08; the number of urgency was
lowered when labels got stakes."""
_UNCLEAR_MARGIN = 1e-6
_LEAST_SHARE = 1e-3
"""Least probability by rules that is told from 0."""
BY_ENDING = "first_and_last_messages"
"""What the field ``rule`` of a reason says about a resolution that the first and the last messages together decide."""
BY_LABELLED = "labelled_conversations"
"""What the field ``rule`` of a reason says about a label that similar labelled conversations decide."""


@dataclass(frozen=True)
class Verdicts:
    """Answers of one kind for a day's conversations, in the form of a tier's answers.

    Attributes:
        answer: Probabilities of the labels.
        reasons: What decided each conversation; None for a remainder.
        rules: Name of the rule of each conversation.
    """

    answer: Classified
    reasons: Sequence[Reason | None]
    rules: Sequence[str]

    def classify(self, kind: Kind, documents: Documents) -> Classified:  # noqa: ARG002
        """Return the answer."""
        return self.answer

    def explain(self, kind: Kind, documents: Documents, chosen: Ints) -> list[Reason | None]:  # noqa: ARG002
        """Return the reasons of the conversations whose own label is the chosen one."""
        own = np.round(self.answer.confidence, 9).argmax(axis=1)
        return [reason if same else None for reason, same in zip(self.reasons, own == chosen, strict=True)]


class OutcomeJudge:
    """Judges urgency and resolution; safe to share between threads.

    Args:
        taxonomy: Its keywords of urgencies and resolutions are added to the shipped cues.
        transformer: Reads the messages that no cue decides; None for the static vectors.
        taught: Labelled conversations by kind, which teach beside the rules.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        transformer: TextEncoder | None = None,
        taught: Mapping[Kind, LabelledVectors] | None = None,
    ) -> None:
        words = {label.label: label.keywords for label in (*taxonomy.urgencies, *taxonomy.resolutions)}
        of_urgency = {"can_wait": "low", "pressing": "high", "endangered": "critical"}
        of_resolution = {"confirms": "resolved", "partly": "partly_resolved", "complains": "unresolved"}
        self._matchers = {
            "urgency": CueMatcher(
                shipped_cues(URGENCY_CUES).extend({cue: words.get(label, ()) for cue, label in of_urgency.items()}),
                urgency.OPPOSITES,
            ),
            "resolution": CueMatcher(
                shipped_cues(RESOLUTION_CUES).extend(
                    {cue: words.get(label, ()) for cue, label in of_resolution.items()}
                ),
                resolution.OPPOSITES,
            ),
        }
        self._reader = ActReader(transformer)
        self._encoder: EncoderName = "transformer" if transformer else "static"
        counted = "resolution_by_transformer" if transformer else "resolution"
        self._tables = {
            "urgency": DecisionTable.load("urgency", URGENCIES, urgency.RULES),
            "resolution": DecisionTable.load(counted, RESOLUTIONS, resolution.RULES),
        }
        self._labelled = {kind: one for kind, one in (taught or {}).items() if kind in OUTCOME_KINDS}

    @one_blas_thread()
    def judge(
        self,
        said: pa.Table,
        conversations: Conversations,
        parts: Documents,
        tier: Tier,
        grouped: dict[Kind, Documents],
        stakes: Stakes,
    ) -> dict[Kind, Verdicts]:
        """Return the answers for urgency and resolution.

        Args:
            said: The messages: columns text and role.
            conversations: The conversations of the messages.
            parts: The messages as documents.
            tier: Gives its opinion where no cue decides.
            grouped: The conversations' documents by kind of label.
            stakes: Stakes of the conversations.
        """
        last = _dialogue(conversations).last_messages
        return {
            kind: self._verdicts(kind, outcome, hits, parts, grouped[kind], tier.classify(kind, grouped[kind]), last)
            for kind, (outcome, hits) in self.decide(said, conversations, parts, stakes).items()
        }

    def decide(
        self, said: pa.Table, conversations: Conversations, parts: Documents, stakes: Stakes
    ) -> dict[Kind, tuple[Verdict, CueHits]]:
        """Return for both kinds the rule of each conversation, and the cues of the messages; arguments as `judge`."""
        dialogue = _dialogue(conversations)
        hits = {kind: matcher.find(parts.words, said["text"]) for kind, matcher in self._matchers.items()}
        return {
            "urgency": (urgency.decide(dialogue, hits["urgency"], said, stakes), hits["urgency"]),
            "resolution": (
                resolution.decide(dialogue, hits["resolution"], parts, said, self._reader, stakes),
                hits["resolution"],
            ),
        }

    @cached_property
    def _taught(self) -> dict[Kind, TaughtOutcome | None]:
        """What labelled conversations teach, by kind; None where the rules alone do no worse on them."""
        taught: dict[Kind, TaughtOutcome | None] = {}
        for kind, labelled in self._labelled.items():
            table = self._tables[kind]
            taught[kind] = TaughtOutcome.fit(static_encoder(), table.labels, list(table.rules), labelled)
        return taught

    def _verdicts(
        self,
        kind: Kind,
        outcome: Verdict,
        hits: CueHits,
        parts: Documents,
        documents: Documents,
        opinion: Classified,
        last: Ints,
    ) -> Verdicts:
        table = self._tables[kind]
        answer = self.judge_by_rules(kind, outcome, opinion)
        reasons = self._reasons(kind, outcome, hits, parts, answer)
        if kind == "resolution":
            weighed = self._weigh_ending(answer, outcome)
            reasons = _replace_reasons(reasons, answer, weighed, last, BY_ENDING, REMAINDERS[kind])
            answer = weighed
        if taught := self._taught.get(kind):
            answer, reasons = self._teach(kind, taught, answer, reasons, outcome, documents)
        names = list(table.rules)
        return Verdicts(answer, reasons, [names[number] for number in outcome.rule.tolist()])

    def judge_by_rules(self, kind: Kind, outcome: Verdict, opinion: Classified) -> Classified:
        """Return answers by the rules and the tier's opinion alone.

        Args:
            kind: Kind of label.
            outcome: The rule of each conversation.
            opinion: The tier's answer.
        """
        table = self._tables[kind]
        confidence = table.shares[outcome.rule]
        guesses = resolution.GUESSES if kind == "resolution" else urgency.GUESSES
        rows = np.flatnonzero(np.isin(outcome.rule, table.places(guesses)))
        confidence[rows] = with_opinion(confidence[rows], table.labels, opinion, rows, REMAINDERS[kind])
        if kind == "resolution":
            finish_resolution(confidence, outcome.rule, table)
        return Classified(table.labels, with_doubt(confidence, outcome.rule, kind, table))

    def _weigh_ending(self, by_rules: Classified, outcome: Verdict) -> Classified:
        """Return resolutions by the evidence of first and last messages, too, unless their rule decides."""
        table = self._tables["resolution"]
        head = shipped_conversation_heads()["resolution", self._encoder]
        confidence = head.predict(resolution_evidence(by_rules, outcome.evidence))
        finish_resolution(confidence, outcome.rule, table)
        is_decided = np.isin(outcome.rule, table.places(resolution.DECIDED))
        return Classified(table.labels, np.where(is_decided[:, None], by_rules.confidence, confidence))

    def _teach(
        self,
        kind: Kind,
        taught: TaughtOutcome,
        own: Classified,
        reasons: Sequence[Reason | None],
        outcome: Verdict,
        documents: Documents,
    ) -> tuple[Classified, list[Reason | None]]:
        """Return answers and reasons with regard to labelled conversations; unanswered questions stay unresolved."""
        table = self._tables[kind]
        confidence = taught.adjust(own.confidence, documents, outcome.rule)
        if kind == "resolution":
            forbid_resolved(confidence, outcome.rule, table)
        answer = Classified(own.labels, confidence)
        return answer, _replace_reasons(reasons, own, answer, outcome.message, BY_LABELLED, REMAINDERS[kind])

    def _reasons(
        self, kind: Kind, outcome: Verdict, hits: CueHits, parts: Documents, answer: Classified
    ) -> list[Reason | None]:
        """Return the words that decided each conversation; of a rule without words its name."""
        chosen = np.round(answer.confidence, 9).argmax(axis=1)
        best = np.clip(answer.confidence[np.arange(len(chosen)), chosen], 1e-6, 1 - 1e-6)
        weights = np.maximum(np.log(best / (1 - best)) + np.log(len(answer.labels) - 1), LEAST_WEIGHT)
        rules = list(self._tables[kind].rules)
        shown = (outcome.message >= 0) & (chosen != answer.labels.index(REMAINDERS[kind]))
        by_question = np.isin(outcome.rule, [rules.index(rule) for rule in resolution.BY_QUESTION if rule in rules])
        words = self._phrases(kind, outcome, hits, parts, shown)
        asked = np.flatnonzero(shown & by_question)
        quotes = Quotes(parts.words, outcome.message[asked].tolist())
        for place, opening in zip(asked.tolist(), quotes.openings(), strict=True):
            words[place] = opening
        reasons: list[Reason | None] = [None] * len(shown)
        for row in np.flatnonzero(shown).tolist():
            rule = None if words[row] else rules[outcome.rule[row]]
            reasons[row] = Reason(int(outcome.message[row]), words[row], float(weights[row]), rule, is_phrase=True)
        return reasons

    def _phrases(
        self, kind: Kind, outcome: Verdict, hits: CueHits, parts: Documents, shown: Mask
    ) -> list[tuple[str, ...]]:
        """Return the phrase that decided each conversation as the message writes it, empty without a cue."""
        column = np.array([hits.names.index(cue) if cue else -1 for cue in outcome.cue], np.int64)
        rows = np.flatnonzero(shown & (column >= 0))
        messages = outcome.message[rows]
        start, length = hits.start[messages, column[rows]], hits.length[messages, column[rows]].astype(np.int64)
        words: list[tuple[str, ...]] = [()] * len(column)
        spaced = np.flatnonzero(start >= 0)
        first = parts.words.offsets[messages[spaced]] + start[spaced]
        for row, phrase in zip(rows[spaced], _spans(parts.words, first, length[spaced]), strict=True):
            words[row] = (phrase,)
        for place in np.flatnonzero(start < 0).tolist():
            row = rows[place]
            phrase = self._matchers[kind].quote(outcome.cue[row], parts.texts[messages[place]])
            words[row] = (phrase,) if phrase else ()
        return words


def resolution_evidence(by_rules: Classified, ending: Floats) -> Floats:
    """Return what the head of resolutions weighs: what the rules say, and the evidence of the ending.

    Args:
        by_rules: The answers by rules.
        ending: From ``ending_evidence``.
    """
    return np.hstack([np.log(np.maximum(by_rules.confidence, _LEAST_SHARE)), ending])


def _dialogue(conversations: Conversations) -> Dialogue:
    return Dialogue(conversations.of_message, conversations.position, conversations.by_customer, len(conversations.ids))


def _replace_reasons(
    reasons: Sequence[Reason | None], before: Classified, after: Classified, messages: Ints, name: str, remainder: str
) -> list[Reason | None]:
    """Return reasons in which a name explains each label that has changed; none explains a remainder.

    Args:
        reasons: Reasons of the labels before.
        before: Answers that the reasons explain.
        after: Answers of the same conversations with regard to more.
        messages: Index of the message that a new reason points at, -1 for none; shape (conversations,).
        name: What changed the labels.
        remainder: The label without a reason.
    """
    old, new = (np.round(one.confidence, 9).argmax(axis=1) for one in (before, after))
    earlier = np.maximum(before.confidence[np.arange(len(new)), new], 1e-9)
    gain = np.log(after.confidence.max(axis=1)) - np.log(earlier)
    changed = [
        Reason(int(message), (), max(float(weight), LEAST_WEIGHT), name) if message >= 0 else None
        for message, weight in zip(messages.tolist(), gain.tolist(), strict=True)
    ]
    silent = after.labels.index(remainder)
    return [
        reason if same else None if column == silent else other
        for reason, same, column, other in zip(reasons, old == new, new, changed, strict=True)
    ]


def _spans(words: Words, first: Ints, length: Ints) -> list[str]:
    """Return the words from some places on, joined by spaces.

    Args:
        words: The words.
        first: Index of each span's first word in ``Words.codes``.
        length: Number of words of each span.
    """
    offsets = np.concatenate(([0], np.cumsum(length)))
    places = np.arange(offsets[-1]) + np.repeat(first - offsets[:-1], length)
    names = words.vocabulary.take(pa.array(words.codes[places]))
    joined: list[str] = pc.binary_join(pa.ListArray.from_arrays(offsets.astype(np.int32), names), " ").to_pylist()
    return joined


def with_opinion(
    confidence: Floats,
    labels: Sequence[str],
    opinion: Classified,
    rows: Ints,
    remainder: str,
    weight: float = OPINION_WEIGHT,
) -> Floats:
    """Return probabilities after the tier's evidence for labels that it holds likelier than the remainder.

    Args:
        confidence: Probabilities by the rules; shape (rows, labels).
        labels: Names of the columns.
        opinion: The tier's answer for all conversations.
        rows: Conversations of the rows.
        remainder: The label without evidence.
        weight: Weight of the tier's log-odds.
    """
    order = [opinion.labels.index(label) for label in labels]
    theirs = np.log(np.clip(opinion.confidence[rows][:, order], 1e-9, 1))
    odds = np.maximum(theirs - theirs[:, [labels.index(remainder)]], 0)
    raised = confidence * np.exp(weight * odds)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def with_doubt(confidence: Floats, rule: Ints, kind: Kind, table: DecisionTable) -> Floats:
    """Return probabilities with the share that is misread divided among all labels; the chosen labels stay.

    Args:
        confidence: Probabilities; shape (conversations, labels).
        rule: Number of each conversation's rule.
        kind: Kind of label.
        table: The rules and labels.
    """
    possible = np.ones_like(confidence)
    if kind == "resolution":
        never = np.isin(rule, table.places(resolution.NEVER_RESOLVED))
        possible[never, table.labels.index("resolved")] = 0
    share = MISREAD[kind]
    return np.asarray((1 - share) * confidence + share * possible / possible.sum(axis=1, keepdims=True))


def forbid_resolved(confidence: Floats, rule: Ints, table: DecisionTable) -> None:
    """Make unanswered questions never resolved, in place; arguments as ``finish_resolution``."""
    unanswered = np.isin(rule, table.places(resolution.NEVER_RESOLVED))
    confidence[unanswered, table.labels.index("resolved")] = 0
    confidence /= confidence.sum(axis=1, keepdims=True)


def finish_resolution(confidence: Floats, rule: Ints, table: DecisionTable) -> None:
    """Make unanswered questions never resolved, and choose ``unclear`` where no resolution reaches the bar, in place.

    Args:
        confidence: Probabilities; shape (conversations, labels).
        rule: Number of each conversation's rule.
        table: The rules and labels.
    """
    forbid_resolved(confidence, rule, table)
    unclear = table.labels.index("unclear")
    others = np.delete(confidence, unclear, axis=1).max(axis=1)
    below = np.flatnonzero((others < BAR) & (others >= confidence[:, unclear]))
    confidence[below, unclear] = others[below] + _UNCLEAR_MARGIN
    confidence /= confidence.sum(axis=1, keepdims=True)
