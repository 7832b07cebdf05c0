"""Conversations with the personal data put back, of a lake as the asset writes it; and what is refused."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from analytics_platform.cli.app import app
from analytics_platform.defs.assets.clean_assets import messages as asset
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.model.tables.raw_tables import RAW_MESSAGES
from analytics_platform.operations.reveal import RevealError, reveal
from analytics_platform.settings.loader import load_settings
from analytics_platform.storage.io_manager import partition_metadata
from analytics_platform.storage.partitions import PartitionInfo, PartitionStream
from analytics_platform.storage.staleness import RecomputePolicy
from analytics_platform.storage.work.storing import store_task
from analytics_platform.transform.privacy import Privacy

KEY = "a key of thirty-two characters.."
SAID = {
    "2024-01-01": [("a", "I am bob@example.com 🎉"), ("a", "so ```curl -u x 10.1.2.3```"), ("b", "hello")],
    "2024-01-02": [("later", "call ann@example.com")],
    "2024-01-03": [("c", "mac 00:ab:12:34:56:78, ip 2001:db8:a:b:c::1 [red]x[/]")],  # emoji and markup, to rich
}


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path / "home"))
    return with_key(monkeypatch, KEY)


def with_key(monkeypatch: pytest.MonkeyPatch, key: str) -> Platform:
    monkeypatch.setenv("ANALYTICS_PII_SPANS_KEY", key)
    return Platform(load_settings())


def compute(platform: Platform, day: str) -> PartitionInfo:
    """Store the raw messages of a day, and clean them as a run does."""
    rows: list[dict[str, Any]] = [
        dict.fromkeys(RAW_MESSAGES.column_names)
        | {
            "date": dt.date.fromisoformat(day),
            "conversation_id": conversation,
            "message_id": f"{day}-{number}",
            "role": "user",
            "text": text,
            "timestamp": dt.datetime.fromisoformat(f"{day}T00:00:{number:02}+00:00"),
            "time_source": "message",
            "source": "test",
            "source_file": "test.jsonl",
            "source_row": number + 1,
        }
        for number, (conversation, text) in enumerate(SAID[day])
    ]
    lake, recipe = platform.lake, asset.recipe
    lake.write(RAW_MESSAGES.name, day, RAW_MESSAGES.from_rows(rows), "")
    streams = {"raw_messages": PartitionStream(lake, RAW_MESSAGES.name, [day])}
    task = recipe.task(day, streams, {"cleaning": platform.cleaning}, policy=RecomputePolicy.UNFINISHED)
    return store_task(lake, recipe.table, task)


def test_a_conversation_is_found_by_itself_and_reads_as_it_was(platform: Platform) -> None:
    for day in SAID:
        compute(platform, day)
    found = reveal(platform, "a", None)
    assert (found.date, found.conversation_id) == ("2024-01-01", "a")
    assert [message.text for message in found.messages] == ["I am bob@example.com 🎉", "so"]
    assert [list(message.code) for message in found.messages] == [[], ["curl -u x 10.1.2.3"]]
    assert [place["value"] for message in found.messages for place in message.found] == ["bob@example.com", "10.1.2.3"]
    assert reveal(platform, "a", "2024-01-01") == found
    assert reveal(platform, "later", None).date == "2024-01-02"
    assert [message.text for message in reveal(platform, "b", None).messages] == ["hello"]


def test_texts_that_were_left_as_they_were_are_not_changed(monkeypatch, platform: Platform) -> None:
    monkeypatch.setenv("ANALYTICS_PII", "keep")
    keeping = with_key(monkeypatch, KEY)
    compute(keeping, "2024-01-02")
    [message] = reveal(keeping, "later", None).messages
    assert (message.text, message.found[0]["value"]) == ("call ann@example.com", "ann@example.com")


def test_the_command_prints_json_where_other_programs_read_it(platform: Platform) -> None:
    compute(platform, "2024-01-02")
    printed = CliRunner().invoke(app, ["reveal", "later", "--date", "2024-01-02", "--json"])
    result = orjson.loads(printed.stdout)
    assert [message["text"] for message in result["messages"]] == ["call ann@example.com"]


def test_the_command_prints_values_as_they_were_to_standard_output(platform: Platform) -> None:
    compute(platform, "2024-01-03")
    printed = CliRunner().invoke(app, ["reveal", "c"])
    assert printed.stdout == "2024-01-03T00:00:00+00:00  user  mac 00:ab:12:34:56:78, ip 2001:db8:a:b:c::1 [red]x[/]\n"
    assert printed.stderr == ""


def test_what_is_not_stored_is_said_in_one_line(platform: Platform) -> None:
    with pytest.raises(RevealError, match=r"^no messages are stored; `analytics run --select '\*messages'` makes them"):
        reveal(platform, "a", None)
    compute(platform, "2024-01-01")
    with pytest.raises(RevealError, match="conversation 'x' is not among any day's messages"):
        reveal(platform, "x", None)
    with pytest.raises(RevealError, match="'later' is not among the messages of 2024-01-01; without --date"):
        reveal(platform, "later", "2024-01-01")
    with pytest.raises(RevealError, match=r"^no messages of 2024-01-02 are stored; "):
        reveal(platform, "a", "2024-01-02")


def test_without_the_key_or_with_another_one_nothing_is_shown(monkeypatch, platform: Platform) -> None:
    compute(platform, "2024-01-01")
    with pytest.raises(RevealError, match=r"^ANALYTICS_PII_SPANS_KEY: not set; "):
        reveal(with_key(monkeypatch, ""), "a", None)
    for conversation in "ab":  # something was found in the first alone
        with pytest.raises(RevealError, match=r"2024-01-01 was computed under another .*`analytics run --from 2024-01"):
            reveal(with_key(monkeypatch, KEY + "!"), conversation, None)


def test_no_other_secret_is_asked_for(monkeypatch, platform: Platform) -> None:
    compute(platform, "2024-01-01")
    monkeypatch.setenv("ANALYTICS_PSEUDONYM_KEY", "aws-ssm://out-of-reach")
    assert reveal(with_key(monkeypatch, KEY), "b", None).messages[0].text == "hello"


def test_a_day_computed_without_a_key_has_forgotten_and_the_next_run_with_one_keeps(monkeypatch, platform) -> None:
    kept = compute(platform, "2024-01-01")
    forgotten = compute(with_key(monkeypatch, ""), "2024-01-01")
    keyed = with_key(monkeypatch, KEY)
    with pytest.raises(RevealError, match=r"2024-01-01 was computed without .*`analytics run --from 2024-01-01 --to"):
        reveal(keyed, "b", None)  # in which nothing was found either: that is not the same
    again = compute(keyed, "2024-01-01")
    assert again == kept
    assert again.provenance != forgotten.provenance
    assert reveal(keyed, "a", None).messages[0].text == "I am bob@example.com 🎉"


def test_dagster_is_told_that_spans_are_kept_and_nothing_of_them(platform: Platform) -> None:
    told = partition_metadata(compute(platform, "2024-01-01"))
    assert told["pii_spans_kept"] == Privacy(spans_key=KEY.encode()).spans_proof
    assert not [word for word in ("example", "10.1", KEY) if word in str(told)]
