"""The answer of a logged request stands beside its messages, and is the last message of its conversation."""

from __future__ import annotations

import json
from typing import Any

import pytest

T = "2024-06-20T08:00:00Z"
ASKED = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": "three"},
]
SAID = [("user", "one"), ("assistant", "two"), ("user", "three")]
FOUR = {"role": "assistant", "content": "four"}


def pairs(rows: list[dict[str, Any]]) -> list[tuple[str | None, str | None]]:
    return [(row["role"], row["text"]) for row in rows]


def log(messages: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"id": "c", "model": "m", "messages": messages, "timestamp": T, **more}


@pytest.mark.parametrize(
    "name",
    [
        "response", "completion", "output", "answer", "reply", "output_text", "assistant_response", "llm_response",
        "result",
    ],
)  # fmt: skip
def test_an_answer_as_a_text_is_the_last_message(said, name):
    """It was lost in silence."""
    assert pairs(said(log(ASKED, **{name: "four"}))) == [*SAID, ("assistant", "four")]
    many = "".join(json.dumps(log(ASKED, **{name: "four"}) | {"id": f"c{number}"}) + "\n" for number in range(300))
    assert pairs(said(many, "a.jsonl")) == [*SAID, ("assistant", "four")] * 300


@pytest.mark.parametrize("answer", ["four", " four\n", FOUR, {"choices": [{"message": FOUR}]}])
def test_an_answer_that_ends_the_messages_counts_once(said, answer):
    assert pairs(said(log([*ASKED, FOUR], response=answer))) == [*SAID, ("assistant", "four")]


def test_an_outcome_beside_an_answered_chat_is_no_message(said):
    assert pairs(said(log([*ASKED, FOUR], result="resolved"))) == [*SAID, ("assistant", "four")]


def test_an_answer_in_json_is_a_text(said):
    assert pairs(said(log(ASKED, response='{"n": 4}'))) == [*SAID, ("assistant", '{"n": 4}')]


def test_no_answer_adds_no_message(said):
    assert pairs(said(log(ASKED, response=None, result=" "))) == SAID


def request_of_session(second: int, history: list[dict[str, Any]], answer: Any) -> dict[str, Any]:
    return {"id": f"o{second}", "sessionId": "s", "startTime": f"2024-06-20T08:00:0{second}Z",
            "input": history, "output": answer}  # fmt: skip


CALL = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "find"}}]}
HISTORY = [{"role": "system", "content": "be kind"}, *ASKED, CALL, {"role": "tool", "content": "found"}]
REQUESTS = [
    request_of_session(1, HISTORY[:2], "two"),
    request_of_session(2, HISTORY[:4], CALL),
    request_of_session(3, HISTORY, "four"),
    request_of_session(4, [*HISTORY[1:], FOUR, {"role": "user", "content": "one"}], "two"),
]
SESSION = [
    ("user", "one"), ("assistant", "two"), ("user", "three"), ("assistant", "[tool call: find]"), ("tool", "found"),
    ("assistant", "four"), ("user", "one"), ("assistant", "two"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("requests", "times"),
    [(REQUESTS, "11223344"), (REQUESTS[::-1], "11223344"), (REQUESTS[2:], "33333344"), (REQUESTS[:2] * 2, "1122")],
)
def test_the_requests_of_a_session_give_each_message_once(said, requests, times):
    """A question was repeated by each request in which tools had answered; what no request asked itself was lost."""
    rows = sorted(said(requests), key=lambda row: float(row["sequence"]))

    assert [(row["role"], row["text"]) for row in rows] == SESSION[: len(times)]
    assert "".join(row["timestamp"][-2] for row in rows) == times


@pytest.mark.parametrize(
    ("times", "first"),
    [
        (["2024-06-20 10:00:00+02:00", "2024-06-20 09:00:00+00:00"], 0),
        (["2024-06-20T09:00:00Z", "2024-06-20 08:00:00 UTC"], 1),
        ([100, 99], 1),
        ([{"$date": "2024-06-20T09:00:00Z"}, {"$date": "2024-06-20T08:00:00Z"}], 1),
        (["6/9/2024 10:00 PM", "6/10/2024 9:00 AM"], 0),
    ],
)
def test_requests_of_a_session_are_taken_by_their_times_not_their_letters(said, times, first):
    """A later request had the question first: 6/10/2024 stood before 6/9/2024, and 100 before 99."""
    rows = said([request_of_session(1, HISTORY[:2], "two") | {"startTime": time} for time in times])

    expected = times[first]["$date"] if isinstance(times[first], dict) else str(times[first])
    assert [(row["text"], row["timestamp"]) for row in rows] == [("one", expected), ("two", expected)]


@pytest.mark.parametrize(
    "answer",
    [
        {"choices": [{"index": 0, "message": FOUR}]},
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "four"}]}}]},
        {"message": FOUR},
        {"response": {"output": [{"type": "reasoning"}, {"type": "message", **FOUR}]}},
        {"response": {"role": "assistant", "content": [{"type": "text", "text": "four"}]}},
    ],
)
def test_an_answer_as_an_interface_returns_it_is_the_last_message(said, answer):
    """OpenAI's choices beside the messages were lost in silence."""
    assert pairs(said(log(ASKED, **answer))) == [*SAID, ("assistant", "four")]


@pytest.mark.parametrize("more", [{"message": "three"}, {"message": ASKED[-1]}, {"choices": ["A", "B"]}])
def test_a_question_beside_its_messages_is_no_answer(said, more):
    assert pairs(said(log(ASKED, **more))) == SAID


@pytest.mark.parametrize("asked", ["messages", "request"])
def test_the_time_of_the_answer_is_that_of_a_request_without_one(folder, asked):
    """Such messages had the time of the file."""
    answer = {"object": "chat.completion", "created": 1718870400, "choices": [{"message": FOUR}]}
    content = {"messages": ASKED, "request": {"messages": ASKED}}[asked]
    found = folder.rows_of("a.json", json.dumps([{asked: content, "response": answer}]))
    assert {f"{row['timestamp']:%Y-%m-%d %H:%M}" for row in found.messages} == {"2024-06-20 08:00"}
