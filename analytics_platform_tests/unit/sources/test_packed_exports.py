"""Exports as interfaces answer them: records of a known shape in a list within an object."""

from __future__ import annotations

import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics_platform.sources.base import SourceError

SECONDS = 1718870400
CHATWOOT = {
    "id": 5, "status": "resolved", "meta": {"channel": "Channel::WebWidget", "sender": {"id": 3}}, "messages": [
        {"id": 1, "content": "Hi", "message_type": 0, "created_at": SECONDS, "private": False,
         "sender": {"id": 3, "type": "contact"}},
        {"id": 2, "content": "Note", "message_type": 1, "created_at": SECONDS + 10, "private": True,
         "sender": {"id": 8, "type": "user"}},
        {"id": 3, "content": "Hello", "message_type": 1, "created_at": SECONDS + 60, "private": False,
         "sender": {"id": 8, "type": "user"}},
        {"id": 4, "content": "Ben resolved it", "message_type": 2, "created_at": SECONDS + 70, "private": False},
    ],
}  # fmt: skip
SAID = [("5", "user", "Hi"), ("5", "system", "Note"), ("5", "agent", "Hello"), ("5", "system", "Ben resolved it")]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"data": {"meta": {"all_count": 1}, "payload": [CHATWOOT]}}),
        json.dumps({"payload": [CHATWOOT]}, indent=1),
        json.dumps(CHATWOOT),
        f"{json.dumps({'data': {'payload': [CHATWOOT]}})}\n{json.dumps({'data': {'payload': []}})}\n",
    ],
    ids=["list of conversations", "payload", "one conversation", "pages"],
)
def test_chatwoot_agents_are_no_customers(folder, content):
    """Chatwoot calls agents ``user``: within ``data.payload``, their answers counted as questions of customers."""
    found = folder.rows_of("conversations.json", content)

    assert [(row["conversation_id"], row["role"], row["text"]) for row in found.messages] == SAID
    assert {row["outcome"] for row in found.messages} == {"resolved"}
    assert {row["channel"] for row in found.messages} == {"Channel::WebWidget"}
    assert [row["agent_id"] for row in found.messages if row["role"] == "agent"] == ["8"]


def test_a_log_event_with_a_whole_call_counts_once(folder):
    """The event of OpenTelemetry's newest convention was read as an event and as attributes: each message twice."""
    said = {
        "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}],
        "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "Hello"}]}],
    }
    attributes = [{"key": name, "value": {"stringValue": json.dumps(value)}} for name, value in said.items()]
    event = {
        "timeUnixNano": f"{SECONDS}000000000",
        "traceId": "t1",
        "eventName": "gen_ai.client.inference.operation.details",
        "attributes": attributes,
    }
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [event]}]}]}

    found = folder.rows_of("logs.json", json.dumps(logs))

    assert [(row["role"], row["text"]) for row in found.messages] == [("user", "Hi"), ("assistant", "Hello")]


def test_tokens_of_a_langfuse_table_are_kept(folder):
    """The columns ``inputTokens`` and ``outputTokens`` of its CSV export were lost without a word."""
    table = "id,timestamp,sessionId,input,output,inputTokens,outputTokens\nt1,2024-06-20T08:00:00Z,s1,Hi,Hello,10,5\n"

    answer = folder.rows_of("traces.csv", table).messages[-1]

    assert (answer["text"], answer["input_tokens"], answer["output_tokens"]) == ("Hello", 10, 5)


def test_a_text_that_looks_like_deep_json_is_a_text(folder):
    """It ended the whole read with a trace."""
    deep = "[" * 100_000
    record = {"id": "a", "session_id": "s1", "input": deep, "output": "Hello", "timestamp": "2024-06-20T08:00:00Z"}
    records = [record, {**record, "id": "b", "input": "Hi"}]

    found = folder.rows_of("traces.jsonl", "".join(f"{json.dumps(one)}\n" for one in records))

    assert sorted(row["text"][:5] for row in found.messages) == ["Hello", "Hello", "Hi", "[[[[["]


OPENAI = [{"role": "user", "content": "It's broken"}, {"role": "assistant", "content": "We help."}]
SHAREGPT = [{"from": "human", "value": "It's broken"}, {"from": "gpt", "value": "We help."}]
DATE = "2024-06-20T08:00:00Z"


def table(names: list[str], *rows: list[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows([names, *rows])
    return written.getvalue()


@pytest.mark.parametrize(
    ("column", "content"),
    [
        ("messages", json.dumps(OPENAI)),
        ("conversations", json.dumps(SHAREGPT)),
        ("messages", str(OPENAI)),
        (
            "transcript",
            json.dumps([{"speaker": "customer", "text": "It's broken"}, {"speaker": "bot", "text": "We help."}]),
        ),
    ],
    ids=["OpenAI", "ShareGPT", "Python", "other"],
)
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_column_of_written_messages_is_unfolded(folder, suffix, column, content):
    """Databases and pandas write the list of messages as text; it was refused with a hint to map columns."""
    names, rows = ["id", "created_at", column], [["c1", DATE, content], ["c2", DATE, content]]
    if suffix == "parquet":
        pq.write_table(pa.table(dict(zip(names, zip(*rows, strict=True), strict=True))), folder.path / "chats.parquet")
    else:
        records = [dict(zip(names, row, strict=True)) for row in rows]
        lines = "".join(f"{json.dumps(record)}\n" for record in records)
        folder.write(f"chats.{suffix}", table(names, *rows) if suffix == "csv" else lines)

    source = folder.source(f"chats.{suffix}")

    said = [
        (row["conversation_id"], row["role"], row["text"]) for row in source.read_day("2024-06-20").messages.to_pylist()
    ]
    both = [("user", "It's broken"), ("assistant", "We help.")]
    assert said == [(conversation, *one) for conversation in ("c1", "c2") for one in both]


def test_a_history_beside_each_message_is_not_unfolded(folder):
    names = ["conversation_id", "role", "text", "timestamp", "history"]

    found = folder.rows_of("rows.csv", table(names, ["c1", "user", "And now?", DATE, json.dumps(OPENAI)]))

    assert [row["text"] for row in found.messages] == ["And now?"]


def test_messages_of_no_conversation_are_refused_with_the_session_gap(folder):
    """The refusal asked what the column is called, where none exists."""
    with pytest.raises(SourceError, match=r"lacks the column conversation_id; .*`session_gap: 4h`"):
        folder.rows_of("rows.csv", table(["customer", "role", "text", "timestamp"], ["m1", "user", "Hi", DATE]))
