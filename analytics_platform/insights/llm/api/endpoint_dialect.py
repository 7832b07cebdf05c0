"""Dialects of OpenAI-compatible endpoints: how a request states the form and the length of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

Form = Literal["json_schema", "json_object", "text"]
_WEAKER: dict[Form, Form] = {"json_schema": "json_object", "json_object": "text"}
_ABOUT_FORM = ("response_format", "json_schema", "json_object", "structured", "guided", "grammar", "schema")


@dataclass(frozen=True)
class EndpointDialect:
    """Options of a request that not every endpoint accepts.

    Attributes:
        form: Statement of the answer's form: a strict schema, JSON without a schema, or words alone.
        limit: Parameter name of the limit of answer tokens.
        temperature: Whether the request may set a temperature.
    """

    form: Form = "json_schema"
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: bool = True

    def without(self, refusal: str) -> EndpointDialect | None:
        """Return the dialect without the option that the endpoint's message names; None if it names none."""
        text = refusal.lower()
        if self.limit == "max_tokens" and "max_completion_tokens" in text:
            return replace(self, limit="max_completion_tokens")
        if self.temperature and "temperature" in text:
            return replace(self, temperature=False)
        if self.form in _WEAKER and any(word in text for word in _ABOUT_FORM):
            return replace(self, form=_WEAKER[self.form])
        return None

    def request(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        model: str,
        name: str,
        schema: dict[str, Any],
        form_in_words: str,
        answer_tokens: int,
        temperature: float | None,
    ) -> dict[str, Any]:
        """Return the body of a request for a chat completion.

        Args:
            messages: Messages to send, the system message first.
            model: Name of the model.
            name: Name of the schema.
            schema: JSON schema of the answer.
            form_in_words: Description of the schema, for the weaker forms.
            answer_tokens: Most tokens of the answer.
            temperature: Sampling temperature; left to the endpoint when None.
        """
        body: dict[str, Any] = {"model": model, "messages": list(messages), self.limit: answer_tokens}
        if self.temperature and temperature is not None:
            body["temperature"] = temperature
        if self.form == "json_schema":
            wanted = {"name": name, "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": wanted}
            return body
        system, *others = messages
        body["messages"] = [{**system, "content": f"{system['content']}\n\n{form_in_words}"}, *others]
        if self.form == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body
