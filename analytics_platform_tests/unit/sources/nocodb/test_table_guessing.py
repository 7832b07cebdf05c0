"""Which tables of NocoDB are taken for messages and conversations, and their columns for what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.nocodb import NocoBase, NocoTable
from analytics_platform.sources.nocodb.noco_api.nocodb_tables import parse_table
from analytics_platform.sources.nocodb.noco_tables.table_guessing import (
    SeenTable,
    TableGuess,
    guess_attributes,
    guess_messages,
    ids_in,
    possible_keys,
)

SYSTEM = {"Id": "ID", "CreatedAt": "CreatedTime", "UpdatedAt": "LastModifiedTime", "nc_order": "Order"}


def table(title: str, columns: dict[str, str], links: dict[str, str] | None = None, identity: str = "m1") -> NocoTable:
    """Describe a table as the server does; ``links`` has the id of the linked table by title of the Link."""
    described: list[dict[str, Any]] = [
        {"title": name, "uidt": kind, "system": kind != "ID", "pk": kind == "ID"} for name, kind in SYSTEM.items()
    ]
    described += [{"title": name, "uidt": kind, "system": None} for name, kind in columns.items()]
    described += [
        {"title": name, "uidt": "LinkToAnotherRecord", "system": 0, "colOptions": {"fk_related_model_id": target}}
        for name, target in (links or {}).items()
    ]
    return parse_table({"id": identity, "title": title, "base_id": "p1", "columns": described})


TICKETS = table("Tickets", {"Subject": "SingleLineText", "Status": "SingleLineText"}, identity="m2")
TABLES = {
    "m2": TICKETS,
    "m3": table("Contacts", {"Name": "SingleLineText", "Language": "SingleLineText"}, identity="m3"),
    "m4": table("Table 4", {"Score": "Rating", "Language": "Date"}, identity="m4"),
}


def seen(described: NocoTable, sample: Sequence[dict[str, Any]] = ()) -> SeenTable:
    return SeenTable(NocoBase("p1", "Support"), described, max(len(sample), 1), sample)


def guess(described: NocoTable, sample: Sequence[dict[str, Any]] = (), **given: Any) -> TableGuess:
    return guess_messages(seen(described, sample), TABLES, FieldMapping(**given))


def test_a_link_to_tickets_is_the_conversation_and_names_do_the_rest() -> None:
    """Mapping the Link's hidden foreign key was the only way, and nobody sees that column."""
    chat = {"Body": "LongText", "Sender": "SingleLineText", "Sent": "DateTime", "nc_x___Tickets_id": "ForeignKey"}
    found = guess(table("Messages", chat, {"Tickets": "m2", "Customer": "m3"}))

    assert found.columns == {
        "conversation_id": "Tickets",
        "user_id": "Customer",
        "text": "Body",
        "role": "Sender",
        "timestamp": "Sent",
    }
    assert found.linked_table == "m2"


def test_a_link_is_known_by_the_title_of_its_table() -> None:
    chat = {"Body": "LongText", "Sender": "SingleLineText", "Sent": "DateTime"}
    found = guess(table("Log", chat, {"Belongs to": "m2", "Written by": "m3"}))

    assert (found.columns["conversation_id"], found.columns["user_id"]) == ("Belongs to", "Written by")


def test_the_only_link_is_the_conversation_and_the_reader_is_told() -> None:
    chat = {"Body": "LongText", "Sender": "SingleLineText", "Sent": "DateTime"}
    found = guess(table("Log", chat, {"Thing": "m4"}))

    assert found.columns["conversation_id"] == "Thing"
    assert any("only Link" in note for note in found.notes)


def test_types_keep_columns_from_what_they_cannot_be() -> None:
    """A checkbox called message or a date called from was taken by its name alone."""
    chat = {
        "Message": "Checkbox",
        "From": "Date",
        "Body": "LongText",
        "Author": "SingleLineText",
        "Sent": "DateTime",
        "Ticket": "SingleLineText",
    }
    found = guess(table("Log", chat))

    assert (found.columns["text"], found.columns["role"]) == ("Body", "Author")


def test_values_show_who_speaks_where_names_do_not() -> None:
    sample = [
        {"Ticket": "1", "Wer": word, "Author": name, "Body": "hello", "Sent": "2026-01-01"}
        for word, name in (("customer", "Ann"), ("Agent", "Bob"), ("customer", "Ann"))
    ]
    kinds = {"Ticket": "SingleLineText", "Wer": "SingleSelect", "Author": "SingleLineText", "Body": "LongText"}
    found = guess(table("Log", {**kinds, "Sent": "DateTime"}), sample)

    assert found.columns["role"] == "Wer"
    assert any("words for roles" in note for note in found.notes)


def test_types_and_lengths_find_text_and_time_without_a_usual_name() -> None:
    sample = [{"Gesagt": "a long sentence that somebody wrote", "Kurz": "short", "Ticket": "1", "From": "bot"}]
    kinds = {"Kurz": "LongText", "Gesagt": "LongText", "Wann": "DateTime", "Ticket": "Number", "From": "SingleSelect"}
    found = guess(table("Log", kinds), sample)

    assert (found.columns["text"], found.columns["timestamp"]) == ("Gesagt", "Wann")


def test_without_a_column_of_times_the_row_s_own_time_is_taken_and_said() -> None:
    found = guess(table("Log", {"Ticket": "Number", "From": "SingleSelect", "Body": "LongText"}))

    assert found.columns["timestamp"] == "CreatedAt"
    assert any("CreatedAt is taken" in note for note in found.notes)


def test_messages_without_a_conversation_have_a_way_out() -> None:
    kinds = {"Customer": "Email", "From": "SingleSelect", "Body": "LongText", "Sent": "DateTime"}

    assert any("session_gap: 4h" in note for note in guess(table("Messages", kinds)).notes)
    assert not guess(table("Messages", kinds), session_gap="4h").notes


def test_a_checkbox_says_who_speaks_also_where_nobody_touched_it() -> None:
    kinds = {
        "Ticket": "Number",
        "Body": "LongText",
        "Sent": "DateTime",
        "From Agent": "Checkbox",
        "Private": "Checkbox",
    }
    mapping = guess(table("Log", kinds)).completed(FieldMapping())

    assert mapping.constants == {"role": "user"}
    assert [(list(rule.when), rule.role) for rule in mapping.rules] == [
        (["From Agent"], "agent"),
        (["Private"], "system"),
    ]


def test_fields_of_a_record_whose_table_is_out_of_sight_are_named_with_dots() -> None:
    kinds = {"Body": "LongText", "Sender": "SingleLineText", "Sent": "DateTime"}
    described = table("Messages", kinds, {"Ticket": "m9"})
    for value in ({"Id": 1, "Status": "open"}, {"id": 1, "fields": {"Status": "open"}}, [{"Id": 1, "Status": "open"}]):
        found = guess(described, [{"Body": "hello", "Sender": "bot", "Ticket": value}])

        assert (found.columns["conversation_id"], found.columns["outcome"]) == ("Ticket", "Ticket.Status")


def test_fields_of_a_record_that_is_no_conversation_are_named_with_dots() -> None:
    kinds = {"Ticket": "Number", "Body": "LongText", "Sender": "SingleLineText", "Sent": "DateTime"}
    found = guess(table("Messages", kinds, {"Survey": "m4", "Customer": "m3"}))

    assert (found.columns["conversation_id"], found.columns["user_id"]) == ("Ticket", "Customer")
    assert found.columns["rating"] == "Survey.Score"
    assert "language" not in found.columns


def test_what_the_mapping_states_is_not_guessed_and_wins() -> None:
    kinds = {"Ticket": "Number", "Body": "LongText", "Plain": "LongText", "From": "SingleSelect", "Sent": "DateTime"}
    given = FieldMapping(columns={"text": "Plain"}, constants={"role": "user"})
    mapping = guess_messages(seen(table("Log", kinds)), TABLES, given).completed(given)

    assert mapping.columns == {"conversation_id": "Ticket", "text": "Plain", "timestamp": "Sent"}
    assert mapping.constants == {"role": "user"}


def test_messages_look_more_like_messages_than_tickets_and_lists_do() -> None:
    messages = {"Body": "LongText", "Sender": "SingleLineText", "Sent": "DateTime"}
    tickets = {"Subject": "SingleLineText", "Description": "LongText", "Status": "SingleSelect", "Customer": "Email"}
    scores = [
        guess(table("Messages", messages, {"Tickets": "m2"})).score,
        guess(table("Tickets", tickets)).score,
        guess(table("Shopping", {"Item": "SingleLineText", "Price": "Currency"})).score,
    ]

    assert scores == sorted(scores, reverse=True)
    assert scores[2] == 0


def test_attributes_of_conversations_are_found_by_name_link_and_type() -> None:
    kinds = {"Subject": "SingleLineText", "Status": "SingleSelect", "How was it": "Rating", "Locale": "SingleLineText"}
    tickets = table("Tickets", kinds, {"Requester": "m3"})

    assert guess_attributes(seen(tickets), TABLES) == {
        "user_id": "Requester",
        "language": "Locale",
        "rating": "How was it",
        "outcome": "Status",
    }
    assert possible_keys(tickets) == ["Id", "Subject"]


def test_ids_of_linked_records_are_read_in_either_version() -> None:
    values = [{"Id": 7, "Subject": "Lamp"}, {"id": 7, "fields": {}}, [{"Id": 8}], "c1", 9, None, []]

    assert ids_in([{"Ticket": value} for value in values], "Ticket") == ["7", "8", "c1", "9"]


def test_a_column_of_notes_has_its_rule_before_there_is_a_note() -> None:
    """The mapping is written once: a note of tomorrow was an answer to the customer."""
    kinds = {"Ticket": "Number", "Body": "LongText", "Sender": "SingleSelect", "Sent": "DateTime"}
    row = {"Ticket": 1, "Body": "hello", "Sender": "customer", "Sent": "2026-01-01", "Visibility": "public"}
    for sample in ([row, {**row, "Sender": "agent"}], []):
        found = guess(table("Messages", {**kinds, "Visibility": "SingleSelect", "Private": "Checkbox"}), sample)
        rules = {name: rule for rule in found.rules for name in rule.when}
        assert rules["Visibility"].role == rules["Private"].role == "system"
        assert "internal note" in rules["Visibility"].when["Visibility"]
