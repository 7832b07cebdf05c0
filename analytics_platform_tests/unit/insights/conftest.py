"""Messages to label: a few conversations with known content."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

import pyarrow as pa
import pytest

from analytics_platform.insights.engine import InsightEngine, build_engine
from analytics_platform.model.tables.clean_tables import MESSAGES

Turn = tuple[str, str, str]  # conversation, role, text

TURNS: tuple[Turn, ...] = (
    ("boot", "user", "hello"),
    ("boot", "user", "grub does not boot after i resized my windows partition"),
    ("boot", "assistant", "boot the live cd and reinstall grub"),
    ("boot", "user", "wow, that worked, you saved my day!"),
    ("howto", "user", "how do i mount a cdrom?"),
    ("flight", "user", "I'd like to cancel my flight and get a refund please"),
    ("flight", "agent", "your reservation is cancelled"),
    ("angry", "user", "thanks for the quick answer"),
    ("angry", "agent", "you are welcome"),
    ("angry", "user", "this is terrible, i am really frustrated and disappointed with this awful product"),
    ("silent", "user", "   "),
    ("silent", "system", "the customer left"),
    ("agent_only", "agent", "how can i help you?"),
    ("symbols", "user", "🦀🦀 ... 1️⃣"),
)


def make_messages(turns: Sequence[Turn]) -> pa.Table:
    """Build a MESSAGES table of one day."""
    positions: dict[str, int] = {}
    rows = []
    for number, (conversation, role, text) in enumerate(turns):
        position = positions.setdefault(conversation, 0)
        positions[conversation] += 1
        rows.append(
            {
                "date": dt.date(2006, 6, 1),
                "conversation_id": conversation,
                "message_id": f"{conversation}-{position:03d}",
                "position": position,
                "role": role,
                "user_id": None,
                "agent_id": None,
                "model": None,
                "channel": None,
                "time_source": "message",
                "sent_at": dt.datetime(2006, 6, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=number),
                "text": text,
                "code": [],
                "pii": [],
                "language": "en",
                "character_count": len(text),
                "word_count": len(text.split()),
                "token_count": len(text.split()),
                "response_seconds": None,
            }
        )
    return MESSAGES.from_rows(rows)


@pytest.fixture(scope="session")
def engine() -> InsightEngine:
    return build_engine()


@pytest.fixture(scope="session")
def label(engine: InsightEngine) -> Callable[[pa.Table], tuple[pa.Table, pa.Table, pa.Table]]:
    """Run all three steps on a MESSAGES table."""

    def run(messages: pa.Table) -> tuple[pa.Table, pa.Table, pa.Table]:
        embeddings = engine.embed_messages(messages)
        insights = engine.label_messages(messages, embeddings)
        return embeddings, insights, engine.label_conversations(messages, embeddings, insights)

    return run


@pytest.fixture(scope="session")
def messages() -> pa.Table:
    return make_messages(TURNS)


@pytest.fixture(scope="session")
def build_messages() -> Callable[[Sequence[Turn]], pa.Table]:
    return make_messages
