"""Names of topics from the words of their most central texts.

Terms are scored by class-based TF-IDF; a term that repeats a word of a better one is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from numpy.typing import NDArray

from analytics_platform.insights.encoders.words import HAPPY, SAD, Words, split_words
from analytics_platform.insights.reasons.function_words import MARKS, Languages
from analytics_platform.insights.tiers.tier import Floats, Ints

TEXTS_PER_TOPIC = 200
"""Most texts of a topic that are read for its name, the most central first."""
_LONGEST_TERM = 3
_TERMS = 3
_LENGTH_BONUS = 0.6
"""What each further word of a term adds to its score, as a share: phrases say more than words, but are rarer."""
_LEAST_SCORE = 0.4
"""Least score of a further term, as a share of the first term's."""
_CANDIDATES = 50
_LEAST_SHARES = (0.1, 0.12, 0.15)
"""Least share of a topic's texts that have a term of one, two and three words; a rarer term says too little of them."""
_LEAST_TEXTS = 3
"""Least texts with a term, where the topic has as many: a customer who asks twice is no term."""
_LONGEST_NAME = 60
_NUMBER = r"^[\d']+$|\d\p{L}+\d"
"""A number, or letters between digits, such as the code of a booking."""
_CODE = r"\p{L}.*\d|\d.*\p{L}|(\d.*){5}"
"""A word that may be a code, or the name of a thing, such as mp3."""
_LEAST_WITH_CODE = 5, 0.2
"""Least number and share of a topic's texts with such a word: a name of a thing is shared, a code is one customer's."""
_ENGLISH_CHAT = (
    "ask want tell know need anyone anybody got get hi hello hey help please thanks like going using try problem x brb "
    "ok yes no"
)
"""Words of requests and chats in English; a term of them alone says nothing of the matter."""
_WITHOUT_WORDS = "numbers"
"""Name of a topic whose most central text has digits in every word."""
_STEM = 4
"""First letters by which two words count as forms of one word."""


@dataclass(frozen=True)
class _Terms:
    """Terms of texts.

    Attributes:
        words: The words of each term.
        shares: Share of a topic's texts that have the term; sparse, shape (topics, terms).
    """

    words: list[tuple[str, ...]]
    shares: sp.csr_matrix


def name_topics(texts: Sequence[str], topics: Ints, count: int) -> list[str]:
    """Return a name for each topic: up to three terms of one to three words.

    Args:
        texts: Texts of the topics, the most central of each topic first.
        topics: Number of each text's topic; shape (texts,).
        count: Number of topics.

    Returns:
        One name for each topic. A topic without a term has its most central text, cut and without words that have
        digits; no two names are equal.
    """
    terms = _find_terms(split_words(texts), topics, count)
    first = {int(topic): texts[place] for place, topic in reversed(list(enumerate(topics)))}
    sizes = np.bincount(topics, minlength=count)
    frequency = np.asarray(terms.shares.sum(axis=0)).ravel()
    rarity = np.log((count + 1) / (frequency + 0.5))
    names: list[str] = []
    for topic in range(count):
        row = terms.shares[topic]
        least = np.array([_LEAST_SHARES[len(terms.words[term]) - 1] for term in row.indices])
        enough = row.data >= np.maximum(least, min(_LEAST_TEXTS, sizes[topic]) / max(sizes[topic], 1)) - 1e-9
        candidates = row.indices[enough]
        bonus = 1 + _LENGTH_BONUS * np.array([len(terms.words[term]) - 1 for term in candidates])
        scores = row.data[enough] * np.maximum(rarity[candidates], 1e-3) * bonus
        chosen, needed = _choose([terms.words[term] for term in candidates], scores)
        joined = [", ".join(chosen[:size]) for size in range(needed, len(chosen) + 1) if size]
        names.append(_first_free([*joined, _cut(first.get(topic, ""))], names))
    return names


def _find_terms(words: Words, topics: Ints, count: int) -> _Terms:
    """Return the terms that begin and end with a word of content, and how common they are in each topic.

    A term has a word that is no chat, and no number or rare code.
    """
    languages = Languages.of(words)
    text = words.text_of
    is_content = languages.explains(text, words.codes)
    vocabulary = words.vocabulary
    usable = _usable(words, topics, count)
    is_content &= usable
    chat = pc.is_in(vocabulary, pa.array(_ENGLISH_CHAT.split())).to_numpy(zero_copy_only=False)
    says = is_content & ~(chat[words.codes] & (languages.of_text == 0)[text])  # English is the first language
    size = len(vocabulary) + 1
    spans: list[Ints] = []
    owners: list[Ints] = []
    for length in range(1, _LONGEST_TERM + 1):
        starts = np.arange(len(words.codes) - length + 1)
        ends = starts + length - 1
        fit = (text[starts] == text[ends]) & is_content[starts] & is_content[ends]
        fit &= np.any([says[starts + step] for step in range(length)], axis=0)
        if length == _LONGEST_TERM:
            fit &= usable[starts + 1]
        keys = np.zeros(int(fit.sum()), np.int64)
        for step in range(length):
            keys = keys * size + words.codes[starts[fit] + step] + 1
        spans.append(keys)
        owners.append(text[starts[fit]])
    pairs = np.unique(np.column_stack([np.concatenate(owners), np.concatenate(spans)]), axis=0)
    keys, places = np.unique(pairs[:, 1], return_inverse=True)
    sizes = np.maximum(np.bincount(topics, minlength=count), 1)
    owner = topics[pairs[:, 0]]
    shares = sp.csr_matrix((1 / sizes[owner], (owner, places)), shape=(count, len(keys)))
    spelled = vocabulary.to_pylist()
    return _Terms([_spell(int(key), size, spelled) for key in keys], shares)


def _usable(words: Words, topics: Ints, count: int) -> NDArray[np.bool_]:
    """Return whether each word of the texts may be in a term: no mark, no number, no code that few texts have."""
    vocabulary, text, codes = words.vocabulary, words.text_of, words.codes
    unspoken = pc.is_in(vocabulary, pa.array([*MARKS, HAPPY, SAD])).to_numpy(zero_copy_only=False)
    numeric = pc.match_substring_regex(vocabulary, _NUMBER).to_numpy(zero_copy_only=False)
    usable = ~(unspoken | numeric)[codes]
    places = np.flatnonzero(pc.match_substring_regex(vocabulary, _CODE).to_numpy(zero_copy_only=False)[codes])
    size = max(len(vocabulary), 1)
    in_topic = topics[text[places]] * size + codes[places]
    once = np.unique(text[places] * size + codes[places])  # of each text
    shared, texts = np.unique(topics[once // size] * size + once % size, return_counts=True)
    least, share = _LEAST_WITH_CODE
    enough = texts >= np.maximum(least, share * np.bincount(topics, minlength=count)[shared // size])
    usable[places] &= np.isin(in_topic, shared[enough])
    return np.asarray(usable)


def _spell(key: int, size: int, vocabulary: list[str]) -> tuple[str, ...]:
    words: list[str] = []
    while key:
        key, code = divmod(key, size)
        words.append(vocabulary[code - 1])
    return tuple(reversed(words))


def _choose(terms: list[tuple[str, ...]], scores: Floats) -> tuple[list[str], int]:
    """Return the best terms that repeat no word of a better one, the best first, and how many of them make the name.

    The further ones tell a topic from another one of the same name.
    """
    order = sorted(range(len(terms)), key=lambda place: (-round(float(scores[place]), 9), terms[place]))
    chosen: list[int] = []
    used: set[str] = set()
    for place in order[:_CANDIDATES]:
        stems = {word[:_STEM] for word in terms[place]}
        if not stems & used:
            chosen.append(place)
            used |= stems
    near = [place for place in chosen[:_TERMS] if scores[place] >= _LEAST_SCORE * scores[order[0]]]
    return [" ".join(terms[place]) for place in chosen], len(near)


def _first_free(names: list[str], taken: list[str]) -> str:
    """Return the first name that is not taken; with a number if all are."""
    numbered = (f"{names[0]} ({number})" for number in range(2, len(taken) + 3))
    return next(name for name in (*names, *numbered) if name not in taken)


def _cut(text: str) -> str:
    """Return the beginning of a text, without the words that have digits."""
    short = " ".join(word for word in text.split() if not any(map(str.isdigit, word))) or _WITHOUT_WORDS
    return short if len(short) <= _LONGEST_NAME else f"{short[: _LONGEST_NAME - 1]}…"
