"""Any table reads back equal from any format, however hard it is to cut into rows."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.file_reading.file_rows import read_rows
from analytics_platform.sources.file_reading.locating import find_files
from analytics_platform.sources.file_reading.recognised import Recognised
from analytics_platform.sources.formats import csv_rows, json_rows
from analytics_platform.sources.mapping import FieldMapping

NAMES = ["conversation_id", "role", "text", "timestamp", "note"]
Table = list[dict[str, str | None]]

ANY = st.characters(exclude_categories=["Cs"], exclude_characters="\0\x1a")
WESTERN = st.sampled_from("abc ;,|\t\"'\n=Üäöüßéèàñ")  # a letter and € together can be valid UTF-8 by chance
SIMPLE = st.sampled_from("abc ;,|\"'=Üéж世🙂<>&")


def tables(alphabet: st.SearchStrategy[str]) -> st.SearchStrategy[Table]:
    cell = st.text(alphabet, max_size=12).map(lambda text: text or None).filter(lambda text: text != r"\N")
    row = st.fixed_dictionaries(
        {"role": st.just("user"), "conversation_id": st.just("c"), "timestamp": st.just("2024-01-05")}
    )
    return st.lists(
        st.tuples(row, cell, cell).map(lambda row: {**row[0], "text": row[1], "note": row[2]}), min_size=1, max_size=8
    )


def csv_text(table: Table, separator: str, line_end: str) -> str:
    text = io.StringIO(newline="")
    # Without carriage returns at line ends, the csv module does not quote those within cells.
    quoting = csv.QUOTE_MINIMAL if line_end == "\r\n" else csv.QUOTE_ALL
    writer = csv.writer(text, delimiter=separator, lineterminator=line_end, quoting=quoting)
    writer.writerow(NAMES)
    writer.writerows([[row[name] or "" for name in NAMES] for row in table])
    return text.getvalue()


def xlsx(table: Table) -> bytes:
    """Return a minimal workbook with the table as its only sheet."""
    return workbook({"a": [NAMES, *[[row[name] or "" for name in NAMES] for row in table]]})


def workbook(sheets: Mapping[str, Sequence[Sequence[str]]]) -> bytes:
    """Return a minimal workbook with inline texts, given the lines of each sheet."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    types = f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>'

    def relations(kind: str, targets: Iterable[str]) -> str:
        links = "".join(
            f'<Relationship Id="r{number}" Type="{office}/{kind}" Target="{target}"/>'
            for number, target in enumerate(targets, start=1)
        )
        return f'<Relationships xmlns="{package}/relationships">{links}</Relationships>'

    def row(line: Iterable[str]) -> str:
        cells = (
            f'<c t="inlineStr"><is><t xml:space="preserve">{escape(cell)}</t></is></c>' if cell else "<c/>"
            for cell in line
        )
        return f"<row>{''.join(cells)}</row>"

    files = [f"worksheets/sheet{number}.xml" for number in range(1, len(sheets) + 1)]
    listed = "".join(
        f'<sheet name="{name}" sheetId="{number}" r:id="r{number}"/>' for number, name in enumerate(sheets, start=1)
    )
    parts = {
        "[Content_Types].xml": types,
        "_rels/.rels": relations("officeDocument", ["xl/workbook.xml"]),
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations("worksheet", files),
    }
    for file, lines in zip(files, sheets.values(), strict=True):
        data = "".join(map(row, lines))
        parts[f"xl/{file}"] = f'<worksheet xmlns="{main}"><sheetData>{data}</sheetData></worksheet>'
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return packed.getvalue()


def parquet(table: Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({name: pa.array([row[name] for row in table], pa.string()) for name in NAMES}), out)
    return out.getvalue()


def json_lines(table: Table) -> bytes:
    return "\n".join(json.dumps(row) for row in table).encode()


def zst(content: bytes) -> bytes:
    return pa.compress(content, codec="zstd", asbytes=True)


def zipped(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


ANY_TEXT: dict[str, Callable[[Table], bytes]] = {
    "comma.csv": lambda table: csv_text(table, ",", "\r\n").encode(),
    "semicolon.csv": lambda table: csv_text(table, ";", "\n").encode("utf-8-sig"),
    "tab.tsv": lambda table: csv_text(table, "\t", "\r\n").encode("utf-16"),
    "pipe.csv": lambda table: csv_text(table, "|", "\n").encode(),
    "sep.csv": lambda table: ("sep=;\r\n" + csv_text(table, ";", "\r\n")).encode(),
    "a.jsonl": json_lines,
    "unescaped.ndjson": lambda table: "\n".join(json.dumps(row, ensure_ascii=False) for row in table).encode(),
    "array.json": lambda table: json.dumps(table).encode(),
    "pretty.json": lambda table: json.dumps(table, indent=2, ensure_ascii=False).encode("utf-8-sig"),
    "wrapped.json": lambda table: json.dumps({"data": table, "count": len(table)}, indent=1).encode(),
    "a.parquet": parquet,
    "a.jsonl.gz": lambda table: gzip.compress(json_lines(table)),
    "plain.jsonl.gz": json_lines,
    "packed.csv": lambda table: gzip.compress(csv_text(table, ",", "\n").encode()),
    "a.csv.zst": lambda table: zst(csv_text(table, ",", "\n").encode()),
    "a.zip": lambda table: zipped("export/a.json", json.dumps(table).encode()),
    "parquet.zip": lambda table: zipped("a.parquet", parquet(table)),
}  # fmt: skip


def read(path: Path, **options) -> tuple[Table, Recognised]:
    recognised = Recognised()
    rows: Table = []
    for file in find_files(str(path)):
        for _, batch in read_rows(file, FieldMapping(**options), recognised):
            assert batch.problems == {}
            rows += pa.table(
                {name: batch.columns.get(name, pa.nulls(len(batch.numbers))) for name in NAMES}
            ).to_pylist()
    return rows, recognised


def written(table: Table) -> Table:
    return [{name: row[name] for name in NAMES} for row in table]


@pytest.mark.parametrize("name", ANY_TEXT)
@given(table=tables(ANY))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_reads_back_equal(name, table, tmp_path):
    said = "".join(row[name] or "" for row in table for name in ("text", "note"))
    assume(len(re.findall(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]", said)) <= 3)  # with more, a file is refused as no text
    path = tmp_path / name
    path.write_bytes(ANY_TEXT[name](table))

    assert read(path)[0] == written(table)


@given(table=tables(WESTERN))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_western_table_reads_back_equal_from_cp1252(table, tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(csv_text(table, ";", "\r\n").encode("cp1252"))

    assert read(path)[0] == written(table)


@given(table=tables(SIMPLE))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_reads_back_equal_from_a_workbook(table, tmp_path):
    path = tmp_path / "a.xlsx"
    path.write_bytes(xlsx(table))

    assert read(path)[0] == written(table)


def messages_of(number: int) -> list[list[str]]:
    return [[str(number), role, f"text {number}", f"2024-06-{number:02d} 08:00"] for role in ("customer", "agent")]


HEADER_OF_TICKETS = ["Ticket", "Sender", "Body", "Date"]


def test_each_sheet_with_messages_is_read_and_others_are_named(folder, everything, tmp_path):
    """Only the first filled sheet was read, without a word: of a workbook with a sheet a month, one month."""
    content = workbook(
        {
            "Cover": [["Export of tickets"]],
            "June": [HEADER_OF_TICKETS, *messages_of(1)],
            "Other order": [["Sender", "Ticket", "Body", "Date"], ["customer", "3", "text 3", "2024-06-03 08:00"]],
            "People": [["Name", "Mail"], ["Anna", "a@example.org"]],
            "July": [["Tickets of July"], [], HEADER_OF_TICKETS, *messages_of(2)],
        }
    )

    found = folder.rows_of("a.xlsx", content)

    assert sorted(row["text"] for row in found.messages) == ["text 1", "text 1", "text 2", "text 2", "text 3"]
    assert [row["source_row"] for row in found.messages] == [1, 2, 4, 5, 3]
    notes = read(tmp_path / "a.xlsx")[1].notes
    assert notes[:2] == [
        "3 sheets are read: June, Other order, July.",
        "Sheets without the columns of messages are left out: Cover, People.",
    ]


def test_a_sheet_with_the_columns_of_the_first_is_read_by_a_mapping(folder):
    """Sheets whose names only a mapping knows were left out but for the first."""
    header = ["no", "who", "said", "at"]
    sheets = {"a": [header, *messages_of(1)], "b": [header[::-1], *(line[::-1] for line in messages_of(2))]}
    mapping = folder.write("mapping.yaml", "columns: {conversation_id: no, role: who, text: said, timestamp: at}")

    found = folder.rows_of("a.xlsx", workbook(sheets), mapping=mapping)

    assert len(found.messages) == 4


@pytest.mark.parametrize(
    "titles",
    [
        "Tickets of June;;;\n;;;\n",
        "Tickets of June;;;\n\nmade on;2024-06-30;;\n",
        "\n\nTickets, June, all\n",
        '"Tickets; of ""June""";;;\n',
        "sep=;\nTickets of June;;;\n",
        "Tickets\rof June;;;\n",
    ],
)
def test_title_lines_above_the_header_of_a_table_are_skipped(folder, titles):
    """A spreadsheet fills the title of a report up to the width of its table; the title passed for the header."""
    lines = [HEADER_OF_TICKETS, *messages_of(1)]

    found = folder.rows_of("a.csv", titles + "".join(";".join(line) + "\n" for line in lines))

    assert [(row["role"], row["text"]) for row in found.messages] == [("user", "text 1"), ("agent", "text 1")]


@given(table=tables(ANY), size=st.integers(20, 200))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_chunks_of_any_size_read_back_equal(table, size, tmp_path):
    """A record, an object or a character may be cut by the end of a chunk anywhere."""
    contents = {
        "a.csv": csv_text(table, ",", "\r\n"),
        "b.json": json.dumps(table),
        "unescaped.json": json.dumps(table, ensure_ascii=False),
        "c.jsonl": json_lines(table).decode(),
    }
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(csv_rows, "CHUNK_BYTES", size)
        patched.setattr(json_rows, "CHUNK_BYTES", size)
        for name, content in contents.items():
            path = tmp_path / name
            path.write_text(content, encoding="utf-8", newline="")
            assert read(path)[0] == written(table)


def test_a_quoted_cell_of_ten_megabytes_stays_one_cell(folder):
    """After 4 MB the reader began anew within the cell, and its lines became messages of an invented conversation."""
    line = "invented,user,never said,2024-01-05\n"
    cell = line * (10_000_000 // len(line))
    content = f'conversation_id,role,text,timestamp\nc1,user,"{cell}",2024-01-05\nc2,user,said,2024-01-05\n'

    found = folder.rows_of("a.csv", content)

    assert [(row["conversation_id"], row["text"]) for row in found.messages] == [("c2", "said")]
    assert found.reasons == {1: "text_too_long"}


def test_content_parts_are_joined_and_images_are_markers(folder):
    """The text was the JSON of its parts, base64 included."""
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]
    row = {"conversation_id": "c1", "role": "user", "timestamp": "2024-01-05"}
    cell = json.dumps(parts).replace('"', '""')
    folder.write("a.csv", f'conversation_id,role,text,timestamp\nc2,user,"{cell}",2024-01-05\n')

    folder.write("a.jsonl", json.dumps({**row, "text": parts}))

    source = folder.source("a.*")
    texts = source.read_day("2024-01-05").messages["text"].to_pylist()
    assert texts == ["What is this?\n[image]"] * 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"type": "text", "text": "A lamp."}', "A lamp."),
        (
            '[{"text": "A lamp.", "type": "text"}, {"type": "tool_use", "name": "look_up"}]',
            "A lamp.\n[tool call: look_up]",
        ),
        ("[{'type': 'text', 'text': \"It's a lamp.\"}]", "It's a lamp."),
        ('[{"type": "file", "file": {"filename": "a.pdf", "file_data": "AAAA"}}]', "[file: a.pdf]"),
        ('[{"type": "flight", "text": "LH 1"}]', '[{"type": "flight", "text": "LH 1"}]'),
        ('{"type": "text", "text": cut', '{"type": "text", "text": cut'),
    ],
)
def test_written_content_parts_are_read_in_rows_and_in_messages(folder, text, expected):
    """One part, a list as Python shows it, and parts within a message's string came out as raw JSON."""
    row = {"conversation_id": "c1", "role": "user", "timestamp": "2024-01-05"}

    rows = folder.rows_of("rows.jsonl", json.dumps({**row, "text": text}))
    message = {"messages": [{"role": "user", "content": text}], "timestamp": "2024-01-05"}
    nested = folder.rows_of("nested.jsonl", json.dumps(message))

    assert [found.messages[0]["text"] for found in (rows, nested)] == [expected, expected]


def test_rows_that_only_call_a_tool_have_a_marker(folder):
    """The message of an assistant that calls a tool was empty."""
    row = {"conversation_id": "c1", "role": "assistant", "timestamp": "2024-01-05", "content": None}
    calls = [{"id": "1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}]

    found = folder.rows_of("rows.jsonl", json.dumps({**row, "tool_calls": calls}))

    assert [row["text"] for row in found.messages] == ["[tool call: look_up]"]


def test_a_list_in_a_text_that_is_no_content_stays_as_it_is(folder):
    row = {"conversation_id": "c1", "role": "user", "timestamp": "2024-01-05", "text": '[{"a": 1}] is my config'}

    assert folder.rows_of("a.jsonl", json.dumps(row)).messages[0]["text"] == row["text"]


def test_numbers_look_the_same_in_every_batch(folder, monkeypatch):
    """Arrow reads later batches; 4 and 4.0 must stay the texts that they are."""
    row = {"conversation_id": 1, "role": "user", "text": "x", "timestamp": "2024-01-05"}
    lines = [
        json.dumps({**row, "message_id": f"m{n}", "rating": n if n % 3 else n / 2, "vip": n % 2 == 0})
        for n in range(40)
    ]
    whole = folder.rows_of("a.jsonl", "\n".join(lines))
    monkeypatch.setattr(json_rows, "CHUNK_BYTES", 300)

    in_chunks = folder.rows_of("b.jsonl", "\n".join(lines))

    fields = ["message_id", "conversation_id", "rating", "extra"]
    assert [[row[name] for name in fields] for row in in_chunks.messages] == [
        [row[name] for name in fields] for row in whole.messages
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b"<!DOCTYPE html><html></html>", "is a web page (HTML), no export of messages"),
        ("a.csv", b"%PDF-1.7\n", "is a PDF, no export of messages"),
        ("a.json", b"hello there\n", "is neither JSON nor a table (it begins with 'hello there')"),
        ("a.json", b'[{"conversation_id": "c1", "role" "user"}]', "broken JSON at its beginning"),
        ("a.json", b'[{"conversation_id": "c1"}, {"conversation_id": ', "broken JSON after record 1"),
        ("a.xlsx", b"PK\x03\x04nothing", "cannot be read as a workbook"),
        ("a.parquet", b"conversation_id,role\n", "cannot be read as Parquet (it begins with b'conversa')"),
        (
            "a.jsonl",
            b'{"id": "1", "log": [{"who": "x", "said": "y"}]}\n',
            "nested in log with the fields said, who; name them in the file of ANALYTICS_SOURCE_MAPPING as log[].",
        ),
    ],
)
def test_a_refusal_names_what_was_seen(folder, name, content, message):
    """Every refusal was a hint to map columns."""
    folder.write(name, content)

    with pytest.raises(SourceError) as error:
        folder.source().days()

    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_nesting_of_any_kind_is_mapped_by_dotted_paths(folder):
    """Only columns at the top of a record could be mapped."""
    record = {
        "key": "t-1",
        "customer": {"email": "a@example.com"},
        "log": [
            {"who": {"kind": "client"}, "said": "Hello", "at": "2024-01-05T10:00:00Z"},
            {"who": {"kind": "desk"}, "said": "Hi", "at": "2024-01-05T10:01:00Z"},
        ],
    }
    mapping = folder.write(
        "mapping.yaml",
        "columns: {conversation_id: key, user_id: customer.email, role: 'log[].who.kind', text: 'log[].said',"
        " timestamp: 'log[].at'}\n"
        "roles: {client: user, desk: agent}\n",
    )
    folder.write("a.json", json.dumps([record]))

    source = folder.source("a.json", mapping=mapping)
    rows = [row for day in source.days() for row in source.read_day(day).messages.to_pylist()]

    assert [(row["conversation_id"], row["user_id"], row["role"], row["text"]) for row in rows] == [
        ("t-1", "a@example.com", "user", "Hello"),
        ("t-1", "a@example.com", "agent", "Hi"),
    ]


def test_a_ticket_table_with_usual_names_needs_no_mapping(folder):
    """A Zendesk CSV was refused until its columns were mapped."""
    content = (
        "Ticket ID,Comment ID,Author Role,Body,Created At,Status\n"
        "7,1,agent,How can we help?,2024-01-05T10:00:00Z,solved\n"
        "7,2,user,My lamp is broken,2024-01-05T10:01:00Z,solved\n"
    )

    found = folder.rows_of("a.csv", content)

    assert [(row["conversation_id"], row["message_id"], row["role"], row["text"]) for row in found.messages] == [
        ("7", "1", "agent", "How can we help?"),
        ("7", "2", "user", "My lamp is broken"),
    ]
    assert {row["outcome"] for row in found.messages} == {"solved"}


def test_a_title_above_the_header_is_no_header(folder):
    """Reports begin with a title and a date, and the table seemed to have one column."""
    content = "Ticket report\nMade on 2024-02-01\n\n"
    content += "conversation_id;role;text;timestamp\nc1;user;Hi;2024-01-05\nc1;agent;Yes;2024-01-05\n"

    found = folder.rows_of("a.csv", content)

    assert [row["text"] for row in found.messages] == ["Hi", "Yes"]


def test_a_table_without_a_header_says_so(folder):
    """The hint was to map columns, which were named like the first message."""
    folder.write("a.csv", "c1,user,Hi there,2024-01-05T10:00:00Z\nc1,agent,Yes,2024-01-05T10:01:00Z\n")

    with pytest.raises(SourceError, match=r"has no header line \(it begins with 'c1, user, Hi there, 2024-01-05"):
        folder.source().days()


def test_private_comments_of_a_ticket_table_are_no_answers(folder):
    """An internal note of a Zendesk CSV ended the customer's wait."""
    content = (
        "ticket_id,comment_id,author_role,body,created_at,public\n"
        "7,1,user,My lamp is broken,2024-01-05T10:00:00Z,true\n"
        "7,2,agent,known fault,2024-01-05T10:05:00Z,false\n"
        "7,3,agent,We send a new one,2024-01-05T11:00:00Z,true\n"
    )

    found = folder.rows_of("a.csv", content)

    assert [row["role"] for row in found.messages] == ["user", "system", "agent"]


@pytest.mark.parametrize(
    ("name", "values"), [("from_agent", ("false", "true")), ("inbound", ("True", "False")), ("Is Staff", ("0", "1"))]
)
def test_a_flag_tells_who_speaks_where_no_column_does(folder, name, values):
    content = f"ticket,{name},body,created_at\n7,{values[0]},Hello,2024-01-05\n7,{values[1]},Hi,2024-01-06\n"

    found = folder.rows_of("a.csv", content)

    assert {row["text"]: row["role"] for row in found.messages} == {"Hello": "user", "Hi": "agent"}


def test_a_session_gap_is_not_overruled_by_a_usual_column(folder):
    """A column `ticket` was taken for the conversation although the mapping makes conversations of gaps."""
    mapping = folder.write("mapping.yaml", "session_gap: 4h\nconstants: {role: user}\n")
    content = "ticket,user_id,body,created_at\n1,u1,Hi,2024-01-05T10:00:00Z\n2,u1,There,2024-01-05T10:01:00Z\n"
    folder.write("a.csv", content)

    source = folder.source("a.csv", mapping=mapping)
    rows = [row for day in source.days() for row in source.read_day(day).messages.to_pylist()]

    assert len({row["conversation_id"] for row in rows}) == 1
    assert [row["text"] for row in rows] == ["Hi", "There"]
