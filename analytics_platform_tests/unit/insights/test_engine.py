from __future__ import annotations

import csv
import datetime as dt
import json
import random
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from analytics_platform.insights.engine import InsightEngine, build_engine
from analytics_platform.insights.llm.results import SILENT
from analytics_platform.insights.taxonomies.taxonomy import DEFAULT_PATH, OTHER
from analytics_platform.insights.tiers.examples import as_messages, shipped_gold
from analytics_platform.insights.tiers.tier import Kind, TierError, choose
from analytics_platform.model.tables.insight_tables import CONVERSATION_INSIGHTS, MESSAGE_EMBEDDINGS, MESSAGE_INSIGHTS
from analytics_platform.model.validation import find_violations

Label = Callable[[pa.Table], tuple[pa.Table, pa.Table, pa.Table]]

GOLD = Path(__file__).parents[3] / "training" / "gold"


def by_id(table: pa.Table, column: str) -> dict[str, dict[str, Any]]:
    return {row[column]: row for row in table.to_pylist()}


@pytest.fixture(scope="module")
def conversations(label: Label, messages: pa.Table) -> dict[str, dict[str, Any]]:
    return by_id(label(messages)[2], "conversation_id")


def test_every_table_satisfies_its_declaration(label: Label, messages: pa.Table) -> None:
    declared = (MESSAGE_EMBEDDINGS, MESSAGE_INSIGHTS, CONVERSATION_INSIGHTS)
    for table, made in zip(declared, label(messages), strict=True):
        assert find_violations(table, made) == []


def test_only_messages_with_text_by_people_or_assistants_are_embedded(label: Label, messages: pa.Table) -> None:
    embeddings, insights, _ = label(messages)
    ids = embeddings["message_id"].to_pylist()
    assert len(ids) == messages.num_rows - 2
    assert not {"silent-000", "silent-001"} & set(ids)
    assert insights["message_id"].to_pylist() == ids


def test_there_is_one_row_per_conversation_also_without_text(conversations: dict[str, Any]) -> None:
    assert set(conversations) == {"boot", "howto", "flight", "angry", "silent", "agent_only", "symbols"}
    silent = conversations["silent"]
    assert (silent["primary_topic"], silent["intent"], silent["sentiment"]) == ("other", "other", 0.0)
    assert (silent["confidence"], silent["topics"], silent["reasons"]) == (0.0, [], [])


def test_a_conversation_without_text_is_labelled_alike_by_the_llm_tier(conversations: dict[str, Any]) -> None:
    silent = conversations["silent"]
    shared = SILENT.keys() & silent.keys()
    assert {"topics", "intent", "urgency", "urgency_confidence", "resolution"} <= shared
    assert {name: silent[name] for name in shared} == {name: SILENT[name] for name in shared}


def test_labels_say_what_the_customer_wanted(conversations: dict[str, Any]) -> None:
    assert conversations["boot"]["primary_topic"] == "disks_boot"
    assert conversations["boot"]["intent"] == "report_problem"
    assert conversations["howto"]["intent"] == "ask_how_to"
    assert conversations["flight"]["primary_topic"] == "flight_cancellation"
    assert conversations["flight"]["intent"] == "request_action"


def test_the_primary_topic_is_the_most_confident_one(conversations: dict[str, Any]) -> None:
    for row in conversations.values():
        confidence = [topic["confidence"] for topic in row["topics"]]
        assert confidence == sorted(confidence, reverse=True)
        if row["primary_topic"] != "other":
            assert row["topics"][0]["label"] == row["primary_topic"]


def test_words_without_meaning_are_other(conversations: dict[str, Any]) -> None:
    assert conversations["symbols"]["primary_topic"] == "other"


def test_sentiment_is_the_customers_and_its_ending_weighs_most(
    label: Label, build_messages: Callable[..., pa.Table], conversations: dict[str, Any]
) -> None:
    assert conversations["angry"]["sentiment"] < -0.25
    assert conversations["boot"]["sentiment"] > 0.1
    turned = [("c", "user", "this is terrible, i am so disappointed"), ("c", "user", "thank you, great help!")]
    rows = [
        *turned,
        *(("d", role, text) for _, role, text in reversed(turned)),
        ("e", "user", "is it open today?"),
        ("e", "agent", "this is terrible, i am so disappointed"),
    ]
    labelled = by_id(label(build_messages(rows))[2], "conversation_id")
    assert labelled["c"]["sentiment"] > labelled["d"]["sentiment"]
    assert abs(labelled["e"]["sentiment"]) < 0.25


@pytest.mark.parametrize(
    "text",
    [
        "how do i mount a cdrom?",
        "where is the config file of apache?",
        "which package provides this library?",
        "what is the command to list files?",
        "how can i change the resolution",
    ],
)
def test_neutral_technical_questions_are_not_negative(
    label: Label, build_messages: Callable[..., pa.Table], text: str
) -> None:
    (row,) = label(build_messages([("c", "user", text)]))[1].to_pylist()
    assert -0.2 < row["sentiment"] < 0.2


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("hey bob HELP", "request_help"),
        ("hello everyone, can you help me with the new beta", "request_help"),
        ("hello, how to completely remove gnome and keep only xfce?", "ask_how_to"),
        ("i have a sata disk, how do i determine the heat of it?", "ask_how_to"),
        ("how can i install mysql?", "ask_how_to"),
        ("can anyone tell me if it is ok to install it on an old computer ?", "ask_information"),
        ("is there a way that you can watch this with mplayer and could you tell me which codec?", "ask_information"),
        ("!xorg", "ask_information"),
        ("!usb pen drives", "ask_information"),
        ("i am trying to install ubuntu and its hanging at 15%", "report_problem"),
        ('i get "could not calculate the upgrade" when i use the wizard', "report_problem"),
        ("hello", "greet"),
        ("ok, i see", "confirm"),
        ("my user id is mia_li_3668", "provide_information"),
    ],
)
def test_a_greeting_a_yes_or_a_detail_does_not_hide_what_is_asked(
    label: Label, build_messages: Callable[..., pa.Table], text: str, intent: str
) -> None:
    _, messages, conversations = label(build_messages([("c", "user", text)]))
    assert (messages["intent"][0].as_py(), conversations["intent"][0].as_py()) == (intent, intent)


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("does anyone know if there will be a dvd release?", "installation_upgrade"),
        ("can i update from breezy to dapper somehow?", "installation_upgrade"),
        ("which nvidia drivers are for kernel 2.6.15 ?", "graphics_display"),
        ("hello guys", "other"),
        ("hi back again", "other"),
    ],
)
def test_a_word_in_common_does_not_decide_the_topic(
    label: Label, build_messages: Callable[..., pa.Table], text: str, topic: str
) -> None:
    assert label(build_messages([("c", "user", text)]))[2]["primary_topic"].to_pylist() == [topic]


def test_polite_words_do_not_drown_trouble_and_single_words_say_little(
    label: Label, build_messages: Callable[..., pa.Table]
) -> None:
    rows = [
        ("trouble", "user", "i am really upset, my flight was delayed and i missed a meeting"),
        ("trouble", "agent", "there is nothing that i can do"),
        ("trouble", "user", "i see. thank you for your help"),
        ("asked", "user", "what is the site of the wiki?"),
        ("asked", "agent", "wiki.example.org"),
        ("asked", "user", "thanks"),
        *((word, "user", word) for word in ("hmm", "hey", "!bug")),
        ("polite", "user", "that is perfect, thank you so much for your help!"),
        ("glad", "user", "wow, it works perfectly now, you saved my day!"),
    ]
    made = by_id(label(build_messages(rows))[2], "conversation_id")
    said = {name: row["sentiment"] for name, row in made.items()}
    assert said.pop("glad") > 0.7
    assert said.pop("trouble") < 0.25
    assert max(map(abs, said.values())) < 0.35


@pytest.mark.xfail(strict=True, reason="-0.001, named in evaluation.md: manners cost the praise beside them")
def test_praise_of_a_solution_is_a_feeling(label: Label, build_messages: Callable[..., pa.Table]) -> None:
    """Manners are neutral, but thanks that praise how it went are about the matter."""
    rows = [
        ("c", "user", "grub does not boot after i resized my windows partition"),
        ("c", "assistant", "boot the live cd and reinstall grub"),
        ("c", "user", "thanks, that worked great!"),
    ]
    assert label(build_messages(rows))[2]["sentiment"][0].as_py() > 0.25


def test_reasons_point_at_the_message_and_its_words(conversations: dict[str, Any]) -> None:
    reasons = {reason["kind"]: reason for reason in conversations["boot"]["reasons"]}
    assert list(reasons) == ["topic", "intent", "sentiment", "urgency", "resolution"]
    assert reasons["topic"]["message_id"] == "boot-001"
    assert {"grub", "partition"} <= set(reasons["topic"]["words"])
    assert reasons["sentiment"]["message_id"] == "boot-003"
    assert all(reason["weight"] > 0 for reason in reasons.values())


def test_a_word_of_any_length_is_quoted_by_its_beginning(label: Label, build_messages: Callable[..., pa.Table]) -> None:
    (row,) = label(build_messages([("c", "user", f"how do i repartition{'n' * 100_000} my partition")]))[2].to_pylist()
    quoted = {word for reason in row["reasons"] for word in reason["words"]}
    assert "partition" in quoted
    assert max(map(len, quoted)) == 64


@pytest.mark.parametrize("kind", ["topic", "intent"])
def test_confidence_in_the_samples_conversations_is_near_the_share_that_is_right(
    engine: InsightEngine, kind: Kind
) -> None:
    gold = shipped_gold()
    ids, documents = engine.conversation_documents(as_messages(gold))
    items = gold.filter(pc.equal(gold["kind"], kind))
    answer = engine.tier.classify(kind, documents[kind])
    confidence = answer.confidence[pc.index_in(items["item"], value_set=ids).to_numpy()]
    chosen = choose(confidence, answer.labels.index(OTHER))
    right = np.array(answer.labels)[chosen] == items["label"].to_pylist()
    assert confidence[np.arange(len(chosen)), chosen].mean() == pytest.approx(right.mean(), abs=0.08)


def as_conversations(read: list[dict[str, Any]]) -> pa.Table:
    said = [(one["id"], position, message) for one in read for position, message in enumerate(one["messages"])]
    return pa.Table.from_pylist(
        [
            {
                "date": dt.date(2026, 1, 1),
                "conversation_id": name,
                "message_id": f"{name}/{position}",
                "position": position,
                "role": message["role"],
                "text": message["text"],
            }
            for name, position, message in said
        ]
    )


@pytest.mark.slow  # builds two engines
@pytest.mark.parametrize("kind", ["topic", "intent"])
def test_confidence_in_conversations_is_near_the_share_that_is_right(kind: Kind) -> None:
    """Confidence that examples alone calibrate said 0.81 where 0.59 were right."""
    read = [json.loads(line) for line in (GOLD / "conversations.jsonl").read_text(encoding="utf-8").splitlines()]
    with (GOLD / "gold.csv").open(encoding="utf-8") as file:
        truth = {row["id"]: row[kind] for row in csv.DictReader(file)}
    right, sure = [], []
    for pack in ("general", "llm_assistant"):
        engine, some = build_engine(taxonomy_path=(pack,)), [one for one in read if one["pack"] == pack]
        ids, documents = engine.conversation_documents(as_conversations(some))
        answer = engine.tier.classify(kind, documents[kind])
        chosen = choose(answer.confidence, answer.labels.index(OTHER))
        right += [answer.labels[column] == truth[name] for column, name in zip(chosen, ids.to_pylist(), strict=True)]
        sure += answer.confidence[np.arange(len(chosen)), chosen].tolist()
    assert len(right) == 150
    assert np.mean(sure) == pytest.approx(np.mean(right), abs=0.08)


def test_leaving_out_the_words_of_a_reason_lowers_the_confidence(
    label: Label, build_messages: Callable[..., pa.Table], conversations: dict[str, Any]
) -> None:
    text = "grub does not boot after i resized my windows partition"
    (reason,) = [r for r in conversations["boot"]["reasons"] if r["kind"] == "topic"]
    without = " ".join(word for word in text.split() if word not in reason["words"])
    full, less = (label(build_messages([("c", "user", t)]))[2].to_pylist()[0] for t in (text, without))
    confidence = {topic["label"]: topic["confidence"] for topic in less["topics"]}
    assert confidence.get("disks_boot", 0) < full["topics"][0]["confidence"] - 0.3


def test_other_has_no_reason(conversations: dict[str, Any]) -> None:
    for row in conversations.values():
        assert all(reason["label"] != "other" for reason in row["reasons"])


def test_a_message_gets_the_same_row_in_any_batch(label: Label, messages: pa.Table) -> None:
    _, insights, conversations = label(messages)
    for name in set(messages["conversation_id"].to_pylist()):
        alone = label(messages.filter(pc.equal(messages["conversation_id"], name)))
        assert alone[1].equals(insights.filter(pc.equal(insights["conversation_id"], name)))
        assert alone[2].equals(conversations.filter(pc.equal(conversations["conversation_id"], name)))


def test_order_of_rows_threads_and_repetition_change_nothing(label: Label, messages: pa.Table) -> None:
    expected = label(messages)
    order = list(range(messages.num_rows))
    random.Random(7).shuffle(order)
    with ThreadPoolExecutor(4) as pool:
        for made in pool.map(label, [messages, messages.take(order)] * 3):
            assert all(one.equals(other) for one, other in zip(made, expected, strict=True))


def test_a_day_without_messages_gives_empty_tables(label: Label, messages: pa.Table) -> None:
    for made in label(messages.slice(0, 0)):
        assert made.num_rows == 0


def test_embeddings_of_other_messages_are_refused(engine: InsightEngine, messages: pa.Table) -> None:
    embeddings = engine.embed_messages(messages)
    with pytest.raises(ValueError, match=r"not among those given, e\.g\. 'agent_only-000'"):
        engine.label_messages(messages.filter(pc.not_equal(messages["conversation_id"], "agent_only")), embeddings)


@pytest.mark.parametrize(
    "text", ["x" * 1_000_000, "\u202eשלום עולם", "\x00\x01\x02", "👍" * 50, "?" * 5000, "नमस्ते दुनिया", "word " * 50_000]
)
def test_odd_texts_get_a_row(label: Label, build_messages: Callable[..., pa.Table], text: str) -> None:
    made = label(build_messages([("c", "user", text)]))
    assert find_violations(CONVERSATION_INSIGHTS, made[2]) == []
    assert made[2].num_rows == 1


def test_the_engine_is_built_once_per_process_and_says_where_it_runs(engine: InsightEngine) -> None:
    assert build_engine() is engine
    assert engine.device == "cpu"
    assert engine.tier.name == "static"


@pytest.mark.slow
def test_the_version_follows_the_taxonomy(engine: InsightEngine, tmp_path: Path) -> None:
    path = tmp_path / "labels.yaml"
    path.write_text(DEFAULT_PATH.read_text(encoding="utf-8"), encoding="utf-8")
    assert build_engine(taxonomy_path=path).version == engine.version
    other = tmp_path / "others.yaml"
    other.write_text(path.read_text(encoding="utf-8").replace("label: audio", "label: sound"), encoding="utf-8")
    assert build_engine(taxonomy_path=other).version != engine.version


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tier": "magic"}, "tier 'magic' is unknown"),
        ({"tier": "llm"}, "tables of its own, beside this engine's: set ANALYTICS_LLM_MODEL"),
        ({"device": "tpu"}, "device 'tpu' is unknown"),
    ],
)
def test_what_cannot_be_had_is_refused_in_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TierError, match=message):
        build_engine(**arguments)


def test_a_gpu_that_is_not_there_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)  # importing it raises, as without the extra
    with pytest.raises(TierError, match="device gpu: no GPU can be used"):
        build_engine(device="gpu")
