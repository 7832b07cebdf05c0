"""Maps the outcome that a source states to success, failure, or neither.

A built-in list covers common words; the setting ANALYTICS_OUTCOMES gives the meaning of a source's own words. This
module never guesses an outcome from the texts of a conversation; ``insights`` does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.model.word_sets.outcome_words import CLOSING_WORDS, FAILURE_WORDS, SUCCESS_WORDS

SUCCESS_OF_OUTCOME = dict.fromkeys(SUCCESS_WORDS, True) | dict.fromkeys(FAILURE_WORDS, False)
"""Whether an outcome, in lower case, is a success. ``not`` before a word reverses its meaning."""
_NO_DECIMALS = re.compile(r"(?:\s*\.0+)+\s*$")
_MEANINGS: dict[str, bool | None] = {"success": True, "failure": False, "neither": None}


@dataclass(frozen=True)
class Outcomes:
    """The meaning of a source's outcomes.

    Attributes:
        own: Words of the source in normal form, each with True for success, False for failure or None for neither;
            ascending. They win over the built-in words.
    """

    own: tuple[tuple[str, bool | None], ...] = ()

    @property
    def version(self) -> str:
        """Version string of the source's own words, for tables that interpret outcomes; empty without own words."""
        return repr(self.own) if self.own else ""

    @cached_property
    def _success(self) -> dict[str, bool | None]:
        return {**SUCCESS_OF_OUTCOME, **dict(self.own)}

    def resolved(self, outcomes: pa.ChunkedArray, ranges: pa.ChunkedArray | None = None) -> pa.Array:
        """Return true for a success, false for a failure, null if no outcome is stated or its word means neither.

        Case, surrounding space and the difference between space, hyphen and underscore do not matter; ``1.0`` and
        ``0.0`` count as ``1`` and ``0``. Words such as ``closed`` or ``escalated`` mean neither, unless the source's
        own words define them. Where the source states no failure, a word such as ``solved`` says only that the
        conversation was closed, so that null is returned for it, too, unless the source's own words define it.

        Args:
            outcomes: The outcomes.
            ranges: ``outcome_range`` of each; None where the source states failures.
        """
        meanings = _by_word(outcomes, lambda form: self._meaning(form)[1])
        if ranges is None or any(success is False for _, success in self.own):
            return meanings
        is_own = _by_word(outcomes, lambda form: form in dict(self.own))
        counts = pc.or_(is_own, pc.fill_null(pc.not_equal(ranges.combine_chunks(), "closings"), fill_value=True))
        return pc.if_else(counts, meanings, pa.scalar(None, pa.bool_()))

    def closed(self, outcomes: pa.ChunkedArray, resolved: pa.Array) -> pa.Array:
        """Return whether each outcome only says that the conversation is over; null without an outcome.

        Args:
            outcomes: The outcomes.
            resolved: From ``resolved``: an outcome that is a success or a failure is no mere closing.
        """
        is_closing = _by_word(outcomes, lambda form: form in CLOSING_WORDS or self._meaning(form)[1] is True)
        return pc.and_(is_closing, pc.is_null(resolved))

    def unknown(self, outcomes: pa.ChunkedArray) -> Counter[str]:
        """Count the stated outcomes without a defined meaning, by their normal form."""
        found: Counter[str] = Counter()
        for entry in outcomes.drop_null().value_counts().to_pylist():
            form = normal_form(entry["values"])
            if form and not self._meaning(form)[0]:
                found[form] += entry["counts"]
        return found

    def _meaning(self, form: str) -> tuple[bool, bool | None]:
        """Return whether an outcome has a defined meaning, and whether it is a success (None for neither)."""
        if form in self._success:
            return True, self._success[form]
        negation, _, word = form.partition(" ")
        if negation != "not" or word not in self._success:
            return False, None
        success = self._success[word]
        return True, None if success is None else not success


KNOWN_TO_EVERYBODY = Outcomes()


def _by_word(outcomes: pa.ChunkedArray, meaning: Callable[[str], bool | None]) -> pa.Array:
    """Return what a function says of the normal form of each outcome; it is called once per different outcome."""
    encoded = outcomes.combine_chunks().dictionary_encode()
    found = [meaning(normal_form(outcome)) for outcome in encoded.dictionary.to_pylist()]
    return pa.array(found, pa.bool_()).take(encoded.indices)


def normal_form(outcome: str) -> str:
    """Return an outcome in lower case with single spaces for spaces, hyphens and underscores, and ``1`` for ``1.0``."""
    words = outcome.casefold().replace("-", " ").replace("_", " ")
    return " ".join(_NO_DECIMALS.sub("", words).split())


def parse_outcomes(text: str) -> Outcomes:
    """Parse the setting that defines a source's own words.

    Args:
        text: Entries ``word=success``, ``word=failure`` or ``word=neither``, separated by commas.

    Raises:
        ValueError: If an entry has another form, or a word occurs twice. The message continues a sentence that begins
            with the setting's name.
    """
    own: dict[str, bool | None] = {}
    for number, entry in enumerate(filter(None, map(str.strip, text.split(","))), start=1):
        word, _, meaning = entry.rpartition("=")
        form, meaning = normal_form(word), meaning.strip().lower()
        if not form or meaning not in _MEANINGS:
            raise ValueError(f"entry {number} must be word=success, word=failure or word=neither")
        if form in own:
            raise ValueError(f"entry {number} must not name {form!r} again")
        own[form] = _MEANINGS[meaning]
    return Outcomes(tuple(sorted(own.items())))
