"""Records of linked tables as both versions of the API write them, read under the names of a mapping."""

from __future__ import annotations

from typing import Any

import pytest

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.nocodb import NocoColumn, NocoContractError, NocoTable
from analytics_platform.sources.nocodb.noco_tables.reading_plan import plan_reading
from analytics_platform.sources.nocodb.noco_tables.record_reading import RecordReading


def column(title: str, kind: str = "SingleLineText", **options: Any) -> NocoColumn:
    name = title.lower().replace(" ", "_")
    return NocoColumn(
        title, kind, **({"system": False, "primary_key": False, "id": f"c{name}", "name": name} | options)
    )


TIMES = (column("CreatedAt", "CreatedTime", system=True), column("UpdatedAt", "LastModifiedTime", system=True))
KEY = column("Id", "ID", primary_key=True)
TICKETS = NocoTable(
    "t",
    "Tickets",
    "b",
    (KEY, *TIMES, column("Subject", display=True), column("Customer"), column("Status"), column("Stars", "Rating")),
)
MESSAGES = NocoTable(
    "m",
    "Messages",
    "b",
    (
        KEY,
        *TIMES,
        column("Body", "LongText"),
        column("Ticket", "LinkToAnotherRecord", related_table="t", foreign_key="cfk"),
        column("fk", "ForeignKey"),
        column("Topics", "Links", related_table="t"),
        column("Others", "Links", related_table="t"),
        column("inner", "LinkToAnotherRecord", related_table="t", system=True),
        column("Ticket Stars", "Lookup", relation="cticket", target="cstars"),
        column("Urgent", "Checkbox"),
        column("Tags", "MultiSelect"),
        column("Meta", "JSON"),
        column("Files", "Attachment"),
        column("Owner", "User"),
    ),
)


def plan(columns: dict[str, str], *, guesses: bool = False, **options: Any) -> RecordReading:
    tables = {table.id: table for table in (MESSAGES, TICKETS)}
    return plan_reading(MESSAGES, FieldMapping(columns=columns, **options), tables.__getitem__, guesses=guesses)


def linked(version: str, key: int, **fields: Any) -> dict[str, Any]:
    return {"Id": key, **fields} if version == "v2" else {"id": key, "fields": fields}


def read_one(reading: RecordReading, **record: Any) -> dict[str, Any]:
    records, problems = reading.read([{"Id": 1, **record}])
    assert problems == {}
    return records[0]


versions = pytest.mark.parametrize("version", ["v2", "v3"])


@versions
def test_a_link_is_its_records_key_and_a_path_a_field_of_it(version):
    reading = plan({"conversation_id": "Ticket", "user_id": "Ticket.customer", "variant": "Topics.Subject"})
    topics = [linked(version, 2, Subject="b"), linked(version, 1, Subject="a")]
    found = read_one(reading, Ticket=linked(version, 7, Customer="ann", UpdatedAt="x"), Topics=topics, Others=[{}] * 3)
    assert (found["Ticket"], found["Ticket.customer"], found["Topics.Subject"]) == (7, "ann", "a, b")
    assert (found["Topics"], found["Others"]) == ("1, 2", 3)
    assert reading.linked_fields.fields["Ticket"] == ("Id", "Customer", "UpdatedAt", "CreatedAt")


@versions
def test_a_message_of_two_conversations_is_a_problem_not_a_third_one(version):
    records, problems = plan({"conversation_id": "Topics"}).read(
        [{"Id": 5, "Topics": [linked(version, 2), linked(version, 1)]}, {"Id": 6, "Topics": [linked(version, 1)]}]
    )
    assert list(problems) == [5]
    assert "2 conversations (1, 2)" in problems[5].detail
    assert records[1]["Topics"] == 1


def test_a_server_that_gives_the_number_of_links_is_refused():
    """The number of linked records would have become the conversation's id."""
    with pytest.raises(NocoContractError, match="'Topics' came as '2', without the linked records"):
        plan({"conversation_id": "Topics"}).read([{"Id": 5, "Topics": 2}])


@pytest.mark.parametrize(
    ("columns", "named"), [({"conversation_id": "fk"}, False), ({"rating": "Ticket Stars"}, False)]
)
def test_a_link_that_a_mapped_value_depends_on_is_followed_and_looks_as_before(columns, named):
    reading = plan(columns)
    assert [(link.column.title, link.named) for link in reading.links] == [("Ticket", named)]
    record = {"Id": 1, "UpdatedAt": "now", "fk": 7, "Ticket": {"Id": 7, "Subject": "Lamp", "UpdatedAt": "y"}}
    assert read_one(reading, **record)["Ticket"] == {"Id": 7, "Subject": "Lamp"}
    assert reading.stamps([record]).to_pylist() == ["now Ticket=7@y"]


def test_a_mapping_without_links_asks_for_no_links_and_changes_no_record():
    reading = plan({"conversation_id": "thread", "text": "Body"}, guesses=True)
    record = {
        "Body": "hi",
        "Ticket": {"Id": 7, "Subject": "Lamp"},
        "Topics": 2,
        "Urgent": 1,
        "Tags": ["a"],
        "inner": [],
    }
    assert read_one(reading, **record) == {"Id": 1, **record}
    assert reading.links == reading.lists == ()
    assert reading.stamps([{"Id": 1, "CreatedAt": "then", **record}]).to_pylist() == ["then"]


def test_what_the_linked_ticket_states_is_taken_unless_the_mapping_says_otherwise():
    ticket = linked("v3", 7, Customer="ann", Status="open", Stars=0)
    found = read_one(plan({"conversation_id": "Ticket"}, guesses=True), Ticket=ticket)
    assert (found["user_id"], found["outcome"], found["rating"]) == ("ann", "open", None)
    stated = plan({"conversation_id": "Ticket", "outcome": "Tags"}, guesses=True, constants={"user_id": "x"})
    assert "user_id" not in read_one(stated, Ticket=ticket)
    assert "outcome" not in read_one(stated, Ticket=ticket)
    assert "user_id" not in read_one(plan({"conversation_id": "Ticket"}), Ticket=ticket)


def test_a_path_into_a_linked_table_that_is_not_there_is_refused():
    with pytest.raises(SourceError, match=r"Ticket\.Colour: the linked table Tickets .* has no column 'Colour'"):
        plan({"user_id": "Ticket.Colour"})


@pytest.mark.parametrize(
    ("name", "cells", "expected"),
    [
        ("Urgent", [True, 1], "true"),
        ("urgent", [False, 0], "false"),
        ("Tags", [["a", "b"], "a,b"], "a,b"),
        ("Ticket Stars", [4], 4),
        ("Ticket Stars", [0, None], None),
        ("Meta.author.type", ['{"author":{"type":"bot"}}', {"author": {"type": "bot"}}], "bot"),
        ("Meta.tags[0]", ['{"tags":["a"]}'], "a"),
        ("Meta.none.at.all", ["{}", None, "no JSON"], None),
        ("Owner", [[{"id": "u", "email": "ann@example.com", "display_name": None}]], "ann@example.com"),
        ("Owner.id", [[{"id": "u", "email": "ann@example.com"}]], "u"),
        ("Files", [[{"title": "a.png", "mimetype": "image/png"}, {"title": "b.pdf", "mimetype": "application/pdf"}]],
         "[image: a.png], [file: b.pdf]"),
        ("Files[1].title", [[{"title": "a.png"}, {"title": "b.pdf"}]], "b.pdf"),
    ],
)  # fmt: skip
def test_cells_of_each_type_have_one_form(name, cells, expected):
    """The versions of the API write the same cell as 1 and true, as ``a,b`` and ``["a","b"]``."""
    reading = plan({"variant": name})
    title = next(title for title in ("Urgent", "Tags", "Ticket Stars", "Meta", "Owner", "Files")
                 if name.lower().startswith(title.lower()))  # fmt: skip
    assert [read_one(reading, **{title: cell})[name] for cell in cells] == [expected] * len(cells)


def test_a_rule_for_a_checkbox_may_say_1_or_true():
    for word in ("1", "true"):
        reading = plan({}, rules=[{"when": {"Urgent": word}, "drop": True}])
        assert [str(read_one(reading, Urgent=cell)["Urgent"]) for cell in (1, True)] == [word, word]


def test_no_address_of_an_attachment_is_kept_where_no_mapping_names_it():
    """Addresses with a signature give access to the file, and change with every answer."""
    files = [{"title": "a.png", "mimetype": "image/png", "signedUrl": "http://x/?sig=secret", "url": "u"}]
    assert read_one(plan({}), Files=files)["Files"] == "[image: a.png]"
