"""Exports of one's own making: lists of messages, and questions beside answers, with other names and other content."""

from __future__ import annotations

import json
from typing import Any

import pytest

STATED = "2024-06-20T08:00:00Z"


def lines(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def said(found) -> list[tuple[str | None, str | None]]:
    return [(row["role"], row["text"]) for row in found.messages]


def times(found) -> list[str]:
    return [f"{row['timestamp']:%H:%M:%S}" for row in found.messages]


@pytest.mark.parametrize("key", ["createdAt", "createTime", "startTime", "started_at", "sent_at", "ts", "datetime"])
@pytest.mark.parametrize("value", [STATED, {"$date": STATED}, {"$date": {"$numberLong": "1718870400000"}}])
def test_the_time_of_a_chat_is_read_under_any_usual_name(folder, key, value):
    """Its messages got the time when the file changed."""
    chat = {"id": "c", "userId": "u7", key: value}
    openai = {**chat, "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]}
    sharegpt = {**chat, "conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "yo"}]}

    for name, record in (("openai.jsonl", openai), ("sharegpt.jsonl", sharegpt)):
        found = folder.rows_of(name, lines(record))
        assert times(found) == ["08:00:00"] * 2
        assert [row["user_id"] for row in found.messages] == ["u7", "u7"]


@pytest.mark.parametrize("key", ["createdAt", "sent_at", "ts", "date"])
def test_the_time_of_a_message_in_a_list_is_read_under_any_usual_name(folder, key):
    said_at = [{key: {"$date": STATED}}, {key: "2024-06-20T08:00:09Z"}]
    openai = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]
    sharegpt = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "yo"}]

    for name, turns in (("messages", openai), ("conversations", sharegpt)):
        record = {"id": "c", name: [turn | time for turn, time in zip(turns, said_at, strict=True)]}
        assert times(folder.rows_of(f"{name}.jsonl", lines(record))) == ["08:00:00", "08:00:09"]
