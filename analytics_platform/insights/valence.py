"""How good or bad a text's words are by a list of words made by hand: a feature that no training file is needed for.

Belongs here: reading the list (``data/valence.tsv``, from VADER, see ``data/NOTICE``) and the rules of negation,
degree and contrast, computed for all words of all texts at once. Does not belong here: deciding on a label.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.insights.tier import Floats
from analytics_platform.insights.words import Words

_LIST_PATH = Path(__file__).with_name("data") / "valence.tsv"
_FACES = {"happyface": 2.0, "sadface": -2.0}
_NEGATIONS = [
    "not",
    "no",
    "never",
    "none",
    "nobody",
    "nothing",
    "nowhere",
    "neither",
    "nor",
    "cannot",
    "without",
    "hardly",
    "barely",
    "rarely",
    "seldom",
    "lacks",
    "lacking",
    "aint",
    "ain't",
    "arent",
    "aren't",
    "cant",
    "can't",
    "couldnt",
    "couldn't",
    "didnt",
    "didn't",
    "doesnt",
    "doesn't",
    "dont",
    "don't",
    "hadnt",
    "hadn't",
    "hasnt",
    "hasn't",
    "havent",
    "haven't",
    "isnt",
    "isn't",
    "shouldnt",
    "shouldn't",
    "wasnt",
    "wasn't",
    "werent",
    "weren't",
    "wont",
    "won't",
    "wouldnt",
    "wouldn't",
]
_STRONGER = [
    "absolutely",
    "amazingly",
    "awfully",
    "completely",
    "considerably",
    "deeply",
    "enormously",
    "entirely",
    "especially",
    "exceptionally",
    "extremely",
    "fully",
    "greatly",
    "highly",
    "hugely",
    "incredibly",
    "intensely",
    "most",
    "particularly",
    "purely",
    "quite",
    "really",
    "remarkably",
    "so",
    "substantially",
    "thoroughly",
    "total",
    "totally",
    "tremendously",
    "truly",
    "unbelievably",
    "unusually",
    "utterly",
    "very",
]
_WEAKER = [
    "almost",
    "kinda",
    "less",
    "little",
    "marginally",
    "occasionally",
    "partly",
    "scarcely",
    "slightly",
    "somewhat",
    "sorta",
]

# VADER's own constants (C. Hutto and E. Gilbert, 2014).
_NEGATED = -0.74
_DEGREE = 0.293
_REACH = 3
"""How many words a negation reaches over."""
_BEFORE_BUT, _AFTER_BUT = 0.5, 1.5
_NORMALIZER = 15.0


def measure_valence(words: Words) -> Floats:
    """Return how good (1) or bad (-1) each text's words are; 0 where none is in the list; shape (texts,)."""
    values, degrees, flags = _tables()
    known = pc.fill_null(pc.index_in(words.vocabulary, value_set=values[0]), -1).to_numpy(zero_copy_only=False)
    valence = values[1][known][words.codes]
    places = np.flatnonzero(valence)
    text = words.text_of[places]
    valence = valence[places]
    by_degree = pc.fill_null(pc.index_in(words.vocabulary, value_set=degrees[0]), -1).to_numpy(zero_copy_only=False)
    degree = degrees[1][by_degree][words.codes]
    before = np.maximum(places - 1, 0)
    valence = valence + np.sign(valence) * np.where(before >= words.offsets[text], degree[before], 0.0)
    negates = pc.is_in(words.vocabulary, value_set=flags).to_numpy(zero_copy_only=False)[words.codes]
    negated = np.zeros(len(places), bool)
    for step in range(1, _REACH + 1):
        before = places - step
        negated |= (before >= words.offsets[text]) & negates[np.maximum(before, 0)]
    valence = np.where(negated, valence * _NEGATED, valence) * _weigh_contrast(words, places, text)
    total = np.bincount(text, valence, len(words))
    return np.asarray(total / np.sqrt(total * total + _NORMALIZER))


def _weigh_contrast(words: Words, places: np.ndarray, text: np.ndarray) -> Floats:
    """Weigh what stands before a text's last «but» less than what follows it."""
    is_but = pc.equal(words.vocabulary, "but").to_numpy(zero_copy_only=False)
    buts = np.flatnonzero(is_but[words.codes])
    last = np.full(len(words), -1)
    last[words.text_of[buts]] = buts
    return np.where(last[text] < 0, 1.0, np.where(places < last[text], _BEFORE_BUT, _AFTER_BUT))


@lru_cache(maxsize=1)
def _tables() -> tuple[tuple[pa.Array, Floats], tuple[pa.Array, Floats], pa.Array]:
    """Return words with their valence, words of degree with theirs (a last 0 stands for «unknown»), and negations."""
    rows = [line.split("\t") for line in _LIST_PATH.read_text(encoding="utf-8").splitlines()]
    names = pa.array([*(word for word, _ in rows), *_FACES], pa.string())
    values = np.array([*(float(value) for _, value in rows), *_FACES.values(), 0.0])
    degrees = np.array([_DEGREE] * len(_STRONGER) + [-_DEGREE] * len(_WEAKER) + [0.0])
    return (names, values), (pa.array([*_STRONGER, *_WEAKER], pa.string()), degrees), pa.array(_NEGATIONS, pa.string())
