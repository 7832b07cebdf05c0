"""Tokens in objects such as ``usage`` fill the columns of tokens, in rows, lists of messages and logged answers."""

from __future__ import annotations

import json

import pytest

AT = "2024-06-20T10:00:00Z"
OPENAI = {"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 9}}
ANTHROPIC = {"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": 9}
GEMINI = {"promptTokenCount": 3, "candidatesTokenCount": 4}
ANSWER = {"role": "assistant", "content": "yo"}
ROW = {"conversation_id": "c", "timestamp": AT, "role": "assistant", "text": "yo"}
ASKED = {"id": "c", "created_at": AT, "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    "record",
    [
        {**ROW, "usage": OPENAI},
        {**ROW, "usage_metadata": ANTHROPIC},
        {**ROW, "usageMetadata": GEMINI},
        {**ROW, "response_metadata": {"token_usage": OPENAI, "model_name": "m"}},
        {**ASKED, "messages": [{**ANSWER, "usage": ANTHROPIC}]},
        {**ASKED, "response": {"choices": [{"message": ANSWER}], "usage": OPENAI}},
        {**ASKED, "response": json.dumps({"choices": [{"message": ANSWER}]}), "usage": OPENAI},
        {"id": "c", "created_at": AT, "prompt": "hi", "completion": "yo", "usage": OPENAI},
        {"id": "c", "created_at": AT, "request_body": {"messages": [{"role": "user", "content": "hi"}]},
         "response_body": {"choices": [{"message": ANSWER}], "usage": OPENAI}},
        {"sessionId": "c", "timestamp": AT, "type": "assistant", "message": {**ANSWER, "usage": ANTHROPIC}},
    ],
)  # fmt: skip
def test_tokens_in_an_object_are_those_of_the_answer(said, record):
    """They stayed in ``extra``, so that no cost was computed."""
    line = json.dumps(record) + "\n"
    rows = said(line + line.replace('"c"', '"d"'), "a.jsonl")
    asked, answered = ([row for row in rows if (row["role"] == "assistant") == one] for one in (False, True))

    assert {(row["input_tokens"], row["output_tokens"]) for row in answered} == {("3", "4")}
    assert {(row["input_tokens"], row["output_tokens"]) for row in asked} <= {(None, None)}


def test_tokens_that_each_message_of_a_conversation_repeats_are_no_message_s(said):
    rows = [{**ROW, "text": str(number), "usage": OPENAI} for number in range(3)]
    assert {row["input_tokens"] for row in said(rows)} == {None}
