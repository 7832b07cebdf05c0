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
from pyarrow import csv

from analytics_platform.insights.encoders.words import Words
from analytics_platform.insights.tiers.tier import Floats

_LIST_PATH = Path(__file__).parents[1] / "data" / "valence.tsv"

# VADER's own constants (C. Hutto and E. Gilbert, 2014).
_NEGATED = -0.74
_REACH = 3
"""How many words a negation reaches over."""
_BEFORE_BUT, _AFTER_BUT = 0.5, 1.5
_NORMALIZER = 15.0


def measure_valence(words: Words) -> Floats:
    """Return how good (1) or bad (-1) each text's words are; 0 where none is in the list; shape (texts,)."""
    valence = _look_up(words, "valence")
    places = np.flatnonzero(valence)
    text, valence = words.text_of[places], valence[places]
    degree = _before(words, places, _look_up(words, "degree"), 1)
    valence = valence + np.sign(valence) * degree
    negations = _look_up(words, "negation")
    negated = np.any([_before(words, places, negations, step) for step in range(1, _REACH + 1)], axis=0)
    valence = np.where(negated, valence * _NEGATED, valence) * _weigh_contrast(words, places, text)
    total = np.bincount(text, valence, len(words))
    return np.asarray(total / np.sqrt(total * total + _NORMALIZER))


def _look_up(words: Words, role: str) -> Floats:
    """Return the list's value of each word said, 0 for those that are not in it; shape (words,)."""
    names, values = _lists()[role]
    place = pc.fill_null(pc.index_in(words.vocabulary, value_set=names), -1).to_numpy(zero_copy_only=False)
    return np.asarray(values[place][words.codes])


def _before(words: Words, places: np.ndarray, values: Floats, step: int) -> Floats:
    """Return the value of the word that stands ``step`` words before each place in the same text, else 0."""
    earlier = places - step
    inside = earlier >= words.offsets[words.text_of[places]]
    return np.where(inside, values[np.maximum(earlier, 0)] if len(values) else 0.0, 0.0)


def _weigh_contrast(words: Words, places: np.ndarray, text: np.ndarray) -> Floats:
    """Weigh what stands before a text's last «but» less than what follows it."""
    is_but = pc.equal(words.vocabulary, "but").to_numpy(zero_copy_only=False)
    buts = np.flatnonzero(is_but[words.codes])
    last = np.full(len(words), -1)
    last[words.text_of[buts]] = buts
    return np.where(last[text] < 0, 1.0, np.where(places < last[text], _BEFORE_BUT, _AFTER_BUT))


@lru_cache(maxsize=1)
def _lists() -> dict[str, tuple[pa.Array, Floats]]:
    """Return words and values by role; a last value of 0, which no word has, stands for «not in the list»."""
    table = csv.read_csv(_LIST_PATH, parse_options=csv.ParseOptions(delimiter="\t"))
    lists = {}
    for role in ("valence", "degree", "negation"):
        rows = table.filter(pc.equal(table["role"], role))
        lists[role] = (rows["word"].combine_chunks(), np.append(rows["value"].to_numpy(), 0.0))
    return lists
