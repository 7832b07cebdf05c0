"""What became of the rows of a whole source: counts, reasons with an example, and the setting that mends each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from analytics_platform.model.word_sets.outcome_words import CLOSING_WORDS, SUCCESS_WORDS
from analytics_platform.system.plain_text import agreeing, counted, on_one_line

SUMMARY = "summary.json"

_WORDS_NAMED = 10
_OVER = tuple(sorted(SUCCESS_WORDS | CLOSING_WORDS))
_LONG_DAYS, _LONG_SHARE = 7, 0.1
"""A run warns when this share of the conversations lasts longer than this number of days."""
_MAPPING = "the file of ANALYTICS_SOURCE_MAPPING"
REMEDIES: Mapping[str, str] = {
    "unreadable_row": "mend the row in the file",
    "invalid_utf8": "save the file as UTF-8",
    "missing_conversation_id": f"`columns:` in {_MAPPING} names the column of conversation_id",
    "missing_role": f"`columns:` in {_MAPPING} names the column of role, `constants:` gives every row the same one",
    "unknown_role": f"`roles:` in {_MAPPING} says what the words mean",
    "missing_text": f"`columns:` in {_MAPPING} names the column of text; a row without a text is no message",
    "text_too_long": "shorten the text",
    "value_too_long": f"`columns:` in {_MAPPING} may name the wrong column",
    "missing_timestamp": f"`columns:` in {_MAPPING} names the column of timestamp",
    "bad_timestamp": f"`timestamp_formats:` in {_MAPPING} says how times are written, e.g. ['%d.%m.%Y %H:%M'], and "
    "`date_order: dmy`, `mdy` or `ymd` in which order dates such as 3/4/2024 are",
    "outside_partitions": "the two settings say which days are kept; without the second one, the last day is today by "
    "this machine's clock",
    "conflicting_duplicate": "give each message of a conversation an id of its own",
}
_REMEDIES_OF_SOME_ROWS: Mapping[str, str] = {
    "missing_conversation_id": "fill in the conversation of each such row, or leave the row out of the file",
    "missing_role": "fill in who speaks in each such row, or leave the row out of the file",
    "missing_text": "a row without a text is no message; nothing needs to be done, unless somebody wrote one",
    "missing_timestamp": "fill in the time of each such row, or leave the row out of the file",
    "value_too_long": "shorten the value",
    "bad_timestamp": f"`timestamp_formats:` in {_MAPPING} lists every form of times in the source; a time that is "
    "none, such as 25:61, must be mended in its row",
}
"""Remedies where other rows of the source have the value, so that the mapping names the right column."""
_REMEDIES_BY_DETAIL: tuple[tuple[str, str, str], ...] = (
    ("unreadable_row", r"fields? where the header has", "a cell with the separator or a line end in it needs quotes"),
    (
        "conflicting_duplicate",
        r"^message_id is '\d([.,]\d+)?[Ee]\+",
        "a spreadsheet rounded the ids of messages: export the column again as text, or leave it out of the file",
    ),
    ("unreadable_row", r"^broken quotes", 'close the quote; a quote within a quoted cell is written ""'),
    ("unreadable_row", r"^broken JSON", "export the file again: a line must hold one whole JSON object"),
    ("bad_timestamp", r"outside the years", "correct the time in the file"),
    ("bad_timestamp", r"'\d{1,2}:\d{2}(:\d{2})?'", "a time needs its date, in the same column or in one called date"),
)
"""Reason, pattern of the detail, and what mends rows with such a detail."""
_SHOWN = frozenset({"unknown_role", "bad_timestamp", "outside_partitions"})
"""Reasons whose detail quotes nothing that a customer said."""
_SHOWN_DETAIL = re.compile(r"\d+ fields? where the header has \d+|broken JSON: [\w ',:()-]+")
"""Other details that quote nothing of a row."""


def remedy_of(reason: str, rows: int, of_rows: int, detail: str) -> str:
    """Return what mends the rows that cannot be used for a reason.

    Args:
        reason: One of ``QUARANTINE_REASONS``.
        rows: Number of rows with the reason.
        of_rows: Number of all rows.
        detail: The detail of the first of these rows.
    """
    for of_reason, pattern, remedy in _REMEDIES_BY_DETAIL:
        if reason == of_reason and re.search(pattern, detail):
            return remedy
    if rows < of_rows and reason in _REMEDIES_OF_SOME_ROWS:
        return _REMEDIES_OF_SOME_ROWS[reason]
    return REMEDIES.get(reason, "mend the row in the source")


@dataclass(frozen=True)
class QuarantineReason:
    """Rows that share the reason why they cannot be used.

    Attributes:
        reason: One of ``QUARANTINE_REASONS``.
        rows: Number of rows.
        example: Field and value of the first row, and its place; only the place where the value may be what somebody
            said.
        remedy: What to do.
    """

    reason: str
    rows: int
    example: str
    remedy: str


@dataclass(frozen=True)
class RepairedColumn:
    """Values of one input column that could not be read as they were; the messages are kept.

    Attributes:
        column: The input column; ``extra`` stands for further columns that were too long.
        rows: Number of rows.
        example: The first value, at most 60 characters; empty for texts and further columns.
    """

    column: str
    rows: int
    example: str


@dataclass(frozen=True)
class RowSummary:
    """What became of the rows of a whole source, whatever days a run is about.

    Attributes:
        rows_read: Number of rows read, without blank rows and rows that a rule drops.
        kept: Number of messages.
        repaired: Number of messages of them of which a value could not be read.
        duplicates: Number of rows that repeat a message.
        quarantined: Number of rows that cannot be used.
        without_day: Number of these rows that belong to no conversation with a day.
        after_last_day: Number of rows that a later last partition would let in.
        left_out: Number of blank rows and rows that a rule drops, by what they are.
        reasons: The quarantined rows by reason, most rows first.
        repairs: The repaired values by column, most rows first.
        unknown_roles: Role words without a meaning and their rows, most rows first; at most ten.
        warnings: Sentences about what looks wrong though it can be read.
        files_without_messages: Number of files of folders and zips that are left out, because they hold no messages.
    """

    rows_read: int = 0
    kept: int = 0
    repaired: int = 0
    duplicates: int = 0
    quarantined: int = 0
    without_day: int = 0
    after_last_day: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    reasons: tuple[QuarantineReason, ...] = ()
    repairs: tuple[RepairedColumn, ...] = ()
    unknown_roles: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    files_without_messages: int = 0

    @property
    def is_total_loss(self) -> bool:
        """Whether the source has rows and none of them can be used."""
        return self.rows_read > 0 and self.kept == 0

    @property
    def lost_share(self) -> float:
        """Quarantined rows by rows read; 0 without rows."""
        return self.quarantined / self.rows_read if self.rows_read else 0.0

    def counts(self) -> dict[str, int]:
        """Return the counts without examples, for metadata."""
        names = ("rows_read", "kept", "repaired", "duplicates", "quarantined", "without_day")
        return {name: getattr(self, name) for name in names} | {one.reason: one.rows for one in self.reasons}

    def as_json(self) -> dict[str, Any]:
        """Return the summary as a dictionary for JSON."""
        return asdict(self)

    def as_text(self) -> str:
        """Return the summary as JSON text for ``parse_summary``."""
        return json.dumps(asdict(self))

    def lines(self) -> Iterator[str]:
        """Yield what a person should read: the counts, then one line for each reason, repair and warning."""
        repaired = f" ({self.repaired:,} repaired)" if self.repaired else ""
        left_out = "".join(f", {rows:,} left out ({what})" for what, rows in self.left_out.items())
        yield (
            f"Source: {counted(self.rows_read, 'row')} read = {counted(self.kept, 'message')}{repaired} + "
            f"{counted(self.duplicates, 'duplicate')} + {self.quarantined:,} in quarantine{left_out}"
        )
        for reason in self.reasons:
            yield f"  {reason.rows:,} {reason.reason}: e.g. {on_one_line(reason.example)}; {reason.remedy}"
            if reason.reason == "unknown_role":
                words = (f"{on_one_line(word)!r} {rows:,}" for word, rows in self.unknown_roles.items())
                yield f"    role words without a meaning: {', '.join(words)}"
        for repair in self.repairs:
            example = f", e.g. {repair.example!r}" if repair.example else ""
            yield f"  {repair.rows:,} repaired: {_REPAIRS.get(repair.column, _unreadable(repair.column))}{example}"
        for warning in self.warnings:
            yield f"  {on_one_line(warning)}"
        if self.files_without_messages:
            tables = self.files_without_messages
            yield (
                f"  {counted(tables, 'table')} without messages {agreeing(tables, 'is', 'are')} left out; "
                "`analytics inspect` names them"
            )


_REPAIRS = {
    "text": "characters of text that cannot be decoded are U+FFFD",
    "extra": "further columns are too long, and only their beginning is in extra",
}


def _unreadable(column: str) -> str:
    return f"{column} cannot be read and is null; extra has it as unreadable.{column}"


_REASONS = """
SELECT refused.reason, count(*), arg_min(refused.detail, position),
    arg_min(concat(files.label, ' row ', source_row), position), count(*) FILTER (WHERE day IS NULL)
FROM refused JOIN judged USING (position) JOIN files USING (file)
LEFT JOIN conversation_days ON conversation_days.conversation_id = judged.conversation_id
GROUP BY refused.reason ORDER BY count(*) DESC, refused.reason
"""
_REPAIRED_COLUMNS = """
SELECT repair.name, count(*), arg_min(left(repair.value, 60), position)
FROM (SELECT position, unnest(repairs) AS repair FROM repaired_rows)
GROUP BY repair.name ORDER BY count(*) DESC, repair.name
"""
_UNKNOWN_ROLES = f"""
SELECT detail[10:-2], count(*) FROM refused WHERE reason = 'unknown_role'
GROUP BY ALL ORDER BY count(*) DESC, 1 LIMIT {_WORDS_NAMED}
"""  # noqa: S608  (a number of our own)
# One pass over the rows, and one over the conversations of the rows that are kept.
_OF_ROWS = rf"""
SELECT
    count(DISTINCT conversation_id) FILTER (reason IS NULL AND is_rounded),
    min(conversation_id) FILTER (reason IS NULL AND is_rounded),
    count(*) FILTER (reason IS NULL AND is_rounded),
    count(DISTINCT conversation_id) FILTER (
        reason IS NULL AND getvariable('outcome_range') = 'closings' AND outcome_form(outcome) IN {_OVER}),
    count(*) FILTER (is_repeated_hour),
    count(*) FILTER (is_skipped_hour)
FROM (SELECT *, regexp_full_match(conversation_id, '\d([.,]\d+)?[Ee]\+?\d{{2,}}') AS is_rounded FROM judged)
"""  # noqa: S608  (words of our own)
_OF_CONVERSATIONS = f"""
SELECT
    count(*) FILTER (placed > 1 AND days > {_LONG_DAYS}), count(*) FILTER (placed > 1), max(days) FILTER (placed > 1),
    coalesce(sum(untimed) FILTER (messages > 1), 0), coalesce(sum(messages) FILTER (messages > 1), 0),
    coalesce(sum(computed), 0)
FROM (
    SELECT
        count(*) FILTER (reason IS NULL) AS messages,
        count(*) FILTER (reason IS NULL AND NOT is_stray) AS placed,
        date_diff('day', min(timestamp) FILTER (reason IS NULL AND NOT is_stray),
            max(timestamp) FILTER (reason IS NULL AND NOT is_stray)) AS days,
        count(*) FILTER (reason IS NULL AND time_source <> 'message') AS untimed,
        count(*) FILTER (cost_source = 'computed') AS computed
    FROM (SELECT *, is_stray(timestamp) AS is_stray FROM judged ANTI JOIN repeats USING (position))
    GROUP BY conversation_id
)
"""  # noqa: S608  (a number of our own)


def summarise(db: duckdb.DuckDBPyConnection) -> RowSummary:
    """Count the rows of a source after ``deduplication`` has settled them.

    Args:
        db: Contains ``all_rows``, ``read_rows``, ``files`` and the tables and views of ``deduplication`` with its
            ``find_refusals``.
    """

    def rows(query: str) -> list[Any]:
        return db.execute(query).fetchall()

    ((read, repaired, repeated, refused),) = rows("""
        SELECT (SELECT count(*) FROM read_rows), (SELECT count(*) FROM repaired_rows), (SELECT count(*) FROM repeats),
            (SELECT count(*) FROM refused)
    """)
    reasons = rows(_REASONS) if refused else []
    repairs = rows(_REPAIRED_COLUMNS) if repaired else []
    unknown = rows(_UNKNOWN_ROLES) if any(reason == "unknown_role" for reason, *_ in reasons) else []
    duplicates = rows("SELECT count(*) FROM compared WHERE differs = ''")[0][0] if repeated else 0
    left_out = rows("SELECT detail, count(*) FROM all_rows WHERE reason = 'left_out' GROUP BY detail ORDER BY detail")
    ((after_last_day,),) = rows("""
        SELECT count(*) FROM judged JOIN starts USING (conversation_id)
        WHERE reason IS NULL AND (day > getvariable('last_day')
            OR is_stray(timestamp) AND timestamp > getvariable('last_day'))
    """)
    quarantined = sum(count for _, count, *_ in reasons)
    return RowSummary(
        rows_read=read,
        kept=read - duplicates - quarantined,
        repaired=repaired,
        duplicates=duplicates,
        quarantined=quarantined,
        without_day=sum(row[-1] for row in reasons),
        after_last_day=after_last_day,
        left_out=dict(left_out),
        reasons=tuple(_reason(*row[:4], of_rows=read) for row in reasons),
        repairs=tuple(RepairedColumn(name, count, example or "") for name, count, example in repairs),
        unknown_roles=dict(unknown),
        warnings=tuple(_warnings(rows)),
    )


def _reason(reason: str, rows: int, detail: str, place: str, *, of_rows: int) -> QuarantineReason:
    if reason == "outside_partitions" and "starts on" in detail:  # without the id, which may name a person
        detail = f"a conversation {detail[detail.rindex('starts on') :]}"
    is_shown = reason in _SHOWN or _SHOWN_DETAIL.fullmatch(detail)
    example = f"{detail} ({place})" if is_shown else place
    return QuarantineReason(reason, rows, example, remedy_of(reason, rows, of_rows, detail))


def _warnings(rows: Any) -> Iterator[str]:
    ((rounded, example, of_rounded, closings, repeated, skipped),) = rows(_OF_ROWS)
    ((lasting, conversations, days, untimed, messages, computed),) = rows(_OF_CONVERSATIONS)
    if rounded:
        yield (
            f"{counted(rounded, 'conversation id')} {agreeing(rounded, 'looks like a number', 'look like numbers')} "
            f"that a spreadsheet rounded, e.g. {example}: different conversations may have become one, in "
            f"{counted(of_rounded, 'message')}; export them again from where they come from, with the column as text"
        )
    if lasting and lasting >= _LONG_SHARE * conversations:
        yield (
            f"{lasting:,} of {counted(conversations, 'conversation')} of several messages "
            f"{agreeing(lasting, 'lasts', 'last')} longer than {_LONG_DAYS} days, "
            f"the longest {days:,}: if conversation_id is a customer or a channel, `session_gap: 4h` in {_MAPPING} "
            "makes conversations of its messages"
        )
    if closings:
        yield (
            f"{counted(closings, 'conversation')} {agreeing(closings, 'was', 'were')} solved or closed, and no outcome "
            "of the source says that something failed: "
            "closed is no success, so there is no share of successes until ANALYTICS_OUTCOMES says what a word means"
        )
    if untimed:
        yield (
            f"{untimed:,} of {counted(messages, 'message')} {agreeing(untimed, 'has', 'have')} no time of "
            f"{agreeing(untimed, 'its', 'their')} own in the source, but that of a conversation, day or file "
            f"(time_source): response times and durations leave {agreeing(untimed, 'it', 'them')} out"
        )
    if computed:
        yield (
            f"{counted(computed, 'cost')} {agreeing(computed, 'was', 'were')} computed from model and tokens, because "
            "the source states none (ANALYTICS_PRICES)"
        )
    if repeated:
        yield (
            f"{counted(repeated, 'local time')} {agreeing(repeated, 'occurs', 'occur')} twice, because clocks were set "
            "back: the first one was taken, until a "
            "conversation's times go back in the order of the file"
        )
    if skipped:
        yield (
            f"{counted(skipped, 'local time')} {agreeing(skipped, 'does', 'do')} not exist, because clocks were set "
            f"forward: {agreeing(skipped, 'it was', 'they were')} taken as an hour later"
        )


def parse_summary(path: Path) -> RowSummary:
    """Read a summary that ``RowSummary.as_text`` wrote; without the file, a summary without rows."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return RowSummary()
    content["reasons"] = tuple(QuarantineReason(**one) for one in content["reasons"])
    content["repairs"] = tuple(RepairedColumn(**one) for one in content["repairs"])
    content["warnings"] = tuple(content["warnings"])
    return RowSummary(**content)
