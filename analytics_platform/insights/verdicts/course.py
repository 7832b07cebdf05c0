"""The course of conversations: who asked what, who answered, and how the customer says it went.

A turn is a place in the order of all messages of a day; see ``dialogue``.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.insights.tiers.tier import Documents, Floats, Ints
from analytics_platform.insights.verdicts.cue_matching import CueHits, Mask
from analytics_platform.insights.verdicts.dialogue import Dialogue

_QUESTION = r"[?？؟]"
_REPORT_WORDS, _REPORT_LETTERS = 3, 4
"""Fewest words, and in scripts without spaces letters, of a message that reports something without asking."""
_SOCIAL_REST = 6
"""Most words beside thanks, greetings and confirmations of a message that says nothing else."""
_OPENING_WORDS = 30
"""Words at the beginning of an agent's message in which a refusal or a promise counts; long answers explain much that
is not possible or was done."""
_EXPLAINED_WORDS, _EXPLAINED = 8, ("excluded", "not_known")
"""The same for cues that are explanations further on in a long answer of an assistant."""
_DECLINE_WORDS = 12
"""Most words of an answer to "anything else?" that says no and nothing new."""
_THANKS_WORDS = 25
"""Most words of a message that thanks for an answer and reports nothing new."""
_LONG_ANSWER = 20
"""Fewest words of an answer that an assistant gives at length."""
_UNSPACED_LETTERS = 2.5
"""Letters per word in scripts without spaces, which are split at punctuation only."""
_SAME_QUESTION = 0.95
"""Least cosine similarity of a question that is asked again."""


class Course:
    """Facts about each conversation; a turn is a place in the order of all messages, -1 for none.

    Args:
        dialogue: The conversations' messages.
        hits: Cues of the messages.
        parts: The messages as documents.
        said: Columns text and role of the messages.
    """

    def __init__(self, dialogue: Dialogue, hits: CueHits, parts: Documents, said: pa.Table) -> None:
        self.dialogue = dialogue
        self.hits = hits
        self.parts = parts
        self.by_assistant = np.asarray(pc.equal(said["role"], "assistant")).astype(np.bool_)
        self.has_question_mark = np.asarray(pc.match_substring_regex(said["text"], _QUESTION)).astype(np.bool_)
        letters = np.asarray(pc.utf8_length(said["text"]))
        self.long: Floats = np.where(hits.unspaced, letters / _UNSPACED_LETTERS, parts.words.lengths)
        self.is_report = np.where(hits.unspaced, letters >= _REPORT_LETTERS, self.long >= _REPORT_WORDS)
        self.is_report |= hits["negates"] & (self.long > 1)

    @cached_property
    def demands(self) -> Mask:
        """Which messages of customers ask for something or say that something is not right; shape (messages,)."""
        cues = ("asks", "complains", "persists", "negates")
        wanting = np.any([self.hits[cue] for cue in cues], axis=0)
        return np.asarray(self.dialogue.by_customer & (self.has_question_mark | wanting))

    @cached_property
    def opens(self) -> Mask:
        """Which messages of customers ask or report something, before answers are looked at; shape (messages,)."""
        cues = ("thanks", "accepts", "greets", "no_more", "will_try", "confirms", "own_solution")
        found = np.stack([self.hits[cue] for cue in cues]).sum(axis=0)
        rest = np.where(self.hits.unspaced, self.long, self.long - self.hits.covered)
        social = (found > 0) & (rest <= np.where(found > 1, 2 * _SOCIAL_REST, _SOCIAL_REST))
        reports = self.is_report | self.hits["asks"] | self.hits["complains"]
        return np.asarray(self.dialogue.by_customer & (self.has_question_mark | (reports & ~social)))

    @cached_property
    def asks(self) -> Mask:
        """Which messages of customers ask or report something; thanks for an answer with more in them do not."""
        grateful = self.heard & (self.hits["thanks"] | self.hits["no_more"]) & (self.long <= _THANKS_WORDS)
        wanting = self.has_question_mark | self.hits["asks"] | self.hits["complains"]
        return np.asarray(self.opens & ~(grateful & ~wanting) & ~self.declines)

    @cached_property
    def declines(self) -> Mask:
        """Which messages of customers say no to an agent who asks whether more is needed; shape (messages,)."""
        dialogue = self.dialogue
        offered = ~dialogue.by_customer & self.hits["offers_more"] & self.has_question_mark
        behind = np.zeros(len(offered) + 1, np.bool_)
        behind[dialogue.turn[offered] + 1] = True  # the first message of a conversation follows another conversation
        follows = behind[dialogue.turn] & (dialogue.turn > dialogue.first(offered)[dialogue.of_message])
        short = (self.long <= _DECLINE_WORDS) & ~self.has_question_mark & ~self.hits["complains"]
        return np.asarray(dialogue.by_customer & follows & short & (self.hits["negates"] | self.hits["no_more"]))

    @cached_property
    def begun(self) -> Ints:
        """Turn of the customer's first question or report, of the first message if there is none."""
        asked, spoken = self.dialogue.first(self.opens), self.dialogue.first(self.dialogue.by_customer)
        return np.where(asked < len(self.long), asked, spoken)

    @cached_property
    def heard(self) -> Mask:
        """Which messages of customers follow an answer; shape (messages,)."""
        answer = self.dialogue.first(~self.dialogue.by_customer & self.dialogue.after(self.begun))
        return np.asarray(self.dialogue.by_customer & self.dialogue.after(answer))

    @cached_property
    def asked(self) -> Mask:
        """Whether the customer asked or reported anything."""
        return np.asarray(self.last_question >= 0)

    @cached_property
    def demanded(self) -> Mask:
        """Whether the customer asked for something or said that something is not right."""
        return np.asarray(self.dialogue.last(self.asks & self.demands) >= 0)

    @cached_property
    def demanded_last(self) -> Mask:
        """Whether the customer's last message of substance is a demand."""
        return np.asarray((self.substance >= 0) & (self.dialogue.last(self.demands) >= self.substance))

    @cached_property
    def last_customer(self) -> Ints:
        """Turn of the customer's last message."""
        return self.dialogue.last(self.dialogue.by_customer)

    @cached_property
    def last_question(self) -> Ints:
        """Turn of the customer's last question or report."""
        return self.dialogue.last(self.asks)

    @cached_property
    def last_answer(self) -> Ints:
        """Turn of the agent's last message after the first question."""
        return self.dialogue.last(~self.dialogue.by_customer & self.dialogue.after(self.begun))

    @cached_property
    def answered(self) -> Mask:
        """Whether an agent wrote after the first question."""
        return np.asarray(self.last_answer >= 0)

    @cached_property
    def verdicts(self) -> dict[str, Mask]:
        """Which messages of customers say after an answer how it went, by ``confirms``, ``partly`` and ``complains``.

        Of a message that complains and then confirms, the end counts; one that confirms and then complains is partly
        content.
        """
        hits = self.hits
        content = hits["confirms"] | hits["own_solution"]
        upset = hits["complains"] | (hits["persists"] & ~self.has_question_mark & ~hits["thanks"])
        upset |= hits["thanks_anyway"] & ~content
        confirmed = np.maximum(hits.place("confirms"), hits.place("own_solution"))
        later = confirmed > np.maximum(hits.place("complains"), hits.place("persists"))
        rest = hits["contrasts"] & (hits.unspaced | (hits.place("contrasts") > confirmed))
        partly = hits["partly"] | (content & (rest | (upset & ~later & ~hits.unspaced)))
        confirms = content & ~partly & (~upset | (later & ~hits.unspaced)) & ~self.has_question_mark
        found = {"confirms": confirms, "partly": partly, "complains": upset & ~confirms & ~partly}
        return {kind: self.heard & which for kind, which in found.items()}

    @cached_property
    def substance(self) -> Ints:
        """Turn of the customer's last message that asks, reports or says how it went."""
        return np.maximum(self.last_question, self.dialogue.last(np.any(list(self.verdicts.values()), axis=0)))

    def verdict(self, kind: str) -> Mask:
        """Return whether the customer's last message of substance is a verdict of a kind; shape (conversations,)."""
        return np.asarray((self.substance >= 0) & (self.dialogue.last(self.verdicts[kind]) == self.substance))

    @cached_property
    def tail(self) -> dict[str, Mask]:
        """Cues in the customer's last message of substance and in the messages after it, by name of the cue."""
        last = self.dialogue.by_customer & self.dialogue.since(self.substance)
        after = self.dialogue.by_customer & self.dialogue.after(
            np.maximum(self.substance, self.last_answer_before_tail)
        )
        found = {cue: self.dialogue.last(after & self.hits[cue]) >= 0 for cue in ("thanks", "accepts", "no_more")}
        found["no_more"] |= self.dialogue.last(self.declines) >= np.maximum(self.substance, 0)
        found["will_try"] = self.dialogue.last(last & self.hits["will_try"]) >= 0
        found["wants_person"] = self.dialogue.last(last & self.hits["wants_person"]) >= 0
        return found

    @cached_property
    def last_answer_before_tail(self) -> Ints:
        """Turn of the first answer to the last message of substance, -1 for none."""
        first = self.dialogue.first(~self.dialogue.by_customer & self.dialogue.after(self.substance))
        return np.where(first < len(self.long), first, -1)

    def last_of_agent(self, cue: str) -> Ints:
        """Return the turn of the agent's last message with a cue after the last message of substance."""
        long_answer = self.by_assistant & (self.long >= _LONG_ANSWER)
        early = self.hits.place(cue) < np.where(long_answer & (cue in _EXPLAINED), _EXPLAINED_WORDS, _OPENING_WORDS)
        said = ~self.dialogue.by_customer & self.hits[cue] & early
        return self.dialogue.last(said & self.dialogue.after(self.substance))

    @cached_property
    def solved_alone(self) -> Mask:
        """Whether the customer reports a solution of their own, in a message after the question."""
        later = self.dialogue.by_customer & self.dialogue.after(self.begun) & ~self.has_question_mark
        solved = self.dialogue.last(later & self.hits["own_solution"] & ~self.hits["complains"])
        marked = self.dialogue.last(self.asks & self.has_question_mark)
        return np.asarray((solved >= 0) & (solved > marked))

    @cached_property
    def confirmed_before(self) -> Mask:
        """Whether the customer confirmed an earlier answer."""
        content = self.hits["confirms"] & self.dialogue.by_customer & self.dialogue.after(self.begun)
        return np.asarray((self.dialogue.last(content) >= 0) & self.answered)

    @cached_property
    def done_and_refused(self) -> Mask:
        """Whether the agent did one thing that the customer asked for, and refused another."""
        agent = ~self.dialogue.by_customer & self.dialogue.after(self.begun)
        refused = self.dialogue.last(agent & (self.hits["refuses"] | self.hits["excluded"]))
        return np.asarray((self.dialogue.last(agent & self.hits["done"]) >= 0) & (refused >= 0))

    @cached_property
    def open_last(self) -> Mask:
        """Whether the customer's last message of substance is a question or report."""
        return np.asarray((self.last_question >= 0) & (self.last_question == self.substance))

    @cached_property
    def complained(self) -> Mask:
        """Whether the customer complained before the last answer."""
        return self.verdict("complains")

    @cached_property
    def asked_back(self) -> Mask:
        """Whether the agent's last message is a question or request."""
        return np.asarray(self.at(self.last_answer, self.asks_customer))

    def asked_twice(self, among: Mask) -> Mask:
        """Return which of some conversations end with a question that repeats an earlier, answered one.

        Args:
            among: The conversations that are compared; shape (conversations,).
        """
        question = np.where(among, self.dialogue.messages(self.last_question), -1)
        of_last = question[self.dialogue.of_message]
        alike = np.abs(self.long - self.long[of_last]) <= 1 + self.long / 10  # few pairs are left for the vectors
        before_last = (of_last >= 0) & (self.dialogue.turn < self.dialogue.turn[of_last])
        earlier = np.flatnonzero(self.asks & alike & before_last)
        vectors = self.parts.vectors
        same = np.einsum("ij,ij->i", vectors[earlier], vectors[of_last[earlier]]) >= _SAME_QUESTION
        repeated = np.zeros(len(self.long), np.bool_)
        repeated[earlier[same]] = True
        before = self.dialogue.first(repeated)
        answers = ~self.dialogue.by_customer & self.dialogue.after(before)
        return np.asarray(among & (self.dialogue.first(answers) < self.last_question))

    @cached_property
    def farewell(self) -> Ints:
        """Turn of the agent's last message if it is a short farewell."""
        short = (
            ~self.dialogue.by_customer & self.hits["greets"] & (self.long <= _DECLINE_WORDS) & ~self.has_question_mark
        )
        return np.where(self.at(self.last_answer, short), self.last_answer, -1)

    @cached_property
    def question_answered(self) -> Mask:
        """Whether the customer's last message of substance is a question."""
        return np.asarray(self.at(self.substance, self.has_question_mark | self.hits["asks"]))

    @cached_property
    def was_asked(self) -> Mask:
        """Whether the last message before the customer's last message of substance is a question of the agent."""
        before = self.dialogue.turn < self.substance[self.dialogue.of_message]
        return np.asarray(self.at(self.dialogue.last(before), self.asks_customer))

    @cached_property
    def asks_customer(self) -> Mask:
        """Which messages of agents are short questions or requests, and no offers of more help."""
        asks = (self.has_question_mark | self.hits["requests"]) & ~self.hits["offers_more"]
        return np.asarray(~self.dialogue.by_customer & asks & (self.long <= 2 * _LONG_ANSWER))

    @cached_property
    def answered_at_length(self) -> Mask:
        """Whether the last answer is an assistant's and long."""
        return np.asarray(self.at(self.last_answer, self.by_assistant & (self.long >= _LONG_ANSWER)))

    def at(self, turn: Ints, fact: Mask) -> Mask:
        """Return a fact of the messages at some turns; False for no turn."""
        message = self.dialogue.messages(turn)
        return np.asarray((message >= 0) & np.append(fact, False)[message])
