"""Makes examples of a label of openings of conversations: without greetings and thanks, which every label shares."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.insights.encoders.words import split_words
from analytics_platform.insights.verdicts.cue_lists import RESOLUTION_CUES, shipped_cues
from analytics_platform.insights.verdicts.cue_matching import CueMatcher

_PART_END = re.compile(r"(?<=[.!?…,;])(?=\s)|(?<=[。！？，])")
"""Where a sentence or a clause ends; the blank after it begins the next one."""
_CUES = ("greets", "thanks")
_MOST_OTHER_WORDS = 2
"""Most words beside greetings and thanks of a part that says nothing else, such as "hello guys"."""
_MOST_LETTERS = 6
"""The same in letters of the whole part, in scripts without spaces."""


def label_examples(openings: Sequence[str]) -> list[str]:
    """Return the openings on one line each, without greetings and thanks, each once.

    An opening that says nothing else is left out.

    Args:
        openings: How conversations begin.
    """
    parts = [_PART_END.split(" ".join(opening.split())) for opening in openings]
    says = iter(_says_something([part.strip() for part in chain.from_iterable(parts)]))
    kept = ("".join(part for part in of_one if next(says)).strip().rstrip(",; ") for of_one in parts)
    return list(dict.fromkeys(filter(None, kept)))


def _says_something(parts: Sequence[str]) -> list[bool]:
    """Tell of each part whether it says more than a greeting or thanks."""
    texts = pa.array(parts, pa.string())
    words = split_words(parts)
    hits = CueMatcher(shipped_cues(RESOLUTION_CUES), {}).find(words, texts)
    is_short = np.where(
        hits.unspaced,
        np.asarray(pc.utf8_length(texts)) <= _MOST_LETTERS,
        words.lengths - hits.covered <= _MOST_OTHER_WORDS,
    )
    is_polite = np.any([hits[cue] for cue in _CUES], axis=0)
    found: list[bool] = (~(is_polite & is_short)).tolist()
    return found
