"""The sentence that stands for a discovered topic."""

from __future__ import annotations

import pytest

from analytics_platform.insights.topics.topic_sentence import LONGEST, choose_sentence


@pytest.mark.parametrize(
    ("name", "openings", "sentence"),
    [
        ("seat, window", ["Hello there! I want a window seat.", "Window seat please, now"], "I want a window seat."),
        ("seat, window", ["My seat is broken", "I want a window seat"], "I want a window seat"),
        ("座位", ["您好。我想要一个靠窗的座位,可以帮我换一下吗?谢谢"], "我想要一个靠窗的座位,可以帮我换一下吗?"),
        ("refund", ["refund\n please send the money back "], "please send the money back"),
        ("refund", ["refund"], "refund"),
        ("refund", ["", "  "], ""),
        ("refund", [], ""),
        ("refund", ["money " * 60], f"{('money ' * 60)[: LONGEST - 1].rstrip()}…"),
    ],
)
def test_it_has_most_terms_and_is_said_by_the_most_central_conversation(name, openings, sentence):
    found = choose_sentence(name, openings)
    assert found == sentence
    assert len(found) <= LONGEST
