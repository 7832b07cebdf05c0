"""Tidy the values of input columns other than ``text``, so that one identifier, role or number has one form.

Spreadsheets and web pages put blanks, tabs and invisible characters around values; databases and pandas write words
such as ``NULL`` and ``nan`` for a missing value, and whole numbers as ``101.0``. The functions work on Arrow arrays.
"""

from __future__ import annotations

import contextlib
import unicodedata
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.sources.row_rules.rating_words import NO_RATING
from analytics_platform.sources.row_rules.text_bytes import begin_visibly, end_visibly, valid_mask

IDENTIFIERS = frozenset({"conversation_id", "message_id", "user_id", "agent_id"})
NAMES = frozenset({"model", "channel", "language", "outcome", "variant"})
NUMBERS = frozenset({"sequence", "rating", "tokens", "input_tokens", "output_tokens", "cost"})

NULL_WORDS = ("null", "none", "nan", "nat", r"\N", "n/a", "#n/a", "<na>", "undefined")
"""Words that mean a missing value as an identifier, a name or a number; in small, capital or capitalised letters."""

_NO_RATING = pa.array(NO_RATING)
_CHARACTERS = [chr(code) for code in range(0x10000) if not 0xD800 <= code < 0xE000]
_INVISIBLE = "".join(c for c in _CHARACTERS if c.isspace() or unicodedata.category(c) in ("Zs", "Zl", "Zp", "Cc", "Cf"))
_BLANKS = "".join(c for c in _INVISIBLE if c.isspace() or unicodedata.category(c) != "Cc")
"""Blanks of every script and invisible characters such as U+200E and U+FEFF, without control characters such as NUL."""

INSTANT = pa.timestamp("us", "UTC")
_SHORTEST_ZONED, _SHORTEST_NAIVE = len("2026-01-01T00:00:00Z"), len("2026-01-01 00:00")
"""Arrow also reads shorter times, which have an hour without minutes and are none of ours."""

_WHOLE_NUMBER = r"^(-?\d{1,15})\.0+$"
"""A whole number as a float writes it. A longer one may have lost digits, so that it stays as it is."""


def tidy(name: str, values: pa.Array, null_words: pa.Array) -> pa.Array:
    """Return the tidied values of an input column.

    Args:
        name: The input column; ``text`` is returned as it is.
        values: Strings of shape (rows,).
        null_words: From ``spellings``: values that count as missing.

    Returns:
        The values without blanks and invisible characters at both ends; null for a value that shows nothing. Of
        identifiers, names and numbers, null words are null. Of identifiers, ``101.0`` is ``101``. Within a time, every
        blank is a space, and invisible characters are gone.
    """
    if name == "text" or values.null_count == len(values):
        return values
    trimmed = _trimmed(values)
    tidied = trimmed
    if name == "timestamp":
        tidied = _plain_blanks(tidied)
    elif name == "role":
        tidied = _one_width(tidied)
        if tidied is not trimmed or pc.any(pc.ends_with(tidied, ":")).as_py():
            tidied = pc.utf8_rtrim(tidied, characters=": ")  # as in "Human:"
    elif name in IDENTIFIERS:
        tidied = _whole_numbers(tidied)
    missing = None if tidied is values else pc.equal(pc.utf8_trim(tidied, characters=_INVISIBLE), "")
    if name in IDENTIFIERS | NAMES | NUMBERS and len(null_words):
        is_word = pc.is_in(tidied, value_set=null_words)
        missing = is_word if missing is None else pc.or_(missing, is_word)
    if name == "rating":
        is_word = pc.is_in(pc.utf8_lower(tidied), value_set=_NO_RATING)
        missing = is_word if missing is None else pc.or_(missing, is_word)
    if missing is None or not pc.any(missing).as_py():
        return tidied
    return pc.if_else(missing, pa.scalar(None, pa.string()), tidied)


def _trimmed(values: pa.Array) -> pa.Array:
    """Return values without blanks and invisible characters at both ends; the same object where none has any."""
    is_clean = (begin_visibly(values) & end_visibly(values)) | ~valid_mask(values)
    return values if is_clean.all() else pc.utf8_trim(values, characters=_BLANKS)


def plain_instants(times: pa.Array, *, naive_is_utc: bool) -> pa.Array:
    """Return the moments of times, if each of them is ISO 8601 as programs write it; otherwise nulls.

    Arrow reads a column many times faster than SQL tries one form after another. It accepts no time that the forms of
    ``time_forms`` read in another way.

    Args:
        times: Tidied texts of shape (rows,).
        naive_is_utc: Whether a time without an offset is UTC.

    Returns:
        Timestamps in UTC of shape (rows,): null for a missing time, or all null.
    """
    shortest = pc.min(pc.binary_length(times)).as_py()
    if shortest is not None and shortest >= _SHORTEST_ZONED:
        with contextlib.suppress(pa.ArrowInvalid):
            return times.cast(INSTANT)
    if naive_is_utc and shortest is not None and shortest >= _SHORTEST_NAIVE:
        with contextlib.suppress(pa.ArrowInvalid):
            return times.cast(pa.timestamp("us")).cast(INSTANT)
    return pa.nulls(len(times), INSTANT)


def spellings(words: Iterable[str]) -> pa.Array:
    """Return the words as given, and in small, capital and capitalised letters."""
    forms = {form for word in words for form in (word, word.lower(), word.upper(), word.capitalize())}
    return pa.array(sorted(forms | ({"NaN", "NaT"} if {"nan", "nat"} & forms else set())), pa.string())


_DAY, _MONTH, _JOINT = r"(0?[1-9]|[12]\d|3[01])", r"(0?[1-9]|1[0-2])", "[/.-]"
_DAY_FIRST, _MONTH_FIRST = f"^{_DAY}{_JOINT}{_MONTH}{_JOINT}", f"^{_MONTH}{_JOINT}{_DAY}{_JOINT}"
_LONG_YEAR, _SHORT_YEAR = r"(\d{4}),?", r"(\d{2}),?([ T]|$)"
_DATE_ORDERS = {
    "dmy": ((_DAY_FIRST + _LONG_YEAR, r"\3-\2-\1"), (_DAY_FIRST + _SHORT_YEAR, r"20\3-\2-\1\4")),
    "mdy": ((_MONTH_FIRST + _LONG_YEAR, r"\3-\1-\2"), (_MONTH_FIRST + _SHORT_YEAR, r"20\3-\1-\2\4")),
    "ymd": ((rf"^(\d{{2}}){_JOINT}{_MONTH}{_JOINT}{_DAY},?([ T]|$)", r"20\1-\2-\3\4"),),
}
_CLOCK_FIRST = r"^(\d{1,2}:\d{2}(?::\d{2})?(?: ?[AaPp]\.?[Mm]\.?)?),? (\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4})$"
_WORDS_OF_TIMES = (
    (r"^(\d{4})[年년] ?(\d{1,2})[月월] ?(\d{1,2})[日일] ?", r"\1-\2-\3 "),
    (r"(\d{1,2})[時时시点點] ?(\d{1,2})[分분] ?(?:(\d{1,2})[秒초])?", r"\1:\2:\3"),
    (r":$", ""),
    (r" (?:午前|上午|오전) ?(\d{1,2}:\d.*)$", r" \1 AM"),
    (r" (?:午後|下午|오후) ?(\d{1,2}:\d.*)$", r" \1 PM"),
    (r"(\d) à (\d)", r"\1 \2"),
)
DATE_ORDERS = tuple(_DATE_ORDERS)
"""Orders of day, month and year."""
ZONES = {
    "EST": "-0500", "EDT": "-0400", "CST": "-0600", "CDT": "-0500", "MST": "-0700", "MDT": "-0600", "PST": "-0800",
    "PDT": "-0700", "AKST": "-0900", "AKDT": "-0800", "HST": "-1000", "WET": "+0000", "WEST": "+0100", "CET": "+0100",
    "CEST": "+0200", "MEZ": "+0100", "MESZ": "+0200", "EET": "+0200", "EEST": "+0300", "MSK": "+0300", "SAST": "+0200",
    "HKT": "+0800", "SGT": "+0800", "AWST": "+0800", "JST": "+0900", "KST": "+0900", "AEST": "+1000", "AEDT": "+1100",
    "NZST": "+1200", "NZDT": "+1300",
}  # fmt: skip
"""Abbreviations of zones: those of RFC 2822, and those with one meaning; others, such as IST, mean several zones."""
_ZONE = r"(?:\d|[AP]M) (?P<zone>[A-Z]{3,4})(?: \d{4})?$"
_PLAIN_OFFSETS = (
    (r" \([^()]*\)$", ""),  # (Central European Summer Time), as browsers write it after the offset
    (r"(\d|[AP]M) ?(?:GMT|UTC) ?([+-]\d{1,2}:?\d{2}|[+-]\d{1,2})$", r"\1 \2"),
    (r" ([+-])(\d)(:?\d{2})?$", r" \10\2\3"),
)


def plain_times(times: pa.Array, date_order: str | None) -> pa.Array:
    """Return times with dates in the order of ISO 8601 where their order is known, and with offsets for zones' names.

    Args:
        times: Tidied texts of shape (rows,).
        date_order: One of ``DATE_ORDERS`` for dates such as 3/4/2024; None leaves them as they are.
    """
    if times.null_count == len(times):
        return times
    if date_order is not None:
        times = _in_order(times, date_order)
    if pc.all(pc.ends_with(times, "Z")).as_py():
        return times
    if not pc.all(pc.string_is_ascii(times)).as_py():
        times = _plain_words(times)
    if not pc.any(pc.match_substring_regex(times, r"[A-Za-z]{2}|[A-Za-z]\.")).as_py():
        return times
    if pc.any(pc.match_substring_regex(times, r"[AaPp]\.\s?[Mm]\.?$")).as_py():
        times = pc.replace_substring_regex(times, r" ?([AaPp])\.\s?[Mm]\.?$", r" \1M")
    if pc.any(pc.match_substring_regex(times, r"(?:GMT|UTC) ?[+-]\d")).as_py():
        for pattern, replacement in _PLAIN_OFFSETS:
            times = pc.replace_substring_regex(times, pattern, replacement)
    return _with_offsets(times)


def _plain_words(times: pa.Array) -> pa.Array:
    """Return times without the words of other languages between date and time, and around hours and minutes."""
    for pattern, replacement in _WORDS_OF_TIMES:
        times = pc.replace_substring_regex(times, pattern, replacement)
    return pc.utf8_rtrim(times, characters=" ")


def _in_order(times: pa.Array, date_order: str) -> pa.Array:
    """Return times whose dates of this order are written year first, before the time of the day."""
    if pc.any(pc.match_substring_regex(times, r"^\d\d?:")).as_py():
        times = pc.replace_substring_regex(times, _CLOCK_FIRST, r"\2 \1")
    for pattern, replacement in _DATE_ORDERS[date_order]:
        times = pc.replace_substring_regex(times, pattern, replacement)
    return times


def _with_offsets(times: pa.Array) -> pa.Array:
    """Return times with the offset in the place of an abbreviation with one meaning."""
    times = pc.replace_substring_regex(times, r"([+-]\d{2}:?\d{2}) [A-Z]{3,5}$", r"\1")
    zones = pc.unique(pc.struct_field(pc.extract_regex(times, _ZONE), "zone")).to_pylist()
    for name in sorted(ZONES.keys() & zones):
        times = pc.replace_substring_regex(times, rf"(\d|[AP]M) {name}($| \d{{4}}$)", rf"\1 {ZONES[name]}\2")
    return times


def _plain_blanks(times: pa.Array) -> pa.Array:
    if pc.all(pc.string_is_ascii(times)).as_py() is not False:
        return times
    return pc.replace_substring_regex(pc.replace_substring_regex(times, r"\p{Cf}+", ""), r"\p{Z}+", " ")


def _one_width(words: pa.Array) -> pa.Array:
    """Return words with one form of each character: full-width letters of Japanese input methods become plain ones."""
    if pc.all(pc.string_is_ascii(words)).as_py() is not False:
        return words
    return pc.utf8_normalize(words, form="NFKC")


def _whole_numbers(identifiers: pa.Array) -> pa.Array:
    if not pc.any(pc.ends_with(identifiers, ".0")).as_py():
        return identifiers
    return pc.replace_substring_regex(identifiers, _WHOLE_NUMBER, r"\1")
