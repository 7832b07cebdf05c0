"""The manifest of published days, and errors of their files."""

from __future__ import annotations

import os

import pytest

from analytics_platform.sources import published_days
from analytics_platform.sources.day_files import DayPlace
from analytics_platform.sources.published_days import (
    StagedDay,
    manifest_text,
    parse_manifest,
    read_manifest,
    read_versions,
)

DAYS = {
    "2024-01-01": StagedDay("a", 3, 1, places={"raw_messages": DayPlace("00000", 0, 2)}),
    "2024-01-02": StagedDay("b", 3, 1, "days/1"),
}


def test_days_are_parsed_as_they_were_written():
    """Places came back as lists, and a day with places had no hash."""
    days = parse_manifest(manifest_text(DAYS))

    assert days == DAYS
    assert days["2024-01-01"].places["raw_messages"].rows == 2
    assert set(days.values()) == set(DAYS.values())
    assert manifest_text(days) == manifest_text(DAYS)


def test_a_mirror_without_places_is_read():
    """Mirrors had manifests before days shared files."""
    text = '{"2024-01-02": {"version": "b", "rows_read": 3, "duplicates": 1, "part": "days/1"}}'

    assert parse_manifest(text) == {"2024-01-02": DAYS["2024-01-02"]}


def test_a_manifest_is_parsed_once_and_nobody_can_change_it(tmp_path, monkeypatch):
    """Each reading block of a mirror parsed ten years of days; and a caller could change what the next one reads."""
    text = manifest_text(DAYS)
    days = parse_manifest(text)
    (tmp_path / "manifest.json").write_text(text)
    monkeypatch.setattr(published_days, "_parse_day", None)

    assert parse_manifest(text) is days
    assert read_manifest(tmp_path) is days
    for mapping in (days, days["2024-01-01"].places, days["2024-01-02"].places, read_versions(tmp_path)):
        with pytest.raises(TypeError, match="does not support item assignment"):
            mapping["2024-01-03"] = None


def test_a_second_manifest_of_the_same_moment_is_read(tmp_path):
    """A state of size, inode and time does not tell two manifests of one moment apart."""
    path = tmp_path / "manifest.json"
    path.write_text(manifest_text(DAYS))
    state = path.stat()
    assert read_manifest(tmp_path)["2024-01-01"].version == "a"
    assert read_versions(tmp_path) == {"2024-01-01": "a", "2024-01-02": "b"}

    path.write_text(manifest_text(DAYS | {"2024-01-01": StagedDay("c", 3, 1, places=DAYS["2024-01-01"].places)}))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))

    assert read_manifest(tmp_path)["2024-01-01"].version == "c"
    assert read_versions(tmp_path)["2024-01-01"] == "c"
