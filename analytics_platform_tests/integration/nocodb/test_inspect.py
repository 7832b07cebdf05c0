"""`analytics inspect nocodb` on a real server: linked tables, found and judged without a setting."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from analytics_platform.cli import commands
from analytics_platform.cli.app import main
from analytics_platform.operations.inspecting.mapping_file import write_mapping
from analytics_platform.operations.inspecting.nocodb_inspection import inspect_server
from analytics_platform.operations.runs.outcome import Outcome
from analytics_platform.sources.mapping import FieldMapping, load_mapping
from analytics_platform_tests.integration.nocodb.server import NocoServer

TICKETS = {"Subject": "SingleLineText", "Customer": "Email", "Status": "SingleLineText", "How was it": "Rating"}
MESSAGES = {"Body": "LongText", "Sender": "SingleLineText", "Sent": "DateTime", "Private": "Checkbox"}


class Desk:
    """Two linked tables, as a small help desk has them, beside a table that is neither."""

    def __init__(self, server: NocoServer) -> None:
        self.tickets = server.make_table(TICKETS)
        self.messages = server.make_table(MESSAGES)
        self.shopping = server.make_table({"Item": "SingleLineText", "Comment": "LongText"})
        for table, title in ((self.tickets, "Tickets"), (self.messages, "Messages"), (self.shopping, "Shopping")):
            server.rename_table(table, title)
        link = server.add_link(self.tickets, "Messages", self.messages, "hm")
        subjects = [{"Subject": "Lamp", "Customer": "ann@example.org", "Status": "open"}, {"Subject": "Chair"}]
        tickets = server.insert(self.tickets, subjects)
        rows = [
            {"Body": f"message {number}", "Sender": sender, "Sent": f"2026-01-01 10:0{number}:00"}
            for number, sender in enumerate(("customer", "agent", "customer", "wizard", "agent"))
        ]
        rows[4]["Private"] = True
        messages = server.insert(self.messages, rows)
        server.link(self.tickets, link, tickets[0], messages[:3])
        server.link(self.tickets, link, tickets[1], messages[3:])
        server.insert(self.shopping, [{"Item": "milk", "Comment": "semi-skimmed, and not the sweet one"}])


@pytest.fixture(scope="module")
def desk(noco: NocoServer) -> Desk:
    return Desk(noco)


def test_linked_tables_are_found_and_their_columns_understood(client, desk: Desk, tmp_path: Path) -> None:
    """People had to find table ids in addresses and the hidden foreign key of a Link to map anything."""
    view = inspect_server(client, FieldMapping())

    taken = {table.title: table.taken_for for table in view.tables if table.id in vars(desk).values()}
    assert taken == {"Tickets": "conversations", "Messages": "messages", "Shopping": None}
    assert view.settings == {
        "ANALYTICS_SOURCE": "nocodb",
        "NOCODB_MESSAGES_TABLE": desk.messages,
        "NOCODB_CONVERSATIONS_TABLE": desk.tickets,
    }
    assert view.messages is not None
    assert view.conversations is not None
    assert (view.messages.rows, view.messages.kept, view.messages.quarantined) == (5, 4, {"unknown_role": 1})
    assert view.messages.roles == {"customer": 2, "agent": 1, "wizard": 1, "system": 1}
    assert (view.messages.first, view.messages.last) == ("2026-01-01 10:00:00", "2026-01-01 10:04:00")
    assert {message["conversation_id"] for message in view.messages.messages} == {"1", "2"}
    assert (view.conversations.rows, view.conversations.kept) == (2, 2)
    assert json.loads(json.dumps(view.as_json()))["settings"] == view.settings

    path = tmp_path / "mapping.yaml"
    write_mapping(path, view.messages, view.mapping)
    mapping = load_mapping(path)
    assert mapping.columns == {"conversation_id": "Tickets", "role": "Sender", "text": "Body", "timestamp": "Sent"}
    assert mapping.conversations == {
        "conversation_id": "Id",
        "user_id": "Customer",
        "rating": "How was it",
        "outcome": "Status",
    }
    assert mapping.roles == {"wizard": "user"}
    assert [rule.role for rule in mapping.rules] == ["system"]


def test_tables_without_links_are_joined_by_the_values_of_their_keys(client, noco: NocoServer) -> None:
    cases = noco.make_table({"Number": "SingleLineText", "Status": "SingleLineText", "Customer": "Email"})
    log = noco.make_table(
        {"Case Number": "SingleLineText", "Text": "LongText", "From": "SingleLineText", "At": "DateTime"}
    )
    noco.make_table({"Number": "SingleLineText", "Status": "SingleLineText"})
    number = f"A-{log}"  # no other table has it
    noco.insert(cases, [{"Number": number, "Status": "open", "Customer": "ann@example.org"}])
    noco.insert(log, [{"Case Number": number, "Text": "hello", "From": "bot", "At": "2026-01-01 10:00:00"}])

    view = inspect_server(client, FieldMapping(), messages=log)

    assert view.settings["NOCODB_CONVERSATIONS_TABLE"] == cases
    assert view.mapping.conversations == {"conversation_id": "Number", "user_id": "Customer", "outcome": "Status"}
    assert view.messages is not None
    assert view.messages.kept == 1


def test_the_command_needs_address_and_token_only_and_stores_nothing(
    noco: NocoServer, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """ANALYTICS_SOURCE=nocodb was refused without the id of a table that nobody knew yet."""
    written = tmp_path / "mapping.yaml"
    variables = {
        "ANALYTICS_HOME": str(tmp_path / "home"),
        "ANALYTICS_SOURCE": "nocodb",
        "NOCODB_URL": noco.url,
        "NOCODB_TOKEN": noco.token.get_secret_value(),
        "NOCODB_REQUESTS_PER_SECOND": "1000",
    }

    code, shown, said = command(monkeypatch, capsys, tmp_path, variables, "inspect", "--write", str(written))

    assert code == 0, said
    assert f"table Messages ({desk.messages})  5 rows  → messages" in shown
    assert "Body LongText, Sender SingleLineText, Sent DateTime, Private Checkbox" in shown
    assert f"NOCODB_MESSAGES_TABLE={desk.messages}" in shown
    assert f"ANALYTICS_SOURCE_MAPPING={written}" in shown
    assert noco.token.get_secret_value() not in shown + said
    assert "tests@example.com" not in shown + said
    assert load_mapping(written).columns["conversation_id"] == "Tickets"
    assert not (tmp_path / "home").exists()


def test_a_run_says_what_tables_are_that_it_has_not_read_yet(
    noco: NocoServer, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only files were described before the first run; of tables, the columns that are missing came after minutes."""
    (tmp_path / "mapping.yaml").write_text("columns: {conversation_id: Subject, role: Sender, text: Body}")
    variables = {
        "ANALYTICS_HOME": str(tmp_path / "home"),
        "ANALYTICS_SOURCE": "nocodb",
        "ANALYTICS_SOURCE_MAPPING": str(tmp_path / "mapping.yaml"),
        "NOCODB_URL": noco.url,
        "NOCODB_TOKEN": noco.token.get_secret_value(),
        "NOCODB_MESSAGES_TABLE": desk.messages,
        "NOCODB_CONVERSATIONS_TABLE": desk.tickets,
    }
    monkeypatch.setattr(commands, "run_graph", lambda *_, **__: (Outcome(), []))

    _, _, said = command(monkeypatch, capsys, tmp_path, variables, "run")

    assert f"NocoDB table {desk.messages}: lacks the column Subject (for conversation_id), timestamp" in said
    assert "`analytics inspect nocodb --write mapping.yaml` guesses the columns" in said


def command(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    variables: dict[str, str],
    *arguments: str,
) -> tuple[int, str, str]:
    """Run a command in a folder with variables; return exit status, output and messages."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["analytics", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    shown = capsys.readouterr()
    return int(ended.value.code or 0), shown.out, shown.err
