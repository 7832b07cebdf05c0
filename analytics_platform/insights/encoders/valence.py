"""The valence of texts: how positive or negative their words are by a hand-made list; it needs no training file.

The list is ``data/valence.tsv`` (from VADER, see ``data/NOTICE``). The rules of negation, degree and contrast are
computed for all words of all texts at once.
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
"""Number of following words that a negation affects."""
_BEFORE_BUT, _AFTER_BUT = 0.5, 1.5
_NORMALIZER = 15.0


def measure_valence(words: Words) -> Floats:
    """Return the valence of each text, from -1 (negative) to 1 (positive); 0 without listed words; shape (texts,)."""
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
    """Return the list's value of each word of the texts, 0 for words outside the list; shape (words,)."""
    names, values = _lists()[role]
    place = pc.fill_null(pc.index_in(words.vocabulary, value_set=names), -1).to_numpy(zero_copy_only=False)
    return np.asarray(values[place][words.codes])


def _before(words: Words, places: np.ndarray, values: Floats, step: int) -> Floats:
    """Return the value of the word ``step`` words before each place in the same text; 0 if there is none."""
    earlier = places - step
    inside = earlier >= words.offsets[words.text_of[places]]
    return np.where(inside, values[np.maximum(earlier, 0)] if len(values) else 0.0, 0.0)


def _weigh_contrast(words: Words, places: np.ndarray, text: np.ndarray) -> Floats:
    """Return a weight for each place: lower before a text's last «but», higher after it."""
    is_but = pc.equal(words.vocabulary, "but").to_numpy(zero_copy_only=False)
    buts = np.flatnonzero(is_but[words.codes])
    last = np.full(len(words), -1)
    last[words.text_of[buts]] = buts
    return np.where(last[text] < 0, 1.0, np.where(places < last[text], _BEFORE_BUT, _AFTER_BUT))


@lru_cache(maxsize=1)
def _lists() -> dict[str, tuple[pa.Array, Floats]]:
    """Return words and values by role; the values end with a 0 for words outside the list."""
    table = csv.read_csv(_LIST_PATH, parse_options=csv.ParseOptions(delimiter="\t"))
    lists = {}
    for role in ("valence", "degree", "negation"):
        rows = table.filter(pc.equal(table["role"], role))
        lists[role] = (rows["word"].combine_chunks(), np.append(rows["value"].to_numpy(), 0.0))
    return lists
