"""Results of words that are kept from block to block."""

from analytics_platform.system.word_cache import WordCache


def test_a_word_is_computed_once_and_results_keep_their_order() -> None:
    """Each block would tokenize the words of the block before again."""
    asked: list[str] = []

    def sizes(words: list[str]) -> list[int]:
        asked.extend(words)
        return [len(word) for word in words]

    cache = WordCache(sizes)

    assert cache.results(["one", "three", "one"]) == [3, 5, 3]
    assert cache.results(["seven7", "three"]) == [6, 5]
    assert cache.results([]) == []
    assert asked == ["one", "three", "seven7"]


def test_cache_keeps_no_more_than_its_most_words() -> None:
    """A process that reads texts for months would keep every word of them."""
    rounds: list[int] = []

    def sizes(words: list[str]) -> list[int]:
        rounds.append(len(words))
        return [len(word) for word in words]

    cache = WordCache(sizes, most=2)

    assert cache.results(["a", "bb", "ccc"]) == [1, 2, 3]
    assert cache.results(["a", "bb", "ccc", "dddd"]) == [1, 2, 3, 4]
    assert cache.results(["a", "bb", "ccc", "dddd"]) == [1, 2, 3, 4]
    assert rounds == [3, 2, 2]
