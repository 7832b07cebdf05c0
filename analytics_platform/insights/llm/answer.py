"""The form of labels that an LLM answers: a schema derived from the taxonomy, and the parsing by this schema."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, create_model

from analytics_platform.insights.llm.answer_json import AnswerError, Strict, read_answer, schema_of
from analytics_platform.insights.llm.transcript import Transcript
from analytics_platform.insights.taxonomies.taxonomy import OTHER, Taxonomy
from analytics_platform.insights.tiers.tier import SENTIMENT_VALUES
from analytics_platform.model.tables.insight_tables import RESOLUTIONS, URGENCIES

Labels = dict[str, Any]
"""A checked answer, as it is cached: reasons refer to message numbers, so that equal conversations can share it."""

_MOST_REASONS, _MOST_TOPICS, _MOST_WORDS = 8, 3, 24
_PUNCTUATION = string.punctuation + "…«»“”‘’¿¡"  # noqa: RUF001  (quotation marks are meant)


def _between(lowest: float, highest: float) -> AfterValidator:
    """Return a validator of a range, outside the schema, because some endpoints refuse bounds in a schema."""

    def check(value: float) -> float:
        if not lowest <= value <= highest:  # also refuses NaN
            raise ValueError(f"must be between {lowest:g} and {highest:g}")
        return value

    return AfterValidator(check)


Confidence = Annotated[float, _between(0, 1)]


class _Sentiment(Strict):
    score: Annotated[float, _between(-1, 1)]
    confidence: Confidence


class AnswerForm:
    """The form of answers for one taxonomy.

    Args:
        taxonomy: Names the labels.
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._labels: Mapping[str, frozenset[str]] = {
            "topic": frozenset(label.label for label in taxonomy.topics) | {OTHER},
            "intent": frozenset(label.label for label in taxonomy.intents) | {OTHER},
            "sentiment": frozenset(SENTIMENT_VALUES),
            "urgency": frozenset(URGENCIES),
            "resolution": frozenset(RESOLUTIONS),
        }
        self._model = self._make_model()
        self.schema = schema_of(self._model)

    def parse(self, text: str, transcript: Transcript) -> Labels:
        """Return the labels of an answer; Markdown fences, text around the JSON and broken JSON are repaired.

        Args:
            text: The model's text.
            transcript: The conversation that the model was shown.

        Raises:
            AnswerError: If the answer does not follow the form, a label is not in the taxonomy, or a reason names a
                message that was not shown.
        """
        answer = read_answer(self._model, text)
        self._check_reasons(answer["reasons"], transcript)
        topics = sorted((t for t in answer["topics"] if t["label"] != OTHER), key=lambda topic: -topic["confidence"])
        distinct = {topic["label"]: topic for topic in reversed(topics)}
        return {
            "topics": [topic for topic in topics if distinct[topic["label"]] is topic][:_MOST_TOPICS],
            "no_topic_confidence": max(
                (t["confidence"] for t in answer["topics"] if t["label"] == OTHER), default=None
            ),
            **{
                name: value
                for kind in ("intent", "urgency", "resolution")
                for name, value in ((kind, answer[kind]["label"]), (f"{kind}_confidence", answer[kind]["confidence"]))
            },
            "sentiment": answer["sentiment"]["score"],
            "sentiment_confidence": answer["sentiment"]["confidence"],
            "reasons": [r for given in answer["reasons"] if (r := _grounded(given, transcript))][:_MOST_REASONS],
        }

    def _check_reasons(self, reasons: list[dict[str, Any]], transcript: Transcript) -> None:
        for place, reason in enumerate(reasons):
            if reason["message"] not in transcript.by_number:
                raise AnswerError(f"reasons.{place}.message: {reason['message']} is no message of the transcript")
            if reason["label"] not in self._labels[reason["kind"]]:
                raise AnswerError(f"reasons.{place}.label: {reason['label']} is no {reason['kind']}")

    def _make_model(self) -> type[BaseModel]:
        """Build the pydantic model; reasons come first, so that a truncated answer lacks a label and is refused."""
        anything = _choice(frozenset().union(*self._labels.values()))
        reason = create_model(
            "Reason", __base__=Strict, kind=_choice(self._labels), label=anything, message=int, quote=str
        )
        judged: dict[str, Any] = {
            kind: create_model(kind.title(), __base__=Strict, label=_choice(self._labels[kind]), confidence=Confidence)
            for kind in ("topic", "intent", "urgency", "resolution")
        }
        fields: dict[str, Any] = {
            "reasons": _list_of(reason),
            "topics": _list_of(judged.pop("topic")),
            "intent": judged["intent"],
            "sentiment": _Sentiment,
            "urgency": judged["urgency"],
            "resolution": judged["resolution"],
        }
        return create_model("Answer", __base__=Strict, **fields)


def _choice(labels: Any) -> Any:
    return Literal[tuple(sorted(labels))]


def _list_of(model: type[BaseModel]) -> Any:
    return list[model]  # type: ignore[valid-type]


def _grounded(reason: dict[str, Any], transcript: Transcript) -> dict[str, Any] | None:
    """Return a reason with those words of its quote that the message contains; None if it contains none of them."""
    quoted, said = reason["quote"].split(), transcript.by_number[reason["message"]].text.casefold().split()
    if " ".join(quoted).casefold() in " ".join(said):  # letter by letter, also in scripts without spaces
        words = quoted
    else:
        known = {word.strip(_PUNCTUATION) for word in said}
        words = [word for word in quoted if word.casefold().strip(_PUNCTUATION) in known]
    words = words[:_MOST_WORDS]
    if not words:
        return None
    return {"kind": reason["kind"], "label": reason["label"], "message": reason["message"], "words": words}
