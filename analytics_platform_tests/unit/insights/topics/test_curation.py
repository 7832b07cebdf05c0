"""The file and the collection in which people change topics."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from analytics_platform.insights.topics.curation import NO_CURATION, CurationError, read_curation, with_collection

CHANGED = dt.datetime(2026, 11, 29, 12, tzinfo=dt.UTC)


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
        ("topics: {", "topics.yaml:1: not valid YAML"),
        ("topics:\n  t-1: {name: Seats}\n  t-1: {hidden: true}", "topics.yaml:3: topics.t-1: is here a second time"),
        ("topics:\n  t-1: {name: Seats,\n    name: Chairs}", "topics.yaml:3: topics.t-1.name: is here a second time"),
        ("topics:\n  t-1: {name: Seats}\n  t-2: {nam: x}", "topics.yaml:3: topics.t-2.nam: Extra inputs"),
        ("topics: {t-1: {merge_into: ''}}", "topics.t-1.merge_into: String should have at least 1"),
        ("topics: {t-1: {parent: ''}}", "topics.t-1.parent: String should have at least 1"),
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


def test_every_topic_of_a_circle_is_named(tmp_path: Path) -> None:
    with pytest.raises(CurationError) as refused:
        read_curation(write(tmp_path, "topics:\n  t-1: {merge_into: t-2}\n  t-2: {merge_into: t-1}"))
    first, second = refused.value.faults
    assert first.endswith("topics.yaml:2: topics.t-1.merge_into: leads back to t-1; name the topic that stays")
    assert second.endswith("topics.yaml:3: topics.t-2.merge_into: leads back to t-2; name the topic that stays")


def test_the_collection_is_laid_under_the_file(tmp_path: Path) -> None:
    file = read_curation(write(tmp_path, "topics: {t-1: {name: Seats}}\nparents: {p-1: {name: Flights}}"))
    curation = with_collection(
        file,
        [
            {"_id": "t-1", "name": "Chairs", "changed_at": CHANGED},
            {"_id": "t-2", "name": "Meals", "merge_into": None, "pinned": True, "changed_at": CHANGED},
            {"_id": "p-1", "name": "Planes", "changed_at": CHANGED},
            {"_id": "p-2", "name": "Food", "changed_at": CHANGED},
        ],
    )
    assert {name: said.name for name, said in curation.topics.items()} == {"t-1": "Seats", "t-2": "Meals"}
    assert (curation.topics["t-2"].date, curation.topics["t-2"].pinned) == (CHANGED.date(), True)
    assert curation.parents == {"p-1": "Flights", "p-2": "Food"}
    assert curation.problems == ()


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"_id": "t-3", "name": " "}, "topic_curation, t-3: name: String should have at least 1 character"),
        ({"_id": "t-3", "nam": "x"}, "topic_curation, t-3: nam: Extra inputs are not permitted"),
        ({"_id": "p-3", "pinned": True}, "topic_curation, p-3: name: Field required"),
        ({"_id": "t-1", "merge_into": "t-2"}, "topic_curation, t-2: merge_into: leads back to t-2; name the topic"),
    ],
)
def test_a_document_that_cannot_be_used_is_left_out_and_told(document: dict[str, object], told: str) -> None:
    others = [{"_id": "t-2", "merge_into": "t-1"}, {"_id": "t-4", "name": "Meals"}]
    curation = with_collection(NO_CURATION, [document, *others])
    (problem,) = curation.problems
    assert problem.startswith(told)
    assert curation.topics["t-4"].name == "Meals"
    assert not any(name in problem for name in ("CuratedTopic", "CuratedParent"))
