"""Corrections as a run sees them: read once, of the days of their conversations, and kept through an outage."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from analytics_platform.defs.resources.corrections_resource import Corrections
from analytics_platform.defs.resources.last_readings import LastReadings
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.insights.taxonomies.taxonomy import load_taxonomy
from analytics_platform.settings.loader import load_settings
from analytics_platform.sources.nocodb import (
    NocoAuthError,
    NocoCircuitOpenError,
    NocoContractError,
    NocoNotFoundError,
    NocoRateLimitError,
    NocoServerError,
)
from analytics_platform.storage.lake import Lake
from analytics_platform.storage.partitions import StoreUnreachableError

NOON = dt.datetime(2026, 11, 2, 12, tzinfo=dt.UTC)
DAYS = {"2026-11-01": ["c1", "c2"], "2026-11-02": ["c3"]}


def correction(conversation: str, label: str = "audio") -> dict[str, Any]:
    return {
        "feedback_id": f"{conversation}/{label}", "conversation_id": conversation, "kind": "topic", "label": label,
        "author": "ann", "corrected_at": NOON,
    }  # fmt: skip


class Place:
    """A place of corrections that can go down, and counts how often it is read."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = list(rows)
        self.is_down = False
        self.error: UserError = StoreUnreachableError("the server does not answer")
        self.reads = 0

    def read(self) -> list[dict[str, Any]]:
        self.reads += 1
        if self.is_down:
            raise self.error
        return [dict(row) for row in self.rows]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake.open(str(tmp_path / "lake"))
    for day, ids in DAYS.items():
        lake.write("conversations", day, pa.table({"conversation_id": ids}), "")
    return lake


def corrections(lake: Lake, folder: Path, **places: Place) -> Corrections:
    readers = {name: place.read for name, place in places.items()}
    return Corrections(readers, LastReadings(folder, remembers=True), lambda: lake, load_taxonomy)


def labels(made: Corrections, day: str) -> dict[str, str]:
    table = made.of_day(day).labels
    return dict(zip(table["conversation_id"].to_pylist(), table["label"].to_pylist(), strict=True))


def test_only_the_day_of_a_corrected_conversation_has_another_version(lake: Lake, tmp_path: Path) -> None:
    """One correction would have made every stored day stale."""
    place = Place(correction("c3"))
    made = corrections(lake, tmp_path / "copies", mongodb=place)
    assert [dict(made.version(day)) for day in ("2026-11-01", "2026-11-03")] == [{}, {}]
    assert labels(made, "2026-11-02") == {"c3": "audio"}
    before = made.version("2026-11-02")
    assert set(before) == {"corrections"}
    place.rows = [correction("c3", "networking"), correction("nobody")]
    assert corrections(lake, tmp_path / "copies", mongodb=place).version("2026-11-02") != before
    assert made.version("2026-11-02") == before  # a run sees one state
    assert place.reads == 2


def test_a_conversation_that_a_run_stores_is_corrected_in_this_run(lake: Lake, tmp_path: Path) -> None:
    made = corrections(lake, tmp_path / "copies", mongodb=Place(correction("new")))
    assert labels(made, "2026-11-02") == {}
    lake.write("conversations", "2026-11-02", pa.table({"conversation_id": ["c3", "new"]}), "")
    assert labels(made, "2026-11-02") == {"new": "audio"}


def test_corrections_of_a_place_that_does_not_answer_hold_as_last_read(
    lake: Lake, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Labels would change back while a server is down, and stop the run or not as the order of tables happens to be."""
    first, second = Place(correction("c1")), Place(correction("c3"))
    before = corrections(lake, tmp_path / "copies", mongodb=first, nocodb=second)
    versions = [before.version(day) for day in DAYS]
    first.is_down = True
    during = corrections(lake, tmp_path / "copies", mongodb=first, nocodb=second)
    assert [during.version(day) for day in DAYS] == versions
    assert "corrections of mongodb cannot be read, and the 1 of the last reading hold meanwhile" in caplog.text
    with pytest.raises(UserError, match="does not answer"):
        _ = during.rows  # whoever learns from all of them is not given a part
    assert first.reads == 2
    first.is_down, first.rows = False, []
    after = corrections(lake, tmp_path / "copies", mongodb=first, nocodb=second)
    assert [bool(after.version(day)) for day in DAYS] == [False, True]


def test_a_correction_that_a_restore_put_into_a_second_place_counts_once(lake: Lake, tmp_path: Path) -> None:
    both = corrections(lake, tmp_path / "copies", mongodb=Place(correction("c1")), command=Place(correction("c1")))
    assert [row["origin"] for row in both.rows] == ["mongodb"]
    assert labels(both, "2026-11-01") == {"c1": "audio"}


def test_a_file_that_cannot_be_read_stops_the_run(lake: Lake, tmp_path: Path) -> None:
    place = Place()
    place.is_down = True
    with pytest.raises(UserError, match="does not answer"):
        corrections(lake, tmp_path / "copies", file=place).version("2026-11-01")


def test_without_corrections_nothing_is_written_and_no_conversation_read(tmp_path: Path) -> None:
    def no_lake() -> Lake:
        raise AssertionError("the lake is not needed")

    last = LastReadings(tmp_path / "copies", remembers=True)
    made = Corrections({"mongodb": list}, last, no_lake, load_taxonomy)
    assert dict(made.version("2026-11-01")) == {}
    assert not (tmp_path / "copies").exists()


@pytest.mark.parametrize("kind", [NocoAuthError, NocoContractError, NocoNotFoundError])
def test_a_wrong_setting_of_a_server_stops_the_run(lake: Lake, tmp_path: Path, kind: type[UserError]) -> None:
    """A revoked token or a renamed column counted as an outage, so that old corrections held for ever."""
    place = Place(correction("c1"))
    corrections(lake, tmp_path / "copies", nocodb=place).version("2026-11-01")
    place.is_down, place.error = True, kind("a wrong setting")
    with pytest.raises(kind, match="a wrong setting"):
        corrections(lake, tmp_path / "copies", nocodb=place).version("2026-11-01")


@pytest.mark.parametrize("kind", [NocoServerError, NocoRateLimitError, NocoCircuitOpenError])
def test_corrections_of_nocodb_hold_through_an_outage(lake: Lake, tmp_path: Path, kind: type[UserError]) -> None:
    place = Place(correction("c1"))
    before = corrections(lake, tmp_path / "copies", nocodb=place).version("2026-11-01")
    place.is_down, place.error = True, kind("no answer")
    assert corrections(lake, tmp_path / "copies", nocodb=place).version("2026-11-01") == before


def test_files_of_one_name_keep_all_of_their_corrections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file's name and the row were the id, so that of two files of one name only one counted, without a word."""
    paths = [tmp_path / folder / "corrections.csv" for folder in ("a", "b")] + [tmp_path / "more.csv"]
    for number, path in enumerate(paths):
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"conversation_id,label,who\nc{number},audio,ann\n")
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ANALYTICS_MONGO_URI", "off")
    monkeypatch.setenv("ANALYTICS_CORRECTIONS", ",".join(map(str, paths)))
    first, second = (Platform(load_settings(), stages=False).corrections.rows for _ in range(2))
    assert sorted(row["conversation_id"] for row in first) == ["c0", "c1", "c2"]
    assert {row["feedback_id"] for row in first} == {"a/corrections.csv:1", "b/corrections.csv:1", "more.csv:1"}
    assert first == second
