"""Times as logs, browsers, databases and spreadsheets write them."""

from __future__ import annotations

import datetime as dt

import pytest

from analytics_platform.sources.file_reading.file_rows import read_rows
from analytics_platform.sources.file_reading.locating import find_files
from analytics_platform.sources.file_reading.recognised import Recognised
from analytics_platform.sources.mapping import FieldMapping

HEADER = "conversation_id;role;text;timestamp\n"


def time_of(folder, stated: str, **options) -> dt.datetime | None:
    found = folder.rows_of("a.csv", f"{HEADER}1;user;hello;{stated}\n", **options)
    return found.messages[0]["timestamp"] if found.messages else None


HOURS = {
    "Thu Jun 20 08:00:00 CEST 2024": 6,
    "Thu Jun 20 08:00:00 UTC 2024": 8,
    "2024-06-20 08:00:00 Europe/Berlin": 6,
    "2024-06-20T08:00:00[Europe/Berlin]": 6,
    "2024-06-20T08:00:00+02:00[Europe/Berlin]": 6,
    "2024-06-20 08:00:00+02:00 Europe/Berlin": 6,
    "20.06.2024 08:00 Europe/Berlin": 6,
    "2024-06-20 08:00 America/Argentina/Buenos_Aires": 11,
    "2024-06-20T08:00:00[UTC]": 8,
    "2024-06-20 08.00.00": 8,
    "2024-06-20_08-00-00": 8,
    "20.06.2024 08.00": 8,
    "20.06.2024 08:00 CEST": 6,
    "2024-06-20 08:00:00 +0200 CEST": 6,
    "2024-06-20 08:00 UTC+2": 6,
    "2024-06-20 10:00 JST": 1,
    "Thu Jun 20 2024 08:00:00 GMT+0200 (Central European Summer Time)": 6,
    "Jun 20, 2024, 1:00 AM PDT": 8,
    "20/Jun/2024:08:00:00 +0200": 6,
    "20-Jun-24 08:00": 8,
    "2024年6月20日 08:00": 8,
    "Jun 20, 2024 08:00": 8,
    "Jun 20, 2024 20:00:00": 20,
    "June 20, 2024 08:00": 8,
    "June 20, 2024 08:00:00": 8,
    "Thu, Jun 20, 2024, 8:00 PM": 20,
    "20/Jun/24 8:00 PM": 20,
    "20/Jun/2024 8:00 PM": 20,
    "20/Jun/24 20:00": 20,
    "20/Jun/2024 20:00": 20,
    "Jun 20, 2024 @ 08:00:00.000": 8,
    "Jun 20 2024 8:00PM": 20,
    "Thu, Jun 20, 2024 at 8:00\u202fPM": 20,
    "Thu, Jun 20, 2024 at 8:00:00 PM +0200": 18,
    "Thu, 20 Jun 2024 at 20:00": 20,
    "Thu, 20 Jun 2024, 08:00": 8,
    "20-JUN-24 08.00.00.000000 PM": 20,
    "20-JUN-24 08.00.00.000000000 PM +02:00": 18,
    "20-JUN-2024 08.00.00 PM": 20,
    "20-JUN-24 20.00.00.000000": 20,
    "20-JUN-24": 0,
    "June 20, 2024 8:00pm": 20,
    "June 20, 2024 8:00:00pm": 20,
    "2024年6月20日 午前8時00分": 8,
    "2024年6月20日 下午8点00分": 20,
    "20/06/2024 à 08:00": 8,
}
"""A time of 2024-06-20, and its hour in UTC."""


@pytest.fixture(scope="module", params=[None, "timezone: UTC"], ids=["no mapping", "zone of a mapping"])
def read_times(request, read_together) -> list[dt.datetime | None]:
    """What is read of the keys of ``HOURS``, each in a file of its own."""
    files = {f"{number}.csv": f"{HEADER}{number};user;hello;{stated}\n" for number, stated in enumerate(HOURS)}
    found = read_together(files, mapping=request.param)
    return [found[name][0]["timestamp"] if found[name] else None for name in files]


@pytest.mark.parametrize("stated", HOURS)
def test_a_time_with_a_zone_or_of_an_unusual_form_is_read(read_times, stated):
    """Each of these put its row into quarantine, or lost its zone."""
    assert read_times[list(HOURS).index(stated)] == dt.datetime(2024, 6, 20, HOURS[stated], tzinfo=dt.UTC)


@pytest.mark.parametrize("zone", ["IST", "BST", "Nowhere/City"])
def test_a_zone_with_several_meanings_or_none_is_refused(folder, zone):
    """IST in a time with names was read as that of India, without a word."""
    assert time_of(folder, f"2024-06-20 08:00:00 {zone}") is None
    assert time_of(folder, f"Thu Jun 20 08:00:00 {zone} 2024") is None


def test_a_repeated_hour_of_a_named_zone_is_the_earlier_one(folder):
    assert time_of(folder, "2024-10-27 02:30:00 Europe/Berlin") == dt.datetime(2024, 10, 27, 0, 30, tzinfo=dt.UTC)


def dates_and_notes(folder, *dates: str) -> tuple[list[str], list[str]]:
    lines = "".join(f"1;user;text {number};{date} 08:00\n" for number, date in enumerate(dates))
    found = folder.rows_of("a.csv", HEADER + lines, first_day=dt.date(2001, 1, 1), last_day=dt.date(2031, 1, 1))
    recognised = Recognised()
    list(read_rows(find_files(str(folder.path / "a.csv"))[0], FieldMapping(), recognised))
    notes = [note for note in recognised.notes if note.startswith("Dates")]
    return [str(row["timestamp"].date()) for row in found.messages], notes


@pytest.mark.parametrize(
    ("dates", "expected", "words"),
    [
        (["24.06.02", "24.06.20", "24.07.11"], ["2024-06-02", "2024-06-20", "2024-07-11"], "year first"),
        (["6/20/24", "7/1/24"], ["2024-06-20", "2024-07-01"], "month first"),
        (["20-06-2024", "01-07-2024"], ["2024-06-20", "2024-07-01"], "day first"),
        (["06.20.2024", "07.01.2024"], ["2024-06-20", "2024-07-01"], "month first"),
    ],
)
def test_numbers_of_a_file_show_the_order_of_its_dates(folder, dates, expected, words):
    """24.06.20 was the 24th of June 2020, whatever the other dates said."""
    found, notes = dates_and_notes(folder, *dates)
    assert found == expected
    assert notes == [f"Dates are read {words}, as their numbers show."]


def test_an_open_order_of_short_dates_is_said(folder):
    found, notes = dates_and_notes(folder, "20.06.24")
    assert found == ["2024-06-20"]
    assert "may also mean year first" in notes[0]


def test_dates_with_points_in_the_usual_order_need_no_word(folder):
    found, notes = dates_and_notes(folder, "02.06.24", "28.06.24", "30.06.24")
    assert (found, notes) == (["2024-06-02", "2024-06-28", "2024-06-30"], [])


def test_a_mapping_states_the_order_of_short_dates(folder):
    mapping = folder.write("mapping.yaml", "date_order: ymd")
    expected = dt.datetime(2024, 6, 20, 8, tzinfo=dt.UTC)
    assert time_of(folder, "24.06.20 08:00", mapping=mapping) == expected


FORMS = {
    "June 20th, 2024 10:05 AM PDT": "17:05",
    "Thursday, June 20, 2024 10:05:00 AM GMT-7": "17:05",
    "Jun 20, 2024, 10:05:03 AM": "10:05",
    "20-Jun-2024": "00:00",
    "20-Jun-2024 10:05": "10:05",
    "2024/6/20 9:05": "09:05",
    "Thu Jun 20 10:05:03 2024": "10:05",
    "2024年6月20日": "00:00",
    "45463.420138889": "10:05",
    "/Date(1718877900000)/": "10:05",
    "/Date(1718877900000+0200)/": "10:05",
    "1,718,877,900": "10:05",
    "740570700000000000": "10:05",
    "10:05 20.06.2024": "10:05",
    "20.06.2024 - 10:05": "10:05",
    "20.06.2024T10:05": "10:05",
    "20 июня 2024 г. в 10:05": "10:05",
    "20 юни 2024 10:05": "10:05",
    "20 червня 2024 10:05": "10:05",
    "20 Haziran 2024 10:05": "10:05",
}


def test_further_forms_of_one_day_are_read(folder):
    """Apple counts nanoseconds from 2001, .NET milliseconds, spreadsheets days; months have names in many languages."""
    rows = "".join(f"{number};user;hello;{stated}\n" for number, stated in enumerate(FORMS))
    found = folder.rows_of("a.csv", HEADER + rows)

    times = {list(FORMS)[int(row["conversation_id"])]: row["timestamp"] for row in found.messages}
    assert {stated: f"{time:%H:%M}" for stated, time in times.items()} == FORMS
    assert {f"{time:%Y-%m-%d}" for time in times.values()} == {"2024-06-20"}


def test_a_number_with_two_readings_is_refused(folder):
    """The ticks of .NET in 2024 would be Apple's nanoseconds of 2021."""
    assert time_of(folder, "638544819000000000") is None


def test_clocks_that_go_back_half_an_hour_repeat_half_an_hour(folder):
    """Of 1:50 and then 1:35, both on Lord Howe Island, the answer came before the question."""
    mapping = folder.write("mapping.yaml", "timezone: Australia/Lord_Howe")
    rows = "b;user;q;2024-04-07 01:50:00\nb;agent;a;2024-04-07 01:35:00\n"
    found = folder.rows_of("a.csv", HEADER + rows, mapping=mapping)

    assert [f"{row['timestamp']:%H:%M}" for row in found.messages] == ["14:50", "15:05"]


@pytest.mark.parametrize(
    ("time", "zone", "setting", "hour"),
    [
        ("2024-06-20 10:00", "Europe/Berlin", "", 8),
        ("2024-06-20 10:00", "Europe/Berlin", "timezone: UTC", 10),
        ("2024-06-20T10:00:00Z", "Europe/Berlin", "", 10),
        ("2024-06-20 10:00", "CEST", "", 8),
        ("2024-06-20 10:00", "office", "", 10),
        ("2024-06-20 10:00+00:00", "office", "", 10),
    ],
)
def test_a_column_names_the_zone_of_each_row(folder, time, zone, setting, hour):
    """Of a column without a known zone, no word was said."""
    mapping = folder.write("mapping.yaml", setting) if setting else None
    content = f"conversation_id,role,text,timestamp,timezone\nA,user,hi,{time},{zone}\n"
    source = folder.source("a.csv", mapping=mapping)
    folder.write("a.csv", content)

    (day,) = source.days()
    assert source.read_day(day).messages["timestamp"].to_pylist()[0].hour == hour
    is_told = hour == 8 or (zone == "office" and "+" not in time)
    assert any("timezone" in warning for warning in source.summary().warnings) == is_told


def test_an_unknown_zone_quarantines_its_own_rows_only(folder):
    """One unknown name switched the column off: all rows were read as UTC, without a word."""
    zones = {
        "Europe/Berlin": 8, "GMT+2": 8, "UTC+02:00": 8, "+02:00": 8, "UTC": 10, "": 10,
        "Pacific Time (US & Canada)": None, "Office": None, "AD": None, "BC": None, "IST": None, "Berlin": None,
    }  # fmt: skip
    lines = "".join(f"A,user,text {zone},2024-06-20 10:00,{zone}\n" for zone in zones)
    source = folder.source("a.csv")
    folder.write(
        "a.csv", f"conversation_id,role,text,timestamp,timezone\n{lines}A,user,text,2024-06-20T10:00:00Z,Office\n"
    )
    (day,) = source.days()
    hours = {row["text"][5:]: row["timestamp"].hour for row in source.read_day(day).messages.to_pylist()}

    assert hours == {zone: hour for zone, hour in zones.items() if hour is not None} | {"": 10}
    assert "Pacific Time (US & Canada), go into quarantine" in source.summary().warnings[0]


@pytest.mark.parametrize(
    ("time", "zone"),
    [("06/20/2024 10:00 AM", "Europe/Berlin"), ("2024-06-20 10:00 AM", "GMT+2"), ("2024-06-20 8:00 AM", "UTC")],
)
def test_a_time_of_twelve_hours_is_read_in_its_zone(folder, time, zone):
    assert time_of(folder, f"{time} {zone}") == dt.datetime(2024, 6, 20, 8, tzinfo=dt.UTC)
