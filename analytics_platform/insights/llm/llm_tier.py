"""The LLM tier: messages in, labels of conversations out; each question is paid for once.

`llm_client` asks the questions that the store has no answer to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from analytics_platform.insights.llm.answer import AnswerForm
from analytics_platform.insights.llm.llm_client import LlmClient
from analytics_platform.insights.llm.llm_store import answer_key
from analytics_platform.insights.llm.plan import Cost, estimate_cost
from analytics_platform.insights.llm.prompt import Prompt
from analytics_platform.insights.llm.questions import FailedQuestion, Question, QuestionKind, Result, version_of
from analytics_platform.insights.llm.results import SILENT, LlmOutcome, failures_table, insights_table
from analytics_platform.insights.llm.transcript import Transcript, read_transcripts
from analytics_platform.insights.taxonomies.taxonomy import OTHER, Taxonomy
from analytics_platform.model.tables.llm_tables import LLM_CALLS

EXPECTED_ANSWER_TOKENS = 300
"""Tokens of an answer that the dry run assumes; its upper bound uses ``answer_tokens``."""


@dataclass(frozen=True, kw_only=True)
class Plan(Cost):
    """Questions and cost of labelling; answers have ``EXPECTED_ANSWER_TOKENS``.

    Attributes:
        conversations: Number of conversations.
        silent: Conversations without spoken text; they are not asked about.
        cached: Conversations whose answer is stored.
        cut: Questions left about conversations longer than ``transcript_tokens``.
    """

    conversations: int = 0
    silent: int = 0
    cached: int = 0
    cut: int = 0


def conversation_prompt(name: str, taxonomy: Taxonomy) -> Prompt:
    """Return the prompt that asks for the labels of a conversation.

    Raises:
        LlmError: If no prompt has this name.
    """
    prompt = Prompt(name, {"topics": taxonomy.topics, "intents": taxonomy.intents, "other": OTHER})
    prompt.system  # noqa: B018  (read and filled now, so that an unknown prompt is refused now)
    return prompt


class LlmTier:
    """Labels conversations by an LLM; safe to share between threads.

    Args:
        client: Asks the endpoint.
        taxonomy: Names the labels.

    Raises:
        LlmError: If the prompt cannot be read.
    """

    def __init__(self, client: LlmClient, taxonomy: Taxonomy) -> None:
        self.config = client.config
        self.taxonomy = taxonomy
        self._client = client
        self._prompt = conversation_prompt(self.config.prompt, taxonomy)
        form = AnswerForm(taxonomy)
        self._kind = QuestionKind("conversation_labels", "labels", self._prompt, form.schema, form.parse)

    @cached_property
    def version(self) -> str:
        """Hash of everything that the labels depend on, except the messages and the code."""
        return version_of(self._kind, self._parameters)

    def label_conversations(self, messages: pa.Table) -> LlmOutcome:
        """Label the conversations of a ``MESSAGES`` table; questions with a stored answer are not asked again.

        Every answer is stored as soon as it arrives, so a run that is killed or stopped by its budget pays for nothing
        twice.

        Raises:
            LlmError: If key, address or model are wrong; answers in progress are stored first.
        """
        transcripts = read_transcripts(messages, self.config.transcript_tokens)
        asked = [(transcript, self._question(transcript)) for transcript in transcripts if transcript.lines]
        rows: list[dict[str, Any]] = []
        results = self._client.results(self._kind, [question for _, question in asked], rows, self._keep)
        labelled: list[tuple[Transcript, dict[str, Any]]] = [(t, SILENT) for t in transcripts if not t.lines]
        failed: list[tuple[Transcript, FailedQuestion]] = []
        for transcript, question in asked:
            result = results[question.key]
            if isinstance(result, FailedQuestion):
                failed.append((transcript, result))
            else:
                labelled.append((transcript, result))
        return LlmOutcome(
            insights_table(labelled, self.taxonomy.version, self.config.model, self._prompt.version),
            LLM_CALLS.from_rows(rows),
            failures_table(failed),
        )

    def plan(self, messages: pa.Table) -> Plan:
        """Return the questions and the cost of ``label_conversations`` without asking."""
        transcripts = read_transcripts(messages, self.config.transcript_tokens)
        asked = [self._question(transcript) for transcript in transcripts if transcript.lines]
        questions = {question.key: question for question in asked}
        known = self._client.known(self._kind, list(questions))
        new = [question for key, question in questions.items() if key not in known]
        return Plan(
            conversations=len(transcripts),
            silent=len(transcripts) - len(asked),
            cached=sum(question.key in known for question in asked),
            cut=sum(question.shown.was_cut for question in new),
            **estimate_cost(self._client, self._kind, new, len(new) * EXPECTED_ANSWER_TOKENS),
        )

    @cached_property
    def _parameters(self) -> Mapping[str, object]:
        return {
            "model": self.config.model,
            "prompt": self._prompt.version,
            "taxonomy": self.taxonomy.version,
            "temperature": self.config.temperature,
            "answer_tokens": self.config.answer_tokens,
            "transcript_tokens": self.config.transcript_tokens,
        }

    def _question(self, transcript: Transcript) -> Question:
        messages = (
            {"role": "system", "content": self._prompt.system},
            {"role": "user", "content": self._prompt.user(transcript=transcript.text, was_cut=transcript.was_cut)},
        )
        key = answer_key(messages, self._parameters)
        answer_tokens = self.config.answer_tokens
        return Question(
            self._kind, transcript.date, transcript.conversation_id, key, messages, transcript, answer_tokens
        )

    async def _keep(self, question: Question, result: Result) -> Result:
        return await self._client.keep(self._kind, question.key, result, self._parameters)
