"""The translator: messages in, translations of messages out; equal texts are paid for once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analytics_platform.insights.llm.api.token_estimate import estimate_tokens
from analytics_platform.insights.llm.llm_client import LlmClient
from analytics_platform.insights.llm.llm_store import answer_key
from analytics_platform.insights.llm.plan import Cost, estimate_cost
from analytics_platform.insights.llm.prompt import Prompt
from analytics_platform.insights.llm.questions import FailedQuestion, Question, QuestionKind, Result, version_of
from analytics_platform.insights.llm.translating import form
from analytics_platform.insights.llm.translating.quality_estimate import QualityEstimate, length_ratios
from analytics_platform.insights.llm.translating.texts import Piece, divide, lines_of, split_text, to_translate
from analytics_platform.model.tables.translation_tables import MESSAGE_TRANSLATIONS, PROMPT_PREFIX, TRANSLATION_FAILURES

PROMPT = f"{PROMPT_PREFIX}v1"
_REQUEST_TOKENS = 1000
"""Most estimated tokens of a request's texts, so that an answer stays below the limit of every model."""
_TIMES, _OF_AN_ENTRY = 2, 24
"""Tokens of an answer: twice those of the texts, and 24 for the JSON of each entry."""
_LOST = "the request that another day made for the same text was interrupted"


@dataclass(frozen=True)
class TranslationOutcome:
    """Result of translating a table of messages.

    Attributes:
        translations: ``MESSAGE_TRANSLATIONS`` of the translated messages.
        failures: ``TRANSLATION_FAILURES`` of all other messages to translate, including those that the next run asks
            again.
    """

    translations: pa.Table
    failures: pa.Table


@dataclass(frozen=True, kw_only=True)
class TranslationPlan(Cost):
    """Questions and cost of translating; translations are as long as their originals.

    Attributes:
        messages: Messages to translate.
        cached: Messages whose translation is stored.
    """

    messages: int = 0
    cached: int = 0


def load_prompt(target: str) -> Prompt:
    """Return the prompt that asks for translations into a language.

    Raises:
        LlmError: If the prompt cannot be read.
    """
    return Prompt(PROMPT, {"target": target}).read_now()


class Translator:
    """Translates messages by an LLM; safe to share between threads.

    Args:
        client: Asks the endpoint.
        target: ISO 639-1 code of the language to translate into.
        estimate: Estimates the quality of translations.

    Raises:
        LlmError: If the prompt cannot be read.
    """

    def __init__(self, client: LlmClient, target: str, estimate: QualityEstimate) -> None:
        self._client = client
        self._target = target
        self._estimate = estimate
        self._kind = QuestionKind("message_translations", "translation", load_prompt(target), form.SCHEMA, form.parse)
        self._room = min(_REQUEST_TOKENS, client.config.transcript_tokens)
        self._underway: dict[str, asyncio.Future[Result]] = {}

    @cached_property
    def version(self) -> str:
        """Hash of everything that translations and their quality depend on, except the messages and the code."""
        return version_of(self._kind, self._parameters, self._estimate.scale)

    def translate(self, messages: pa.Table) -> TranslationOutcome:
        """Translate the messages of a ``MESSAGES`` table that are not in the target language.

        A text with a stored translation is not asked about again. Every translation is stored as soon as it arrives, so
        a run that is killed or stopped by its budget pays for nothing twice.

        Raises:
            LlmError: If key, address or model are wrong; answers in progress are stored first.
        """
        rows, codes, pieces = self._read(messages)
        results = self._results([piece for of_text in pieces for piece in of_text])
        joined = [_joined([results[piece.key] for piece in of_text]) for of_text in pieces]
        texts = pa.array([None if isinstance(one, FailedQuestion) else one for one in joined], pa.string()).take(codes)
        failures = [joined[code] for code in codes[texts.is_null().to_numpy(zero_copy_only=False)]]
        return TranslationOutcome(
            self._translations(rows.filter(texts.is_valid()), texts.drop_null()),
            self._failures(rows.filter(texts.is_null()), failures),
        )

    def plan(self, messages: pa.Table) -> TranslationPlan:
        """Return the questions and the cost of ``translate`` without asking."""
        rows, codes, pieces = self._read(messages)
        distinct = {piece.key: piece for of_text in pieces for piece in of_text}
        known = self._client.known(self._kind, list(distinct))
        questions = [self._question(request) for request in _without(divide(distinct.values(), self._room), known)]
        stored = np.array([all(piece.key in known for piece in of_text) for of_text in pieces], bool)
        expected = sum(
            estimate_tokens(piece.text) + _OF_AN_ENTRY // 2 for question in questions for piece in question.shown
        )
        return TranslationPlan(
            messages=len(rows),
            cached=int(stored[codes].sum()),
            **estimate_cost(self._client, self._kind, questions, expected),
        )

    @cached_property
    def _parameters(self) -> Mapping[str, object]:
        config = self._client.config
        return {
            "model": config.model,
            "prompt": self._kind.prompt.version,
            "target": self._target,
            "temperature": config.temperature,
        }

    def _read(self, messages: pa.Table) -> tuple[pa.Table, NDArray[np.integer], list[list[Piece]]]:
        """Return the messages to translate, the place of each one's text among the distinct texts, and their pieces."""
        rows = to_translate(messages, self._target)
        codes = rows["text"].combine_chunks().dictionary_encode().indices.to_numpy()
        _, first = np.unique(codes, return_index=True)  # a dictionary is in the order of first appearance
        asked = rows.select(["date", "conversation_id", "text"]).take(first).to_pylist()
        return rows, codes, [self._pieces(**row) for row in asked]

    def _pieces(self, text: str, **conversation: object) -> list[Piece]:
        return [
            Piece(answer_key([{"text": piece}], self._parameters), piece, **conversation)  # type: ignore[arg-type]
            for piece in split_text(text, self._room)
        ]

    def _results(self, pieces: Sequence[Piece]) -> dict[str, Result]:
        """Return the result of each piece by key; the endpoint is asked for those that are not stored."""
        distinct = {piece.key: piece for piece in pieces}
        results = self._client.known(self._kind, list(distinct))
        # Divided before known pieces are left out, so that the questions of an open batch are formed again alike.
        requests = _without(divide(distinct.values(), self._room), results)
        if requests:
            results |= self._client.run(self._translate_new(requests))
        return results

    async def _translate_new(self, requests: Sequence[Sequence[Piece]]) -> dict[str, Result]:
        """Ask for the pieces that no other day of this process is asking for, and wait for all."""
        theirs = {p.key: self._underway[p.key] for request in requests for p in request if p.key in self._underway}
        mine = _without(requests, theirs)
        claimed = {piece.key: asyncio.get_running_loop().create_future() for request in mine for piece in request}
        self._underway |= claimed
        found: dict[str, Result] = {}
        try:
            # Another day may have stored a translation since the caller looked.
            found |= await asyncio.to_thread(self._client.known, self._kind, list(claimed))
            found |= await self._ask(_without(mine, found))
        finally:
            for key, future in claimed.items():
                del self._underway[key]
                future.set_result(found.get(key) or FailedQuestion.now("unavailable", _LOST, will_retry=True))
        return found | {key: await future for key, future in theirs.items()}

    async def _ask(self, requests: Sequence[Sequence[Piece]]) -> dict[str, Result]:
        """Ask for pieces; those of a request that failed for good are asked for one by one, so that one spoils none."""
        questions = [self._question(request) for request in requests]
        answers = await self._client.ask_all(questions, [], self._keep) if questions else {}
        results: dict[str, Result] = {}
        alone: list[list[Piece]] = []
        for question in questions:
            answer = answers[question.key]
            if not isinstance(answer, FailedQuestion):
                results |= answer["by_key"]
            elif answer.will_retry or len(question.shown) == 1:
                results |= {piece.key: answer for piece in question.shown}
            else:
                alone += ([piece] for piece in question.shown)
        return results | (await self._ask(alone) if alone else {})

    def _question(self, pieces: Sequence[Piece]) -> Question:
        prompt = self._kind.prompt
        messages = (
            {"role": "system", "content": prompt.system},
            {"role": "user", "content": prompt.user(messages=lines_of(pieces))},
        )
        tokens = sum(_TIMES * estimate_tokens(piece.text) + _OF_AN_ENTRY for piece in pieces)
        key, (first, *_) = answer_key(messages, self._parameters), pieces
        return Question(self._kind, first.date, first.conversation_id, key, messages, tuple(pieces), tokens)

    async def _keep(self, question: Question, result: Result) -> Result:
        """Store the result of each piece; a failure of several pieces together is no result of any of them."""
        pieces: tuple[Piece, ...] = question.shown
        if isinstance(result, FailedQuestion):
            if result.will_retry or len(pieces) > 1:
                return result
            each: list[Result] = [result]
        else:
            each = [{"text": text} for text in result["texts"]]
        kept = await asyncio.gather(
            *(
                self._client.keep(self._kind, piece.key, one, self._parameters)
                for piece, one in zip(pieces, each, strict=True)
            )
        )
        return {"by_key": {piece.key: one for piece, one in zip(pieces, kept, strict=True)}}

    def _translations(self, rows: pa.Table, texts: pa.Array) -> pa.Table:
        originals, languages = rows["text"].combine_chunks(), rows["language"].combine_chunks()
        quality = self._estimate.of(originals, texts, languages)
        return MESSAGE_TRANSLATIONS.conform(
            pa.table(
                {
                    **{name: rows[name] for name in ("date", "conversation_id", "message_id", "position")},
                    "source_language": languages,
                    "target_language": pa.repeat(self._target, len(rows)),
                    "text": texts,
                    "quality": pa.array(quality, from_pandas=True),
                    "length_ratio": length_ratios(originals, texts),
                    "translator": pa.repeat(self._client.config.model, len(rows)),
                    "prompt_version": pa.repeat(self._kind.prompt.version, len(rows)),
                }
            )
        )

    def _failures(self, rows: pa.Table, failures: Sequence[object]) -> pa.Table:
        about = rows.select(["date", "conversation_id", "message_id", "language"]).to_pylist()
        return TRANSLATION_FAILURES.from_rows(
            [
                {**row, "source_language": row.pop("language"), "target_language": self._target, **vars(failure)}
                for row, failure in zip(about, failures, strict=True)
            ]
        )


def _without(requests: Iterable[Sequence[Piece]], known: Mapping[str, object]) -> list[list[Piece]]:
    """Return the requests without the known pieces; a request of known pieces alone is left out."""
    left = ([piece for piece in request if piece.key not in known] for request in requests)
    return [request for request in left if request]


def _joined(results: Sequence[Result]) -> str | FailedQuestion:
    """Return the translation of a text from those of its pieces; the first failure if a piece has none."""
    texts = []
    for result in results:
        if isinstance(result, FailedQuestion):
            return result
        texts.append(result["text"])
    return " ".join(texts)
