r"""How a source writes times, as DuckDB SQL: ISO 8601, epochs, e-mail dates, strptime formats, and local times.

``time_of`` returns the expression that reads a text, and ``time_macros`` the macros that the expression calls. The
large parts are no macros: DuckDB plans the body of a macro when the macro is created, again for each macro that calls
it, and again for the statement, which took longer than all else that is done with a small file.
"""

# ruff: noqa: RUF001  (letters of other scripts look like Latin ones)

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

AUTO = "auto"
EPOCH_FORMATS = ("epoch_seconds", "epoch_milliseconds")

DATE_ONLY = r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\.?$|^\d{8}$|^[2-7]\d{4}$|^[^:]*[^\d:\s.,/-]{3}[^:]*\d{4}$"
"""A time without a time of the day, as RE2 and Python read it."""

_MONTHS = (
    "jan jän ene gen янв яну січ oca", "feb fév fev фев лют şub", "mar mär mrz maa mrt мар бер",
    "apr avr abr апр кві nis", "may mai mag mei май мая тра", "jun juin giu июн юни чер haz",
    "jul juil lug июл юли лип tem", "aug aoû ago авг сер ağu", "sep set сен вер eyl", "oct okt ott out окт жов eki",
    "nov ноя ное лис kas", "dec dez déc dic дек гру ara",
)  # fmt: skip
"""First letters of the months in English, German, French, Spanish, Italian, Portuguese, Dutch, Russian, Bulgarian,
Ukrainian and Turkish."""
_MONTH_NUMBERS = "SET VARIABLE month_numbers = MAP {{{}}};\n".format(
    ", ".join(f"'{word}': {number}" for number, words in enumerate(_MONTHS, start=1) for word in words.split())
)

# The forms of ISO 8601 and what logs, databases and Java make of it. The first macro reads the common form; the second
# one is asked about the rest. Each expression is written once: DuckDB may compute a repeated one for every row.
_MACROS = r"""
CREATE TEMP MACRO micros_time(micros) AS TRY(make_timestamp(CAST(round(micros) AS BIGINT))) AT TIME ZONE 'UTC';
CREATE TEMP MACRO iso_text(given) AS
    CASE WHEN regexp_full_match(given,
            '\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}([.]\d+)?)? ?(UTC|[Zz]|[+-]\d{2}(:?\d{2})?)?)?')
         THEN regexp_replace(regexp_replace(upper(given), '([.]\d{6})\d+', '\1'), ' ([+-])', '\1') END;
-- The name of a zone after an offset says no more.
CREATE TEMP MACRO like_iso(given) AS
    regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
    regexp_replace(regexp_replace(regexp_replace(
        given, '([Zz]|[+-]\d{2}:?\d{2})(\[[\w/+-]+\]| [A-Za-z]+/[\w/+-]+| [A-Z]{3,5})$', '\1'),
        '\[(UTC|GMT|Z|Etc/UTC)\]$', 'Z'),
        '^(\d{1,2})[.](\d{1,2})[.](\d{4}),? (.*(?:[+-]\d{2}:?\d{2}|Z))$', '\3-\2-\1 \4'),
        '^(\d{4}[-/.]\d{1,2}[-/.]\d{1,2})[Tt _-](\d{1,2})[.:-](\d{2})(?:[.:-](\d{2}))?(Z|$)', '\1 \2:\3:\4\5'),
        '^(\d{4})(\d{2})(\d{2})$', '\1-\2-\3'),
        '^(\d{4})(\d{2})(\d{2})[Tt ]?(\d{2})(\d{2})(\d{2})?', '\1-\2-\3 \4:\5:\6'),
        ':($|[.,Zz+-])', '\1'),
        '(:\d{2}),(\d+)', '\1.\2'),
        '^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})', '\1-\2-\3'),
        ' ?(GMT|UT)$', 'Z');
CREATE TEMP MACRO loose_iso_form(form) AS
    CASE WHEN regexp_full_match(form,
            '\d{4}-\d{1,2}-\d{1,2}([Tt ]\d{1,2}:\d{2}(:\d{2}([.]\d+)?)? ?(UTC|[Zz]|[+-]\d{2}(:?\d{2})?)?)?')
         THEN regexp_replace(regexp_replace(upper(form), '([.]\d{6})\d+', '\1'), ' ([+-])', '\1') END;
CREATE TEMP MACRO loose_iso_text(given) AS
    list_transform([like_iso(given)], lambda form: loose_iso_form(form))[1];
CREATE TEMP MACRO has_offset(iso) AS regexp_matches(iso, ':\d{2}([.]\d+)? ?(UTC|Z|[+-]\d{2}(:?\d{2})?)$');
CREATE TEMP MACRO instant_of(iso) AS list_transform(
    [iso], lambda one: CASE WHEN has_offset(one) THEN TRY_CAST(one AS TIMESTAMPTZ) END)[1];
-- .NET writes milliseconds, and the offset of the zone says no more: /Date(1718870400000+0200)/.
CREATE TEMP MACRO dotnet_time(given) AS CASE WHEN given LIKE '%Date(%' THEN micros_time(1e3 * TRY_CAST(
    regexp_extract(given, '^/?Date\((-?\d+)(?:[+-]\d{4})?\)/?$', 1) AS DOUBLE)) END;
-- Apple counts nanoseconds from 2001 on; since 1970, 18 digits would be a time before 2001. The ticks of .NET in the
-- years 2017 to 2030 are Apple's nanoseconds of seven weeks in 2021: such a number has two readings and is refused.
CREATE TEMP MACRO is_tick(given) AS regexp_full_match(given, '(63[6-9]\d|640[0-4])\d{14}');
CREATE TEMP MACRO apple_time(given) AS CASE WHEN regexp_full_match(given, '[3-9]\d{17}') AND NOT is_tick(given)
    THEN micros_time(TRY_CAST(given AS BIGINT) // 1000 + 978_307_200_000_000) END;
-- A spreadsheet writes a time as the number of days since 1899-12-30: 45123.5 is noon of 2023-07-16. As seconds since
-- 1970 the same number would be a time of 1970-01-01.
CREATE TEMP MACRO is_day_number(given) AS regexp_full_match(given, '[2-7]\d{4}([.,]\d+)?');
-- Seconds have up to 11 digits, milliseconds 12 to 14, microseconds 15 to 17, nanoseconds more: between 1973 and 2099 a
-- number has one reading only. Nineteen digits are too many for a float.
CREATE TEMP MACRO epoch_number(given) AS
    CASE WHEN is_day_number(given) OR is_tick(given) THEN NULL
         WHEN regexp_full_match(given, '\d{18,19}') THEN micros_time(TRY_CAST(given AS BIGINT) // 1000)
         WHEN NOT regexp_full_match(given, '\d{8}|\d{14}') THEN micros_time(TRY_CAST(given AS DOUBLE) * CASE
            WHEN abs(TRY_CAST(given AS DOUBLE)) < 1e11 THEN 1e6
            WHEN abs(TRY_CAST(given AS DOUBLE)) < 1e14 THEN 1e3
            WHEN abs(TRY_CAST(given AS DOUBLE)) < 1e17 THEN 1 ELSE 1e-3 END) END;
CREATE TEMP MACRO epoch_time(given) AS coalesce(apple_time(given), epoch_number(given), dotnet_time(given),
    CASE WHEN regexp_full_match(given, '\d{1,3}(,\d{3}){3,6}') THEN epoch_number(replace(given, ',', '')) END);
CREATE TEMP MACRO spreadsheet_time(given) AS CASE WHEN is_day_number(given) THEN
    TIMESTAMP '1899-12-30'
    + to_milliseconds(CAST(round(CAST(replace(given, ',', '.') AS DOUBLE) * 86_400_000) AS BIGINT)) END;
-- tidying gives the abbreviations with one meaning as offsets; strptime would choose one of several.
CREATE TEMP MACRO has_unclear_zone(given) AS regexp_matches(given, ' [A-Z]{3,5}( \d{4})?$')
    AND NOT regexp_matches(given, ' (GMT|UTC)( \d{4})?$');
-- Oracle writes up to nine digits of a second.
CREATE TEMP MACRO plain_days(given) AS regexp_replace(
    regexp_replace(given, '\b(\d{1,2})(st|nd|rd|th)\b', '\1'), '([.]\d{6})\d{1,3}\b', '\1');
CREATE TEMP MACRO mail_time(given) AS
    CASE WHEN regexp_matches(given, '[A-Za-z]{3}|[AaPp][Mm] [+-]\d') AND NOT has_unclear_zone(given)
    THEN CAST(try_strptime(plain_days(given), [
        '%Y-%m-%d %I:%M:%S %p %z', '%Y-%m-%d %I:%M %p %z', '%Y-%m-%d %I:%M:%S %p UTC', '%Y-%m-%d %I:%M %p UTC',
        '%a, %d %b %Y %H:%M:%S %z', '%d %b %Y %H:%M:%S %z', '%a, %d %b %Y %H:%M %z', '%d %b %Y %H:%M %z',
        '%a, %d %b %Y %H:%M:%S %Z', '%d %b %Y %H:%M:%S %Z', '%a %b %d %H:%M:%S %z %Y', '%a %b %d %H:%M:%S %Z %Y',
        '%a %b %d %Y %H:%M:%S %z', '%d/%b/%Y:%H:%M:%S %z', '[%d/%b/%Y:%H:%M:%S %z]', '%A, %d-%b-%y %H:%M:%S %Z',
        '%b %d, %Y, %I:%M:%S %p %z', '%b %d, %Y, %I:%M %p %z', '%B %d, %Y at %I:%M:%S %p %z',
        '%B %d, %Y %I:%M:%S %p %z', '%B %d, %Y %I:%M %p %z', '%A, %B %d, %Y %I:%M:%S %p %z',
        '%A, %B %d, %Y %I:%M %p %z', '%A, %B %d, %Y at %I:%M:%S %p %z', '%b %d, %Y %I:%M:%S %p %z',
        '%b %d, %Y %I:%M %p %z', '%a, %b %d, %Y at %I:%M %p %z', '%a, %b %d, %Y at %I:%M:%S %p %z',
        '%d-%b-%y %I.%M.%S.%f %p %z', '%d-%b-%Y %I.%M.%S.%f %p %z',
        '%d-%b-%y %I.%M.%S.%f %p UTC'
    ]) AS TIMESTAMPTZ) END;
CREATE TEMP MACRO without_uhr(given) AS regexp_replace(regexp_replace(regexp_replace(regexp_replace(
    given, ' ?Uhr$', ''), ',? (um|klo|kl[.]|ore|alle|-) |(?:(\d{4}))[Tt]', '\2 '),
    '([ ,]\d{1,2})[.](\d{2})$', '\1:\2'), '([ ,]\d{1,2})[.](\d{2})[.](\d{2})$', '\1:\2:\3');
CREATE TEMP MACRO month_of(word) AS
    coalesce(getvariable('month_numbers')[word[:4]], getvariable('month_numbers')[word[:3]]);
CREATE TEMP MACRO time_of_parts(parts) AS CASE WHEN parts.day <> '' THEN TRY(make_timestamp(
    CAST(parts.year AS BIGINT), month_of(lower(parts.month)), CAST(parts.day AS BIGINT),
    coalesce(TRY_CAST(parts.hour AS BIGINT), 0), coalesce(TRY_CAST(parts.minute AS BIGINT), 0),
    coalesce(TRY_CAST(parts.second AS DOUBLE), 0))) END;
-- A local time with the name of its zone, such as Europe/Berlin; of one that occurs twice, the earlier moment.
CREATE TEMP MACRO earlier(point, wall, zone) AS CASE
    WHEN point IS NULL THEN NULL WHEN (point - INTERVAL 1 HOUR) AT TIME ZONE zone = wall THEN point - INTERVAL 1 HOUR
    ELSE point END;
CREATE TEMP MACRO zone_time(wall, zone) AS list_transform(
    [TRY_CAST(concat(CAST(wall AS VARCHAR), ' ', zone) AS TIMESTAMPTZ)], lambda point: earlier(point, wall, zone))[1];
"""

# Parts of the expressions; ``given`` stands for the text. What may be a letter stands for letters, also of a month:
# DuckDB takes 1.5 ms to plan a class of exactly the letters, and no other word is the name of a month.
_NAMED_MONTH = r"""list_transform([regexp_extract(given,
    '^(?:[^\d\s[:punct:]]+[.,]* )?(\d{1,2})(?:[.]|er|º)?[ -]?(?:de )?([^\d\s[:punct:]]{3,})' ||
    '[.]?,?[ -](?:de )?(\d{4})(?: г[.]?)?' ||
    '(?:,? (?:um |à |a las |às |alle |om |в )?(\d{1,2})[:h](\d{2})(?::(\d{2}))?)?(?: Uhr)?$',
    ['day', 'month', 'year', 'hour', 'minute', 'second'])], lambda parts: time_of_parts(parts))[1]"""
_WORDED = (
    r"""CASE
    WHEN regexp_matches(given, '[AaPp][Mm]$') AND regexp_matches(given, '^\d{4}-') THEN try_strptime(given, [
        '%Y-%m-%d %I:%M:%S %p', '%Y-%m-%d %I:%M %p', '%Y-%m-%d %I:%M:%S%p', '%Y-%m-%d %I:%M%p'])
    WHEN regexp_full_match(given, '\d{1,2}[.]\d{1,2}[.]\d{4}.*') THEN try_strptime(without_uhr(given), [
        '%d.%m.%Y %H:%M:%S', '%d.%m.%Y %H:%M', '%d.%m.%Y, %H:%M:%S', '%d.%m.%Y, %H:%M', '%d.%m.%Y',
        '%d.%m.%Y %H:%M:%S.%f'])
    WHEN regexp_full_match(given, '\d{1,2}:\d{2}(:\d{2})?,? \d{1,2}[.]\d{1,2}[.]\d{4}') THEN try_strptime(given, [
        '%H:%M %d.%m.%Y', '%H:%M:%S %d.%m.%Y', '%H:%M, %d.%m.%Y', '%H:%M:%S, %d.%m.%Y'])
    WHEN regexp_full_match(given, '\d{1,2}[.]\d{1,2}[.]\d{2}([ ,].*)?') THEN try_strptime(without_uhr(given), [
        '%d.%m.%y %H:%M:%S', '%d.%m.%y %H:%M', '%d.%m.%y, %H:%M:%S', '%d.%m.%y, %H:%M', '%d.%m.%y'])
    WHEN regexp_matches(given, '[^\d\s[:punct:]]{3}') THEN coalesce(try_strptime(plain_days(given), [
        '%b %d, %Y, %I:%M:%S %p', '%b %d, %Y %I:%M:%S %p', '%b %d, %Y, %I:%M %p', '%b %d, %Y %I:%M %p',
        '%B %d, %Y, %I:%M:%S %p', '%B %d, %Y %I:%M %p', '%B %d, %Y at %I:%M %p', '%b %d, %Y', '%d %b %Y %H:%M:%S',
        '%d %b %Y %H:%M', '%d %b %Y', '%d %B %Y %H:%M', '%a %b %d %H:%M:%S %Y',
        '%d %b %Y, %H:%M:%S', '%d %b %Y, %H:%M', '%d-%b-%y %H:%M:%S', '%d-%b-%y %H:%M', '%d-%b-%Y %H:%M:%S',
        '%d-%b-%Y %H:%M', '%d-%b-%y %I.%M.%S.%f %p', '%d-%b-%y %I.%M.%S %p',
        '%B %d, %Y at %I:%M:%S %p', '%A, %B %d, %Y %I:%M %p', '%A, %B %d, %Y at %I:%M %p',
        '%b %d, %Y %H:%M', '%b %d, %Y %H:%M:%S', '%b %d, %Y, %H:%M', '%b %d, %Y, %H:%M:%S',
        '%a, %b %d, %Y at %I:%M %p', '%a, %b %d, %Y at %I:%M:%S %p', '%a, %b %d, %Y at %H:%M',
        '%a, %d %b %Y at %H:%M', '%a, %d %b %Y at %I:%M %p', '%a, %d %b %Y, %H:%M', '%a, %d %b %Y %H:%M',
        '%a, %d %b %Y %H:%M:%S', '%A, %B %d, %Y at %H:%M', '%B %d, %Y at %H:%M',
        '%d-%b-%Y %I.%M.%S.%f %p', '%d-%b-%Y %I.%M.%S %p', '%d-%b-%y %H.%M.%S.%f', '%d-%b-%Y %H.%M.%S.%f',
        '%d-%b-%y', '%d-%b-%Y',
        '%b %d, %Y @ %H:%M:%S.%f', '%B %d, %Y %H:%M', '%B %d, %Y %H:%M:%S', '%a, %b %d, %Y, %I:%M %p',
        '%b %d %Y %I:%M%p', '%B %d, %Y %I:%M%p', '%B %d, %Y %I:%M:%S%p',
        '%d/%b/%y %I:%M %p', '%d/%b/%Y %I:%M %p', '%d/%b/%y %H:%M', '%d/%b/%Y %H:%M'
    ]), """
    + _NAMED_MONTH
    + r""") END"""
)
_WALL = f"coalesce(TRY_CAST(coalesce(iso_text(given), loose_iso_text(given)) AS TIMESTAMP), {_WORDED})"
_WALL_OF_PARTS = _WALL.replace("given", "parts.wall")
_ZONED = (
    r"CASE WHEN regexp_matches(given, '\d(?: ?[AaPp][Mm]\b)? ?\[?[A-Za-z]+/[\w/+-]+\]?$') "
    r"THEN list_transform([regexp_extract(given, '^(.*\d(?: ?[AaPp][Mm]\b)?) ?\[?([A-Za-z]+/[\w/+-]+)\]?$', "
    r"['wall', 'zone'])], "
    f"lambda parts: list_transform([{_WALL_OF_PARTS}], lambda wall: zone_time(wall, parts.zone))[1])[1] END"
)

_AUTO_UTC = f"""coalesce(
    TRY_CAST(iso_text(given) AS TIMESTAMPTZ), epoch_time(given), TRY_CAST(loose_iso_text(given) AS TIMESTAMPTZ),
    mail_time(given), {_ZONED}, CAST({_WORDED} AS TIMESTAMPTZ), CAST(spreadsheet_time(given) AS TIMESTAMPTZ))"""

_AUTO_INSTANT = f"""coalesce(
    instant_of(iso_text(given)), epoch_time(given), instant_of(loose_iso_text(given)),
    mail_time(given), {_ZONED})"""
_AUTO_WALL = f"coalesce({_WALL}, spreadsheet_time(given))"

_IN_ORDERS = "auto with "
_CLOCK_BEFORE = r"^(\d\d?:\S+?(?: ?[AaPp][.]?[Mm][.]?)?),? (\d\d?[/.-]\d\d?[/.-]\d+)$"
_USUAL_CHANGE = 60
"""Minutes by which clocks are set back."""
# Of a local time that occurs twice, the earlier moment; of one that never occurs, the moment an hour later.
_MOMENTS = """
CREATE TEMP MACRO moment(wall) AS CASE
    WHEN ((wall AT TIME ZONE {zone}) - INTERVAL {minutes} MINUTE) AT TIME ZONE {zone} = wall
        THEN (wall AT TIME ZONE {zone}) - INTERVAL {minutes} MINUTE
    ELSE wall AT TIME ZONE {zone} END;
CREATE TEMP MACRO placed(reading) AS {{
    'at': coalesce(reading.instant, moment(reading.wall)),
    'repeated': coalesce((moment(reading.wall) + INTERVAL {minutes} MINUTE) AT TIME ZONE {zone} = reading.wall, false),
    'skipped': coalesce(moment(reading.wall) AT TIME ZONE {zone} <> reading.wall, false)
}};
"""


def time_macros(zone: str | None) -> str:
    """Return the SQL that creates the macros of the expressions of ``time_of``.

    Args:
        zone: IANA name of the zone of times without an offset; None for UTC.
    """
    return (
        _MONTH_NUMBERS
        + _MACROS
        + ("" if zone is None else _MOMENTS.format(zone=_quoted(zone), minutes=clock_change_minutes(zone)))
    )


def clock_change_minutes(zone: str | None) -> int:
    """Return by how many minutes clocks of a zone are set back: 60, but 30 on Lord Howe Island."""
    if zone is None:
        return _USUAL_CHANGE
    winter, summer = (dt.datetime(2024, month, 1, tzinfo=ZoneInfo(zone)).utcoffset() for month in (1, 7))
    change = abs((winter or dt.timedelta()) - (summer or dt.timedelta()))
    return int(change.total_seconds() // 60) or _USUAL_CHANGE


def time_of(text: str, formats: Sequence[str], zone: str | None) -> str:
    """Return the SQL expression that reads a time.

    The expression gives a struct of ``at`` (TIMESTAMPTZ, null for a text in no known form), ``repeated`` (whether the
    local time occurs twice, because clocks were set back) and ``skipped`` (whether it never occurs, because clocks were
    set forward).

    Args:
        text: Expression of the text, such as the name of a column.
        formats: Tried in this order: ``auto``, one of ``EPOCH_FORMATS``, one of ``dates_in_orders``, or a strptime
            format.
        zone: As that of ``time_macros``.
    """
    different = tuple(dict.fromkeys(formats))
    if zone is None:
        at = ", ".join(_utc(one, text) for one in different)
        return f"{{'at': coalesce({at}), 'repeated': false, 'skipped': false}}"
    # The first reading that is not null counts: of a format, an instant, or else a local time. Lambdas name what is
    # used several times; DuckDB writes out the whole expression at each use of a macro's parameter.
    readings = ", ".join(
        f"list_transform([{{'instant': {instant}, 'wall': {wall}}}], lambda one: CASE "
        "WHEN one.instant IS NOT NULL THEN {'instant': one.instant, 'wall': CAST(NULL AS TIMESTAMP)} "
        "WHEN one.wall IS NOT NULL THEN one END)[1]"
        for instant, wall in (_with_zone(one, text) for one in different)
    )
    return f"list_transform([coalesce({readings})], lambda reading: placed(reading))[1]"


def dates_in_orders(orders: Mapping[str, str]) -> str:
    """Return the form of times like ``auto`` whose short dates have an order for each separator.

    Args:
        orders: Separator, one of ``/-.``, to ``dmy``, ``mdy`` or ``ymd``.
    """
    return _IN_ORDERS + " ".join(separator + orders[separator] for separator in sorted(orders))


def _in_orders(form: str, text: str) -> str:
    """Return the expression of a time whose date is written year first, for a form of ``dates_in_orders``."""
    text = f"regexp_replace({text}, '{_CLOCK_BEFORE}', '\\2 \\1')"
    for part_of_form in form.removeprefix(_IN_ORDERS).split():
        separator, order = part_of_form[0], part_of_form[1:]
        year, month, day = (order.index(part) + 1 for part in "ymd")
        start = rf"^(\d{{1,2}})[{separator}](\d{{1,2}})[{separator}]"
        if order != "ymd":
            text = rf"regexp_replace({text}, '{start}(\d{{4}}),?', '\{year}-\{month}-\{day}')"
        text = rf"regexp_replace({text}, '{start}(\d{{2}}),?([ T]|$)', '20\{year}-\{month}-\{day}\4')"
    return text


def _utc(form: str, text: str) -> str:
    if form == AUTO:
        return _AUTO_UTC.replace("given", text)
    if form.startswith(_IN_ORDERS):
        return _of_dated(form, text, _AUTO_UTC)
    if form in EPOCH_FORMATS:
        return _epoch(form, text)
    return f"CAST(try_strptime({text}, {_quoted(form)}) AS TIMESTAMPTZ)"


def _with_zone(form: str, text: str) -> tuple[str, str]:
    """Return the expressions of a format's moment and of its local time; one of the two is null."""
    if form == AUTO:
        return _AUTO_INSTANT.replace("given", text), _AUTO_WALL.replace("given", text)
    if form.startswith(_IN_ORDERS):
        return _of_dated(form, text, _AUTO_INSTANT), _of_dated(form, text, _AUTO_WALL)
    if form in EPOCH_FORMATS:
        return _epoch(form, text), "CAST(NULL AS TIMESTAMP)"
    if "%z" in form or "%Z" in form:
        return f"CAST(try_strptime({text}, {_quoted(form)}) AS TIMESTAMPTZ)", "CAST(NULL AS TIMESTAMP)"
    return "CAST(NULL AS TIMESTAMPTZ)", f"CAST(try_strptime({text}, {_quoted(form)}) AS TIMESTAMP)"


def _of_dated(form: str, text: str, expression: str) -> str:
    return f"list_transform([{_in_orders(form, text)}], lambda dated: {expression.replace('given', 'dated')})[1]"


def _epoch(form: str, text: str) -> str:
    return f"micros_time(TRY_CAST({text} AS DOUBLE) * {'1e6' if form == 'epoch_seconds' else '1e3'})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
