"""Reading of an LLM's answers as JSON of a form: fences, text around the JSON and broken JSON are repaired."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from json_repair import repair_json
from pydantic import BaseModel, ConfigDict, ValidationError

_PROBLEMS_NAMED = 5
_DECODER = json.JSONDecoder()
_THOUGHTS = re.compile(r"\A\s*<think(?:ing)?>.*?</think(?:ing)?>", re.S)
_MOST_BRACES = 1_000
"""Most opening braces at which parsing is tried; each try may read the rest of the text."""


class AnswerError(ValueError):
    """An answer does not follow the form; the message names the place, so that the model can correct it."""


class Strict(BaseModel):
    """A part of an answer; a field that the form does not have makes the answer invalid."""

    model_config = ConfigDict(extra="forbid")


def read_answer(model: type[BaseModel], text: str) -> dict[str, Any]:
    """Return the answer in a text; of several complete answers, the last.

    Args:
        model: The form of the answer.
        text: The model's text.

    Raises:
        AnswerError: If the text holds no answer of the form.
    """
    try:
        return model.model_validate_json(text).model_dump()
    except ValidationError:
        pass
    text = _THOUGHTS.sub("", text)
    for found in reversed(list(_objects(text))):  # drafts come before the answer
        try:
            return model.model_validate(found).model_dump()
        except ValidationError:
            continue
    try:
        mended = repair_json(text, return_objects=True)
    except (RecursionError, ValueError):
        raise AnswerError("it is nested too deeply") from None
    if isinstance(mended, list) and len(mended) == 1:
        mended = mended[0]
    if not isinstance(mended, dict):
        raise AnswerError("it holds no JSON object") from None
    try:
        return model.model_validate(mended).model_dump()
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        named = [f"{'.'.join(map(str, p['loc']))}: {p['msg'][:200]}" for p in problems[:_PROBLEMS_NAMED]]
        raise AnswerError("; ".join(named)) from None


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a form, without the titles that carry no information and cost tokens."""
    schema: dict[str, Any] = _without_titles(model.model_json_schema())
    return schema


def _objects(text: str) -> Iterator[Any]:
    """Yield the outermost JSON objects within a text."""
    start, braces = text.find("{"), 0
    while start >= 0 and braces < _MOST_BRACES:
        braces += 1
        try:
            found, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):  # a brace of the text around
            end = start + 1
        else:
            yield found
        start = text.find("{", end)


def _without_titles(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {k: _without_titles(v) for k, v in schema.items() if not (k == "title" and isinstance(v, str))}
    return [_without_titles(item) for item in schema] if isinstance(schema, list) else schema
