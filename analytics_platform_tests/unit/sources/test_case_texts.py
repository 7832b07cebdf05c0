"""The texts of exports come out clean: without markup, without quoted replies, and with every word that was said."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from analytics_platform.sources.file_reading.file_source import FileSource
from analytics_platform.transform.messages import clean_messages

CASES = Path(__file__).parent / "cases"

Rows = list[dict[str, Any]]


@pytest.fixture
def clean_case(tmp_path: Path) -> Callable[..., Rows]:
    """Clean all messages of a case's file, in the order of their times."""

    def clean(path: str, mapping: str | None = None) -> Rows:
        source = FileSource(
            str(CASES / path),
            staging_dir=tmp_path / "staging",
            first_day=dt.date(2017, 1, 1),
            last_day=dt.date(2099, 12, 31),
            mapping=(CASES / path).parent / mapping if mapping else None,
        )
        with source.held():
            days = [source.read_day(day) for day in source.days()]
        assert sum(day.quarantined.num_rows for day in days) == 0
        messages = pa.concat_tables([clean_messages(day.messages) for day in days])
        return messages.sort_by([("sent_at", "ascending"), ("conversation_id", "ascending")]).to_pylist()

    return clean


def test_unbalanced_html_has_neither_tags_nor_styles(clean_case):
    """One element that a mail client left open made words of all tags."""
    rows = clean_case("html_unbalanced/html.csv")

    assert [row["text"] for row in rows] == [
        "My parcel is lost. Tracking says delivered Please help",
        "We are sorry. We look into it. Regards",
        "Where is my refund?",
        "if (a < b) and c > d then my script fails with <stdin> error",
        "Short question: are you open?",
    ]


def test_teams_messages_lose_their_tags_and_the_reply_that_they_quote(clean_case):
    """The tags of Teams stayed, and the customer's words counted as the agent's."""
    rows = clean_case("teams_graph_html/teams.csv", "mapping.yaml")

    assert [row["text"] for row in rows] == [
        "Helpdesk my laptop does not start since this morning",
        "Hi Tom, is the light on? 🙂",
        "",
        "Yes, it blinks.",
        "Then hold the power button for 30 seconds.",
    ]
    assert [row["quoted_text"] for row in rows] == [None, None, None, None, "Tom Yes, it blinks."]


def test_numbers_and_names_that_are_no_personal_data_stay(clean_case):
    rows = clean_case("pii_false_positives/texts.csv")

    kinds = {int(row["conversation_id"].removeprefix("p")): row["pii"] for row in rows if row["pii"]}
    assert len(rows) == 20
    assert kinds == {13: ["PHONE"], 14: ["CARD"], 15: ["EMAIL", "PHONE"], 16: ["IBAN"], 19: ["IP"]}


def test_every_script_keeps_its_spelling_and_gets_its_language(clean_case):
    rows = clean_case("emoji_rtl_scripts/scripts.csv")

    customers = {row["conversation_id"]: row for row in rows if row["role"] == "user"}
    languages = {name: row["language"] for name, row in customers.items()}
    assert len(rows) == 11
    assert {name: languages[name] for name in ("x1", "x2", "x3", "x4", "x5", "x6")} == {
        "x1": "ar", "x2": "und", "x3": "he", "x4": "zh", "x5": "ja", "x6": "ur",
    }  # fmt: skip
    assert customers["x2"]["text"] == "👨\u200d👩\u200d👧\u200d👦🔥🔥🔥"
    assert customers["x4"]["word_count"] in {18, 19}
    assert customers["x7"]["text"] == "evil reversed text"
    assert customers["x8"]["text"] == unicodedata.normalize("NFC", "été à la plage")


def test_intercom_parts_have_no_tags_and_decoded_characters(clean_case):
    rows = clean_case("intercom_parts/parts.jsonl")

    assert rows[0]["text"] == "Hi, my invoice shows VAT twice & I paid €40 too much."
    assert not any("<" in row["text"] for row in rows)


def test_slack_texts_hold_no_address_and_decoded_characters(clean_case):
    rows = clean_case("slack_channel_day/2024-06-20.json")

    texts = " ".join(row["text"] for row in rows)
    assert "@" not in texts.replace("@U07", "").replace("@channel", "").replace("@here", "")
    assert "&amp;" not in texts
    assert " & " in texts


def test_a_heart_in_a_tweet_is_no_tag(clean_case):
    rows = clean_case("twcs_twitter/twcs.csv", "mapping_quoted.yaml")

    assert any("<3" in row["text"] for row in rows)
