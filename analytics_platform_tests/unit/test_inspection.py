"""What `analytics inspect` says about files before any run."""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path

import pytest
import yaml

from analytics_platform.cli import app, commands
from analytics_platform.cli.app import main
from analytics_platform.cli.inspect_lines import inspect_lines
from analytics_platform.cli.source_lines import short_lines
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.model.tables.operational_tables import DAILY_REPORT_PAGES, REPORT_PAGES
from analytics_platform.operations.inspecting import inspection
from analytics_platform.operations.inspecting.inspection import inspect_files
from analytics_platform.operations.inspecting.mapping_file import mapping_text
from analytics_platform.operations.runs.outcome import Outcome
from analytics_platform.sources.file_reading.file_source import FileSource
from analytics_platform.sources.mapping import FieldMapping

CASES = Path(__file__).parent / "sources" / "cases"
TICKETS = (
    "Ticket ID,Author Role,Body,Created At,Mood\n"
    "7,client,My lamp is broken,2024-01-05T10:00:00Z,sad\n"
    "7,agent,We send a new one,2024-01-05T11:00:00Z,\n"
    "8,client,,2024-01-06T10:00:00Z,\n"
)


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    path = tmp_path / "tickets.csv"
    path.write_text(TICKETS)
    return path


def view_of(path: Path | str, **mapping) -> inspection.FileView:
    (view,) = inspect_files(str(path), FieldMapping(**mapping))
    return view


def test_columns_rows_roles_and_times_are_said(tickets: Path) -> None:
    view = view_of(tickets, roles={"client": "user"})

    assert view.what == "CSV, ASCII, separated by comma, one message per row"
    assert (view.rows, view.kept, view.quarantined) == (3, 2, {"missing_text": 1})
    assert view.roles == {"client": 2, "agent": 1}
    assert (view.first, view.last, view.zone) == ("2024-01-05 10:00:00", "2024-01-05 11:00:00", "stated by each time")
    columns = {column.name: (column.taken_for, column.filled) for column in view.columns}
    assert columns == {
        "Ticket ID": ("conversation_id", 1.0),
        "Author Role": ("role", 1.0),
        "Body": ("text", 0.667),
        "Created At": ("timestamp", 1.0),
        "Mood": (None, 0.333),
    }
    assert [message["text"] for message in view.messages] == ["My lamp is broken", "We send a new one"]


def test_a_shape_is_named_with_what_a_reader_should_know() -> None:
    view = view_of(CASES / "openai_messages_jsonl/chats.jsonl")

    assert view.what == "JSON lines, ASCII, conversation per record, its messages in a list"
    assert any("state no time" in note for note in view.notes)
    assert (view.kept, view.rows) == (9, 9)


def test_the_written_mapping_is_accepted_and_says_what_is_open(tickets: Path) -> None:
    text = mapping_text(view_of(tickets), FieldMapping())

    assert yaml.safe_load(text) is None  # what a run takes by itself is a comment
    uncommented = text.replace("# columns:", "columns:").replace("  # ", "  ").replace("# roles:", "roles:")
    mapping = FieldMapping(**yaml.safe_load(uncommented))
    assert mapping.columns == {
        "conversation_id": "Ticket ID",
        "role": "Author Role",
        "text": "Body",
        "timestamp": "Created At",
    }
    assert mapping.roles == {"client": "user", "agent": "agent"}
    assert "# further columns, kept in extra: Mood" in text


def test_the_written_mapping_keeps_what_the_given_one_states(tickets: Path) -> None:
    """Roles, zone and rules of the mapping at hand were lost, and the next run quarantined their rows."""
    given = FieldMapping(
        roles={"client": "user"},
        timezone="Europe/Berlin",
        rules=[{"when": {"Mood": "sad"}, "role": "system"}],
        conversations={"conversation_id": "Id", "outcome": "Status"},
    )
    (view,) = inspect_files(str(tickets), given)

    mapping = FieldMapping(**yaml.safe_load(mapping_text(view, given)))

    for name in ("roles", "timezone", "rules", "conversations"):
        assert getattr(mapping, name) == getattr(given, name)


def test_names_with_emoji_are_written_so_that_they_are_found(tmp_path: Path) -> None:
    """Half characters were written, which no reader of YAML joins again."""
    path = tmp_path / "a.csv"
    path.write_text("conversation_id,role,💬 said: this,timestamp\nc1,user,hi,2024-01-05\n")

    given = FieldMapping(columns={"text": "💬 said: this"})
    written = FieldMapping(**yaml.safe_load(mapping_text(view_of(path, **given.model_dump()), given)))

    assert written.columns["text"] == "💬 said: this"


def test_words_that_yaml_reads_as_booleans_are_quoted(tmp_path: Path) -> None:
    """`yes: user` in a mapping became the boolean true, and was refused."""
    path = tmp_path / "a.csv"
    path.write_text("conversation_id,role,text,timestamp\nc1,True,hi,2024-01-05\nc1,No,yes,2024-01-05\n")

    assert set(FieldMapping(**yaml.safe_load(mapping_text(view_of(path), FieldMapping()))).roles) == {"true", "no"}


def test_a_file_that_cannot_be_read_has_its_fault_and_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("colour;size\nred;1\n")

    view = view_of(path)

    assert view.fault is not None
    assert "lacks the column conversation_id" in view.fault
    assert [column.name for column in view.columns] == ["colour", "size"]
    assert "separated by semicolon" in view.what


@pytest.mark.slow  # reads a large file
def test_a_large_file_is_sampled_unless_the_whole_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "SAMPLE_ROWS", 10)
    monkeypatch.setattr("analytics_platform.sources.formats.json_rows.CHUNK_BYTES", 500)
    row = {"conversation_id": "c1", "role": "user", "text": "hi", "timestamp": "2024-01-05"}
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps({**row, "message_id": f"m{number}"}) for number in range(100)))

    (sampled,) = inspect_files(str(path), FieldMapping())
    (everything,) = inspect_files(str(path), FieldMapping(), whole=True)

    assert 10 <= sampled.rows < 50
    assert not sampled.whole
    assert (everything.rows, everything.whole) == (100, True)


def test_a_run_says_reasons_with_an_example_and_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("conversation_id,role,text,timestamp\nc1,wizard,hi,2024-01-05\n")

    lines = list(short_lines([view_of(path)]))

    assert "  0 of 1 row usable" in lines
    assert any("1 row unknown_role: role is 'wizard'; `roles:` in the file of" in line for line in lines)


@pytest.mark.parametrize(("end", "said"), [("", " UTC (zone not stated: taken as UTC)"), ("Z", " UTC")])
def test_a_run_says_that_times_do_not_state_their_zone(tmp_path: Path, end: str, said: str) -> None:
    """The range of local times was printed as UTC without a word."""
    path = tmp_path / "chats.csv"
    path.write_text(f"conversation_id,role,text,timestamp\nc1,user,Hello there,2024-06-20 08:00:00{end}\n")
    lines = list(short_lines([view_of(path)]))
    assert lines[1] == f"  1 of 1 row usable, 2024-06-20 08:00:00 to 2024-06-20 08:00:00{said}"


def test_the_command_stores_nothing_and_fails_when_nothing_is_usable(
    tickets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    written = tmp_path / "mapping.yaml"

    monkeypatch.setattr(sys, "argv", ["analytics", "inspect", str(tickets), "--json", "--write", str(written)])
    with pytest.raises(SystemExit) as ended:
        main()
    (view,) = json.loads(capsys.readouterr().out)["files"]

    assert ended.value.code in (0, None)
    assert view["file"] == "tickets.csv"
    assert written.is_file()
    assert not (tmp_path / "home").exists()

    tickets.write_text("a,b\n1,2\n")
    monkeypatch.setattr(sys, "argv", ["analytics", "inspect", str(tickets)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1


def test_every_line_of_a_view_is_printed() -> None:
    lines = [line for _, line in inspect_lines([view_of(CASES / "whatsapp_converted/_chat.txt")])]

    assert lines[0] == "_chat.txt"
    assert any("The first sender is the customer" in line for line in lines)
    assert any("username" in line and "extra" in line for line in lines)


def test_nocodb_needs_address_and_token_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for arguments, fault in ((["nocodb"], "NOCODB_URL, NOCODB_TOKEN: needed"), ([], "PATH: name files or folders")):
        monkeypatch.setattr(sys, "argv", ["analytics", "inspect", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        assert capsys.readouterr().err.startswith(fault)


def test_a_run_says_what_a_new_source_is_and_where_its_results_are(
    tickets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the demo said where the report, the warehouse and the UI are."""
    home = tmp_path / "home"
    monkeypatch.setenv("ANALYTICS_HOME", str(home))
    monkeypatch.setenv("ANALYTICS_SOURCE", "files")
    monkeypatch.setenv("ANALYTICS_SOURCE_PATH", str(tickets))
    monkeypatch.chdir(tmp_path)

    def run_graph(platform: Platform, *_: object, **__: object) -> tuple[Outcome, list[str]]:
        for day in ("2024-01-05", "2024-01-06"):
            row = {"kind": "daily", "date": dt.date.fromisoformat(day), "page": "<html>"}
            platform.pages.write(DAILY_REPORT_PAGES.name, day, REPORT_PAGES.from_rows([row]), "made from")
        (home / "warehouse.duckdb").touch()
        return Outcome(), ["2024-01-05", "2024-01-07"]

    monkeypatch.setattr(commands, "run_graph", run_graph)
    monkeypatch.setattr(sys, "argv", ["analytics", "run"])
    with pytest.raises(SystemExit) as ended:
        main()
    shown = capsys.readouterr()

    assert ended.value.code in (0, None)
    assert "tickets.csv: CSV, ASCII, separated by comma, one message per row" in shown.err
    assert [" ".join(line.split()[2:5]) for line in shown.out.splitlines()[-3:]] == [
        "UI make dev,",
        "report home/reports/daily/2024-01-05.html",
        "home/warehouse.duckdb (DuckDB, open",
    ]


def test_files_that_are_left_out_are_named_on_the_screen(tmp_path: Path, capsys, monkeypatch) -> None:
    """Nothing was said of the files of a folder that a run does not read."""
    for name in ("tickets.csv", "users.json", "README.txt"):
        (tmp_path / name).write_text(TICKETS)
    (tmp_path / "users.csv").write_text("id,name,email\n1,Anna,a@example.org\n")
    monkeypatch.setattr(sys, "argv", ["analytics", "inspect", str(tmp_path)])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert "users.json" in lines
    assert "1 further file (1 .txt)" in lines
    views = inspect_files(str(tmp_path), FieldMapping())
    assert any(line.startswith("users.json: left out: ") for line in short_lines(views))
    assert any(line.startswith("users.csv: left out: has no messages: ") for line in short_lines(views))


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", ""), ("a.csv", "conversation_id,role,text,timestamp\n"), ("a.csv", "\n\n\n"), ("a.json", "[]")],
)
def test_an_empty_file_is_told_with_status_one(tmp_path: Path, name: str, content: str, capsys, monkeypatch) -> None:
    """The status was 1, and no line said why."""
    path = tmp_path / name
    path.write_text(content)
    monkeypatch.setattr(sys, "argv", ["analytics", "inspect", str(path)])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 1
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "is empty" in line)
    assert str(path) in line
    assert any("is empty" in line for line in short_lines([view_of(path)]))


def test_an_empty_file_beside_messages_is_left_out(tmp_path: Path) -> None:
    """A folder of exports may contain the empty one of a quiet day."""
    (tmp_path / "a.csv").write_text(TICKETS)
    (tmp_path / "b.csv").write_text("")

    views = inspect_files(str(tmp_path), FieldMapping())

    assert [(view.fault, view.skipped) for view in views] == [(None, None), (None, "is empty")]


def test_records_without_any_message_are_not_called_an_empty_file(tmp_path: Path) -> None:
    """A log of steps, of which none is a question with its answer, was called empty."""
    path = tmp_path / "steps.json"
    path.write_text(json.dumps([{"id": number, "type": "SPAN", "input": "a", "output": "b"} for number in range(3)]))

    fault = view_of(path).fault

    assert fault is not None
    assert fault.startswith(f"{path}: has 3 records, none with a message of this shape")


def test_only_what_a_person_must_decide_is_a_line_of_the_written_mapping(tmp_path: Path) -> None:
    """Guesses were written as statements, so that a later column of the export was not taken any more."""
    path = tmp_path / "a.csv"
    path.write_text("Ticket ID,Author Role,Body,Created At\n7,wizard,hi,2024-01-05T10:00:00Z\n")
    given = FieldMapping(timezone="Europe/Berlin", columns={"text": "Body"})

    written = yaml.safe_load(mapping_text(view_of(path, **given.model_dump()), given))

    assert written == {"columns": {"text": "Body"}, "roles": {"wizard": "user"}, "timezone": "Europe/Berlin"}


def test_the_zone_of_the_mapping_is_shown(tmp_path: Path) -> None:
    """Times were 'taken as UTC' on the screen, and as those of Berlin in a run."""
    path = tmp_path / "a.csv"
    path.write_text("conversation_id,role,text,timestamp\nc,user,hi,2024-07-05 10:00\n")

    view = view_of(path, timezone="Europe/Berlin")

    assert (view.first, view.zone) == (
        "2024-07-05 08:00:00",
        "not stated: taken as Europe/Berlin, which the mapping names",
    )


def test_sessions_are_shown_as_a_run_makes_them(tmp_path: Path) -> None:
    """The screen showed the key of a session, ["anna"], as the conversation of each message."""
    path = tmp_path / "a.csv"
    times = ("2024-01-05T08:00:00Z", "2024-01-05T08:05:00Z", "2024-01-06T08:00:00Z")
    path.write_text("user_id,role,text,timestamp\n" + "".join(f"anna,user,hi {at},{at}\n" for at in times))
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("session_gap: 4h\n")
    source = FileSource(
        str(path),
        staging_dir=tmp_path / "staging",
        first_day=dt.date(2024, 1, 1),
        last_day=dt.date(2024, 12, 31),
        mapping=mapping,
    )
    made = [row for day in source.days() for row in source.read_day(day).messages["conversation_id"].to_pylist()]

    view = view_of(path, session_gap="4h")

    assert [message["conversation_id"] for message in view.messages] == made
    assert "session_gap 4h makes 2 conversations of 3 messages that name none." in view.notes


def test_files_that_are_left_out_are_counted_at_every_run(tmp_path: Path, capsys) -> None:
    """Only the first run of a source said that files of its folder are not read."""
    for name in ("a.csv", "users.json", "notes.txt", "photo.png"):
        (tmp_path / name).write_text(TICKETS)
    app._print_left_out(str(tmp_path))
    assert "3 files of the source left out; `analytics inspect` says which" in capsys.readouterr().err


def test_tables_without_messages_are_counted_in_the_summary(tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "a.csv").write_text(TICKETS)
    (folder / "users.csv").write_text("id,name,email\n1,Anna,a@example.org\n")
    source = FileSource(
        str(folder), staging_dir=tmp_path / "s", first_day=dt.date(2024, 1, 1), last_day=dt.date(2024, 12, 31)
    )
    assert "  1 table without messages is left out; `analytics inspect` names them" in list(source.summary().lines())


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"BZh9" + bytes(100), ""),
        (b"20.06.24, 08:00 - Mia: Hi\n20.06.24, 08:01 - Shop: Hello\n", "WhatsApp chat, ASCII"),
        (
            b'{"tickets": [{"id": 1, "entries": [{"author_type": "user", "body": "Hi", "created_at": "2024-06-20"}]}]}',
            "JSON, ASCII, records with messages in entries",
        ),
    ],
    ids=["refused", "chat", "nested"],
)
def test_a_file_is_described_without_what_it_is_not(tmp_path, content, what):
    """A refused file was ', one message per row', a chat twice a chat, and nested records one message per row."""
    path = tmp_path / "export"
    path.write_bytes(content)

    (view,) = inspect_files(str(path), FieldMapping())

    assert view.what == what
