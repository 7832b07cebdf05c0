"""Messages that belong to tickets by a link, as people build them in NocoDB, and cells of every type."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from analytics_platform.sources.nocodb import NocoClient
from analytics_platform.sources.nocodb.source import NocoSource, NocoTables
from analytics_platform_tests.integration.nocodb.server import NocoServer

BASE_MAPPING = "roles: {customer: user}\ncolumns:\n  role: Sender\n  timestamp: Sent At\n"

OWNER = "tests@example.com"
Make = Callable[..., NocoSource]


@dataclass
class Desk:
    """Tables of tickets and messages: messages 1 and 2 belong to ticket 3, message 5 to ticket 2.

    Attributes:
        server: The server that has them.
        tickets: Id of the one table.
        messages: Id of the other.
        ticket_link: The link of a ticket to its messages.
        message_link: The link of a message to its ticket.
    """

    server: NocoServer
    tickets: str
    messages: str
    ticket_link: str
    message_link: str


@pytest.fixture
def desk(noco: NocoServer) -> Desk:
    tickets = noco.make_table(
        {"Subject": "SingleLineText", "Customer": "SingleLineText", "Outcome": "SingleLineText", "Stars": "Rating"}
    )
    messages = noco.make_table(
        {"Body": "LongText", "Sender": "SingleLineText", "Sent At": "DateTime"}, names={"Body": "body"}
    )
    ticket_link = noco.add_link(tickets, "Messages", messages, "hm")
    link = noco.rename_link_back(messages, "Tickets")
    lamp = {"Subject": "Lamp", "Customer": "ann", "Outcome": "open", "Stars": 4}
    noco.insert(tickets, [{"Subject": "unused"}])
    noco.insert(tickets, [{"Subject": "Desk", "Customer": "bob"}])
    noco.insert(tickets, [lamp, {"Subject": "Chair"}])
    rows = [{"Body": f"text {n}", "Sender": "customer", "Sent At": f"2026-01-01 10:0{n}:00"} for n in range(1, 6)]
    ids = noco.insert(messages, rows)
    noco.delete(messages, ids[2:4])
    noco.link(tickets, ticket_link, 3, [1, 2])
    noco.link(tickets, ticket_link, 2, [5])
    return Desk(noco, tickets, messages, ticket_link, link)


@pytest.fixture
def source_of(client: NocoClient, noco: NocoServer, tmp_path: Path) -> Make:
    def make(desk: Desk, mapping: str, *, text: str = "Body", conversations: bool = False) -> NocoSource:
        file = tmp_path / "mapping.yaml"
        file.write_text(f"{BASE_MAPPING}  text: {text}\n{mapping}")
        return NocoSource(
            lambda: client,
            NocoTables(desk.messages, desk.tickets if conversations else None),
            url=noco.url,
            staging_dir=tmp_path / "staging",
            first_day=dt.date(2026, 1, 1),
            last_day=dt.date(2026, 1, 31),
            mapping=file,
        )

    return make


def messages_of(source: NocoSource, *columns: str) -> list[tuple[Any, ...]]:
    """Return columns of the messages of all days, in the order of the rows."""
    rows = pa.concat_tables([source.read_day(day).messages for day in source.days()]).sort_by("source_row")
    return [tuple(row.values()) for row in rows.select(columns).to_pylist()]


def test_a_link_stands_for_its_record_and_a_path_for_a_field_of_it(desk, source_of):
    """A mapped link was ``{"Id":3,"Subject":"Lamp"}``: a renamed ticket became another conversation."""
    source = source_of(desk, "  conversation_id: Tickets\n  user_id: Tickets.Customer\n  variant: Tickets.Subject\n")
    source.refresh()
    expected = [("3", "ann", "Lamp"), ("3", "ann", "Lamp"), ("2", "bob", "Desk")]
    assert messages_of(source, "conversation_id", "user_id", "variant") == expected
    assert source.reconcile() == {"vanished": 0, "missing": 0, "changed": 0}
    desk.server.edit(desk.tickets, [{"Id": 3, "Subject": "Lamp, broken"}])
    source.refresh()
    assert messages_of(source, "conversation_id", "variant")[0] == ("3", "Lamp, broken")
    assert "Lamp" not in str(messages_of(source, "extra"))


@pytest.mark.parametrize(("client", "conversations"), [("v2", False), ("v3", True)], indirect=["client"])
def test_what_the_ticket_states_reaches_its_messages(desk, source_of, conversations):
    """Customer, outcome and rating of the linked ticket were lost without a word."""
    stated = "conversations: {conversation_id: Id, user_id: Customer, outcome: Outcome, rating: Stars}\n"
    source = source_of(desk, "  conversation_id: Tickets\n" + stated * conversations, conversations=conversations)
    source.refresh()
    expected = [("ann", "open", 4.0), ("ann", "open", 4.0), ("bob", None, None)]
    assert messages_of(source, "user_id", "outcome", "rating") == expected
    desk.server.edit(desk.tickets, [{"Id": 2, "Outcome": "solved", "Stars": 2}])
    source.refresh()
    assert messages_of(source, "user_id", "outcome", "rating")[2] == ("bob", "solved", 2.0)


@pytest.mark.parametrize(
    ("client", "conversation"), [("v2", "link"), ("v3", "foreign key"), ("v2", "lookup")], indirect=["client"]
)
def test_a_message_far_behind_that_moves_to_another_ticket_is_found(desk, source_of, conversation):
    """A move changes the ticket's time or none, never the message's: pull and reconciliation both missed it."""
    server = desk.server
    ticket = server.column_id(desk.tickets, "Id")
    options = {"fk_relation_column_id": desk.message_link, "fk_lookup_column_id": ticket}
    server.add_column(desk.messages, "Ticket Id", "Lookup", **options)
    server.age(desk.messages, days=400)
    server.age(desk.tickets, days=400)
    server.insert(desk.messages, [{"Body": "newest", "Sender": "customer", "Sent At": "2026-01-01 10:09:00"}])
    server.link(desk.tickets, desk.ticket_link, 4, [6])
    names = {"link": "Tickets", "foreign key": server.foreign_key(desk.messages), "lookup": "Ticket Id"}
    source = source_of(desk, f"  conversation_id: {names[conversation]}\n")
    source.refresh()
    assert messages_of(source, "conversation_id") == [("3",), ("3",), ("2",), ("4",)]

    server.link(desk.tickets, desk.ticket_link, 4, [1])  # at the ticket, whose time changes
    source.refresh()
    assert messages_of(source, "conversation_id") == [("4",), ("3",), ("2",), ("4",)]

    server.link(desk.messages, desk.message_link, 5, [1])  # at the message: no time of the two changes
    source.refresh()
    assert source.reconcile() == {"vanished": 0, "missing": 0, "changed": 1}
    assert messages_of(source, "conversation_id") == [("4",), ("3",), ("1",), ("4",)]

    server.delete(desk.tickets, [1])
    assert source.reconcile()["changed"] == 1
    assert messages_of(source, "conversation_id") == [("4",), ("3",), ("4",)]


CELLS = {
    "Tags": ("MultiSelect", "a,b"),
    "Language": ("SingleSelect", "de"),
    "Urgent": ("Checkbox", True),
    "Private": ("Checkbox", False),
    "Price": ("Currency", 0.25),
    "Score": ("Rating", 4),
    "Meta": ("JSON", {"author": {"type": "bot"}, "n": [1]}),
    "Files": ("Attachment", [{"url": "http://127.0.0.1/a.png", "title": "a.png", "mimetype": "image/png", "size": 10}]),
    "Owner": ("User", "tests@example.com"),
}
"""Title to type and value of a column of messages."""

CHOICES = {"colOptions": {"options": [{"title": "a"}, {"title": "b"}, {"title": "de"}]}}

CELL_MAPPING = """  conversation_id: Tickets
  user_id: Customer
  agent_id: Owner
  variant: Tags
  language: Language
  outcome: Urgent
  cost: Price
  rating: Score
  channel: Meta.author.type
  model: Files
  sequence: Most Stars
rules:
  - {when: {Private: "true"}, drop: true}
"""


def test_cells_of_every_type_have_one_form_in_both_versions(desk, source_of):
    """Attachments and users came as JSON, a checkbox as 1 or true, and an unrated message with the rating 0."""
    server, messages = desk.server, desk.messages
    for title, (kind, _) in CELLS.items():
        server.add_column(messages, title, kind, **(CHOICES if kind.endswith("Select") else {}))
    topics = server.add_link(messages, "Topics", desk.tickets, "mm")
    customer, stars = (server.column_id(desk.tickets, title) for title in ("Customer", "Stars"))
    lookup = {"fk_relation_column_id": desk.message_link, "fk_lookup_column_id": customer}
    rollup = {"fk_relation_column_id": topics, "fk_rollup_column_id": stars, "rollup_function": "max"}
    server.add_column(messages, "Customer", "Lookup", **lookup)
    server.add_column(messages, "Most Stars", "Rollup", **rollup)
    server.edit(
        messages, [{"Id": 1} | {title: value for title, (_, value) in CELLS.items()}, {"Id": 5, "Private": True}]
    )
    server.link(messages, topics, 1, [2, 3])
    source = source_of(desk, CELL_MAPPING, text="body")  # the column's name in the database; its title is Body
    source.refresh()
    columns = (
        "user_id",
        "agent_id",
        "variant",
        "language",
        "outcome",
        "cost",
        "rating",
        "channel",
        "model",
        "sequence",
    )
    filled = ("ann", "tests@example.com", "a,b", "de", "true", 0.25, 4.0, "bot", "[image: a.png]", 4)
    empty = ("ann", None, None, None, "false", None, None, None, None, None)
    assert messages_of(source, *columns) == [filled, empty]
    assert source.reconcile() == {"vanished": 0, "missing": 0, "changed": 0}
