"""Raw messages in few words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from analytics_platform.model.tables.raw_tables import RAW_MESSAGES

MIDNIGHT = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
MakeRaw = Callable[..., pa.Table]


@pytest.fixture(scope="session")
def make_raw() -> MakeRaw:
    """Build raw messages from dictionaries; ``at`` is in seconds after midnight, everything else has a default."""

    def make(*messages: dict[str, Any]) -> pa.Table:
        rows = []
        for number, message in enumerate(messages):
            row: dict[str, Any] = dict.fromkeys(RAW_MESSAGES.column_names)
            row |= {
                "date": MIDNIGHT.date(),
                "conversation_id": "c",
                "message_id": f"m{number:03}",
                "role": "user",
                "text": "hello",
                "timestamp": MIDNIGHT + dt.timedelta(seconds=message.get("at", number)),
                "time_source": "message",
                "source": "test",
                "source_file": "test.jsonl",
                "source_row": number + 1,
            }
            rows.append(row | {name: value for name, value in message.items() if name != "at"})
        return RAW_MESSAGES.from_rows(rows)

    return make
