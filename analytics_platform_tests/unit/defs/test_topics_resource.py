"""The discovered topics as a resource."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from analytics_platform.defs.resources.topics_resource import Topics
from analytics_platform.insights.topics.curation import NO_CURATION, CuratedTopic, Curation
from analytics_platform.insights.topics.epoch_rows import epoch_rows
from analytics_platform.insights.topics.epochs import find_epochs
from analytics_platform.model.tables.topic_tables import TOPIC_EPOCHS
from analytics_platform.storage.lake import Lake
from analytics_platform_tests.unit.insights.topics.simulated_days import Simulated, day, direction


@pytest.fixture(scope="module")
def simulated() -> Simulated:
    simulated = Simulated()
    for number in range(4):
        simulated.add(f"kind{number}", range(21), 15, direction(f"kind{number}"))
    return simulated


@pytest.fixture
def lake(tmp_path: Path, simulated: Simulated) -> Lake:
    lake = Lake.open(str(tmp_path))
    lake.write(TOPIC_EPOCHS.name, "", epoch_rows(find_epochs(simulated.days())), "first")
    return lake


@pytest.mark.slow
def test_a_day_depends_on_the_epoch_in_force_and_not_on_later_ones(lake: Lake, simulated: Simulated) -> None:
    topics = Topics(lambda: lake, lambda: NO_CURATION)
    before = {number: topics.version(day(number)) for number in (0, 6, 8, 14, 16)}
    assert before[0] == before[6] == before[8]
    assert len({str(version) for version in before.values()}) == 2
    simulated.add("kind0", range(21, 30), 15, direction("kind0"))
    lake.write(TOPIC_EPOCHS.name, "", epoch_rows(find_epochs(simulated.days())), "second")
    assert {number: topics.version(day(number)) for number in before} == before
    assert topics.version(day(28)) != before[16]
    assert [epoch.date for epoch in topics.in_force(day(9)).epochs] == [dt.date(2024, 1, 7)]
    assert len(topics.in_force().epochs) == 4


def test_what_people_say_is_a_part_of_the_version(lake: Lake) -> None:
    said = Topics(lambda: lake, lambda: Curation({"t-1": CuratedTopic(hidden=True)}))
    assert said.version(day(0)).keys() == {"topics", "topics by people"}


def test_without_stored_epochs_there_are_no_topics(tmp_path: Path) -> None:
    topics = Topics(lambda: Lake.open(str(tmp_path)), lambda: NO_CURATION)
    assert topics.version(day(0)) == {}
    assert topics.in_force(day(0)).model is None
    assert topics.reusable_epochs() == []


def test_epochs_of_another_version_of_the_program_are_computed_anew(lake: Lake) -> None:
    """An upgrade would have made every run fail."""
    rows = lake.read(TOPIC_EPOCHS.name, "").to_pylist()
    lake.write(TOPIC_EPOCHS.name, "", TOPIC_EPOCHS.from_rows([{**row, "content": b"old"} for row in rows]), "old")
    assert Topics(lambda: lake, lambda: NO_CURATION).reusable_epochs() == []
