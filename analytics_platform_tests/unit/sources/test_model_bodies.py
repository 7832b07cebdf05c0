"""Answers in the bodies that interfaces of language models return, and the chains that these answers form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from analytics_platform.sources.file_reading.locating import find_files
from analytics_platform.sources.file_reading.unfolding import unfolded
from analytics_platform.sources.formats.file_records import Records
from analytics_platform.sources.shapes.exports.exchanges import EXCHANGES
from analytics_platform.sources.shapes.shape import Context

T = "2024-06-20T08:00:00Z"


def pairs(rows: list[dict[str, Any]]) -> list[tuple[str | None, str | None]]:
    return [(row["role"], row["text"]) for row in rows]


def invoked(answer: Any, question: Any = None) -> dict[str, Any]:
    question = question or {"messages": [{"role": "user", "content": "one"}]}
    return {
        "timestamp": T,
        "requestId": "r",
        "modelId": "m",
        "input": {"inputContentType": "application/json", "inputBodyJson": question, "inputTokenCount": 1},
        "output": {"outputContentType": "application/json", "outputBodyJson": answer, "outputTokenCount": 1},
    }


ANTHROPIC = [
    {"type": "message_start", "message": {"role": "assistant", "content": []}},
    {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "tw"}},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "o"}},
    {"type": "message_stop"},
]
ANSWERS = {
    "claude": {"id": "a", "role": "assistant", "content": [{"type": "text", "text": "two"}]},
    "claude streamed": ANTHROPIC,
    "llama": {"generation": "\n\ntwo", "prompt_token_count": 1},
    "llama streamed": [{"generation": "tw"}, {"generation": "o"}],
    "titan": {"inputTextTokenCount": 1, "results": [{"outputText": "two", "completionReason": "FINISH"}]},
    "mistral": {"outputs": [{"text": "two", "stop_reason": "stop"}]},
    "ai21": {"completions": [{"data": {"text": "two"}}]},
    "claude 2": {"completion": "two", "stop": "x"},
    "converse": {"output": {"message": {"role": "assistant", "content": [{"text": "two"}]}}},
    "converse streamed": [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"text": "tw"}}},
        {"contentBlockDelta": {"delta": {"text": "o"}}},
    ],
    "openai streamed": [
        {"object": "chat.completion.chunk", "choices": [{"delta": {"role": "assistant", "content": "tw"}}]},
        {"object": "chat.completion.chunk", "choices": [{"delta": {"content": "o"}}]},
        {"object": "chat.completion.chunk", "choices": []},
    ],
}


@pytest.mark.parametrize("model", ANSWERS)
def test_each_model_of_bedrock_has_its_answer(said, model):
    """All but those of Converse were lost in silence."""
    assert pairs(said([invoked(ANSWERS[model])])) == [("user", "one"), ("assistant", "two")]


@pytest.mark.parametrize(
    "prompt",
    [
        "<|begin_of_text|>one",
        (
            "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nzero<|eot_id|><|start_header_id|>user"
            "<|end_header_id|>\n\none<|eot_id|><|start_header_id|>assistant<|end_header_id|>"
        ),
        "<s>[INST] one [/INST]",
        "\n\nHuman: one\n\nAssistant:",
    ],
)
def test_a_prompt_has_no_marks_of_the_model(said, prompt):
    rows = said([invoked({"generation": "two"}, {"prompt": prompt})])
    assert pairs(rows) == [("user", "one"), ("assistant", "two")]


def response(own: str, before: str | None, question: str, answer: str, at: int, **more: Any) -> dict[str, Any]:
    return {
        "request": {"model": "m", "input": question, "previous_response_id": before},
        "response": {
            "id": own, "object": "response", "created_at": at, "model": "m", "previous_response_id": before,
            "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": answer}]}],
            **more,
        },
    }  # fmt: skip


def test_responses_that_name_the_one_before_are_a_conversation(folder):
    """Each was a conversation of its own, at the time of the file."""
    links = [("c", "b", 1718870520), ("b", "a", 1718870460), ("a", None, 1718870400), ("x", None, 1718870400)]
    records = [response(own, before, f"q {own}", f"a {own}", at) for own, before, at in links]
    rows = folder.rows_of("log.jsonl", "\n".join(map(json.dumps, records))).messages

    assert {(row["conversation_id"], row["text"]) for row in rows} == {
        (whole, f"{side} {own}") for whole, own in ("aa", "ab", "ac", "xx") for side in "qa"
    }
    assert {row["time_source"] for row in rows if row["role"] == "assistant"} == {"message"}
    assert f"{max(row['timestamp'] for row in rows):%H:%M}" == "08:02"


def test_the_first_response_of_a_chain_is_remembered_alone(folder, monkeypatch):
    """All responses of a file were kept, and each looked at all before it."""
    monkeypatch.setattr("analytics_platform.sources.shapes.identity._MOST_THREADS", 3)
    folder.write("log.jsonl", "")
    context = Context(find_files(str(folder.path / "log.jsonl"))[0])
    records = [response(f"r{at}", f"r{at - 1}" if at else None, "q", "a", 1718870400 + at) for at in range(20)]
    batches = [Records(records[at : at + 5]) for at in range(0, 20, 5)]
    rows = [row for batch in unfolded(iter(batches), EXCHANGES, context, []) for row in batch.values]

    assert {row["conversation_id"] for row in rows} == {"r0"}
    assert set(context.memory["roots_of_chains"].values()) == {"r0"}
    assert len(context.memory["roots_of_chains"]) == 3 + 5


def test_a_response_names_its_conversation(said):
    rows = said([response("a", None, "one", "two", 1718870400, conversation={"id": "whole"})])
    assert {row["conversation_id"] for row in rows} == {"whole"}


def span(own: str, parents: list[str] | None, kind: str, question: Any, answer: Any) -> dict[str, Any]:
    return {
        "id": own, "span_id": own, "root_span_id": "s1", "span_parents": parents, "created": T, "input": question,
        "output": answer, "metadata": {"session_id": "s"}, "span_attributes": {"type": kind, "name": "n"},
    }  # fmt: skip


LLM = span(
    "s2", ["s1"], "llm", [{"role": "user", "content": "one"}], [{"message": {"role": "assistant", "content": "two"}}]
)
TOOL = span("s3", ["s1"], "tool", {"q": "x"}, "found")


@pytest.mark.parametrize("spans", [[span("s1", None, "task", "one", "two"), LLM, TOOL], [LLM, TOOL], [LLM]])
def test_a_trace_of_braintrust_counts_once(said, spans):
    """The root and the call of the model below it were two exchanges."""
    assert pairs(said(spans)) == [("user", "one"), ("assistant", "two")]
