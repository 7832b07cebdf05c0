"""Label heads fitted on labelled texts, in three tiers: each text is asked of dearer experts only when that helps.

Belongs here: the order of the experts, and which head a tier is. Does not belong here: the experts, the decision who is
asked (``routing``), files, and measures (``evaluate``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal, Self

import numpy as np

from analytics_platform.insights.encoders.device import CPU, Device, DeviceChoice, resolve_device
from analytics_platform.insights.encoders.encoder import StaticEncoder, static_encoder
from analytics_platform.insights.encoders.features import LONGEST_TEXT, Prepared, prepare
from analytics_platform.insights.encoders.minilm import TextEncoder, transformer_encoder
from analytics_platform.insights.encoders.student import Student, general_texts
from analytics_platform.insights.heads.experts import Codes, LinearExpert, NeighbourExpert
from analytics_platform.insights.heads.routing import Route
from analytics_platform.insights.heads.stacking import Calibration, Stack
from analytics_platform.insights.tiers.tier import Floats, Singles, TierError, require_tier

_LOG = logging.getLogger(__name__)

Reads = Literal["nothing", "doubtful", "everything"]
"""What the transformer reads when scoring."""
_READS: dict[str, Reads] = {"static": "nothing", "cascade": "doubtful", "transformer": "everything"}

OUT_OF_SCOPE = "oos"
"""The label of texts that belong to no class, as clinc150 names it."""

_OUTSIDE_EXPECTED = 0.2
"""Share of texts out of scope that confidence reckons with: training files are collected for the classes and hold
hardly any of them, use does."""
_OUTSIDE_ADMITTED = 0.03
"""Share that the choice of a label reckons with: more would call more texts in scope foreign than it is worth."""
_MOST_NEIGHBOURS, _MOST_READERS = 10_000, 20_000
"""Training texts that vote by guessed vectors, and by the transformer's own, next to whose cost theirs is small."""
_BUDGETS = (0.25, 0.085)
"""Largest share of texts whose neighbours are asked, to keep within 50 µs a text, and that the cascade sends to the
transformer: what keeps it 8 times as quick."""
_BATCH = 32_768
"""Texts scored together: each distinct word of a batch is taken apart once, in Python."""
_BATCH_CHARACTERS, _BATCH_SCORES = 2_000_000, 8_000_000
"""Characters, and texts times labels, that are scored together: 20,000 posts of 1,000 characters took 600 MB more than
fitting did."""


@dataclass(frozen=True)
class _Voters:
    """Training texts that vote by one kind of vectors.

    Attributes:
        encode: Makes the vectors.
        neighbours: The votes.
    """

    encode: Callable[[Prepared], Singles]
    neighbours: NeighbourExpert


class NothingToLearnError(ValueError):
    """No text to fit on holds a word."""


class LabelHead:
    """A classifier whose confidence and whose routes are calibrated on texts held out of the fit.

    Args:
        encoder: Makes the static vectors.
        transformer: Reads training texts, so that vectors like its own can be guessed for the neighbours, and what
            ``reads`` says. Without it the neighbours' vectors are the static ones.
        reads: What the transformer reads when scoring.
        further: Texts about anything, read while fitting where training texts are too few to guess by.
        device: Where products with neighbours are computed.
        bounded: Whether cheaper solvers take the place of those that many labels make slow.

    Raises:
        ValueError: If a transformer is to read when scoring, and there is none.
    """

    def __init__(
        self,
        encoder: StaticEncoder,
        transformer: TextEncoder | None = None,
        *,
        reads: Reads = "nothing",
        further: Sequence[str] = (),
        device: Device = CPU,
        bounded: bool = True,
    ) -> None:
        self._encoder = encoder
        self._student = Student(encoder, transformer, further) if transformer else None
        self._linear = LinearExpert(bounded=bounded)
        guess = self._student.encode if self._student else attrgetter("vectors")
        self._voters = [_Voters(guess, NeighbourExpert(_MOST_NEIGHBOURS, device))]
        if reads != "nothing":
            if transformer is None:
                raise ValueError(f"reads={reads!r} needs a transformer")
            read = transformer.encode
            self._voters.append(_Voters(lambda prepared: read(prepared.texts), NeighbourExpert(_MOST_READERS, device)))
        self._always = len(self._voters) if reads == "everything" else 0  # voters asked about every text

    @property
    def has_student(self) -> bool:
        """Whether neighbours are found by a transformer's guessed vectors."""
        return self._student is not None

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> Self:
        """Fit on labelled texts; the same input gives the same head.

        A text that repeats with the same label counts once: with a copy of it among what is learnt from, how right the
        head is on texts that it has not seen could not be told.

        Args:
            texts: Texts.
            labels: One label each; at least two different ones.

        Raises:
            NothingToLearnError: If no text holds a word.
        """
        texts, labels = zip(*dict.fromkeys(zip(texts, labels, strict=True)), strict=True)
        names, codes = np.unique(np.asarray(labels, dtype=object), return_inverse=True)
        self.labels: tuple[str, ...] = tuple(names)
        count, outside = len(names), self.labels.index(OUT_OF_SCOPE) if OUT_OF_SCOPE in self.labels else None
        admitted, expected = (_importance(codes, outside, share) for share in (_OUTSIDE_ADMITTED, _OUTSIDE_EXPECTED))
        prepared = prepare(texts, self._encoder)
        if not len(prepared.words.codes):
            raise NothingToLearnError
        read = [one.encode(prepared) for one in self._voters[1:]]
        guessed = self._student.fit(prepared.texts, *read) if self._student else prepared.vectors
        scores = [self._linear.fit(prepared, codes, count)]
        for one, vectors in zip(self._voters, [guessed, *read], strict=True):
            scores.append(one.neighbours.fit(vectors, codes, count))
        asked = [scores[: number + 1] for number in range(self._always, len(scores))]
        self._first, *others = (Stack.fit(some, codes, admitted, outside) for some in asked)
        answers = self._first.predict(asked[0])
        self._steps: list[tuple[Route, Stack]] = []
        for stack, some, budget in zip(others, asked[1:], _BUDGETS, strict=False):
            better = stack.predict(some)
            route = Route.fit(answers, better, codes, expected, budget)
            answers = route.take(answers, better)
            self._steps.append((route, stack))
        self._calibration = Calibration.fit(answers, codes, expected, outside)
        return self

    @property
    def shares(self) -> dict[str, float]:
        """Share of texts that each expert beyond the first is expected to read."""
        shares = [1.0] * self._always + [route.share for route, _ in self._steps]
        return dict(zip(("neighbours", "transformer"), shares, strict=False))

    def predict(self, texts: Sequence[str]) -> Floats:
        """Return the probability of each label; shape (texts, labels)."""
        batches = [
            self._calibration.apply(self._answer(texts[start:end])) for start, end in _batches(texts, len(self.labels))
        ]
        return np.concatenate(batches) if batches else np.zeros((0, len(self.labels)))

    def _answer(self, texts: Sequence[str]) -> Floats:
        prepared = prepare(texts, self._encoder)
        linear = self._linear.score(prepared)
        answers = self._first.predict([linear, *self._ask(self._always, prepared)])
        for voters, (route, stack) in enumerate(self._steps, self._always + 1):
            rows = route.select(answers)
            if len(rows):
                answers[rows] = stack.predict([linear[rows], *self._ask(voters, prepared.take(rows))])
        return answers

    def _ask(self, voters: int, prepared: Prepared) -> list[Singles]:
        return [one.neighbours.score(one.encode(prepared)) for one in self._voters[:voters]]


def _batches(texts: Sequence[str], labels: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of runs of texts that can be scored together; a run has at least one text."""
    ends = np.cumsum([min(len(text), LONGEST_TEXT) for text in texts])
    most, start = max(1, min(_BATCH, _BATCH_SCORES // labels)), 0
    while start < len(texts):
        before = ends[start - 1] if start else 0
        fitting = int(np.searchsorted(ends, before + _BATCH_CHARACTERS, side="right"))
        end = min(max(fitting, start + 1), start + most)
        yield start, end
        start = end


def _importance(codes: Codes, outside: int | None, wanted: float) -> Floats:
    """Return how much each text counts: all the same, save that those out of scope make up at least a wanted share."""
    importance = np.ones(len(codes))
    if outside is not None:
        share = float((codes == outside).mean())
        importance[codes == outside] = max(1.0, wanted / (1 - wanted) * (1 - share) / share)
    return importance


def build_head(tier: str, device: DeviceChoice = "auto", *, bounded: bool = True) -> LabelHead:
    """Return the unfitted head of a tier.

    The tier static is built without a student, and is less right for it, where the transformer is not installed. While
    fitting it reads on the CPU: what the device is asked for is scoring, which runs no transformer.

    Args:
        tier: ``static``, ``cascade`` or ``transformer``.
        device: Where it computes.
        bounded: See ``LabelHead``.

    Raises:
        TierError: If the tier or device is unknown or not available.
    """
    require_tier(tier)
    if tier not in _READS:
        raise TierError(f"tier {tier!r} cannot be fitted on labelled texts; use {', '.join(_READS)}")
    where = resolve_device(device)
    try:
        transformer = transformer_encoder("cpu" if tier == "static" else device)
    except TierError as error:
        if tier != "static":
            raise
        _LOG.warning("%s; the tier static is fitted without a transformer's help and less right for it", error)
        transformer = None
    return LabelHead(
        static_encoder(),
        transformer,
        reads=_READS[tier],
        further=general_texts(),
        device=where,
        bounded=bounded,
    )
