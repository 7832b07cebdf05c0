"""Which columns of a table are taken for what, by their names alone."""

from __future__ import annotations

import pytest

from analytics_platform.sources.shapes.table_parts.table_columns import meaning_of, usual_columns


def test_a_column_called_comment_is_the_text_where_no_other_is() -> None:
    """It was taken for the message's id, and the table was refused because it lacked a text."""
    assert usual_columns(["ticket", "author", "comment", "date"], ())["text"] == "comment"
    both = usual_columns(["ticket", "author", "comment", "body", "date"], ())
    assert (both["text"], both["message_id"]) == ("body", "comment")


def test_a_column_whose_type_does_not_fit_gives_way_to_the_next() -> None:
    names = ["ticket", "author", "message", "body", "date"]

    assert usual_columns(names, (), {"text": ["message"]})["text"] == "body"


@pytest.mark.parametrize(
    ("name", "meaning"),
    [("Tickets", "conversation_id"), ("Case", "conversation_id"), ("Customers", "user_id"), ("Agent", "agent_id")],
)
def test_tables_are_known_by_singular_and_plural_names(name: str, meaning: str) -> None:
    assert meaning_of(name) == meaning
    assert meaning_of(f"{name} of 2024") is None


def test_optional_columns_are_taken_beside_required_ones_of_our_names() -> None:
    """Customers, agents, ratings and outcomes went to ``extra`` where the required columns had our names."""
    required = ["conversation_id", "role", "text", "timestamp"]

    assert usual_columns([*required, "customer_id", "csat", "ticket_status", "agent_name"], ()) == {
        "user_id": "customer_id", "rating": "csat", "outcome": "ticket_status", "agent_id": "agent_name",
    }  # fmt: skip
    assert usual_columns([*required, "status", "score", "id", "message"], ()) == {}
    assert usual_columns([*required, "customer_id"], required) == {}


TICKET, MOMENTS = ["2024-05-01 08:00"] * 2, ["2024-05-01 09:15", "2024-05-01 09:16"]


@pytest.mark.parametrize("own", ["message_created_at", "sent_at", "message_time", "Reply Time", "Message created"])
def test_the_time_of_a_message_goes_before_that_of_its_ticket(own: str) -> None:
    """All messages of a ticket had the time when the ticket was opened."""
    values = {"ticket_id": ["1", "1"], "created_at": TICKET, own: MOMENTS, "sender": ["a", "b"], "message": ["x", "y"]}

    assert usual_columns(list(values), (), values=values)["timestamp"] == own


@pytest.mark.parametrize(
    "other",
    [
        {"sent_at": [None, "2024-05-01 09:16"]},  # only of those that were sent
        {"message_date": ["2024-05-01", "2024-05-01"]},
        {"reply_time": ["00:05:00", "00:01:00"]},  # how long it took
        {"sent_at": TICKET},
    ],
)
def test_the_time_of_creation_stays_where_no_other_says_more(other: dict[str, list[str | None]]) -> None:
    values = {"ticket_id": ["1", "1"], "created_at": MOMENTS, **other, "sender": ["a", "b"], "message": ["x", "y"]}

    assert usual_columns(list(values), (), values=values)["timestamp"] == "created_at"


@pytest.mark.parametrize(
    ("message", "comment", "text", "identifier"),
    [
        (["lamp", "lamp"], ["hi", "yo"], "comment", None),
        (["hi", "yo"], ["in a word", "or two"], "message", None),
        (["hi", "yo"], ["c1", "c2"], "message", "comment"),
        (["hi", "hi"], ["101", "102"], "message", "comment"),
    ],
)
def test_a_text_that_a_ticket_repeats_gives_way_to_its_comments(
    message: list[str], comment: list[str], text: str, identifier: str | None
) -> None:
    """The ticket's own text was each message, and what people wrote was the messages' ids."""
    values = {"ticket_id": ["1", "1"], "message": message, "comment": comment, "author_role": ["user", "agent"]}
    found = usual_columns([*values, "created_at"], (), values={**values, "created_at": MOMENTS})

    assert (found["text"], found.get("message_id")) == (text, identifier)


def test_values_of_records_may_be_missing_or_nested() -> None:
    values = {
        "ticket_id": ["1", "1"],
        "message": [["x"], ["x"]],
        "comment": [{"a": 1}],
        "sent_at": ["2024-05-01 09:15"],
    }

    found = usual_columns([*values, "created_at", "sender"], (), values={**values, "created_at": TICKET, "sender": []})

    assert (found["text"], found["timestamp"]) == ("message", "created_at")


def test_a_table_of_ticket_and_message_times_is_read_by_those_of_messages(read_together) -> None:
    files = {
        "a.csv": "ticket_id,created_at,message_created_at,sender,message\n"
        "1,2024-05-01 08:00,2024-05-01 09:15,customer,hi\n1,2024-05-01 08:00,2024-05-01 09:16,agent,yo\n",
        "b.csv": "ticket_id,message,comment,author_role,created_at\n"
        "2,My lamp broke,hi,customer,2024-05-01 09:15\n2,My lamp broke,yo,agent,2024-05-01 09:16\n",
    }
    for rows in read_together(files).values():
        assert [(row["text"], str(row["timestamp"])[11:16]) for row in rows] == [("hi", "09:15"), ("yo", "09:16")]
