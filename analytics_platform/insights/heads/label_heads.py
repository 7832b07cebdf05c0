"""Label heads fitted on labelled texts, one per tier: costlier experts score a text only where they help.

`routing` decides which texts go to a costlier expert; `quality.evaluate` reads files and measures a head.
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
"""Texts that the transformer reads during scoring."""
_READS: dict[str, Reads] = {"static": "nothing", "cascade": "doubtful", "transformer": "everything"}

OUT_OF_SCOPE = "oos"
"""Label of texts outside every class, as in the data set clinc150."""

_OUTSIDE_EXPECTED = 0.2
"""Share of out-of-scope texts that calibration assumes. Training files contain hardly any out-of-scope texts, because
they are collected for the classes; real use contains many."""
_OUTSIDE_ADMITTED = 0.03
"""Share of out-of-scope texts that the choice of a label assumes. A higher share costs more in-scope accuracy than it
gains in out-of-scope recall."""
_MOST_NEIGHBOURS, _MOST_READERS = 10_000, 20_000
"""Most training texts that vote by predicted vectors, and by the transformer's own vectors. Votes cost little compared
with the transformer, so the second number is larger."""
_BUDGETS = (0.25, 0.085)
"""Largest share of texts that go to the neighbours, which keeps scoring within 50 µs a text, and that the cascade sends
to the transformer, which keeps the cascade 8 times as fast as the transformer."""
_BATCH = 32_768
"""Most texts of a batch; each distinct word of a batch is split into n-grams once, in Python."""
_BATCH_CHARACTERS, _BATCH_SCORES = 2_000_000, 8_000_000
"""Most characters of a batch, and most texts times labels. Without these limits, 20,000 posts of 1,000 characters took
600 MB more than fitting did."""


@dataclass(frozen=True)
class _Voters:
    """Training texts that vote by one kind of vector.

    Attributes:
        encode: Makes the vectors.
        neighbours: Kernel ridge regression over the vectors.
    """

    encode: Callable[[Prepared], Singles]
    neighbours: NeighbourExpert


class NothingToLearnError(ValueError):
    """No training text contains a word."""


class LabelHead:
    """A classifier whose confidence and routes are calibrated on out-of-sample scores.

    Args:
        encoder: Makes the static vectors.
        transformer: Reads training texts, so that its vectors can be predicted for the neighbours; during scoring it
            reads the texts that ``reads`` selects. Without a transformer, the neighbours use the static vectors.
        reads: Texts that the transformer reads during scoring.
        further: General texts, read during the fit if there are too few training texts.
        device: Device of the products with neighbours.
        bounded: Whether cheaper solvers replace those that are slow for many labels.

    Raises:
        ValueError: If ``reads`` is not ``nothing`` and there is no transformer.
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
        """Whether neighbours are found by predicted vectors of a transformer."""
        return self._student is not None

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> Self:
        """Fit on labelled texts; equal input gives an equal head.

        A text that repeats with the same label counts once: with copies among the training texts, out-of-sample scores
        would be too good.

        Args:
            texts: Texts.
            labels: One label each; at least two different ones.

        Raises:
            NothingToLearnError: If no text contains a word.
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
        """Expected share of texts that each expert after the first scores, by expert."""
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
    """Yield start and end of runs of texts that are scored together; a run has at least one text."""
    ends = np.cumsum([min(len(text), LONGEST_TEXT) for text in texts])
    most, start = max(1, min(_BATCH, _BATCH_SCORES // labels)), 0
    while start < len(texts):
        before = ends[start - 1] if start else 0
        fitting = int(np.searchsorted(ends, before + _BATCH_CHARACTERS, side="right"))
        end = min(max(fitting, start + 1), start + most)
        yield start, end
        start = end


def _importance(codes: Codes, outside: int | None, wanted: float) -> Floats:
    """Return the weight of each text: 1, or more for out-of-scope texts if they are fewer than the wanted share."""
    importance = np.ones(len(codes))
    if outside is not None:
        share = float((codes == outside).mean())
        importance[codes == outside] = max(1.0, wanted / (1 - wanted) * (1 - share) / share)
    return importance


def build_head(tier: str, device: DeviceChoice = "auto", *, bounded: bool = True) -> LabelHead:
    """Return the unfitted head of a tier.

    If the transformer is not installed, the tier ``static`` has no distilled encoder and is less accurate. It runs the
    transformer on the CPU during the fit; ``device`` is for scoring, which needs no transformer in this tier.

    Args:
        tier: ``static``, ``cascade`` or ``transformer``.
        device: Device of the computation.
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
