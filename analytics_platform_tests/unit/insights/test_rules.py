"""Rules of the taxonomy, urgency and resolution, in the answers that the engine gives."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml

from analytics_platform.insights.encoders.words import split_words
from analytics_platform.insights.engine import InsightEngine, build_engine
from analytics_platform.insights.taxonomies.label_rules import RuleBook
from analytics_platform.insights.taxonomies.taxonomy import DEFAULT_PATH, LabelRule, load_taxonomy
from analytics_platform.insights.taxonomies.taxonomy_file import TaxonomyError
from analytics_platform.insights.tiers.tier import Classified

Build = Callable[[Sequence[Any]], pa.Table]
QUESTION = "how do i mount a disk in fstab?"


def rule(name: str = "a_rule", **fields: Any) -> LabelRule:
    return LabelRule.model_validate({"name": name, "kind": "topic", "label": "audio", **fields})


def answered(
    rules: Sequence[LabelRule], fires: list[bool], confidence: Sequence[float] = (0.6, 0.3, 0.1)
) -> list[float]:
    """What rules make of one answer about disks, audio and anything else."""
    answer = Classified(("disks", "audio", "other"), np.array([confidence]))
    return RuleBook(rules).apply("topic", answer, np.array([fires])).confidence[0].tolist()


@pytest.fixture
def engine_with(tmp_path: Path) -> Callable[..., InsightEngine]:
    """Build an engine on the shipped labels and some rules."""

    def build(*rules: dict[str, Any]) -> InsightEngine:
        content = yaml.safe_load(DEFAULT_PATH.read_text(encoding="utf-8"))
        path = tmp_path / f"taxonomy{len(list(tmp_path.iterdir()))}.yaml"  # an engine is kept by the path of its file
        path.write_text(yaml.safe_dump({**content, "rules": [{"name": f"r{n}", **r} for n, r in enumerate(rules)]}))
        return build_engine(taxonomy_path=path)

    return build


def labelled(engine: InsightEngine, messages: pa.Table, resolved: pa.Table | None = None) -> dict[str, Any]:
    embeddings = engine.embed_messages(messages)
    insights = engine.label_messages(messages, embeddings)
    rows = engine.label_conversations(messages, embeddings, insights, resolved).to_pylist()
    return {row["conversation_id"]: row for row in rows}


def reasons_for(row: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [reason for reason in row["reasons"] if reason["kind"] == kind]


def test_a_boost_adds_to_the_log_odds_and_leaves_the_others_in_proportion():
    found = answered([rule(when=["x"], effect="boost", strength=2.0)], [True])
    assert np.log(found[1] / found[0]) == pytest.approx(np.log(0.3 / 0.6) + 2)
    assert found[0] / found[2] == pytest.approx(6)
    assert sum(found) == pytest.approx(1)


def test_a_forced_label_is_chosen_and_a_forbidden_one_never_is():
    force, forbid = rule(when=["x"], effect="force"), rule("b", when=["x"], effect="forbid", label="disks")
    assert int(np.argmax(answered([force], [True]))) == 1
    assert answered([forbid], [True])[0] == 0
    assert answered([rule(when=["x"], effect="force"), rule("b", when=["x"], effect="forbid")], [True, True])[1] == 0


def test_of_two_forced_labels_the_first_in_the_file_is_chosen():
    one, two = rule(when=["x"], effect="force"), rule("b", when=["x"], effect="force", label="disks")
    assert int(np.argmax(answered([one, two], [True, True]))) == 1
    assert int(np.argmax(answered([two, one], [True, True]))) == 0


def test_a_rule_that_does_not_fire_changes_nothing():
    assert answered([rule(when=["x"], effect="force")], [False]) == [0.6, 0.3, 0.1]


def test_when_all_labels_with_evidence_are_forbidden_other_is_left():
    forbidden = [rule(name, when=["x"], effect="forbid", label=name) for name in ("disks", "audio")]
    assert answered(forbidden, [True, True], (0.6, 0.4, 0.0)) == [0, 0, 1]


def test_rules_look_at_the_messages_of_whom_they_name():
    said = pa.table({"text": ["Call My Boss", "call my boss", "call"], "role": ["user", "agent", "user"]})
    book = RuleBook([rule(when=["my boss"], who="customer", effect="force"), rule("b", regex="BOSS$", effect="force")])
    assert book.find(said, split_words(said["text"])).tolist() == [[True, True], [False, True], [False, False]]


@pytest.mark.timeout(60)
def test_a_regular_expression_takes_linear_time():
    """An engine that backtracks takes longer than the universe is old, and is stopped by the timeout."""
    book = RuleBook([rule(regex="(a+)+$b", effect="force")])

    def seconds(characters: int) -> float:
        said = pa.table({"text": ["a" * characters], "role": ["user"]})
        words = split_words(said["text"])
        started = time.process_time()
        assert not book.find(said, words).any()
        return time.process_time() - started

    seconds(1000)  # compiles the expression
    assert seconds(1_000_000) < 10  # linear time is a hundredth of a second; quadratic time is many minutes


def test_a_forced_topic_reaches_messages_and_conversations_and_its_reason_names_the_rule(
    engine_with: Callable[..., InsightEngine], build_messages: Build
):
    engine = engine_with({"kind": "topic", "label": "audio", "regex": r"\bfstab\b", "effect": "force"})
    messages = build_messages([("c", "user", QUESTION), ("d", "user", "how do i mount a disk?")])
    insights = engine.label_messages(messages, engine.embed_messages(messages)).to_pylist()
    assert insights[0]["topics"][0]["label"] == "audio"
    rows = labelled(engine, messages)
    assert rows["c"]["primary_topic"] == "audio"
    assert rows["d"]["primary_topic"] != "audio"
    [reason] = [reason for reason in reasons_for(rows["c"], "topic") if reason["rule"]]
    assert (reason["rule"], reason["message_id"], reason["words"]) == ("r0", "c-000", ["fstab"])
    assert all(reason["rule"] is None for reason in reasons_for(rows["d"], "topic"))


@pytest.mark.slow
def test_a_change_of_rules_changes_the_version(engine_with: Callable[..., InsightEngine]):
    given = {"kind": "topic", "label": "audio", "when": ["fstab"]}
    assert engine_with({**given, "effect": "force"}).version != engine_with({**given, "effect": "forbid"}).version


@pytest.mark.parametrize(
    ("text", "urgency"),
    [
        ("our production server is down and customers cannot order", "critical"),
        ("please help asap, this is urgent and i have a deadline", "high"),
        ("no rush, just curious whether this is possible", "low"),
        (QUESTION, "normal"),
    ],
)
def test_urgency_is_what_the_customers_words_say(engine: InsightEngine, build_messages: Build, text: str, urgency: str):
    row = labelled(engine, build_messages([("c", "user", text), ("c", "agent", "urgent! it is all lost! asap!")]))["c"]
    assert row["urgency"] == urgency


@pytest.mark.parametrize(
    ("last", "resolution"),
    [
        (("user", "thanks, that worked, it is solved"), "resolved"),
        (("user", "no, it still does not work, same error"), "unresolved"),
    ],
)
def test_resolution_is_read_from_the_ending(
    engine: InsightEngine, build_messages: Build, last: tuple[str, str], resolution: str
):
    turns = [("c", "user", QUESTION), ("c", "agent", "add a line to the file"), ("c", *last)]
    row = labelled(engine, build_messages(turns))["c"]
    assert row["resolution"] == resolution
    assert reasons_for(row, "resolution")[0]["message_id"] == "c-002"


def test_a_question_that_nobody_answered_is_unresolved_and_the_reason_names_the_ending(
    engine: InsightEngine, build_messages: Build
):
    row = labelled(engine, build_messages([("c", "user", QUESTION)]))["c"]
    assert row["resolution"] == "unresolved"
    assert {reason["rule"] for reason in reasons_for(row, "resolution")} >= {"question_left_open", "nobody_answered"}


@pytest.mark.parametrize(("stated", "resolution"), [(True, "resolved"), (False, "unresolved")])
def test_an_outcome_that_the_source_states_goes_before_the_words(
    engine: InsightEngine, build_messages: Build, stated: bool, resolution: str
):
    resolved = pa.table({"conversation_id": ["c"], "resolved": [stated]})
    row = labelled(engine, build_messages([("c", "user", "thanks, that worked")]), resolved)["c"]
    assert (row["resolution"], row["resolution_confidence"]) == (resolution, 1)
    assert reasons_for(row, "resolution") == []


@pytest.mark.parametrize(
    ("fields", "line", "complaint"),
    [
        ({"label": "no_such"}, 8, "no_such is no topic of this taxonomy"),
        ({"regex": "("}, 10, "not a regular expression of RE2"),
        ({"regex": "x*"}, 10, "matches the empty text"),
        ({"when": ["one two three four five"]}, 10, "1 to 4 words"),
        ({"effect": "boost"}, 6, "boost needs a strength"),
        ({"strength": 3}, 6, "force and forbid take none"),
        ({"ending": "unanswered"}, 6, "exactly one of when, regex and ending"),
        ({"label": "other", "effect": "forbid"}, 6, "other cannot be forbidden"),
    ],
)
def test_a_mistake_in_a_rule_is_one_line_with_its_place(
    tmp_path: Path, fields: dict[str, Any], line: int, complaint: str
):
    given = {"name": "a", "kind": "topic", "label": "t", "effect": "force", **fields}
    if not {"when", "regex"} & set(fields):
        given["when"] = ["x"]
    label = "{label: %s, description: d, examples: [e]}"
    path = tmp_path / "t.yaml"
    path.write_text(
        f"topics:\n- {label % 't'}\nintents:\n- {label % 'i'}\nrules:\n"
        + "\n".join(("- " if n == 0 else "  ") + f"{name}: {value!r}" for n, (name, value) in enumerate(given.items()))
    )
    with pytest.raises(TaxonomyError) as error:
        load_taxonomy(path)
    [said] = str(error.value).splitlines()
    assert complaint in said
    assert said.startswith(f"{path}:{line}: rules.0"), said


def test_an_expression_that_cannot_stand_within_another_is_refused(tmp_path: Path):
    path = tmp_path / "t.yaml"
    label = "{label: %s, description: d, examples: [e]}"
    rule = r"{name: a, kind: topic, label: t, effect: force, regex: '\Qopen'}"
    path.write_text(f"topics:\n- {label % 't'}\nintents:\n- {label % 'i'}\nrules:\n- {rule}\n")
    with pytest.raises(TaxonomyError, match=r"t\.yaml:6: rules\.0.*not a regular expression of RE2"):
        load_taxonomy(path)


def test_a_taxonomy_without_the_newer_sections_gets_the_shipped_urgencies_and_resolutions(tmp_path: Path):
    path = tmp_path / "old.yaml"
    label = "{label: %s, description: d, examples: [e]}"
    path.write_text(f"topics:\n- {label % 't'}\nintents:\n- {label % 'i'}\n")
    content, shipped = load_taxonomy(path), load_taxonomy()
    assert (content.urgencies, content.resolutions) == (shipped.urgencies, shipped.resolutions)
    assert {rule.kind for rule in content.rules} == {"sentiment", "urgency", "resolution"}
