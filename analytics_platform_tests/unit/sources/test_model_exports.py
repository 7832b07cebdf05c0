"""Questions and answers as programs with language models, their logs and databases store them."""

from __future__ import annotations

import json
from typing import Any

import pytest

T = "2024-06-20T08:00:00Z"
Said = list[tuple[str | None, str | None]]


def lines(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def pairs(rows: list[dict[str, Any]]) -> Said:
    return [(row["role"], row["text"]) for row in rows]


CHAIN = {
    "id": "r1",
    "trace_id": "r1",
    "run_type": "chain",
    "start_time": T,
    "inputs": {"input": "hi"},
    "outputs": {"output": "yo"},
    "parent_run_id": None,
}
CALL = {
    "id": "r2",
    "trace_id": "r1",
    "run_type": "llm",
    "start_time": T,
    "parent_run_id": "r1",
    "extra": {"metadata": {"ls_model_name": "m", "thread_id": "t"}},
    "inputs": {"messages": [{"role": "user", "content": "hi, rephrased"}]},
    "outputs": {"generations": [[{"text": "yo!", "generation_info": {}}]]},
}
HI, YO = {"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}
EXCHANGE: Said = [("user", "hi"), ("assistant", "yo")]
TREE = {
    "text": "hi",
    "role": "prompter",
    "created_date": T,
    "replies": [
        {"text": "no", "role": "assistant", "rank": 1, "created_date": T, "replies": []},
        {"text": "yo", "role": "assistant", "rank": 0, "created_date": T, "replies": []},
    ],
}
MODELS: dict[str, Any] = {
    "LangSmith's root": lines(CHAIN, CALL),
    "LangSmith's root last": lines(CALL, CHAIN),
    "Phoenix as a table": (
        "context.trace_id,start_time,attributes.llm.input_messages,attributes.llm.output_messages\n"
        "t,2024-06-20 08:00:00+00:00,\"[{'message.role': 'user', 'message.content': 'hi'}]\","
        '"[{""message.role"": ""assistant"", ""message.content"": ""yo""}]"\n'
    ),
    "LibreChat": {
        "conversationId": "l",
        "messages": [
            {
                "messageId": "1",
                "sender": "User",
                "text": "hi",
                "isCreatedByUser": True,
                "createdAt": T,
                "children": [
                    {
                        "messageId": "2",
                        "sender": "GPT-4",
                        "text": "yo",
                        "isCreatedByUser": False,
                        "createdAt": T,
                        "children": [],
                    }
                ],
            }
        ],
    },
    "Open WebUI": [
        {
            "id": "w",
            "chat": {
                "history": {
                    "currentId": "2",
                    "messages": {
                        "1": {"id": "1", "parentId": None, **HI, "timestamp": 1718870400},
                        "2": {"id": "2", "parentId": "1", **YO, "timestamp": 1718870401},
                        "3": {"id": "3", "parentId": "1", "role": "assistant", "content": "no"},
                    },
                }
            },
        }
    ],
    "Open Assistant": lines({"message_tree_id": "a", "prompt": TREE}),
    "Flowise": [
        {"id": "x", "role": "userMessage", "content": "hi", "createdDate": T, "chatId": "k"},
        {"id": "y", "role": "apiMessage", "content": "yo", "createdDate": T, "chatId": "k"},
    ],
    "OpenAI's batch": lines({"custom_id": "r", "body": {"model": "m", "messages": [HI, YO]}}),
    "Bedrock": lines(
        {
            "timestamp": T,
            "requestId": "r",
            "input": {"inputBodyJson": {"messages": [HI]}},
            "output": {"outputBodyJson": {"output": {"message": {"role": "assistant", "content": [{"text": "yo"}]}}}},
        }
    ),
    "Dialogflow": lines(
        {
            "session": "s",
            "createTime": T,
            "queryInput": {"text": {"text": "hi"}},
            "queryResult": {"fulfillmentText": "yo"},
        }
    ),
    "AI Studio": {
        "runSettings": {},
        "chunkedPrompt": {"chunks": [{"text": "hi", "role": "user"}, {"text": "yo", "role": "model"}]},
    },
    "Gemini": [{"header": "Gemini Apps", "title": "Prompted hi", "time": T, "safeHtmlItem": [{"html": "yo"}]}],
    "Gradio": lines({"id": "0", "created_at": T, "history": [["hi", "yo"]]}),
    "LangChain": lines(
        {
            "session_id": "s",
            "created_at": T,
            "messages": [{"type": "human", "data": {"content": "hi"}}, {"type": "ai", "data": {"content": "yo"}}],
        }
    ),
    "n8n": (
        'id,session_id,message\n1,s,"{""type"":""human"",""content"":""hi""}"\n'
        '2,s,"{""type"":""ai"",""content"":""yo""}"\n'
    ),
    "bare messages": [HI, YO],
    "OpenAI's conversation": {
        "object": "list",
        "data": [{"type": "message", **HI}, {"type": "reasoning", "summary": []}, {"type": "message", **YO}],
    },
    "SillyTavern": lines(
        {"user_name": "Me", "character_name": "Bo", "create_date": "x"},
        {"name": "Me", "is_user": True, "send_date": T, "mes": "hi"},
        {"name": "Bo", "is_user": False, "send_date": T, "mes": "yo"},
    ),
    "questions in German": "Frage;Antwort;Datum\nhi;yo;20.06.2024\n",
    "LiteLLM": lines(
        {
            "request_id": "r",
            "session_id": "s",
            "startTime": T,
            "endTime": T,
            "model": "m",
            "messages": [HI],
            "response": {"choices": [{"message": YO}]},
        }
    ),
    "Chatbot UI": {
        "chats": [{"id": "c", "name": "n", "messages": [{**HI, "created_at": T}, {**YO, "created_at": T}]}],
        "folders": [],
    },
    "Langfuse as a table": (
        'id,traceId,type,startTime,input,output,sessionId\no,t,GENERATION,2024-06-20T08:00:00Z,"""hi""","""yo""",s\n'
    ),
    "DynamoDB": lines(
        *(
            {
                "Item": {
                    "sessionId": {"S": "s"},
                    "role": {"S": one["role"]},
                    "text": {"S": one["content"]},
                    "timestamp": {"N": "1718870400"},
                }
            }
            for one in (HI, YO)
        )
    ),
    "Elasticsearch": {
        "took": 1,
        "hits": {
            "hits": [
                {"_id": "1", "_source": {"conversation_id": "s", **HI, "@timestamp": T}},
                {"_id": "2", "_source": {"conversation_id": "s", **YO, "@timestamp": T}},
            ]
        },
    },
    "CouchDB": {
        "total_rows": 1,
        "rows": [
            {"id": "c", "key": "c", "value": {"rev": "1"}, "doc": {"_id": "c", "created_at": T, "messages": [HI, YO]}}
        ],
    },
    "Debezium": lines(
        *({"payload": {"op": "c", "after": {"session_id": "s", **one, "created_at": T}}} for one in (HI, YO))
    ),
    "Firebase": {
        "chats": {
            "c1": {
                "messages": {
                    "-a": {"sender": "user", "text": "hi", "timestamp": 1718870400000},
                    "-b": {"sender": "bot", "text": "yo", "timestamp": 1718870401000},
                }
            }
        }
    },
    "PostHog": lines(
        {
            "event": "$ai_generation",
            "timestamp": T,
            "distinct_id": "u",
            "properties": {"$ai_trace_id": "t", "$ai_input": [HI], "$ai_output_choices": [YO]},
        }
    ),
    "OpenAI's compliance interface": {
        "data": [
            {
                "id": "c",
                "messages": {
                    "object": "list",
                    "data": [
                        {
                            "id": one["role"],
                            "created_at": 1718870400.5,
                            "author": {"role": one["role"]},
                            "content": {"content_type": "text", "parts": [one["content"]]},
                        }
                        for one in (HI, YO)
                    ],
                },
            }
        ]
    },
    "OpenAI's threads": {
        "object": "list",
        "data": [
            {
                "id": one["role"],
                "created_at": 1718870400,
                "thread_id": "t",
                "role": one["role"],
                "content": [{"type": "text", "text": {"value": one["content"], "annotations": []}}],
            }
            for one in (HI, YO)
        ],
    },
    "Claude Code": lines(
        {"type": "summary", "summary": "x"},
        {"type": "user", "message": HI, "sessionId": "s", "timestamp": T, "uuid": "1"},
        {"type": "assistant", "message": YO, "sessionId": "s", "timestamp": T, "uuid": "2"},
    ),
    "DeepSeek": [
        {
            "id": "d",
            "mapping": {
                "root": {"id": "root", "parent": None, "message": None},
                "1": {
                    "parent": "root",
                    "message": {"inserted_at": T, "fragments": [{"type": "REQUEST", "content": "hi"}]},
                },
                "2": {
                    "parent": "1",
                    "message": {
                        "inserted_at": T,
                        "fragments": [
                            {"type": "THINK", "content": "hm"},
                            {"type": "RESPONSE", "content": "yo"},
                        ],
                    },
                },
            },
        }
    ],
    "Grok": {
        "conversations": [
            {
                "conversation": {"id": "g"},
                "responses": [
                    {"response": {"_id": "1", "message": "hi", "sender": "human", "create_time": {"$date": T}}},
                    {"response": {"_id": "2", "message": "yo", "sender": "assistant", "create_time": {"$date": T}}},
                ],
            }
        ]
    },
    "conversations by id": {"c1": [HI, YO]},
}


@pytest.mark.parametrize("platform", MODELS)
def test_questions_and_answers_of_models_are_read_wherever_they_are_stored(said, platform):
    content = MODELS[platform]
    rows = said(content, "a.jsonl" if isinstance(content, str) and content.startswith("{") else "")

    assert pairs(rows) == EXCHANGE
    assert len({row["conversation_id"] for row in rows}) == 1
    assert all(row["conversation_id"] and row["timestamp"] for row in rows)


def test_both_sides_of_an_arena_are_conversations(said):
    rows = said(
        lines(
            {
                "question_id": "q",
                "model_a": "A",
                "model_b": "B",
                "tstamp": 1718870400.5,
                "conversation_a": [HI, YO],
                "conversation_b": [HI, {**YO, "content": "hey"}],
            }
        ),
        "a.jsonl",
    )

    assert [(row["conversation_id"], row["model"], row["text"]) for row in rows] == [
        ("q:a", "A", "hi"),
        ("q:a", "A", "yo"),
        ("q:b", "B", "hi"),
        ("q:b", "B", "hey"),
    ]


@pytest.mark.parametrize("key", ["messages", "log", "data", "items", "turns"])
@pytest.mark.parametrize("count", [1, 2])
def test_bare_messages_in_records_are_those_of_their_record(said, key, count):
    records = [{"id": f"c{number}", key: [HI, YO]} for number in range(count)]
    rows = said(lines(*records), "a.jsonl")

    assert [(row["conversation_id"], row["text"]) for row in rows] == [
        (f"c{number}", text) for number in range(count) for text in ("hi", "yo")
    ]


INPUTS: list[tuple[Any, Said]] = [
    ({"args": ["hi"], "kwargs": {}}, EXCHANGE),
    ({"args": [], "kwargs": {"question": "hi", "tone": "kind"}}, EXCHANGE),
    ({"args": [{"self": 1}, "hi"], "kwargs": {"user_id": "u1", "retries": 2}}, EXCHANGE),
    ({"args": [{"question": "hi"}], "kwargs": {}}, EXCHANGE),
    ({"args": [[HI], "kind"], "kwargs": {"model": "m"}}, EXCHANGE),
    ({"args": [], "kwargs": {"messages": [HI]}}, EXCHANGE),
    ({"q": "hi"}, EXCHANGE),
    ({"q": "hi", "model": "m", "history": [], "limit": 3}, EXCHANGE),
    ({"args": ["hi", "kind"], "kwargs": {}}, EXCHANGE[1:]),
    ({"topic": "hi", "tone": "kind"}, EXCHANGE[1:]),
]


@pytest.mark.parametrize(("asked", "expected"), INPUTS)
@pytest.mark.parametrize("write", [lambda value: value, json.dumps])
def test_the_only_text_of_an_input_is_the_question(said, asked, expected, write):
    """A function that Langfuse observes lost its question, as did an object with a key of its own."""
    trace = {"id": "t", "timestamp": T, "sessionId": "s", "input": write(asked), "output": "yo"}
    assert pairs(said([trace])) == expected


def batch_request(number: int, url: str, **body: Any) -> dict[str, Any]:
    return {"custom_id": f"q{number}", "method": "POST", "url": url, "body": {"model": "m", **body}}


@pytest.mark.parametrize("inputs", [["hi"], ["hi", "ho"], ["hi", [{"role": "user", "content": "ho"}]]])
def test_a_batch_of_responses_may_have_texts_as_inputs(said, inputs):
    """A request with a text vanished beside those with a list of messages, counted nowhere."""
    requests = [batch_request(number, "/v1/responses", input=asked) for number, asked in enumerate(inputs)]
    assert pairs(said(lines(*requests), "a.jsonl")) == [("user", "hi"), ("user", "ho")][: len(inputs)]


def test_a_text_in_the_place_of_messages_is_quarantined(folder):
    """It was counted nowhere."""
    records = [
        {"id": 1, "at": T, "events": [{"sender": "user", "body": "hi", "created_at": T}]},
        {"id": 2, "events": "x"},
    ]
    found = folder.rows_of("a.jsonl", lines(*records))

    assert pairs(found.messages) == [("user", "hi")]
    assert found.reasons == {2: "unreadable_row"}
