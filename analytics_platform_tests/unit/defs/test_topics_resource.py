"""The discovered topics as a resource."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest

from analytics_platform.defs.resources.topics_resource import Topics
from analytics_platform.insights.topics.curation import NO_CURATION, CuratedTopic, Curation
from analytics_platform.insights.topics.epoch_rows import epoch_rows
from analytics_platform.insights.topics.epochs import find_epochs
from analytics_platform.model.tables.topic_tables import TOPIC_EPOCHS, TOPIC_NAMES
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


def names_of(lake: Lake, *, named: int) -> pa.Table:
    """Return names by an LLM of all topics; the first ones have an answer."""
    rows = [
        {
            "topic_id": topic,
            "born_on": epoch.date,
            "name": f"Name {place}" if place < named else None,
            "sentence": "A sentence." if place < named else None,
            "failure": None if place < named else "budget",
            "will_retry": place >= named,
            "model": "m",
            "prompt_version": "p",
        }
        for place, (topic, epoch) in enumerate(
            (topic, epoch) for epoch in Topics(lambda: lake, lambda: NO_CURATION).epochs for topic in epoch.born.ids
        )
    ]
    return TOPIC_NAMES.from_rows(rows)


def test_a_name_by_the_llm_counts_only_for_days_on_which_its_topic_is_in_force(lake: Lake) -> None:
    """The name of a topic of this Monday would have made the reports of every earlier day stale."""
    simulated = Simulated()
    for number in range(4):
        simulated.add(f"kind{number}", range(21), 15, direction(f"kind{number}"))
    simulated.add("outage", range(8, 21), 15, direction("outage"))
    lake.write(TOPIC_EPOCHS.name, "", epoch_rows(find_epochs(simulated.days())), "with a new topic")
    topics = Topics(lambda: lake, lambda: NO_CURATION, are_named=True)
    count = len(names_of(lake, named=0))
    days = [day(number) for number in (0, 9, 16)]
    assert [len(topics.in_force(one).names) < count for one in days] == [True, True, False]

    def versions(named: int, curation: Curation = NO_CURATION) -> list[str]:
        lake.write(TOPIC_NAMES.name, "", names_of(lake, named=named), f"{named} named")
        fresh = Topics(lambda: lake, lambda: curation, are_named=True)
        return [str(fresh.version(one)) for one in days]

    none, founding, every = versions(0), versions(count - 1), versions(count)
    assert none[0] != founding[0] == every[0]
    assert founding[1] == every[1]
    assert founding[2] != every[2]
    assert every == [str(topics.version(one)) for one in days]  # names that were stored in the meantime are read
    assert set(topics.in_force(days[2]).names.values()) == {f"Name {place}" for place in range(count)}
    assert Topics(lambda: lake, lambda: NO_CURATION).version(days[0]).keys() == {"topics"}

    last = topics.epochs[-1].born.ids[-1]
    renamed = Curation({last: CuratedTopic(name="Mine")})
    assert versions(count - 1, renamed) == versions(count, renamed)


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
