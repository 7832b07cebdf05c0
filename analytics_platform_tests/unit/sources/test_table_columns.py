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
