"""Issues of Jira as CSV: a row per issue, a column named Comment for each comment, ``time;author;text`` in each."""

from __future__ import annotations

import re
from collections.abc import Iterator

from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.shapes.identity import Turn, identify
from analytics_platform.sources.shapes.shape import Context, Shape, first_of

_COMMENT = re.compile(r"Comment(?: \(\d+\))?")
_PARTS = 3
_COLUMNS = frozenset({"Issue key", "Issue id", "Summary", "Reporter", "Comment"})


def _comments(record: Record) -> Iterator[str]:
    return (value for name, value in record.items() if _COMMENT.fullmatch(name) and value)


def _jira(record: Record, context: Context) -> Iterator[Record]:
    """Yield the description and the comments of an issue; its reporter is the customer, everyone else an agent.

    A comment that states no time and author has the issue's time and no role.
    """
    conversation, created = record["Issue key"], record.get("Created")
    reporter = first_of(record, "Reporter Id", "Reporter")
    said = [(created, reporter, first_of(record, "Description", "Summary"))]
    for comment in _comments(record):
        parts = comment.split(";", _PARTS - 1)
        is_whole = len(parts) == _PARTS
        said.append((parts[0].strip(), parts[1].strip(), parts[2]) if is_whole else (None, None, comment))
    customers = {reporter, record.get("Reporter")}
    turns = [Turn(author, text, time) for time, author, text in said]
    for index, (turn, place) in enumerate(zip(turns, identify(context, conversation, turns), strict=True)):
        has_author = index == 0 or turn.role is not None
        role = None if not has_author else "user" if turn.role in customers else "agent"
        yield {
            "conversation_id": conversation,
            "message_id": place.message_id,
            "role": role,
            "text": turn.text,
            **context.time_of(turn.time, created, place.position),
            "sequence": place.position,
            "user_id": reporter,
            "agent_id": turn.role if role == "agent" else None,
            "subject": record.get("Summary"),
            "outcome": record.get("Status"),
        }


JIRA = Shape(
    "jira",
    "Jira issues with comments",
    lambda record: record.keys() >= _COLUMNS,
    _jira,
    "The reporter is the customer, everyone else an agent; the file does not say which comments are internal.",
)
