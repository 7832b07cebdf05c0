"""The valence of texts: how positive or negative their words are by hand-made lists; it needs no training file.

`valence_lists` finds the listed words. The text's language is the one whose lists have most of its words. The rules of
negation, degree and contrast, which are VADER's, are computed for all words of all texts at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.insights.encoders.valence_lists import ENGLISH, ROLES, Mentions, valence_lists
from analytics_platform.insights.encoders.words import HAPPY, SAD, Words
from analytics_platform.insights.tiers.tier import Floats, Ints

# VADER's own constants (C. Hutto and E. Gilbert, 2014).
_NEGATED = -0.74
_REACH = 3
"""Number of following words that a negation affects."""
_REACH_BACK = 2
"""Most words between a negation and the word before it that it affects."""
_UNSPACED_REACH, _UNSPACED_REACH_BACK = 4, 6
"""The same in characters, for languages without spaces."""
_BEFORE_BUT, _AFTER_BUT = 0.5, 1.5
_NORMALIZER = 15.0
_EMOTICON = 2.0


@dataclass(frozen=True)
class Valence:
    """The valence of texts.

    Attributes:
        score: From -1 (negative) to 1 (positive), 0 without words of feeling; shape (texts,).
        positive: Sum of the values of positive mentions; shape (texts,).
        negative: Sum of the absolute values of negative mentions; shape (texts,).
        english: Whether English lists have at least as many of the text's words as those of any other language; true
            also if no list has any; shape (texts,).
        by_word: Value of each word of the texts after negation, degree and contrast; shape (words,).
    """

    score: Floats
    positive: Floats
    negative: Floats
    english: np.ndarray
    by_word: Floats


def measure_valence(words: Words) -> Floats:
    """Return the valence of each text, from -1 (negative) to 1 (positive); 0 without listed words; shape (texts,)."""
    return read_valence(words).score


def read_valence(words: Words) -> Valence:
    """Return the valence of texts and of their words; remembered by the words."""
    return words.remember("valence", lambda: _read_valence(words))


def _read_valence(words: Words) -> Valence:
    lists = valence_lists()
    found = lists.find(words)
    count = len(lists.languages)
    group = found.text * count + found.language
    lengths = (found.end - found.start).astype(np.float64)
    evidence = np.bincount(group, lengths, len(words) * count).reshape(-1, count).astype(np.float64)
    evidence /= np.where(lists.unspaced, 2.0, 1.0)  # a word of such a language has about two characters
    best = evidence.max(axis=1, initial=0)
    tied = (evidence == best[:, None]) & (best > 0)[:, None]
    mentions = found.take(tied[found.text, found.language])
    mentions = _drop_covered(mentions.take(np.lexsort((mentions.start, mentions.language, mentions.text))))
    value, scored = _apply_rules(mentions, lists.unspaced, lists.languages.index(ENGLISH))
    value = value / tied.sum(axis=1)[scored.text]  # languages that cannot be told apart share their say
    by_word = np.bincount(scored.word, value, len(words.codes)) + _read_emoticons(words)
    positive = np.bincount(words.text_of, np.maximum(by_word, 0), len(words)).astype(np.float64)  # ints of no texts
    negative = np.bincount(words.text_of, np.maximum(-by_word, 0), len(words)).astype(np.float64)
    total = positive - negative
    english = tied[:, lists.languages.index(ENGLISH)] | (best == 0)
    return Valence(total / np.sqrt(total * total + _NORMALIZER), positive, negative, english, by_word)


def _read_emoticons(words: Words) -> Floats:
    """Return the value of each word that stands for an emoticon, 0 for other words; shape (words,)."""
    values = np.zeros(len(words.vocabulary) + 1)
    for name, value in ((HAPPY, _EMOTICON), (SAD, -_EMOTICON)):
        values[:-1] += value * pc.equal(words.vocabulary, pa.scalar(name)).to_numpy(zero_copy_only=False)
    return np.asarray(values[words.codes])


def _groups(mentions: Mentions) -> Ints:
    """Return a number for each pair of text and language, increasing with the order of the mentions."""
    changes = (np.diff(mentions.text) != 0) | (np.diff(mentions.language) != 0)
    return np.concatenate(([0], np.cumsum(changes))) if len(mentions.text) else np.zeros(0, np.int64)


def _drop_covered(mentions: Mentions) -> Mentions:
    """Return the mentions that no longer mention covers, and no equally long one that begins earlier.

    The mentions must be in the order of text, language and start.

    A term of several roles stays with each of them.
    """
    group = _groups(mentions)
    if not len(group):
        return mentions
    firsts = np.flatnonzero(np.diff(group, prepend=-1))
    lows, highs = mentions.start[firsts], np.maximum.reduceat(mentions.end, firsts)
    ends = np.cumsum(highs - lows)
    begin = mentions.start + (ends - highs)[group]  # the groups stand side by side, without a gap
    length = mentions.end - mentions.start
    kept, taken = np.zeros(len(begin), np.bool_), np.zeros(int(ends[-1]), np.bool_)
    for size in np.flatnonzero(np.bincount(length))[::-1].tolist():
        rows = np.flatnonzero(length == size)
        rows = rows[~taken[begin[rows, None] + np.arange(size)].any(axis=1)]
        gap = np.diff(begin[rows], prepend=-size)
        is_first = gap > 0  # several entries may begin at one place
        clash = (gap < size)[is_first]
        rows = rows[~clash[np.cumsum(is_first) - 1]]
        kept[rows] = True
        taken[begin[rows, None] + np.arange(size)] = True
    return mentions.take(kept)


def _apply_rules(mentions: Mentions, unspaced: np.ndarray, english: int) -> tuple[Floats, Mentions]:
    """Return the value of each mention of a word of feeling, and these mentions."""
    group = _groups(mentions)
    span = int(mentions.end.max(initial=0)) + 100
    begin, end = group * span + mentions.start, group * span + mentions.end
    role = {name: mentions.role == code for code, name in enumerate(ROLES)}
    is_scored = role["valence"] & (mentions.value != 0)
    scored = mentions.take(is_scored)
    at, after = begin[is_scored], end[is_scored]
    value = scored.value + np.sign(scored.value) * _degrees(
        mentions, role["degree"], (begin, end), (at, after), english
    )
    contrasts = np.sort(begin[role["contrast"]])
    negated = _negated(mentions, role["negation"], (begin, end), (at, after), contrasts, unspaced)
    value = np.where(negated, value * _NEGATED, value)
    own = group[is_scored]
    last = np.searchsorted(contrasts, (own + 1) * span) - 1
    inside = (last >= 0) & (contrasts[last] // span == own) if len(contrasts) else np.zeros(len(own), np.bool_)
    place = contrasts[last] if len(contrasts) else at
    weight = np.where(inside, np.where(at < place, _BEFORE_BUT, _AFTER_BUT), 1.0)
    return value * weight, scored


def _degrees(
    mentions: Mentions,
    is_degree: np.ndarray,
    places: tuple[Ints, Ints],
    scored: tuple[Ints, Ints],
    english: int,
) -> Floats:
    """Return the degree of each word of feeling: of the word right before it, and in most languages right after it."""
    begin, end = places[0][is_degree], places[1][is_degree]
    value, language = mentions.value[is_degree], mentions.language[is_degree]
    degree = np.zeros(len(scored[0]))
    for edges, wanted, counts in ((end, scored[0], np.full(len(end), True)), (begin, scored[1], language != english)):
        edge, amount = edges[counts], value[counts]
        if not len(edge):
            continue
        order = np.argsort(edge, kind="stable")
        place = np.minimum(np.searchsorted(edge[order], wanted), len(edge) - 1)
        degree += np.where(edge[order][place] == wanted, amount[order][place], 0.0)
    return degree


def _negated(
    mentions: Mentions,
    is_negation: np.ndarray,
    places: tuple[Ints, Ints],
    scored: tuple[Ints, Ints],
    contrasts: Ints,
    unspaced: np.ndarray,
) -> np.ndarray:
    """Return whether a negation turns each word of feeling; no negation reaches across a contrast."""
    begin, end = places[0][is_negation], places[1][is_negation]
    follows = mentions.value[is_negation] < 0
    wide = unspaced[mentions.language[is_negation]]
    at, after = scored
    turned = np.zeros(len(at) + 1, np.int64)
    limits = np.append(contrasts, np.iinfo(np.int64).max)
    reach = np.minimum(end + np.where(wide, _UNSPACED_REACH, _REACH), limits[np.searchsorted(contrasts, end)])
    low, high = np.searchsorted(at, end), np.searchsorted(at, reach)
    hits = (high > low) & ~follows
    np.add.at(turned, low[hits], 1)
    np.add.at(turned, high[hits], -1)
    negated = np.cumsum(turned)[:-1] > 0
    busy = begin[hits]  # a negation that turns a later word turns no earlier one
    back = np.flatnonzero(follows & ~np.isin(begin, busy))
    nearest = np.searchsorted(at, begin[back]) - 1
    known = nearest >= 0
    back, nearest = back[known], nearest[known]
    gap = begin[back] - after[nearest]
    crossed = np.searchsorted(contrasts, begin[back]) != np.searchsorted(contrasts, at[nearest])
    near = (gap >= 0) & (gap <= np.where(wide[back], _UNSPACED_REACH_BACK, _REACH_BACK)) & ~crossed
    negated[nearest[near]] = True
    return negated
