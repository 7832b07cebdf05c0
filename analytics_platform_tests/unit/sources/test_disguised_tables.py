"""Tables in a form that no table has by itself: a web page called a workbook, lines in quotes, merged cells, SQL."""

from __future__ import annotations

import io
import zipfile

import pytest

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.file_reading.file_rows import read_rows
from analytics_platform.sources.file_reading.locating import find_files
from analytics_platform.sources.file_reading.recognised import Recognised
from analytics_platform.sources.formats.excel_rows import Sheet
from analytics_platform.sources.formats.html_tables import HtmlTable, html_tables
from analytics_platform.sources.formats.quoted_lines import UnquotedLines, quotes_whole_lines
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform_tests.unit.sources.test_any_format import workbook

PAGE = """<html xmlns:o="urn:x"><body><table><tr><td colspan=4>Report of June</td></tr></table>
<table border=1><tr><th>Ticket</th><th>Sender</th><th>Message</th><th>Date</th></tr>
<tr><td rowspan=2>c1</td><td>customer</td><td>my   lamp<br>broke &amp; fell</td><td>2024-06-20 10:00</td></tr>
<tr><td>agent</td><td><b>sorry</b></td><td>2024-06-20 10:01</td></tr></table></body></html>"""


def test_a_web_page_called_a_workbook_is_read_by_its_table(said):
    """Reports that programs save as .xls, and Excel opens, were refused."""
    assert [(row["conversation_id"], row["role"], row["text"]) for row in said(PAGE, "a.xls")] == [
        ("c1", "user", "my lamp\nbroke & fell"),
        ("c1", "agent", "sorry"),
    ]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            "<tr><td rowspan=2 colspan=2>a<td>b</tr><tr><td>c</tr><tr><td>d</tr>",
            [["a", "", "b"], ["", "", "c"], ["d", "", ""]],
        ),
        ("<tr><td colspan=99999>a</tr><tr><td>b<td>c</tr>", [["a", ""], ["b", "c"]]),
    ],
)
def test_cells_stand_below_those_of_their_column(rows, expected):
    """Cells beside one that covers lines and columns moved to the left, and a wide one was filled with empty texts."""
    (table,) = html_tables(io.BytesIO(f"<table>{rows}</table>".encode()), "a.html").values()
    assert list(table.iter_rows()) == expected


def test_a_cell_covers_no_lines_below_its_table():
    (table,) = html_tables(io.BytesIO(b"<table><tr><td rowspan=99999>a<tr><td>b</table>"), "a.html").values()
    assert table.merged_cell_ranges == [((0, 0), (1, 0))]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xls", "<html><body><table><tr><td>a</td></tr></table></body></html>", "web page .* as .xlsx"),
        ("a.sql", "-- dump\nCREATE TABLE m (id int);\nINSERT INTO `m` (a) VALUES ('x;y');\n", "dump .*`sqlite3 -csv"),
        ("b.sql", "insert into m (a, b)\nvalues ('x', 'y');\nINSERT INTO m VALUES ('x', 'y');\n", "dump .*`psql --csv"),
    ],
)
def test_what_is_no_table_is_refused_with_the_way_out(folder, name, content, message):
    with pytest.raises(SourceError, match=message):
        folder.rows_of(name, content)


@pytest.mark.parametrize("separator", [",", ";"])
def test_lines_that_stand_in_quotes_as_a_whole_are_a_table(said, separator):
    """Such a table had a single column with a long name."""
    lines = ["conversation_id,role,text,timestamp", 'c1,user,""hi, ""you"""",2024-06-20 10:00', "c1,agent,,2024-06-20",
             'c1,agent,""two\nlines"",2024-06-20 10:01']  # fmt: skip
    content = "".join(f'"{line.replace(",", separator)}"\n' for line in lines).replace(f"hi{separator} ", "hi, ")
    content = content.replace('""hi, ""you""""', '""hi, """"you""""""')

    assert [row["text"] for row in said(content)] == ['hi, "you"', None, "two\nlines"]


def test_quotes_at_the_end_of_a_block_are_not_taken_apart(monkeypatch):
    monkeypatch.setattr("analytics_platform.sources.formats.quoted_lines._BLOCK_BYTES", 3)
    content = b'"a,b"\n"1,""x"""\n"2,"""""\n'
    assert UnquotedLines(io.BufferedReader(io.BytesIO(content))).read() == b'a,b\n1,"x"\n2,""\n'


@pytest.mark.parametrize("size", range(1, 9))
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_blank_lines_in_quotes_are_left_out(monkeypatch, size, end):
    """Of such a line a quote was left, and all rows below it were one cell."""
    monkeypatch.setattr("analytics_platform.sources.formats.quoted_lines._BLOCK_BYTES", size)
    content = end.join([b'""', b'"a,b"', b'""', b'""', b'"1,""x', b'"""', b'""'])

    assert quotes_whole_lines(content)
    assert UnquotedLines(io.BufferedReader(io.BytesIO(content))).read() == end.join([b"a,b", b'1,"x', b'"', b""])


@pytest.mark.parametrize("content", [b'"a","b"\n"1","2"\n', b'"a"\n"1"\n', b'a,b\n"1,2",3\n', b'"a,b"\n', b""])
def test_other_tables_have_quoted_cells(content):
    assert not quotes_whole_lines(content)


def merged(lines: list[list[str]], *ranges: str) -> bytes:
    source = zipfile.ZipFile(io.BytesIO(workbook({"Sheet": lines})))
    cells = "".join(f'<mergeCell ref="{one}"/>' for one in ranges)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in source.namelist():
            content = source.read(name).replace(
                b"</sheetData>", f"</sheetData><mergeCells>{cells}</mergeCells>".encode()
            )
            archive.writestr(name, content if "worksheets" in name else source.read(name))
    return packed.getvalue()


def test_merged_cells_count_for_each_of_their_rows(folder, monkeypatch):
    """All messages but the first of each ticket had no conversation, and went into quarantine."""
    monkeypatch.setattr("analytics_platform.sources.formats.excel_rows.BATCH_ROWS", 2)
    lines = [
        ["", "Tickets of June", "", "", ""],
        ["", "Ticket", "Sender", "Message", "Date"],
        ["", "t1", "customer", "one", "2024-06-20 10:00"],
        ["", "", "agent", "two", "2024-06-20 10:01"],
        ["", "", "", "", ""],
        ["", "", "agent", "three", "2024-06-20 10:02"],
        ["", "t2", "customer", "four", "2024-06-20 10:03"],
        ["", "", "agent", "", "2024-06-20 10:04"],
    ]
    folder.write("a.xlsx", merged(lines, "B1:E1", "B3:B6", "D7:D8"))
    recognised = Recognised()
    (file,) = find_files(str(folder.path / "a.xlsx"))
    rows = [
        row
        for mapping, batch in read_rows(file, FieldMapping(), recognised)
        for row in mapping.apply(batch).rows.to_pylist()
    ]

    assert [(row["conversation_id"], row["text"]) for row in rows] == [
        ("t1", "one"), ("t1", "two"), ("t1", "three"), ("t2", "four"), (None, None)
    ]  # fmt: skip
    assert "Merged cells count for each of their rows: Ticket." in recognised.notes


class Line(int):
    """The number of a line, which counts how often it is compared."""

    compared = 0

    def __lt__(self, other: int) -> bool:
        Line.compared += 1
        return int(self) < other

    def __ge__(self, other: int) -> bool:
        return not self < other


def test_merged_cells_are_looked_at_where_they_stand(monkeypatch):
    """Each batch looked at all merged cells above it."""
    monkeypatch.setattr("analytics_platform.sources.formats.excel_rows.BATCH_ROWS", 2)
    lines = [["a", "b"], *([text, "y"] for text in ["x", ""] * 200)]
    ranges = [((Line(line), 0), (line + 1, 0)) for line in range(1, 401, 2)]
    read = list(
        Sheet("s", ["a", "b"], is_wanted=True, header=0, _content=HtmlTable(lines, ranges)).rows(1, "a.xlsx", ["a"])
    )

    assert [value for rows in read for value in rows.columns["a"].to_pylist()] == ["x"] * 400
    assert Line.compared < 3000


def test_empty_merged_cells_beside_a_table_are_left_out(folder):
    """Such a workbook could not be read."""
    lines = [["conversation_id", "role", "text", "timestamp"], ["c1", "user", "one", "2024-06-20 10:00"]]
    found = folder.rows_of("a.xlsx", merged(lines, "F2:F3"))

    assert [row["text"] for row in found.messages] == ["one"]
