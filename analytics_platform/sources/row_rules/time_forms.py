r"""How a source writes times, as DuckDB macros: ISO 8601, epochs, e-mail dates, strptime formats, and local times.

``time_macros`` creates ``given_time(text)``, and unless ``is_only_auto``, ``given_or_auto_time(text)``, which tries
``auto`` last. Both return a struct of ``at`` (TIMESTAMPTZ, null for a text in no known form) and ``repeated`` (whether
the local time occurs twice, because clocks were set back), and ``skipped`` (whether it never occurs, because clocks
were set forward). A time without an offset is UTC unless there is a time zone.
"""

# ruff: noqa: RUF001  (letters of other scripts look like Latin ones)

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
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
CREATE TEMP MACRO plain_days(given) AS regexp_replace(given, '\b(\d{1,2})(st|nd|rd|th)\b', '\1');
CREATE TEMP MACRO mail_time(given) AS
    CASE WHEN regexp_matches(given, '[A-Za-z]{3}') AND NOT has_unclear_zone(given)
    THEN CAST(try_strptime(plain_days(given), [
        '%a, %d %b %Y %H:%M:%S %z', '%d %b %Y %H:%M:%S %z', '%a, %d %b %Y %H:%M %z', '%d %b %Y %H:%M %z',
        '%a, %d %b %Y %H:%M:%S %Z', '%d %b %Y %H:%M:%S %Z', '%a %b %d %H:%M:%S %z %Y', '%a %b %d %H:%M:%S %Z %Y',
        '%a %b %d %Y %H:%M:%S %z', '%d/%b/%Y:%H:%M:%S %z', '[%d/%b/%Y:%H:%M:%S %z]', '%A, %d-%b-%y %H:%M:%S %Z',
        '%b %d, %Y, %I:%M:%S %p %z', '%b %d, %Y, %I:%M %p %z', '%B %d, %Y at %I:%M:%S %p %z',
        '%B %d, %Y %I:%M:%S %p %z', '%B %d, %Y %I:%M %p %z', '%A, %B %d, %Y %I:%M:%S %p %z',
        '%A, %B %d, %Y %I:%M %p %z', '%A, %B %d, %Y at %I:%M:%S %p %z', '%b %d, %Y %I:%M:%S %p %z',
        '%b %d, %Y %I:%M %p %z'
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
CREATE TEMP MACRO named_month_time(given) AS list_transform([regexp_extract(given,
    '^(?:\p{L}+[.,]* )?(\d{1,2})(?:[.]|er|º)?[ -]?(?:de )?(\p{L}{3,})[.]?,?[ -](?:de )?(\d{4})(?: г[.]?)?' ||
    '(?:,? (?:um |à |a las |às |alle |om |в )?(\d{1,2})[:h](\d{2})(?::(\d{2}))?)?(?: Uhr)?$',
    ['day', 'month', 'year', 'hour', 'minute', 'second'])], lambda parts: time_of_parts(parts))[1];
CREATE TEMP MACRO worded_time(given) AS
    CASE WHEN regexp_matches(given, '[AaPp][Mm]$') AND regexp_matches(given, '^\d{4}-') THEN try_strptime(given, [
        '%Y-%m-%d %I:%M:%S %p', '%Y-%m-%d %I:%M %p', '%Y-%m-%d %I:%M:%S%p', '%Y-%m-%d %I:%M%p'])
    WHEN regexp_full_match(given, '\d{1,2}[.]\d{1,2}[.]\d{4}.*') THEN try_strptime(without_uhr(given), [
        '%d.%m.%Y %H:%M:%S', '%d.%m.%Y %H:%M', '%d.%m.%Y, %H:%M:%S', '%d.%m.%Y, %H:%M', '%d.%m.%Y',
        '%d.%m.%Y %H:%M:%S.%f'])
    WHEN regexp_full_match(given, '\d{1,2}:\d{2}(:\d{2})?,? \d{1,2}[.]\d{1,2}[.]\d{4}') THEN try_strptime(given, [
        '%H:%M %d.%m.%Y', '%H:%M:%S %d.%m.%Y', '%H:%M, %d.%m.%Y', '%H:%M:%S, %d.%m.%Y'])
    WHEN regexp_full_match(given, '\d{1,2}[.]\d{1,2}[.]\d{2}([ ,].*)?') THEN try_strptime(without_uhr(given), [
        '%d.%m.%y %H:%M:%S', '%d.%m.%y %H:%M', '%d.%m.%y, %H:%M:%S', '%d.%m.%y, %H:%M', '%d.%m.%y'])
    WHEN regexp_matches(given, '\p{L}{3}') THEN coalesce(try_strptime(plain_days(given), [
        '%b %d, %Y, %I:%M:%S %p', '%b %d, %Y %I:%M:%S %p', '%b %d, %Y, %I:%M %p', '%b %d, %Y %I:%M %p',
        '%B %d, %Y, %I:%M:%S %p', '%B %d, %Y %I:%M %p', '%B %d, %Y at %I:%M %p', '%b %d, %Y', '%d %b %Y %H:%M:%S',
        '%d %b %Y %H:%M', '%d %b %Y', '%d %B %Y %H:%M', '%a %b %d %H:%M:%S %Y',
        '%d %b %Y, %H:%M:%S', '%d %b %Y, %H:%M', '%d-%b-%y %H:%M:%S', '%d-%b-%y %H:%M', '%d-%b-%Y %H:%M:%S',
        '%d-%b-%Y %H:%M', '%d-%b-%y %I.%M.%S.%f %p', '%d-%b-%y %I.%M.%S %p',
        '%B %d, %Y at %I:%M:%S %p', '%A, %B %d, %Y %I:%M %p', '%A, %B %d, %Y at %I:%M %p',
        '%b %d, %Y %H:%M', '%b %d, %Y %H:%M:%S', '%b %d, %Y, %H:%M', '%b %d, %Y, %H:%M:%S',
        '%b %d, %Y @ %H:%M:%S.%f', '%B %d, %Y %H:%M', '%B %d, %Y %H:%M:%S', '%a, %b %d, %Y, %I:%M %p',
        '%b %d %Y %I:%M%p', '%d/%b/%y %I:%M %p', '%d/%b/%Y %I:%M %p', '%d/%b/%y %H:%M', '%d/%b/%Y %H:%M'
    ]), named_month_time(given)) END;
CREATE TEMP MACRO wall_time(given) AS coalesce(
    TRY_CAST(coalesce(iso_text(given), loose_iso_text(given)) AS TIMESTAMP), worded_time(given));
-- A local time with the name of its zone, such as Europe/Berlin; of one that occurs twice, the earlier moment.
CREATE TEMP MACRO earlier(point, wall, zone) AS CASE
    WHEN point IS NULL THEN NULL WHEN (point - INTERVAL 1 HOUR) AT TIME ZONE zone = wall THEN point - INTERVAL 1 HOUR
    ELSE point END;
CREATE TEMP MACRO zone_time(wall, zone) AS list_transform(
    [TRY_CAST(concat(CAST(wall AS VARCHAR), ' ', zone) AS TIMESTAMPTZ)], lambda point: earlier(point, wall, zone))[1];
CREATE TEMP MACRO time_with_zone(parts) AS
    list_transform([wall_time(parts.wall)], lambda wall: zone_time(wall, parts.zone))[1];
CREATE TEMP MACRO zoned_time(given) AS CASE WHEN regexp_matches(given, '\d ?\[?[A-Za-z]+/[\w/+-]+\]?$')
    THEN list_transform([regexp_extract(given, '^(.*\d) ?\[?([A-Za-z]+/[\w/+-]+)\]?$', ['wall', 'zone'])],
        lambda parts: time_with_zone(parts))[1] END;
"""

_AUTO_UTC = """coalesce(
    TRY_CAST(iso_text(given) AS TIMESTAMPTZ), epoch_time(given), TRY_CAST(loose_iso_text(given) AS TIMESTAMPTZ),
    mail_time(given), zoned_time(given), CAST(worded_time(given) AS TIMESTAMPTZ),
    CAST(spreadsheet_time(given) AS TIMESTAMPTZ))"""

_AUTO_INSTANT = """coalesce(
    instant_of(iso_text(given)), epoch_time(given), instant_of(loose_iso_text(given)),
    mail_time(given), zoned_time(given))"""
_AUTO_WALL = "coalesce(wall_time(given), spreadsheet_time(given))"


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


def time_macros(formats: Sequence[str], zone: str | None) -> str:
    """Return the SQL that creates the macros ``given_time`` and, unless ``is_only_auto``, ``given_or_auto_time``.

    Args:
        formats: Tried in this order: ``auto``, one of ``EPOCH_FORMATS``, or a strptime format.
        zone: IANA name of the zone of times without an offset; None for UTC.
    """
    moments = "" if zone is None else _MOMENTS.format(zone=_quoted(zone), minutes=clock_change_minutes(zone))
    macros = _MONTH_NUMBERS + _MACROS + moments + _macro("given_time", formats, zone)
    return macros if is_only_auto(formats) else macros + _macro("given_or_auto_time", _with_auto(formats), zone)


def clock_change_minutes(zone: str | None) -> int:
    """Return by how many minutes clocks of a zone are set back: 60, but 30 on Lord Howe Island."""
    if zone is None:
        return _USUAL_CHANGE
    winter, summer = (dt.datetime(2024, month, 1, tzinfo=ZoneInfo(zone)).utcoffset() for month in (1, 7))
    change = abs((winter or dt.timedelta()) - (summer or dt.timedelta()))
    return int(change.total_seconds() // 60) or _USUAL_CHANGE


_USUAL_CHANGE = 60


def is_only_auto(formats: Sequence[str]) -> bool:
    """Tell whether times are read as ``auto`` and in no other form, so that ``given_time`` reads all there are."""
    return set(formats) == {AUTO}


def _with_auto(formats: Sequence[str]) -> Sequence[str]:
    return formats if AUTO in formats else (*formats, AUTO)


def _macro(name: str, formats: Sequence[str], zone: str | None) -> str:
    if zone is None:
        at = ", ".join(_utc(one) for one in formats)
        fields = f"{{'at': coalesce({at}), 'repeated': false, 'skipped': false}}"
        return f"CREATE TEMP MACRO {name}(given) AS {fields};\n"
    # The first reading that is not null counts: of a format, an instant, or else a local time. Lambdas name what is
    # used several times; DuckDB writes out the whole expression at each use of a macro's parameter.
    readings = ", ".join(
        f"list_transform([{{'instant': {instant}, 'wall': {wall}}}], lambda one: CASE "
        "WHEN one.instant IS NOT NULL THEN {'instant': one.instant, 'wall': CAST(NULL AS TIMESTAMP)} "
        "WHEN one.wall IS NOT NULL THEN one END)[1]"
        for instant, wall in map(_with_zone, formats)
    )
    return (
        f"CREATE TEMP MACRO {name}(given) AS "
        f"list_transform([coalesce({readings})], lambda reading: placed(reading))[1];\n"
    )


def _utc(form: str) -> str:
    if form == AUTO:
        return _AUTO_UTC
    if form in EPOCH_FORMATS:
        return _epoch(form)
    return f"CAST(try_strptime(given, {_quoted(form)}) AS TIMESTAMPTZ)"


def _with_zone(form: str) -> tuple[str, str]:
    """Return the expressions of a format's moment and of its local time; one of the two is null."""
    if form == AUTO:
        return _AUTO_INSTANT, _AUTO_WALL
    if form in EPOCH_FORMATS:
        return _epoch(form), "CAST(NULL AS TIMESTAMP)"
    if "%z" in form or "%Z" in form:
        return f"CAST(try_strptime(given, {_quoted(form)}) AS TIMESTAMPTZ)", "CAST(NULL AS TIMESTAMP)"
    return "CAST(NULL AS TIMESTAMPTZ)", f"CAST(try_strptime(given, {_quoted(form)}) AS TIMESTAMP)"


def _epoch(form: str) -> str:
    return f"micros_time(TRY_CAST(given AS DOUBLE) * {'1e6' if form == 'epoch_seconds' else '1e3'})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
