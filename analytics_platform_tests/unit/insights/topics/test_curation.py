"""The file in which people change topics."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics_platform.insights.topics.curation import NO_CURATION, CurationError, read_curation


def write(folder: Path, text: str) -> Path:
    path = folder / "topics.yaml"
    path.write_text(text)
    return path


def test_the_file_says_names_merges_parents_and_what_is_hidden(tmp_path: Path) -> None:
    curation = read_curation(
        write(
            tmp_path,
            "topics:\n  t-1: {name: Seats, date: 2026-11-30}\n  t-2: {merge_into: t-1}\nparents: {p-1: {name: G}}",
        )
    )
    assert curation.topics["t-1"].name == "Seats"
    assert curation.topics["t-2"].merge_into == "t-1"
    assert curation.parents == {"p-1": "G"}
    assert curation.version != NO_CURATION.version == ""


def test_a_date_makes_no_day_stale(tmp_path: Path) -> None:
    with_date = read_curation(write(tmp_path, "topics: {t-1: {name: Seats, date: 2026-11-30}}")).version
    assert read_curation(write(tmp_path, "topics: {t-1: {name: Seats}}")).version == with_date


@pytest.mark.parametrize("text", ["", "topics: {}"])
def test_an_empty_file_says_nothing(tmp_path: Path, text: str) -> None:
    assert read_curation(write(tmp_path, text)) == NO_CURATION
    assert read_curation(None) == NO_CURATION


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("topics: {t-1: {nam: Seats}}", "topics.t-1.nam: Extra inputs"),
        ("topics: {t-1: {name: ''}}", "topics.t-1.name"),
        ("topics: {t-1: {name: '   '}}", "topics.t-1.name"),
        ("parents: {p-1: {name: ' '}}", "parents.p-1.name"),
        ('topics: {t-1: {name: "a\\u202Eb"}}', "topics.t-1.name: has the character U+202E"),
        ('topics: {t-1: {name: "a\\nb"}}', "topics.t-1.name: has the character U+000A"),
        ('topics: {t-1: {name: "\\u200d"}}', "topics.t-1.name: is blank"),
        ("topics: {t-1: {date: 2026-13-01}}", "month must be in 1..12"),
        ("topics: [1]", "topics: must be a mapping"),
        ("topics: {t-1: }", "topics.t-1: must be a mapping"),
        ("hello", "file: must be a mapping"),
        ("topics: {", "cannot be read"),
        ("topics: {t-1: {merge_into: t-2}, t-2: {merge_into: t-1}}", "leads back to t-1"),
        ("topics: {t-1: {merge_into: t-1}}", "leads back to t-1"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(CurationError) as refused:
        read_curation(write(tmp_path, text))
    assert told in str(refused.value)
    assert str(tmp_path) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not any(name in str(refused.value) for name in ("_File", "CuratedTopic"))
