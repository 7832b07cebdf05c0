"""Find cues in messages: whole words in languages with spaces, pieces of text in the others.

Of overlapping phrases the longest counts, so ``not working now`` says nothing of ``working now``. A negation before a
phrase turns it into the opposite cue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analytics_platform.insights.encoders.folding import fold_words
from analytics_platform.insights.encoders.words import Occurrences, TermMatcher, Words
from analytics_platform.insights.tiers.tier import Ints
from analytics_platform.insights.verdicts.cue_lists import CueList

Mask = NDArray[np.bool_]

NEGATES, SUPPOSES = "negates", "supposes"
_REACH = 3
"""Words between a negation or supposition and the end of its reach."""
_UNSPACED_SCRIPTS = "[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"


@dataclass(frozen=True)
class CueHits:
    """Cues found in messages.

    Attributes:
        names: Names of the cues.
        present: Whether each cue is in each message; shape (messages, cues).
        start: Place of a cue's last phrase among the message's words, -1 for none or a piece of text; same shape.
        length: Number of words of this phrase; same shape.
        covered: Words of each message that belong to phrases; shape (messages,).
        unspaced: Whether each message is written in a script without spaces; shape (messages,).
    """

    names: tuple[str, ...]
    present: Mask
    start: NDArray[np.int32]
    length: NDArray[np.int8]
    covered: Ints
    unspaced: Mask

    def __getitem__(self, cue: str) -> Mask:
        """Return whether each message has a cue; shape (messages,)."""
        return np.asarray(self.present[:, self.names.index(cue)])

    def place(self, cue: str) -> NDArray[np.int32]:
        """Return the place of a cue's last phrase among each message's words, -1 for none; shape (messages,)."""
        return np.asarray(self.start[:, self.names.index(cue)])


class CueMatcher:
    """Finds the cues of a list; safe to share between threads.

    Args:
        cues: The list.
        opposites: The cue that stands for a negated phrase of a cue; None if the negation only removes the cue.
    """

    def __init__(self, cues: CueList, opposites: Mapping[str, str | None]) -> None:
        self.names = cues.names
        terms = sorted(cues.spaced)
        self._matcher = TermMatcher(terms)
        self._means = np.zeros((len(terms), len(cues.names)), np.bool_)
        for row, term in enumerate(terms):
            for cue in cues.spaced[term]:
                self._means[row, cues.names.index(cue)] = True
        self._opposites = opposites
        self._unspaced = {cue: "|".join(phrases) for cue, phrases in cues.unspaced.items() if phrases}
        self._phrases = cues.unspaced

    def find(self, words: Words, texts: pa.Array | pa.ChunkedArray) -> CueHits:
        """Return the cues in some messages.

        Args:
            words: The messages' words.
            texts: The messages' texts, in the same order.
        """
        folded = fold_words(words)
        found = _outermost(self._matcher.find(folded), len(folded.codes))
        shape = (len(words), len(self.names))
        present = np.zeros(shape, np.bool_)
        start, length = np.full(shape, -1, np.int32), np.zeros(shape, np.int8)
        means = self._turned(found, folded)
        order = np.argsort(found.start, kind="stable")
        at, cue = np.nonzero(means[order])
        message = folded.text_of[found.start[order][at]]
        present[message, cue] = True
        start[message, cue] = found.start[order][at] - folded.offsets[message]  # the last of repeated entries stays
        length[message, cue] = found.length[order][at]
        inside = np.bincount(folded.text_of[found.start], found.length, len(words)).astype(np.int64)
        unspaced = self._find_unspaced(present, texts)
        return CueHits(self.names, present, start, length, inside, unspaced)

    def quote(self, cue: str, text: str) -> str:
        """Return the first phrase of a cue in a text without spaces, empty for none."""
        return next((phrase for phrase in self._phrases.get(cue, ()) if phrase in text), "")

    def _turned(self, found: Occurrences, words: Words) -> Mask:
        """Return the cues of each occurrence after negation and supposition; shape (occurrences, cues)."""
        means = self._means[found.term]
        before = {
            cue: _is_near(found.start[means[:, self.names.index(cue)]], found.start, words)
            for cue in (NEGATES, SUPPOSES)
            if cue in self.names
        }
        for cue, opposite in self._opposites.items():
            column = self.names.index(cue)
            negated = means[:, column] & before[NEGATES]
            means[negated, column] = False
            if opposite:
                means[negated, self.names.index(opposite)] = True
            if SUPPOSES in before:
                means[before[SUPPOSES], column] = False
        return np.asarray(means)

    def _find_unspaced(self, present: Mask, texts: pa.Array | pa.ChunkedArray) -> Mask:
        """Add the cues of messages in scripts without spaces, in place; return which messages these are."""
        unspaced = np.asarray(pc.match_substring_regex(texts, _UNSPACED_SCRIPTS)).astype(np.bool_)
        rows = np.flatnonzero(unspaced)
        if len(rows):
            written = texts.take(pa.array(rows))
            for cue, pattern in self._unspaced.items():
                hit = np.asarray(pc.match_substring_regex(written, pattern)).astype(np.bool_)
                present[rows[hit], self.names.index(cue)] = True
            for cue, opposite in self._opposites.items():
                if opposite:  # the opposite's phrase contains the negated one, as in 不紧急
                    both = rows[present[rows, self.names.index(opposite)]]
                    present[both, self.names.index(cue)] = False
        return unspaced


def _outermost(found: Occurrences, count: int) -> Occurrences:
    """Return the occurrences of which no word belongs to a longer occurrence, or to an earlier one of equal length."""
    rank = found.length * (count + 1) - found.start
    best = np.full(count, np.iinfo(np.int64).min)
    longest = int(found.length.max(initial=0))
    for step in range(longest):
        inside = step < found.length
        np.maximum.at(best, found.start[inside] + step, rank[inside])
    stays = np.ones(len(found.start), np.bool_)
    for step in range(longest):
        spanning = np.flatnonzero(step < found.length)
        stays[spanning] &= best[found.start[spanning] + step] == rank[spanning]
    return Occurrences(found.term[stays], found.start[stays], found.length[stays])


def _is_near(places: Ints, starts: Ints, words: Words) -> Mask:
    """Return which starts have one of the places at most ``_REACH`` words before them in the same text."""
    marked = np.full(len(words.codes) + 1, -1)
    marked[places + 1] = places
    last = np.maximum.accumulate(marked)[starts]  # the last place before each start
    return np.asarray((last >= starts - _REACH) & (last >= words.offsets[words.text_of[starts]]))
