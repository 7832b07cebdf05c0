"""The sentence that stands for a discovered topic."""

from __future__ import annotations

import pytest

from analytics_platform.insights.topics.topic_sentence import LONGEST, OPENINGS, choose_sentence, keep_openings


@pytest.mark.parametrize(
    ("name", "openings", "sentence"),
    [
        ("seat, window", ["Hello there! I want a window seat.", "Window seat please, now"], "I want a window seat."),
        ("seat, window", ["My seat is broken", "I want a window seat"], "I want a window seat"),
        ("座位", ["您好。我想要一个靠窗的座位,可以帮我换一下吗?谢谢"], "我想要一个靠窗的座位,可以帮我换一下吗?"),
        ("refund", ["refund\n please send the money back "], "refund please send the money back"),
        ("refund", ["refund"], "refund"),
        ("refund", ["", "  "], ""),
        ("refund", [], ""),
        ("refund", ["money " * 60], f"{('money ' * 60)[: LONGEST - 1].rstrip()}…"),
    ],
)
def test_it_has_most_terms_and_is_said_by_the_most_central_conversation(name, openings, sentence):
    found = choose_sentence(name, keep_openings(openings))
    assert found == sentence
    assert len(found) <= LONGEST


def test_a_cut_sentence_is_chosen_only_if_there_is_no_whole_one():
    cut = f"My seat is broken. {'a window seat, please ' * 10}"
    assert choose_sentence("window seat", keep_openings([cut])) == "My seat is broken."


def test_ten_openings_with_words_are_kept_each_on_a_short_line():
    kept = keep_openings(["", " \n", *(f"opening\n\t{number} {'long ' * number * 10}" for number in range(20))])
    assert len(kept) == OPENINGS
    assert kept[0] == "opening 0"
    assert max(map(len, kept)) == LONGEST
    assert not any("\n" in one or "\t" in one for one in kept)
