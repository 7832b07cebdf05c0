"""The sample that is shipped: its size, its honesty about synthetic times, and its licences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import analytics_platform
from analytics_platform.settings.loader import SAMPLE_END, SAMPLE_START
from analytics_platform.sources.sample_source import sample_source

FOLDER = Path(analytics_platform.__file__).with_name("sample")


@pytest.fixture(scope="module")
def found(tmp_path_factory, everything):
    return everything(sample_source(tmp_path_factory.mktemp("staging"), first_day=SAMPLE_START, last_day=SAMPLE_END))


def test_the_sample_fills_every_one_of_its_days(found):
    days = (SAMPLE_END - SAMPLE_START).days + 1

    assert len(found.days) == days
    assert all(day.messages.num_rows for day in found.days.values())


def test_the_counts_of_the_notice_are_those_of_the_sample(found):
    ids = {row["conversation_id"] for row in found.messages} | {row["conversation_id"] for row in found.quarantined}

    notice = (FOLDER / "NOTICE.md").read_text(encoding="utf-8")
    assert f"{len(ids)} conversations with {found.rows_read:,} messages of {len(found.days)} days" in notice


def test_the_one_message_without_text_is_quarantined(found):
    assert list(found.reasons.values()) == ["missing_text"]
    assert found.rows_read == len(found.messages) + 1


def test_every_synthetic_time_is_marked_and_no_real_one_is(found):
    marked = {
        row["message_id"]
        for row in found.messages
        if json.loads(row["extra"] or "{}").get("timestamp_is_synthetic") == "true"
    }

    assert marked == {row["message_id"] for row in found.messages if row["channel"] == "airline"}


def test_the_turns_of_a_dialogue_stay_in_their_order(found):
    turns: dict[str, list[int]] = {}
    for row in found.messages:
        if row["channel"] == "airline":
            conversation, turn = row["message_id"].rsplit(":", 1)
            turns.setdefault(conversation, []).append(int(turn))

    assert len(turns) == 96
    assert all(order == list(range(len(order))) for order in turns.values())


def test_the_sample_is_small_and_carries_its_licences():
    assert sum(path.stat().st_size for path in FOLDER.glob("*.parquet")) < 4_000_000
    assert {path.name for path in FOLDER.glob("LICENSE-*.txt")} == {
        "LICENSE-irc-disentanglement.txt",
        "LICENSE-tau-bench.txt",
    }
