"""What a file was recognised as, for people who read about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from analytics_platform.sources.formats.encodings import is_guess
from analytics_platform.sources.shapes.shape import Context
from analytics_platform.sources.shapes.table_parts.table_times import OrdersElsewhere

_ENCODING_NAMES = {
    "ascii": "ASCII", "utf-8": "UTF-8", "utf-8-sig": "UTF-8", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16",
}  # fmt: skip
GUESSED_ENCODING = "The file states no encoding and is no UTF-8; by its characters it was read as"
UNTIMED = "Messages state no time: they got the time when the file changed, plus 1 ms per message before."
SHARED_TIMES = "Messages without a time of their own got the time of their conversation, or of the question."
CHATS = (
    "The column {column} holds whole chats, split where a line names who speaks; where no word or other column says "
    "so, names of many chats are agents, or else the first speaker is the customer."
)
TEXT_CHAT = (
    "The text is one chat, split where a line names who speaks; where no word says so, the first speaker is the "
    "customer."
)
"""Notes about files whose messages have no time of their own."""


@dataclass
class Recognised:
    """What a file was recognised as, filled while its first rows are read.

    Attributes:
        format: ``CSV``, ``JSON lines``, ``JSON``, ``Parquet``, ``workbook`` or ``WhatsApp chat``.
        compression: Layers of compression, outermost first.
        encoding: Encoding of a text file; None for a binary one.
        separator: Name of a table's separator; None for other formats.
        shape: Title of the shape; None for one message per row.
        columns: Input column to the file's column that was taken for it by its usual name.
        internal_notes: Number of internal notes of a help desk so far, which are no answers.
        records: Number of records of the shape so far, where each may hold any number of messages.
        unfolds: Whether a record so far became several rows.
        notes: Sentences that a person should read, about times, roles and conversations.
        dates: Tells the order of dates that the first rows leave open; None if only the first rows count.
    """

    format: str = ""
    compression: tuple[str, ...] = ()
    encoding: str | None = None
    separator: str | None = None
    shape: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    internal_notes: int = 0
    records: int = 0
    unfolds: bool = False
    notes: list[str] = field(default_factory=list)
    dates: OrdersElsewhere | None = None

    def note_encoding(self, encoding: str, *, is_stated: bool) -> None:
        """Set the encoding of the text so far, and add a note if it is a guess."""
        self.encoding = _ENCODING_NAMES.get(encoding, encoding)
        note = f"{GUESSED_ENCODING} {encoding}; ANALYTICS_SOURCE_ENCODING says otherwise where characters are wrong."
        if is_guess(encoding) and not is_stated and note not in self.notes:
            self.notes.append(note)

    def tell(self, sentence: str) -> None:
        """Keep a sentence that a run says at its end."""
        if self.dates is not None:
            self.dates.tell(sentence)

    def note_times(self, context: Context) -> None:
        """Add a note if messages so far had no time of their own."""
        for count, note in ((context.untimed, UNTIMED), (context.shared_times, SHARED_TIMES)):
            if count and note not in self.notes:
                self.notes.append(note)

    def __str__(self) -> str:
        """Describe the file in one line; empty if it was refused before anything was recognised."""
        if not self.format:
            return ""
        parts = [self.format, *(f"packed as {layer}" for layer in self.compression)]
        parts += [self.encoding] if self.encoding else []
        parts += [f"separated by {self.separator}"] if self.separator else []
        shape = self.shape or "one message per row"
        return ", ".join(parts if shape == self.format else [*parts, shape])
