"""Exports as programs write them are read without a mapping where their shape says what is what."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.file_reading.file_source import FileSource

CASES = Path(__file__).parent / "cases"


@pytest.fixture
def read(tmp_path, everything):
    """Read a case's file into all its days."""

    def read_case(path: str, mapping: str | None = None, **options):
        source = FileSource(
            str(CASES / path),
            staging_dir=tmp_path / "staging",
            first_day=dt.date(2020, 1, 1),
            last_day=dt.date(2099, 12, 31),
            mapping=(CASES / path).parent / mapping if mapping else None,
            **options,
        )
        return everything(source)

    return read_case


def by_conversation(found) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    for row in found.messages:
        result.setdefault(row["conversation_id"], []).append(row["role"])
    return result


@pytest.mark.parametrize("name", ["conversations.json", "conversations.jsonl"])
def test_chatgpt_export_keeps_the_current_path_only(read, name):
    """A JSON array ended as one broken line in quarantine, with exit 0."""
    found = read(f"chatgpt_export/{name}")

    assert found.quarantined == []
    assert by_conversation(found) == {
        "6673e0aa-0000-4000-8000-000000000001": ["user", "assistant", "user"],
        "6673e0aa-0000-4000-8000-000000000002": ["user", "assistant"],
    }
    assert [row["model"] for row in found.messages] == [None, "gpt-4o", None, None, "o3"]
    assert "Turn it off and on." not in [row["text"] for row in found.messages]


def test_openai_messages_get_conversations_and_times(read):
    """Lines of `messages` have neither ids nor times, and none of their rows could be used."""
    found = read("openai_messages_jsonl/chats.jsonl")

    roles = [role for conversation in by_conversation(found).values() for role in conversation]
    assert found.quarantined == []
    assert len(by_conversation(found)) == 3
    assert {role: roles.count(role) for role in roles} == {"system": 1, "user": 3, "assistant": 4, "tool": 1}
    assert "[tool call: shop_info]" in [row["text"] for row in found.messages]
    changed = (CASES / "openai_messages_jsonl/chats.jsonl").stat().st_mtime
    assert {row["timestamp"].replace(microsecond=0).timestamp() for row in found.messages} == {int(changed)}


def test_wildchat_parquet_unfolds_nested_messages(read):
    """A hint to name the columns did not help with messages nested in one column."""
    found = read("wildchat_parquet/train-00000.parquet")

    assert by_conversation(found) == {"aa01": ["user", "assistant"] * 3, "aa02": ["user", "assistant"]}
    assert list(found.days) == ["2024-04-09"]
    assert [row["text"] for row in found.messages].count("continue") == 2
    assert {row["model"] for row in found.messages} == {"gpt-4-0314", "gpt-3.5-turbo-0301"}


@pytest.mark.parametrize("mapping", [None, "mapping.yaml"])
def test_question_and_answer_rows_become_two_messages(read, mapping):
    """A mapping read the questions only, so that every conversation was unanswered."""
    found = read("qa_pair_rows/traces.jsonl", mapping)

    assert found.quarantined == []
    assert by_conversation(found) == {"s1": ["user", "assistant"] * 2, "s2": ["user", "assistant"]}
    assert [row["text"] for row in found.messages][-2:] == ["Track order 12", "It arrives today."]
    assert {row["user_id"] for row in found.messages} == {"u1", "u2"}


@pytest.mark.parametrize(
    ("name", "mapping"),
    [
        ("parts.jsonl", None),
        ("parts.jsonl", "nested.yaml"),
        ("flat.jsonl", None),
        ("flat.jsonl", "flat.yaml"),
    ],
)
def test_intercom_parts_are_messages_of_their_authors(read, name, mapping):
    """A dotted path to the author's type was a column that no file has."""
    found = read(f"intercom_parts/{name}", mapping)

    assert by_conversation(found) == {"215469": ["user", "assistant", "agent", "user"]}
    assert {row["reason"] for row in found.quarantined} <= {"missing_text"}
    assert list(found.days) == ["2024-06-20"]


def test_chatwoot_private_note_is_no_answer(read):
    """An internal note ended the wait, and its author became the conversation's agent."""
    for mapping in (None, "mapping.yaml"):
        found = read("chatwoot_private_notes/messages.csv", mapping)

        assert by_conversation(found) == {"88": ["user", "assistant", "system", "system", "agent", "user"]}
        assert [row["agent_id"] for row in found.messages if row["role"] == "agent"] == ["ben"]


def test_slack_threads_are_conversations_of_who_opens_them(read):
    found = read("slack_channel_day/2024-06-20.json")

    assert found.quarantined == []
    assert by_conversation(found) == {
        "slack_channel_day:1718870400.123456": ["user", "agent", "agent"],
        "slack_channel_day:1718870431.000100": ["assistant"],
    }
    first = found.messages[0]
    assert first["timestamp"] == dt.datetime(2024, 6, 20, 8, 0, 0, 123456, dt.UTC)
    assert [row["user_id"] for row in found.messages if row["role"] == "agent"] == [None, None]


@pytest.mark.parametrize("name", ["2024-06-20.json", "2024-06-20.jsonl"])
def test_slack_mapping_wins_over_the_shape(read, name):
    found = read(f"slack_channel_day/{name}", "mapping.yaml")

    assert found.rows_read == 5
    assert len(found.messages) == 4
    assert set(found.reasons.values()) == {"missing_role"}


def test_slack_folder_and_zip_are_sources(read, tmp_path):
    """A folder was refused, and so was every zip."""
    export = tmp_path / "export"
    (export / "shop-help").mkdir(parents=True)
    (export / "users.json").write_text("[]")
    shutil.copy(CASES / "slack_channel_day/2024-06-20.json", export / "shop-help")
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", export)

    for path in (export, Path(packed)):
        found = read(str(path))
        assert {row["channel"] for row in found.messages} == {"shop-help"}
        assert len(found.messages) == 4


def test_whatsapp_chat_is_read_with_its_lines_and_marks(read):
    """U+202F before AM, U+200E before a name, and messages over two lines."""
    found = read("whatsapp_converted/_chat.txt")

    texts = [row["text"] for row in found.messages]
    times = [f"{row['timestamp']:%H:%M}" for row in found.messages]
    assert by_conversation(found) == {"whatsapp_converted": ["user", "agent", "user", "agent", "user", "user", "agent"]}
    assert texts[0] == "Hi, is the blue jacket still available?\nI would need size M"
    assert texts[2] == "[image]"
    assert times == ["09:58", "10:02", "10:03", "10:03", "12:15", "12:15", "13:05"]


def test_rasa_events_keep_an_answer_of_an_image_only(read):
    found = read("rasa_events/events.jsonl", "mapping.yaml")

    roles = by_conversation(found)["42"]
    assert found.quarantined == []
    assert {role: roles.count(role) for role in roles} == {"tool": 4, "user": 2, "assistant": 2}


@pytest.mark.parametrize("name", ["messages.json", "messages.jsonl", "messages_compact.jsonl"])
def test_json_array_is_read_whatever_its_name_and_lines(read, name):
    """An array ended as 20 rows of broken JSON, with exit 0."""
    found = read(f"json_array_pretty/{name}")

    assert by_conversation(found) == {"p1": ["user", "agent"], "p2": ["user"]}
    assert found.quarantined == []


@pytest.mark.parametrize("name", ["chat.json", "chat.jsonl.zst", "chat.ndjson", "chat.ndjson.gz", "notgz.jsonl.gz"])
def test_json_lines_are_read_by_content_not_by_name(read, name):
    """A file that a browser had unpacked was to be copied again."""
    found = read(f"ndjson_names/{name}")

    assert by_conversation(found) == {"n1": ["user", "assistant"], "n2": ["user"]}


@pytest.mark.parametrize(
    "path",
    [
        "cr_only_csv/mac.csv",
        "excel_sep_line/export.csv",
        "excel_sep_line/export_comma.csv",
        "excel_utf16_tab/messages.tsv",
        "excel_utf16_tab/unicode_text.csv",
        "excel_utf16_tab/utf16_nobom.csv",
    ],
)
def test_tables_of_office_programs_are_read(read, path):
    found = read(path)

    assert [len(roles) for roles in by_conversation(found).values()] == [2, 1]
    assert found.quarantined == []


def test_cp1252_keeps_its_umlauts(read):
    """Rows with an umlaut went to quarantine while the others counted."""
    found = read("excel_german/export_comma_cp1252.csv")

    assert len(found.messages) == 5
    assert found.messages[0]["text"] == "Guten Tag, meine Waschmaschine läuft nicht mehr."


@pytest.mark.parametrize("name", ["export_cp1252.csv", "export_utf8_bom.csv"])
def test_semicolons_of_a_german_excel_separate_cells(read, name):
    """The hint was to map columns, of which the file seemed to have one."""
    found = read(f"excel_german/{name}", "mapping.yaml")

    texts = {row["text"] for row in found.messages} | {row["content"] for row in found.quarantined}
    assert found.rows_read == 4
    assert "Bitte prüfen Sie den Wasserhahn; ist er geöffnet?" in texts
    assert set(found.reasons.values()) <= {"bad_number"}


def test_blank_rows_of_a_sheet_are_no_rows(read):
    found = read("google_sheets_blank_rows/sheet.csv", "mapping.yaml")

    assert found.rows_read == len(found.messages) == 4
    assert by_conversation(found) == {"g1": ["user", "agent"], "g2": ["user", "agent"]}


def test_mysql_dump_has_backslash_quotes_and_nulls(read):
    """The labels of quotes cut a text, and `N` became a customer."""
    found = read("mysql_backslash_csv/dump.csv")

    texts = [row["text"] for row in found.messages]
    assert texts[0] == 'The label says "fragile, glass" but it broke'
    assert texts[2] == r"C:\temp\log is full"
    assert texts[4] == "First line\nsecond line"
    assert [row["user_id"] for row in found.messages] == ["51", "51", None, None, "53"]


def test_half_an_emoji_costs_no_message(read):
    """Two of three messages went to quarantine as invalid UTF-8."""
    found = read("lone_surrogate/cut.jsonl")

    texts = [row["text"] for row in found.messages]
    assert texts == ["I love this shop �", "Thank you 🙏", "Where is my order 5512 �?"]


def test_nul_characters_cost_no_message(read):
    assert len(read("nul_bytes/nul.csv").messages) == 3
    assert len(read("nul_bytes/nul.jsonl").messages) == 1


def test_a_named_format_is_taken_as_named(read):
    """A file of rows with `input` and `output` can be meant as rows."""
    with pytest.raises(SourceError, match="lacks the column role, text"):
        read("qa_pair_rows/traces.jsonl", shape="rows")
    with pytest.raises(SourceError, match="fax is no format; these are: auto, rows, chatgpt"):
        read("qa_pair_rows/traces.jsonl", shape="fax")
