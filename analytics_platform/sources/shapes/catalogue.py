"""The list of all shapes, and how a file's shape is recognised."""

from __future__ import annotations

from collections.abc import Sequence

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.shapes.exports.chatgpt import CHATGPT
from analytics_platform.sources.shapes.exports.claude import CLAUDE
from analytics_platform.sources.shapes.exports.exchanges import EXCHANGES
from analytics_platform.sources.shapes.exports.helpdesks import CHATWOOT, FRESHDESK, INTERCOM, ZENDESK
from analytics_platform.sources.shapes.exports.jira import JIRA
from analytics_platform.sources.shapes.exports.messengers import (
    DISCORD,
    DISCORD_ROWS,
    GOOGLE_CHAT,
    MESSENGER,
    SKYPE,
    TEAMS,
    TELEGRAM,
)
from analytics_platform.sources.shapes.exports.model_chats import ARENA, BARE, CLAUDE_CODE, GEMINI, SILLYTAVERN
from analytics_platform.sources.shapes.exports.openai_messages import MESSAGES
from analytics_platform.sources.shapes.exports.otel import OTEL
from analytics_platform.sources.shapes.exports.sharegpt import SHAREGPT
from analytics_platform.sources.shapes.exports.slack import SLACK
from analytics_platform.sources.shapes.shape import Shape

SHAPES: tuple[Shape, ...] = (
    CHATGPT, CLAUDE, OTEL, ZENDESK, INTERCOM, FRESHDESK, CHATWOOT, SLACK, TELEGRAM, DISCORD,
    DISCORD_ROWS, TEAMS, MESSENGER, GOOGLE_CHAT, SKYPE, JIRA, SHAREGPT, ARENA, GEMINI, SILLYTAVERN, CLAUDE_CODE,
    MESSAGES, EXCHANGES, BARE,
)  # fmt: skip
"""In the order in which they are tried: a shape with more characteristic keys comes first."""

ROWS, AUTO, WHATSAPP, LINE = "rows", "auto", "whatsapp", "line"
FORMATS = (AUTO, ROWS, *(shape.name for shape in SHAPES), WHATSAPP, LINE)
"""Values of ``ANALYTICS_SOURCE_FORMAT``."""

VARIABLE = "ANALYTICS_SOURCE_FORMAT"
_SAMPLE_RECORDS = 50
_LEAST_SHARE = 0.6


def recognise_shape(records: Sequence[Record], name: str = AUTO) -> Shape | None:
    """Return the shape that most of the first records have; None for rows.

    Args:
        records: The first records of a file.
        name: ``auto``, or the name of a shape.

    Raises:
        SourceError: If there is no shape of this name.
    """
    if name in {ROWS, WHATSAPP, LINE}:
        return None
    if name != AUTO:
        named = next((shape for shape in SHAPES if shape.name == name), None)
        if named is None:
            raise SourceError(f"{VARIABLE}: {name} is no format; these are: {', '.join(FORMATS)}")
        return named
    sample = [record for record in records if record][:_SAMPLE_RECORDS]
    for shape in SHAPES:
        if sample and sum(shape.fits(record) for record in sample) >= _LEAST_SHARE * len(sample):
            return shape
    return None
