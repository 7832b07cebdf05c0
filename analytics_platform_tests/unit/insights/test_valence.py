from __future__ import annotations

import pytest

from analytics_platform.insights.encoders.valence import measure_valence
from analytics_platform.insights.encoders.words import split_words


def valence(*texts: str) -> list[float]:
    return [float(value) for value in measure_valence(split_words(texts))]


def test_good_words_are_positive_bad_ones_negative_and_others_nothing() -> None:
    good, bad, neither, empty = valence("a great phone", "a terrible phone", "a phone", "")
    assert good > 0 > bad
    assert neither == empty == 0


def test_a_negation_turns_the_word_that_it_reaches_and_none_of_another_text() -> None:
    turned, reached, out_of_reach = valence("not good", "it is not very good", "not that this one here is good")
    assert max(turned, reached) < 0 < out_of_reach
    assert valence("this is not", "good") == [0, valence("good")[0]]


def test_degree_makes_a_word_stronger_or_weaker() -> None:
    weaker, plain, stronger = valence("slightly bad", "bad", "extremely bad")
    assert stronger < plain < weaker < 0


def test_what_follows_but_counts_more_than_what_precedes_it() -> None:
    bad_end, good_end = valence("great phone but terrible battery", "terrible battery but great phone")
    assert bad_end < good_end


def test_emoticons_speak() -> None:
    happy, sad = valence("well :)", "well :(")
    assert happy > 0 > sad


@pytest.mark.parametrize("texts", [[], [""], ["", "good", ""]])
def test_texts_without_words_are_no_trouble(texts: list[str]) -> None:
    assert len(valence(*texts)) == len(texts)
