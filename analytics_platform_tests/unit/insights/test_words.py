from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_platform.insights.encoders.words import TermMatcher, normalize, split_words
from analytics_platform_tests.sizes import by_day_or_night


def words_of(text: str) -> list[str]:
    split = split_words([text])
    return split.vocabulary.take(pa.array(split.codes)).to_pylist()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("How do I mount a CD-ROM?", ["how", "do", "i", "mount", "a", "cd", "rom", "?"]),
        ("it doesn't work 'now'", ["it", "doesn't", "work", "now"]),
        ("it doesn\u2019t", ["it", "doesn't"]),
        ("thanks :)", ["thanks", "happyface"]),
        ("see http://example.org/a?b=c please", ["see", "please"]),
        ("!help with that!", ["help", "with", "that", "!"]),
        ("  ", []),
        ("日本語 テキスト", ["日本語", "テキスト"]),
    ],
)
def test_a_text_splits_into_the_words_of_its_normal_form(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@settings(max_examples=by_day_or_night(30, 300), deadline=None)
@given(st.lists(st.text(max_size=30), max_size=4))
def test_texts_split_together_as_they_split_alone(texts: list[str]) -> None:
    together = split_words(texts)
    names = together.vocabulary.to_pylist()
    assert len(together) == len(texts)
    for i, text in enumerate(texts):
        assert [names[c] for c in together.codes[together.offsets[i] : together.offsets[i + 1]]] == words_of(text)


@settings(max_examples=by_day_or_night(50, 500), deadline=None)
@given(st.text(max_size=40))
def test_the_normal_form_of_words_is_itself(text: str) -> None:
    once = " ".join(words_of(text))
    if "'" not in once:  # an apostrophe may come to stand at an edge
        assert " ".join(words_of(once)) == once


def test_null_counts_as_an_empty_text() -> None:
    assert normalize(pa.array([None, "A"])).to_pylist() == ["", "a"]
    assert split_words(pa.chunked_array([["a b"], [None]], pa.string())).lengths.tolist() == [2, 0]


def test_terms_are_found_as_words_phrases_and_beginnings() -> None:
    matcher = TermMatcher(["sound card", "sound", "install*", "how do i", "card"])
    counts = matcher.count(split_words(["How do I install a sound-card? installing cards", "discard sound", ""]))
    assert counts.toarray().tolist() == [[1, 1, 2, 1, 1], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]]


def test_a_phrase_does_not_reach_into_the_next_text() -> None:
    assert TermMatcher(["sound card"]).count(split_words(["no sound", "card"])).nnz == 0


@pytest.mark.parametrize("term", ["", "...", "one two three four five", "two words*"])
def test_a_term_that_cannot_be_searched_is_refused_by_name(term: str) -> None:
    with pytest.raises(ValueError, match=r"term '.*' must have 1 to 4 words"):
        TermMatcher([term])


def test_texts_can_be_taken_in_any_order_and_more_than_once() -> None:
    words = split_words(["a b", "c", "", "b d"]).take(np.array([3, 0, 3, 2]))
    names = words.vocabulary.to_pylist()
    assert [names[code] for code in words.codes] == ["b", "d", "a", "b", "b", "d"]
    assert words.lengths.tolist() == [2, 2, 2, 0]


def test_of_a_text_that_is_taken_as_written_only_words_that_stand_in_it_are_left() -> None:
    words = split_words(["thanks :) a lot", "no \U0001f62d\U0001f62d", ":-(", "no"])
    assert "sadface" in words.vocabulary.to_pylist()
    taken = words.take_written(np.array([1, 0, 2, 3]))
    names = taken.vocabulary.to_pylist()
    assert [names[code] for code in taken.codes] == ["no", "thanks", "a", "lot", "no"]
    assert taken.lengths.tolist() == [1, 3, 0, 1]
    assert sorted(names) == ["a", "lot", "no", "thanks"]


def test_results_of_words_are_computed_once() -> None:
    """Several heads that read the same words would each compute their valence again."""
    words, calls = split_words(["good morning", "good night"]), []

    first, second = (words.remember("sizes", lambda: calls.append(1) or words.lengths.sum()) for _ in range(2))

    assert (first, second, len(calls)) == (4, 4, 1)


def test_selection_of_texts_takes_results_from_its_source() -> None:
    """A selection would encode its words again."""
    words, asked = split_words(["red apple", "green pear", "red pear"]), []

    def sizes(vocabulary: pa.StringArray) -> np.ndarray:
        asked.append(len(vocabulary))
        return pa.compute.utf8_length(vocabulary).to_numpy()

    selection = words.take(np.array([2, 1]))

    assert selection.of_vocabulary("sizes", sizes)[selection.codes].tolist() == [3, 4, 5, 4]
    assert selection.take(np.array([1])).of_vocabulary("sizes", sizes).tolist() == [5, 4]
    assert asked == [4]
    assert words.codes[words.places(np.array([2, 1]))].tolist() == [*words.codes[4:], *words.codes[2:4]]
