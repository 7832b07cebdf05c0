"""The namer of discovered topics: topics in, a name and a sentence for each out; equal questions are paid for once."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from analytics_platform.insights.llm.config import LlmError
from analytics_platform.insights.llm.llm_client import LlmClient
from analytics_platform.insights.llm.llm_store import answer_key
from analytics_platform.insights.llm.plan import Cost, estimate_cost
from analytics_platform.insights.llm.prompt import Prompt
from analytics_platform.insights.llm.questions import FailedQuestion, Question, QuestionKind, Result, version_of
from analytics_platform.insights.llm.topic_naming import name_form
from analytics_platform.insights.llm.transcript import json_line
from analytics_platform.insights.topics.epochs import Epoch
from analytics_platform.model.tables.topic_tables import BIRTH, SPLIT, TOPIC_NAMES

logger = logging.getLogger(__name__)

PROMPT = "topic_name.v1"
EXPECTED_ANSWER_TOKENS = 60
"""Tokens of an answer: a sentence of twenty words, a name of three, and their JSON."""


@dataclass(frozen=True)
class BornTopic:
    """A topic as it was at its birth.

    Attributes:
        topic_id: Its identifier.
        born_on: Epoch at which it was born.
        date: Last day that this epoch reads, under which the ledger has the calls: a day that is stored.
        conversation_id: Its most central conversation, which the ledger names.
        own_name: Its name of its own words: terms, separated by commas.
        openings: How its most central conversations begin.
    """

    topic_id: str
    born_on: dt.date
    date: dt.date
    conversation_id: str
    own_name: str
    openings: tuple[str, ...]

    @cached_property
    def text(self) -> str:
        """The terms and each opening as one JSON object per line, which no text can close or leave."""
        lines: list[dict[str, object]] = [{"terms": self.own_name.split(", ")}]
        lines += ({"number": number, "opening": said} for number, said in enumerate(self.openings, start=1))
        return "\n".join(map(json_line, lines))


@dataclass(frozen=True, kw_only=True)
class NamingPlan(Cost):
    """Questions and cost of naming topics.

    Attributes:
        topics: Topics to name.
        cached: Topics whose answer is stored.
    """

    topics: int = 0
    cached: int = 0


def born_topics(epochs: Sequence[Epoch]) -> Iterator[BornTopic]:
    """Yield each topic of some epochs, the earliest born first."""
    for epoch in epochs:
        births = {change.topic_id: change for change in epoch.changes if change.event in (BIRTH, SPLIT)}
        for topic, name in zip(epoch.born.ids, epoch.born.names, strict=True):
            central = next(iter(births[topic].conversations), topic)  # no conversation is nearest to a topic at times
            yield BornTopic(topic, epoch.date, epoch.last_day, central, name, epoch.openings[topic])


def load_prompt(target: str | None) -> Prompt:
    """Return the prompt that asks for names in a language; in that of most openings when None.

    Raises:
        LlmError: If the prompt cannot be read.
    """
    return Prompt(PROMPT, {"target": target}).read_now()


class TopicNamer:
    """Names discovered topics by an LLM; safe to share between threads.

    Args:
        client: Asks the endpoint.
        target: ISO 639-1 code of the language of names; None for the language of most of a topic's openings.

    Raises:
        LlmError: If the prompt cannot be read.
    """

    def __init__(self, client: LlmClient, target: str | None) -> None:
        self._client = client
        self._target = target
        self._kind = QuestionKind(
            "topic_name", "topic", load_prompt(target), name_form.SCHEMA, name_form.parse, at_once=True
        )

    @cached_property
    def version(self) -> str:
        """Hash of everything that names depend on, except the topics and the code."""
        return version_of(self._kind, self._parameters)

    def name_topics(self, topics: Sequence[BornTopic]) -> pa.Table:
        """Return ``TOPIC_NAMES`` of some topics, the earliest born first.

        A question with a stored answer is not asked again. Every answer is stored as soon as it arrives. A wrong key,
        address or model is no error here, because tables without an LLM's content depend on names: the topics are
        then ones that the next run asks about again.
        """
        questions = [self._question(topic) for topic in topics]
        results = self._results(questions)
        constants = {"model": self._client.config.model, "prompt_version": self._kind.prompt.version}
        taken: set[str] = set()
        rows = []
        for topic, question in zip(topics, questions, strict=True):
            result = results[question.key]
            row = {"topic_id": topic.topic_id, "born_on": topic.born_on, **constants}
            if isinstance(result, FailedQuestion):
                row |= {"name": None, "sentence": None, "failure": result.reason, "will_retry": result.will_retry}
            else:
                name = _distinct(result["name"], topic.own_name, taken)
                taken.add(name.casefold())
                row |= {"name": name, "sentence": result["sentence"], "failure": None, "will_retry": False}
            rows.append(row)
        return TOPIC_NAMES.from_rows(rows)

    def plan(self, topics: Sequence[BornTopic]) -> NamingPlan:
        """Return the questions and the cost of ``name_topics`` without asking."""
        questions = {question.key: question for question in map(self._question, topics)}
        known = self._client.known(self._kind, list(questions))
        new = [question for key, question in questions.items() if key not in known]
        return NamingPlan(
            topics=len(topics),
            cached=len(topics) - len(new),
            **estimate_cost(self._client, self._kind, new, len(new) * EXPECTED_ANSWER_TOKENS),
        )

    @cached_property
    def _parameters(self) -> Mapping[str, object]:
        config = self._client.config
        return {
            "model": config.model,
            "prompt": self._kind.prompt.version,
            "target": self._target,
            "temperature": config.temperature,
            "answer_tokens": config.answer_tokens,
        }

    def _question(self, topic: BornTopic) -> Question:
        prompt = self._kind.prompt
        messages = (
            {"role": "system", "content": prompt.system},
            {"role": "user", "content": prompt.user(topic=topic.text)},
        )
        key = answer_key(messages, self._parameters)
        tokens = self._client.config.answer_tokens
        return Question(self._kind, topic.date, topic.conversation_id, key, messages, None, tokens)

    def _results(self, questions: Sequence[Question]) -> dict[str, Result]:
        try:
            return self._client.results(self._kind, questions, [], self._keep)
        except LlmError as error:
            logger.warning("discovered topics keep the names of their own words: %s", error)
            lost = FailedQuestion.now("unavailable", str(error), will_retry=True)
            known = self._client.known(self._kind, [question.key for question in questions])
            return {question.key: known.get(question.key, lost) for question in questions}

    async def _keep(self, question: Question, result: Result) -> Result:
        return await self._client.keep(self._kind, question.key, result, self._parameters)


def _distinct(name: str, own_name: str, taken: set[str]) -> str:
    """Return a name that no earlier topic has, because charts and reports show names without identifiers.

    A name that is taken is followed by the topic's first term; if it is still taken, by all terms, which are distinct.

    Args:
        name: The name.
        own_name: The topic's terms.
        taken: Names of the earlier topics, without regard to case.
    """
    candidates = (name, f"{name} ({own_name.partition(', ')[0]})", f"{name} ({own_name})")
    return next((one for one in candidates if one.casefold() not in taken), candidates[-1])
