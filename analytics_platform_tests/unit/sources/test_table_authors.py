"""One column of authors names the customer on rows of customers, and the agent on rows of agents."""

from __future__ import annotations

import json
from typing import Any

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
