"""A run says beforehand when the embedded MongoDB is too small for a day."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from analytics_platform.cli import commands
from analytics_platform.cli.commands import EMBEDDED_MONGO_ROWS


def advice(caplog: pytest.LogCaptureFixture, rows: int, uri: str | None = None) -> list[str]:
    platform = SimpleNamespace(
        settings=SimpleNamespace(mongo_uri=uri),
        source=SimpleNamespace(rows_by_day=lambda: {"2026-01-05": rows, "2026-01-06": 1, "2026-01-07": 10**9}),
    )
    with caplog.at_level(logging.WARNING):
        commands._advise_real_mongodb(platform, ["2026-01-05", "2026-01-06"])
    return caplog.messages


def test_a_day_too_large_for_the_embedded_mongodb_is_told_with_the_setting(caplog):
    """Somebody waited a quarter of an hour for a run that a MongoDB server does in a few minutes."""
    (line,) = advice(caplog, EMBEDDED_MONGO_ROWS)
    assert line.startswith(f"2026-01-05 has {EMBEDDED_MONGO_ROWS:,} messages")
    assert "ANALYTICS_MONGO_URI" in line


def test_small_days_and_a_named_server_need_no_advice(caplog):
    assert advice(caplog, EMBEDDED_MONGO_ROWS - 1) == []
    assert advice(caplog, EMBEDDED_MONGO_ROWS, "mongodb://host/") == []
