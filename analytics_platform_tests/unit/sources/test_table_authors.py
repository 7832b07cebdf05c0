"""One column of authors names the customer on rows of customers, and the agent on rows of agents."""

from __future__ import annotations

import json
from typing import Any

import pytest

from analytics_platform.sources.base import SourceError

HEADER = "Ticket ID,Author Role,Author Name,Author ID,Public,Comment Body,Created At\n"
ROWS = """1,End-user,Anna,501,true,Where is my lamp?,2024-06-03T08:00:00Z
1,Agent,Tom,701,true,On its way.,2024-06-03T08:05:00Z
1,Agent,Tom,701,false,Check the carrier.,2024-06-03T08:06:00Z
"""


def people(found: Any) -> list[tuple[str, str | None, str | None]]:
    return [(row["role"], row["user_id"], row["agent_id"]) for row in found.messages]


def test_authors_are_customers_and_agents_by_the_role_of_the_row(folder):
    """A Zendesk table of comments gave neither customers nor agents: its authors went to ``extra``."""
    found = folder.rows_of("a.csv", HEADER + ROWS)

    assert people(found) == [("user", "501", None), ("agent", None, "701"), ("system", None, None)]


def test_a_column_of_customers_leaves_the_authors_to_the_agents(folder):
    rows = ROWS.replace("\n", ",c9\n")

    found = folder.rows_of("a.csv", HEADER.replace("\n", ",Requester ID\n") + rows)

    assert people(found) == [("user", "c9", None), ("agent", "c9", "701"), ("system", "c9", None)]


def test_an_author_of_both_sides_is_neither_customer_nor_agent(folder):
    """A column such as ``sender_id`` that repeats the customer on each row would make the customer an agent."""
    found = folder.rows_of("a.csv", (HEADER + ROWS).replace("701", "501").replace("Tom", "Anna"))

    assert {row[1:] for row in people(found)} == {(None, None)}


def test_a_mapping_of_all_required_columns_leaves_authors_alone(folder):
    mapping = folder.path / "mapping.yaml"
    columns = {"conversation_id": "Ticket ID", "role": "Author Role", "text": "Comment Body", "timestamp": "Created At"}
    mapping.write_text(json.dumps({"columns": columns}))

    found = folder.rows_of("a.csv", HEADER + ROWS, mapping=mapping)

    assert {row[1:] for row in people(found)} == {(None, None)}


COMMENTS = """ticket_id,requester_id,assignee_id,comment_id,author_id,body,public,created_at
1,501,701,11,501,Where is my lamp?,true,2024-06-03T08:00:00Z
1,501,701,12,701,Check the carrier.,false,2024-06-03T08:04:00Z
1,501,701,13,701,On its way.,true,2024-06-03T08:05:00Z
2,502,,14,502,No bulb,true,2024-06-03T09:00:00Z
2,502,,15,,Merged,true,2024-06-03T09:10:00Z
"""


def test_the_requester_of_a_ticket_is_the_customer_of_its_comments(folder):
    """A Zendesk table of comments by ids, as databases keep them, was refused for want of a column of roles."""
    found = folder.rows_of("comments.csv", COMMENTS)

    assert people(found) == [
        ("user", "501", "701"), ("system", "501", "701"), ("agent", "501", "701"), ("user", "502", None)
    ]  # fmt: skip
    assert [row["reason"] for row in found.quarantined] == ["missing_role"]


@pytest.mark.parametrize(
    ("requester", "author"),
    [
        ("Requester", "Comment author"),
        ("Requester name", "Author"),
        ("Customer", "From"),
        ("customerEmail", "senderEmail"),
        ("Anfragender", "Verfasser"),
    ],
)
def test_an_author_by_name_who_is_the_requester_is_the_customer(said, requester, author):
    """Names of authors were words for roles without a meaning, or the table lacked a column of roles."""
    header = f"Ticket ID,{requester},{author},Comment,Created at,Type\n"
    rows = said(header + "1,Ann Lee,ann lee ,hi,2024-06-20 10:00,email\n1,Ann Lee,Bob Ray,yo,2024-06-20 10:05,email\n")

    assert [(row["role"], row["agent_id"]) for row in rows] == [("user", None), ("agent", "Bob Ray")]


def test_authors_who_are_never_the_customer_say_nothing_of_roles(folder):
    """Where an author is a number and a customer a name, every message would be an agent's."""
    with pytest.raises(SourceError, match="lacks the column role"):
        folder.rows_of("comments.csv", COMMENTS.replace(",501,701", ",Mia,701").replace(",502,,", ",Tom,,"))


def test_a_column_of_users_names_the_agents_on_their_rows(read_together):
    """The agent was a customer of each conversation."""
    header = "conversation_id,{},role,text,timestamp\n"
    rows = "{0}1,ann,user,hi,2024-05-01 09:15\n{0}1,al,agent,yo,2024-05-01 09:16\n{0}2,bob,user,hi,2024-05-01 09:15\n"
    of_both = "3,ann,user,hi,2024-05-01 09:15\n3,ann,agent,yo,2024-05-01 09:16\n"
    found = read_together({
        "a.csv": header.format("user_id") + rows.format("a"),
        "b.csv": header.format("User ID") + rows.format("b"),
        "c.csv": header.format("user_id") + of_both,
        "d.csv": header.format("user_id") + of_both.replace("3,ann,agent", "3,,agent").replace("3,", "4,"),
    })  # fmt: skip
    people = {
        name: sorted((row["user_id"] or "", row["agent_id"] or "") for row in rows) for name, rows in found.items()
    }

    assert people == {
        "a.csv": [("", "al"), ("ann", ""), ("bob", "")],
        "b.csv": [("", "al"), ("ann", ""), ("bob", "")],
        "c.csv": [("ann", ""), ("ann", "")],
        "d.csv": [("", ""), ("ann", "")],
    }
