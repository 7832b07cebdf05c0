"""Topics over sixty simulated days: how they are born, split off, merge, die and return, and what that depends on."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from analytics_platform.insights.topics.curation import NO_CURATION, CuratedTopic, Curation
from analytics_platform.insights.topics.epoch_days import count_in_force, plan_epochs
from analytics_platform.insights.topics.epoch_rows import epoch_rows, read_epochs
from analytics_platform.insights.topics.epochs import Epoch, find_epochs
from analytics_platform.insights.topics.listing import discovered_topics, topic_genealogy
from analytics_platform.insights.topics.topics_in_force import TopicsInForce
from analytics_platform.model import find_violations
from analytics_platform.model.tables.topic_tables import (
    CONVERSATION_TOPICS,
    DISCOVERED_TOPICS,
    TOPIC_EPOCHS,
    TOPIC_GENEALOGY,
    TOPIC_NAMES,
)
from analytics_platform_tests.unit.insights.topics.simulated_days import Simulated, day, direction, two_months


@pytest.fixture(scope="module")
def months() -> Simulated:
    return two_months()


@pytest.fixture(scope="module")
def epochs(months: Simulated) -> list[Epoch]:
    return find_epochs(months.days())


@pytest.fixture(scope="module")
def ids(epochs: list[Epoch]) -> dict[str, str]:
    """Identifier of the topic by the kind of its conversations."""
    return {
        change.conversations[0].split("-")[0]: change.topic_id
        for epoch in epochs
        for change in epoch.changes
        if change.event in ("birth", "split")
    }


def assign(epochs: list[Epoch], months: Simulated, date: str, curation: Curation = NO_CURATION) -> pa.Table:
    known = epochs[: count_in_force([epoch.date for epoch in epochs], date)]
    openings = months.openings(date)
    dates = pa.chunked_array([pa.array([dt.date.fromisoformat(date)] * len(openings))])
    return TopicsInForce(known, curation).assign(dates, pa.chunked_array([openings.ids]), openings)


def topic_of(table: pa.Table, kind: str, column: str = "topic_id") -> Any:
    """Return what most conversations of a kind have; one in seventy is an outlier."""
    of_kind = table.filter(pc.starts_with(table["conversation_id"], f"{kind}-"))
    return Counter(of_kind[column].to_pylist()).most_common(1)[0][0]


def events(table: pa.Table, name: str) -> list[tuple[Any, ...]]:
    rows = table.filter(pc.equal(table["event"], name)).to_pylist()
    return [(str(row["event_date"]), row["topic_id"], row["other_topic_id"]) for row in rows]


def test_the_genealogy_tells_births_splits_merges_deaths_and_returns(epochs: list[Epoch], ids: dict[str, str]) -> None:
    genealogy = topic_genealogy(epoch_rows(epochs), NO_CURATION)
    assert find_violations(TOPIC_GENEALOGY, genealogy) == []
    births = events(genealogy, "birth")
    assert {date for date, *_ in births} == {"2024-01-14", "2024-01-29"}
    assert [topic for date, topic, _ in births if date == "2024-01-29"] == [ids["outage"]]
    assert ("2024-02-05", ids["refund"], ids["billing"]) in events(genealogy, "split")
    assert {topic for _, topic, _ in events(genealogy, "split")} == {ids["refund"], ids["post"]}
    assert set(events(genealogy, "merge")) == {("2024-02-26", ids[kind], ids["post"]) for kind in ("letter", "parcel")}
    assert events(genealogy, "death") == [("2024-02-19", ids["seasonal"], None)]
    assert events(genealogy, "return") == [("2024-02-26", ids["seasonal"], None)]
    concerned = genealogy.filter(pc.equal(genealogy["topic_id"], ids["refund"])).to_pylist()[0]
    assert {name.split("-")[0] for name in concerned["conversations"]} == {"refund"}
    assert concerned["conversation_count"] == 40


def test_a_topic_keeps_its_id_and_a_new_one_is_in_force_from_its_monday(
    epochs: list[Epoch], months: Simulated, ids: dict[str, str]
) -> None:
    before, after, last = (assign(epochs, months, day(number)) for number in (27, 28, 59))
    assert find_violations(CONVERSATION_TOPICS, after) == []
    assert topic_of(before, "outage") is None
    assert topic_of(after, "outage") == ids["outage"]
    assert topic_of(before, "steady0") == topic_of(after, "steady0") == topic_of(last, "steady0") == ids["steady0"]
    assert topic_of(assign(epochs, months, day(0)), "steady0") == ids["steady0"]  # before the first epoch


def test_a_merged_topic_gives_its_conversations_to_the_other(
    epochs: list[Epoch], months: Simulated, ids: dict[str, str]
) -> None:
    months_after = Simulated()
    months_after.add("parcel", [60], 5, direction("post") + 0.5 * direction("only parcel"))
    assert topic_of(assign(epochs, months_after, day(60)), "parcel") == ids["post"]


@pytest.mark.slow
def test_the_order_in_which_days_are_stored_makes_no_difference(epochs: list[Epoch], months: Simulated) -> None:
    expected = epoch_rows(epochs)
    assert find_violations(TOPIC_EPOCHS, expected) == []
    shuffled = find_epochs(months.days(lambda days: random.Random(7).sample(days, len(days))))
    assert epoch_rows(shuffled).equals(expected)


@pytest.mark.slow
def test_days_that_arrive_one_after_the_other_give_the_same_epochs(months: Simulated, epochs: list[Epoch]) -> None:
    """Epochs that were kept must be what a computation of all days gives, also after a day was stored late."""
    late, known = day(17), []
    for last in (12, 30, 45, 60):
        part = replace(
            months.days(), counts={day(n): len(months.vectors[day(n)]) for n in range(last) if day(n) != late}
        )
        known = find_epochs(part, read_epochs(epoch_rows(known)))
    assert epoch_rows(find_epochs(months.days(), known)).equals(epoch_rows(epochs))


def test_stored_epochs_are_taken_over_without_reading_a_day(months: Simulated, epochs: list[Epoch]) -> None:
    months.read.clear()
    again = find_epochs(months.days(), read_epochs(epoch_rows(epochs)))
    assert months.read == []
    assert epoch_rows(again).equals(epoch_rows(epochs))


def test_a_restated_day_leaves_the_epochs_before_it_alone(months: Simulated, epochs: list[Epoch]) -> None:
    restated = replace(months.days(), identities={**months.identities, day(40): "restated"})
    again = find_epochs(restated, epochs)
    same = [one is other for one, other in zip(again, epochs, strict=True)]
    assert same == [True] * 4 + [False] * 3
    versions = (epoch_rows(rows)["topics_version"].to_pylist() for rows in (again, epochs))
    assert next(versions) == next(versions)  # the same content makes no later day stale


@pytest.mark.slow
def test_another_code_computes_every_epoch_anew(months: Simulated, epochs: list[Epoch]) -> None:
    again = find_epochs(months.days(), epochs[:1], code="changed")
    assert again[0].fingerprint != epochs[0].fingerprint
    assert again[0].born.ids == epochs[0].born.ids


@pytest.mark.parametrize("count", [0, 1, 4, 9, 30])
def test_few_conversations_give_few_topics_or_none(count: int) -> None:
    few = Simulated()
    if count:
        few.add("only", [3], count, direction("only"))
    rows = epoch_rows(find_epochs(few.days()))
    assert find_violations(DISCOVERED_TOPICS, discovered_topics(rows, TOPIC_NAMES.empty(), NO_CURATION)) == []
    assert len(discovered_topics(rows, TOPIC_NAMES.empty(), NO_CURATION)) <= count // 5
    if count:
        assert len(assign(read_epochs(rows), few, day(3))) == count


def test_people_rename_merge_move_pin_and_hide(epochs: list[Epoch], months: Simulated, ids: dict[str, str]) -> None:
    curation = Curation(
        {
            ids["outage"]: CuratedTopic(name="Outages", date=dt.date(2024, 3, 1)),
            ids["steady0"]: CuratedTopic(merge_into=ids["steady1"]),
            ids["steady2"]: CuratedTopic(parent="p-mine"),
            ids["steady5"]: CuratedTopic(merge_into="t-unknown"),
            ids["steady3"]: CuratedTopic(hidden=True),
            ids["seasonal"]: CuratedTopic(pinned=True),
            ids["parcel"]: CuratedTopic(pinned=True),
            "t-unknown": CuratedTopic(name="Nothing"),
        },
        {"p-mine": "Mine"},
    )
    last = assign(epochs, months, day(59), curation)
    assert topic_of(last, "outage", "topic_name") == "Outages"
    assert topic_of(last, "steady0") == ids["steady1"]
    assert topic_of(last, "steady2", "parent_name") == "Mine"
    assert topic_of(last, "steady3") is None
    rows = epoch_rows(epochs)
    genealogy = topic_genealogy(rows, curation)
    assert ("2024-03-01", ids["outage"], None) in events(genealogy, "renamed")
    assert events(genealogy, "merged by a person") == [("2024-01-14", ids["steady0"], ids["steady1"])]
    assert events(genealogy, "death") == []
    assert {topic for _, topic, _ in events(genealogy, "merge")} == {ids["letter"]}
    listed = {row["topic_id"]: row for row in discovered_topics(rows, TOPIC_NAMES.empty(), curation).to_pylist()}
    assert [listed[ids[kind]]["status"] for kind in ("steady0", "steady3", "seasonal")] == [
        "merged",
        "hidden",
        "in use",
    ]
    assert "t-unknown" not in listed
    assert listed[ids["steady1"]]["conversation_count"] > listed[ids["steady4"]]["conversation_count"] * 1.5


def test_a_name_by_a_person_wins_over_one_by_the_llm(epochs: list[Epoch], ids: dict[str, str]) -> None:
    constants = {"born_on": epochs[0].date, "will_retry": False, "model": "m", "prompt_version": "p"}
    answers = {
        ids["outage"]: {"name": "Outages", "sentence": "The service is down.", "failure": None},
        ids["steady0"]: {"name": "Steady", "sentence": "Nothing happens.", "failure": None},
        ids["steady1"]: {"name": None, "sentence": None, "failure": "refused"},
    }
    names = TOPIC_NAMES.from_rows([{"topic_id": topic, **answer, **constants} for topic, answer in answers.items()])
    curation = Curation({ids["outage"]: CuratedTopic(name="No service"), ids["steady0"]: CuratedTopic(pinned=True)})
    table = discovered_topics(epoch_rows(epochs), names, curation)
    assert find_violations(DISCOVERED_TOPICS, table) == []
    listed = {
        row["topic_id"]: [row[name] for name in ("topic_name", "named_by", "sentence")] for row in table.to_pylist()
    }
    assert listed[ids["outage"]] == ["No service", "person", "The service is down."]
    assert listed[ids["steady0"]] == ["Steady", "model", "Nothing happens."]
    own_name = TopicsInForce(epochs, NO_CURATION).names[ids["steady1"]]
    assert listed[ids["steady1"]] == [own_name, "own words", "about steady1"]


def test_a_parent_bears_the_names_of_its_topics_if_one_has_been_named(epochs: list[Epoch], ids: dict[str, str]) -> None:
    """Parents kept terms of their own words beside topics that the LLM or people had named."""
    plain = TopicsInForce(epochs, NO_CURATION)
    parent = plain.parents[ids["steady0"]]
    siblings = [topic for topic, of in plain.parents.items() if of == parent and topic in epochs[0].born.ids]
    assert len(siblings) > 1
    everything = {topic: f"Name {topic}" for topic in siblings}
    named = TopicsInForce(epochs, NO_CURATION, everything)
    assert named.parent_name(parent).split(", ")[0] in everything.values()
    assert len(named.parent_name(parent).split(", ")) == min(3, len(siblings))
    assert TopicsInForce(epochs[:1], NO_CURATION, everything).parent_name(parent) == named.parent_name(parent)
    others = {of for of in plain.parents.values() if of != parent}
    assert {named.parent_name(one) for one in others} == {plain.parent_name(one) for one in others}

    first = named.parent_name(parent).split(", ")[0].removeprefix("Name ")
    for said in (CuratedTopic(hidden=True), CuratedTopic(parent="p-mine")):
        assert first not in TopicsInForce(epochs, Curation({first: said}), everything).parent_name(parent)
    renamed = TopicsInForce(epochs, Curation({first: CuratedTopic(name="Mine")}))
    assert renamed.parent_name(parent).startswith("Mine, ")
    assert TopicsInForce(epochs, Curation(parents={parent: "Ours"}), everything).parent_name(parent) == "Ours"


def test_people_outrank_a_merge_by_itself_into_the_other_direction(epochs: list[Epoch], ids: dict[str, str]) -> None:
    """The two topics swapped their conversations: each one stood for the other."""
    post, parcel, letter = (ids[kind] for kind in ("post", "parcel", "letter"))
    by_people = Curation({post: CuratedTopic(merge_into=parcel)})
    assert TopicsInForce(epochs, by_people).merged == {post: parcel, letter: parcel}
    in_a_circle = Curation(
        {post: CuratedTopic(merge_into=ids["steady0"]), ids["steady0"]: CuratedTopic(merge_into=letter)}
    )
    assert TopicsInForce(epochs, in_a_circle).merged == {
        post: letter,
        ids["steady0"]: letter,
        parcel: letter,
    }


def test_a_topic_that_is_pinned_after_its_merge_has_its_conversations_again(
    months: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was listed without any: their number was stored under the topic that it was merged into."""
    merges = "analytics_platform.insights.topics.epochs.find_merges"
    monkeypatch.setattr(merges, lambda *_, born_from: iter([(0, 1)] if born_from else []))
    stored = months.days()
    epochs = find_epochs(replace(stored, counts={day(number): stored.counts[day(number)] for number in range(22)}))
    assert [change.event for change in epochs[-1].changes] == ["merge"]
    merged, into = epochs[0].born.ids[:2]
    counts = []
    for curation in (NO_CURATION, Curation({merged: CuratedTopic(pinned=True)})):
        listed = {
            row["topic_id"]: row
            for row in discovered_topics(epoch_rows(epochs), TOPIC_NAMES.empty(), curation).to_pylist()
        }
        counts.append([listed[topic]["conversation_count"] for topic in (merged, into)])
    assert counts[0][0] == 0 < counts[1][0]
    assert sum(counts[0]) == sum(counts[1])


def test_a_topic_that_is_gone_has_the_examples_of_its_birth(epochs: list[Epoch], ids: dict[str, str]) -> None:
    """The report named a topic without a conversation to read."""
    known = epochs[: count_in_force([epoch.date for epoch in epochs], "2024-02-19")]
    topics = TopicsInForce(known, NO_CURATION)
    (gone,) = topics.changes("death")
    assert gone.topic_id == ids["seasonal"]
    assert {name.split("-")[0] for name in topics.examples(gone)} == {"seasonal"}


def test_a_day_alone_has_the_topics_that_it_has_among_others(epochs: list[Epoch], months: Simulated) -> None:
    """A vector's topic must not depend on the block in which it is computed."""
    topics = TopicsInForce(epochs, NO_CURATION)
    whole = months.openings(day(59))
    dates = pa.chunked_array([pa.array([dt.date(2024, 2, 29)] * len(whole))])
    together = topics.assign(dates, pa.chunked_array([whole.ids]), whole)
    for number in range(0, len(whole), 7):
        one = whole.only(pa.array(np.arange(len(whole)) == number))
        alone = topics.assign(dates.slice(0, 1), pa.chunked_array([one.ids]), one)
        assert alone.to_pylist() == together.filter(pc.equal(together["conversation_id"], one.ids[0])).to_pylist()


def test_epochs_are_mondays_after_enough_conversations() -> None:
    counts = {day(number): 60 for number in range(20)}
    planned = plan_epochs(counts)
    assert [(str(one.date), one.days[0], len(one.days)) for one in planned] == [
        ("2024-01-07", day(0), 7),
        ("2024-01-15", day(0), 14),
    ]
    assert [str(one.date) for one in plan_epochs({day(2): 5, day(3): 0})] == [day(2)]
    idle = plan_epochs({**counts, day(69): 1, day(71): 1})
    assert [str(one.date) for one in idle[1:]] == ["2024-01-15", "2024-01-22", "2024-03-11"]
    assert plan_epochs({}) == []


@pytest.mark.parametrize(
    ("date", "count"), [("2023-12-31", 1), ("2024-01-14", 1), ("2024-01-15", 2), ("2024-09-01", 3)]
)
def test_the_first_epoch_is_in_force_on_all_days_before_the_second(date: str, count: int) -> None:
    dates = [dt.date(2024, 1, 7), dt.date(2024, 1, 15), dt.date(2024, 1, 22)]
    assert count_in_force(dates, date) == count
    assert count_in_force([], date) == 0


def test_later_conversations_of_known_kinds_fit_as_the_founding_ones_do(epochs: list[Epoch], months: Simulated) -> None:
    """A small topic's conversations lie near its centroid because they are a part of it; later ones fitted nowhere."""
    steady = Simulated()
    for number in range(8):
        steady.add(f"steady{number}", range(100, 110), 20, direction(f"steady{number}"))
    tables = [assign(epochs[:1], steady, day(number)) for number in range(100, 110)]
    outliers = sum(table["topic_id"].null_count for table in tables) / sum(len(table) for table in tables)
    assert outliers < 0.05
