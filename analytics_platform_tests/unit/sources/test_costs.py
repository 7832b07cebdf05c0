"""What a message cost, where the source states tokens and no cost."""

from __future__ import annotations

import json

import pytest

from analytics_platform.sources.base import SourceError

PRICES = {"gpt-4o": (2.5, 10.0), "House-Model": (1.0, 1.0)}
ROW = {"conversation_id": "c", "role": "assistant", "text": "x", "timestamp": "2024-01-05"}
TOKENS = {"input_tokens": 1_000, "output_tokens": 200}


COSTS = [
    ({"model": "gpt-4o", **TOKENS}, 0.0045, "computed"),
    ({"model": "gpt-4o-2024-08-06", **TOKENS}, 0.0045, "computed"),
    ({"model": "openai/GPT-4o", **TOKENS}, 0.0045, "computed"),
    ({"model": "house-model", **TOKENS}, 0.0012, "computed"),
    ({"model": "gpt-4o", **TOKENS, "cost": 0.5}, 0.5, "stated"),
    ({"model": "gpt-4o", **TOKENS, "cost": 0}, 0, "stated"),
    ({"model": "gpt-4o", **TOKENS, "cost": "free"}, 0.0045, "computed"),
    ({"model": "unheard-of", **TOKENS}, None, None),
    ({**TOKENS}, None, None),
    ({"model": "gpt-4o", "output_tokens": 200}, None, None),
    ({"model": "gpt-4o", "tokens": 1_200}, None, None),
]


@pytest.fixture(scope="module")
def read_costs(read_together):
    """The rows of ``COSTS``, read from a file each."""
    rows = [ROW | values | {"conversation_id": f"c{number}"} for number, (values, *_) in enumerate(COSTS)]
    files = {f"{number}.jsonl": json.dumps(row) for number, row in enumerate(rows)}
    return list(read_together(files, prices=PRICES).values())


@pytest.mark.parametrize("number", range(len(COSTS)))
def test_a_cost_is_computed_where_tokens_and_a_price_are_known(read_costs, number):
    (row,) = read_costs[number]
    _, cost, stated = COSTS[number]

    assert (row["cost"], row["cost_source"]) == (pytest.approx(cost), stated)


def test_tokens_are_the_sum_of_those_read_and_written(folder):
    lines = [json.dumps(ROW | TOKENS), json.dumps(ROW | TOKENS | {"tokens": 7})]
    found = folder.rows_of("a.jsonl", "\n".join(lines))
    assert [row["tokens"] for row in found.messages] == [1_200, 7]


def test_changed_prices_change_the_days_of_the_source(folder):
    folder.write("a.jsonl", json.dumps(ROW | TOKENS | {"model": "gpt-4o"}))
    before = dict(folder.source("a.jsonl", prices=PRICES).days())
    after = dict(folder.source("a.jsonl", prices={"gpt-4o": (5.0, 10.0)}).days())
    assert before != after


def test_computed_costs_are_told(folder):
    folder.write("a.jsonl", json.dumps(ROW | TOKENS | {"model": "gpt-4o"}))
    (line,) = folder.source("a.jsonl", prices=PRICES).summary().warnings
    assert line == "1 cost was computed from model and tokens, because the source states none (ANALYTICS_PRICES)"


def test_a_mapping_gives_no_prices(folder):
    folder.write("a.jsonl", json.dumps(ROW))
    mapping = folder.write("mapping.yaml", "prices: {gpt-4o: [1, 2]}")
    with pytest.raises(SourceError, match="prices: ANALYTICS_PRICES names a file of prices"):
        folder.source("a.jsonl", mapping=mapping).days()


@pytest.mark.parametrize(
    "names",
    [
        "prompt_tokens,completion_tokens", "tokens_in,tokens_out", "input_token_count,output_token_count",
        "usage.prompt_tokens,usage.completion_tokens", "Prompt Tokens,Completion Tokens", "inputTokens,outputTokens",
    ],
)  # fmt: skip
def test_tokens_are_known_by_their_usual_names(said, names):
    """They were kept aside, so that no cost was computed."""
    rows = said(
        f"conversation_id,role,text,timestamp,model,{names}\n"
        "1,user,hi,2024-05-01 09:15,,,\n1,assistant,yo,2024-05-01 09:16,gpt-4o,1000,200\n"
    )
    assert [(row["input_tokens"], row["output_tokens"]) for row in rows] == [(None, None), ("1000", "200")]


def test_tokens_that_each_message_of_a_conversation_repeats_are_of_none(said):
    """Their sum would count the tokens of a conversation as often as it has messages."""
    rows = said(
        "conversation_id,role,text,timestamp,prompt_tokens\n"
        "1,user,hi,2024-05-01 09:15,1000\n1,assistant,yo,2024-05-01 09:16,1000\n"
    )
    assert [row["input_tokens"] for row in rows] == [None, None]


def test_a_cost_is_computed_of_tokens_with_other_names(read_together):
    row = {**ROW, "model": "gpt-4o", "prompt_tokens": 1_000, "completion_tokens": 200}
    (rows,) = read_together({"a.jsonl": json.dumps(row)}, prices=PRICES).values()
    assert [message["cost"] for message in rows] == [pytest.approx(0.0045)]
