"""The shipped lists of cues, and phrases of a taxonomy added to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from analytics_platform.insights.encoders.folding import fold_terms

RESOLUTION_CUES = Path(__file__).parent / "resolution_cues.yaml"
URGENCY_CUES = Path(__file__).parent / "urgency_cues.yaml"

UNSPACED = frozenset({"zh", "ja", "ko", "th"})
"""Languages whose phrases are found anywhere in a text, because they have no spaces, or endings behind every word."""


@dataclass(frozen=True)
class CueList:
    """Phrases of cues.

    Attributes:
        names: Names of the cues.
        spaced: Cues of each phrase that consists of whole words, in folded spelling; ``word*`` is a beginning.
        unspaced: Phrases of each cue that are found anywhere in a text.
    """

    names: tuple[str, ...]
    spaced: Mapping[str, frozenset[str]]
    unspaced: Mapping[str, tuple[str, ...]]

    def extend(self, further: Mapping[str, Sequence[str]]) -> CueList:
        """Return the list with further phrases of some cues; a phrase that the list knows keeps its cues.

        Args:
            further: Phrases by cue, such as the keywords of a taxonomy's labels.
        """
        spaced = dict(self.spaced)
        for cue, phrases in further.items():
            for phrase in fold_terms(phrases):
                if phrase not in self.spaced:
                    spaced[phrase] = spaced.get(phrase, frozenset()) | {cue}
        return CueList(self.names, spaced, self.unspaced)


@cache
def shipped_cues(path: Path) -> CueList:
    """Read a shipped list: a mapping of cue to language to phrases."""
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # every scalar is a text, also `no`
    content: dict[str, dict[str, list[str]]] = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506
    spaced: dict[str, frozenset[str]] = {}
    for cue, languages in content.items():
        phrases = [phrase for language, some in languages.items() if language not in UNSPACED for phrase in some]
        for phrase in fold_terms(phrases):
            spaced[phrase] = spaced.get(phrase, frozenset()) | {cue}
    unspaced = {
        cue: tuple(phrase for language, some in languages.items() if language in UNSPACED for phrase in some)
        for cue, languages in content.items()
    }
    return CueList(tuple(content), spaced, unspaced)
