"""The order of day, month and year in short dates: by all values of a file, else by the source's other files."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.rows import Rows
from analytics_platform.sources.shapes.table_parts.table_times import DateNumbers, with_date_order

HEADER = "conversation_id,role,text,timestamp\n"


def rows(*times: str) -> Rows:
    return Rows(np.arange(1, len(times) + 1), {"timestamp": pa.array(times)})


def numbers_of(times: list[str]) -> DateNumbers:
    numbers = DateNumbers()
    numbers.add(pa.array(times, pa.string()))
    return numbers


class Elsewhere:
    def __init__(self, of_file: list[str], of_source: str | None) -> None:
        self._of_file, self._of_source = numbers_of(of_file), of_source
        self.told: list[str] = []

    def of_file(self) -> DateNumbers:
        return self._of_file

    def of_source(self, _: str) -> str | None:
        return self._of_source

    def tell(self, sentence: str) -> None:
        self.told.append(sentence)


MANY = [f"{1 + number % 28}/{1 + number % 12}/2024" for number in range(400)]


@pytest.mark.parametrize(
    ("times", "orders"),
    [
        (["03/04/2024 09:05"], {"/": ["dmy", "mdy"]}),
        (["03/04/2024", "25/04/2024"], {"/": ["dmy"]}),
        (["04/25/2024"], {"/": ["mdy"]}),
        (["12-11-2024 10:05 PM"], {"-": ["dmy", "mdy"]}),
        (["20.06.24", "24.06.24"], {".": ["dmy", "ymd"]}),
        (["20.06.2024 10:00", "06-20-2024 10:15"], {"-": ["mdy"], ".": ["dmy"]}),
        (["13/13/2024", "2024-04-03"], {}),
        (["25/04/2024", "04/25/2024"], {"/": []}),
        ([*MANY, "04/25/2024"], {"/": ["dmy"]}),
        ([*MANY, *["04/25/2024"] * 9], {"/": []}),
    ],
)
def test_numbers_show_the_orders_that_are_possible(times, orders):
    numbers = numbers_of(times)

    assert {separator: numbers.orders(separator) for separator in numbers.separators} == orders


@pytest.mark.parametrize(
    "time",
    ["00/00/0000 00:00", "99/99/9999", "0/0/0000", "29/5/20224", "05/32/2024", "31/13/2024"],
)
def test_a_date_that_fits_no_order_does_not_count(time):
    """One such date put all rows of its file into quarantine."""
    found = with_date_order(rows(*(f"{day}/5/2024 9:15" for day in range(1, 29)), time), FieldMapping(), [])

    assert found.date_order == "dmy"


def test_dates_that_contradict_nearly_all_others_are_named():
    """One date of the other order put all rows of its file into quarantine."""
    notes, elsewhere = [], Elsewhere([], None)

    assert with_date_order(rows(*MANY, "04/25/2024"), FieldMapping(), notes, elsewhere).date_order == "dmy"
    assert notes == elsewhere.told
    assert "1 date cannot be read so, e.g. 04/25/2024" in notes[0]


@pytest.mark.parametrize(
    ("time", "of_file", "of_source", "order", "told"),
    [
        ("03/04/2024", ["04/25/2024"], None, "mdy", False),
        ("03/04/2024", ["03/04/2024"], "dmy", "dmy", True),
        ("03/04/2024", ["03/04/2024"], None, None, True),
        ("03/04/2024", ["03/04/2024"], "ymd", None, True),
        ("03/04/24 1:05 pm", ["03/04/24 1:05 pm"], None, None, True),
        ("21/06/24 1:05 pm", ["21/06/24 1:05 pm"], None, "dmy", True),
        ("21/06/24 13:05", ["21/06/24 13:05"], None, None, True),
        ("20.06.24", ["20.06.24"], None, "dmy", True),
        ("03.04.2024", ["03.04.2024"], "mdy", None, False),  # read day first in any case
        ("2024-04-03", [], None, None, False),
        ("03-04-2024", ["03-04-2024", "25/04/2024"], None, "dmy", True),
        ("03-04-2024", ["25/04/2024"], None, "dmy", True),  # of another sheet, where reading ended
        ("25/04/2024", ["04/26/2024"], None, "dmy", False),
        ("21/06/24", ["04/25/24", "04/25/2024"], None, None, True),
    ],
)
def test_all_rows_and_then_other_files_decide_what_first_rows_leave_open(time, of_file, of_source, order, told):
    elsewhere = Elsewhere(of_file, of_source)
    found = with_date_order(rows(time), FieldMapping(), [], elsewhere)

    assert found.date_order == order
    assert bool(elsewhere.told) is told
    assert all("date_order" in sentence for sentence in elsewhere.told)


@pytest.mark.parametrize("setting", [None, "timezone: UTC"])
def test_each_separator_has_an_order_of_its_own(read_together, setting):
    """Dates with points and dashes were read month first because of a date with slashes."""
    times = {
        "points": (["03.05.2024 09:15", "28.05.2024 09:16", "05/30/2024 9:17 AM"], ["05-03", "05-28", "05-30"]),
        "open": (["03.05.2024 09:15", "04.05.24 09:16", "05/30/2024"], ["05-03", "05-04", "05-30"]),
        "dashes": (["03-05-2024 09:15", "28-05-24", "9:15 AM, 05/30/2024"], ["05-03", "05-28", "05-30"]),
        "months": (["05.03.2024 09:15", "05.28.2024 09:16", "30/05/2024"], ["05-03", "05-28", "05-30"]),
    }
    files = {
        f"{name}.csv": HEADER + "".join(f'{name},user,a,"{time}"\n' for time in stated)
        for name, (stated, _) in times.items()
    }
    found = read_together(files, mapping=setting)

    assert {name: sorted(f"{row['timestamp']:%m-%d}" for row in found[f"{name}.csv"]) for name in times} == {
        name: expected for name, (_, expected) in times.items()
    }


def test_a_stated_order_stays():
    mapping = FieldMapping(date_order="ymd")

    assert with_date_order(rows("25/04/2024"), mapping, []) is mapping


def test_each_file_decides_by_itself_and_else_the_files_that_agree(folder):
    """A file whose dates show no order lost all its rows, though the other files of the source showed it."""
    late = "".join(f"L{row},user,{'hi' * 20_000},03/04/2024 09:05\n" for row in range(200))
    folder.write("1.csv", f"{HEADER}A,user,a,25/06/2024 09:05\n")
    folder.write("2.csv", f"{HEADER}B,user,b,03/07/2024 09:05\n")
    folder.write("3.csv", f"{HEADER}{late}C,user,c,28/04/2024 09:05\n")  # beyond the first batch
    source = folder.source("*.csv")

    assert source.rows_by_day() == {"2024-04-03": 200, "2024-04-28": 1, "2024-06-25": 1, "2024-07-03": 1}
    assert [warning.partition(":")[0] for warning in source.summary().warnings] == ["2.csv"]
    assert "date_order" in source.summary().warnings[0]


def test_files_that_disagree_decide_nothing_for_others(folder):
    for name, time in (("1", "25/06/2024"), ("2", "06/26/2024"), ("3", "03/07/2024")):
        folder.write(f"{name}.csv", f"{HEADER}{name},user,a,{time} 09:05\n")
    source = folder.source("*.csv")

    assert source.rows_by_day() == {"2024-06-25": 1, "2024-06-26": 1}
    assert source.summary().quarantined == 1
    assert "no date of the source shows it" in source.summary().warnings[0]


def _nested(time: str) -> str:
    said = [{"role": "user", "content": "hi", "timestamp": time}, {"role": "assistant", "content": "ho"}]
    return json.dumps([{"id": "a", "messages": said}])


OF_SHAPES = {
    "a question and its answer": ("a.csv", "session,question,answer,created\n1,hi,ho,{time}\n"),
    "a chat in a cell": ("a.csv", 'chat_id,started,transcript\n1,{time},"Customer: hi\nAgent: ho"\n'),
    "messages in a list": (
        "a.json",
        _nested("{time}").replace("{", "{{").replace("}", "}}").replace("{{time}}", "{time}"),
    ),
}


@pytest.mark.parametrize("time", ["06/20/2024 08:00", "20/06/2024 08:00", "6/20/2024 8:00 AM"])
@pytest.mark.parametrize("shape", OF_SHAPES)
def test_dates_show_their_order_in_each_shape(folder, shape, time):
    """They were refused in all but plain rows."""
    name, content = OF_SHAPES[shape]
    found = folder.rows_of(name, content.format(time=time))
    assert {f"{row['timestamp']:%Y-%m-%d %H:%M}" for row in found.messages if row["role"] == "user"} == {
        "2024-06-20 08:00"
    }


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (("Datum", "Uhrzeit"), ("20.06.24", "08:15:00")),
        (("date", "heure"), ("28.06.24", "8h15")),
        (("Uhrzeit", "Datum"), ("08.15.00", "20.06.2024")),
        (("Zeit", "Tag"), ("08.15.00", "20.06.24")),
    ],
)
def test_a_short_date_is_no_time_of_the_day(folder, names, values):
    """20.06.24 was read as 20:06:24."""
    rows = "".join(f"1,{role},hi,{','.join(values)}\n" for role in ("user", "agent"))
    found = folder.rows_of("a.csv", f"conversation_id,role,text,{','.join(names)}\n{rows}")
    assert {f"{row['timestamp']:%m %H:%M}" for row in found.messages} == {"06 08:15"}
