"""Columns of questions and answers by words for who speaks and words for a text."""

from __future__ import annotations

import pytest

from analytics_platform.sources.shapes.exports.exchange_columns import pair_of

AT = "2024-06-20 10:00:00"


@pytest.mark.parametrize(
    ("question", "answer", "role"),
    [
        ("user_query", "bot_answer", "assistant"),
        ("customer_message", "agent_reply", "agent"),
        ("Customer question", "Support answer", "agent"),
        ("clientText", "aiText", "assistant"),
        ("userPrompt", "llmResponse", "assistant"),
        ("agent_input", "agent_output", "assistant"),
        ("Kunde Frage", "Bot Antwort", "assistant"),
        ("question", "Réponse", "assistant"),
        ("human", "ai", "assistant"),
        ("input", "output", "assistant"),
    ],
)
def test_words_for_two_sides_and_for_texts_name_an_exchange(question, answer, role):
    """Only pairs of a fixed list were found; a table with others had no column of texts."""
    pair = pair_of(["id", question, answer, "created_at"])
    assert pair == (question, answer, role)


@pytest.mark.parametrize(
    "names",
    [
        ("prompt_tokens", "completion_tokens"),
        ("customer", "agent", "message"),
        ("customer_id", "agent_id", "body"),
        ("user", "model", "content"),
        ("input_cost", "output_cost"),
        ("speaker", "user_input", "bot_reply"),
        ("role", "input", "output"),
        ("request_id", "response_time"),
        ("query_answer", "reply"),
    ],
)
def test_columns_about_messages_are_no_exchange(names):
    assert pair_of(names) is None


def test_a_column_that_names_who_speaks_goes_before_one_that_does_not(said):
    rows = said(f"id,query,customer_message,reply,agent_reply,created_at\n1,q,my lamp,r,sorry,{AT}\n")
    assert [(row["role"], row["text"]) for row in rows] == [("user", "my lamp"), ("agent", "sorry")]
