"""Counts stated outcomes that mean neither success nor failure, so that a person can define their meaning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa

from analytics_platform.model.tables.clean_tables import CONVERSATIONS
from analytics_platform.storage.partitions import PartitionStore
from analytics_platform.transform import pii
from analytics_platform.transform.cleaning import Cleaning

SETTING = "ANALYTICS_OUTCOMES"
"""The variable that defines the meaning of a source's own outcomes."""
WORDS_SHOWN = 10
_CHARACTERS_SHOWN = 40


@dataclass(frozen=True)
class UnknownOutcomes:
    """Outcomes of some days without a known meaning.

    Attributes:
        words: Number of conversations by outcome in normal form, the most frequent first; at most ``WORDS_TOLD``.
        more: Number of further outcomes.
        setting: The variable that defines the meaning of outcomes.
    """

    words: dict[str, int] = field(default_factory=dict)
    more: int = 0
    setting: str = SETTING


def find_unknown_outcomes(lake: PartitionStore, days: Iterable[str], cleaning: Cleaning) -> UnknownOutcomes:
    """Return the outcomes without a known meaning. Only the column ``outcome`` of these days is read.

    An outcome is a text of the source. It is shortened, and its personal data is redacted if texts of messages are.

    Args:
        lake: The store of ``conversations``.
        days: Stored days.
        cleaning: Defines the meaning of outcomes and the kinds of personal data.
    """
    counted: Counter[str] = Counter()
    for day in days:
        counted.update(cleaning.outcomes.unknown(lake.read(CONVERSATIONS.name, day, ["outcome"])["outcome"]))
    ranked = sorted(counted.items(), key=lambda entry: (-entry[1], entry[0]))
    first = ranked[:WORDS_SHOWN]
    words: Counter[str] = Counter()  # shortened or redacted words may become equal
    for word, (_, count) in zip(_shown([word for word, _ in first], cleaning), first, strict=True):
        words[word] += count
    return UnknownOutcomes(dict(words), len(ranked) - len(first))


def _shown(words: list[str], cleaning: Cleaning) -> list[str]:
    texts = pa.array(words, pa.string())
    if cleaning.privacy.redact:
        texts = pii.redact(texts, pii.find_pii(texts, cleaning.privacy.kinds))
    shown: list[str] = texts.to_pylist()
    return [word if len(word) <= _CHARACTERS_SHOWN else f"{word[:_CHARACTERS_SHOWN]}…" for word in shown]
