"""Discovered topics on the terminal, and as a label."""

from __future__ import annotations

import pytest
import yaml

from analytics_platform.cli.console import topic_lines
from analytics_platform.operations.discovering.topic_label import TopicLabelError, label_file
from analytics_platform.operations.discovering.topic_list import ListedTopic


def topic(name: str = "Seat changes, Ärger", status: str = "in use", *examples: str) -> ListedTopic:
    return ListedTopic("t-1", name, "I want another\nseat.", "p-1", "flights", 1234, "2026-11-30", status, examples)


def test_a_topic_is_a_line_with_its_sentence_and_its_examples_below() -> None:
    listed = [topic("seats", "in use", "where can\nI sit", "x" * 200), topic("old", "dead")]
    lines = list(topic_lines(listed))
    assert lines[0] == " 1,234  t-1  seats  [flights]"
    assert lines[1].strip() == "I want another seat."
    assert lines[2].strip() == "“where can I sit”"
    assert lines[3].strip() == f"“{'x' * 99}…”"
    assert lines[4].endswith("(dead)")
    assert lines[-1] == "2 topics, with their numbers of conversations in the 28 days before the last epoch"


def test_a_label_has_a_valid_name_and_each_opening_once() -> None:
    content = yaml.safe_load(
        label_file(topic("Seat changes, Ärger", "in use", "where: can I\nsit", "where: can I sit"), None)
    )
    [label] = content["topics"]
    assert label["label"] == "seat_changes_arger"
    assert label["examples"] == ["where: can I sit"]
    assert yaml.safe_load(label_file(topic("訂單", "in use", "x"), None))["topics"][0]["label"] == "t_1"
    assert yaml.safe_load(label_file(topic("seats", "in use", "x"), "mine"))["topics"][0]["label"] == "mine"


def test_greetings_and_thanks_teach_a_label_nothing() -> None:
    openings = (
        "Hi! I need to change my seat, thanks",
        "hello guys",
        "Guten Tag, mein Sitz ist kaputt. Vielen Dank!",
        "你好，我想换座位",
        "no thanks to the new seat map I cannot choose a window",
    )
    [label] = yaml.safe_load(label_file(topic("seats", "in use", *openings), None))["topics"]
    assert label["examples"] == [
        "I need to change my seat",
        "mein Sitz ist kaputt.",
        "我想换座位",
        "no thanks to the new seat map I cannot choose a window",
    ]
    with pytest.raises(TopicLabelError, match="t-1: its conversations begin with greetings and thanks alone"):
        label_file(topic("guys", "in use", "hello guys", "good morning everyone!", "thx"), None)


def test_the_kept_parts_of_an_opening_are_joined_as_they_were_written() -> None:
    """Clauses in Chinese and Japanese were joined by a blank, which no writer puts there."""
    openings = ("你好，我想换到靠窗的座位。现在还可以换座位吗？", "Hi! My seat is broken.  Who mends it?")
    [label] = yaml.safe_load(label_file(topic("seats", "in use", *openings), None))["topics"]
    assert label["examples"] == ["我想换到靠窗的座位。现在还可以换座位吗？", "My seat is broken. Who mends it?"]


def test_a_topic_without_stored_messages_is_no_label() -> None:
    with pytest.raises(TopicLabelError, match="t-1: the messages"):
        label_file(topic(), None)
