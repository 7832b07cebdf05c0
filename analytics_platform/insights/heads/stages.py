"""The stages in which a document is decided: which experts are asked, what they say together, and who is asked next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from analytics_platform.insights.heads.novelty import Novelty, evidence_of
from analytics_platform.insights.heads.routing import Route
from analytics_platform.insights.heads.stacking import Calibration, Stack
from analytics_platform.insights.heads.trials import Trial, Trials
from analytics_platform.insights.tiers.tier import Floats, Ints

Expert = Literal["linear", "keywords", "multilingual", "english", "english_transformer", "transformer"]

READERS: tuple[Expert, ...] = ("english_transformer", "transformer")
"""Transformers. The first reads English texts in less than half the time of the second, so it comes first."""
BUDGETS: Mapping[Expert, float] = {"english": 0.25, "english_transformer": 0.4, "transformer": 0.1}
"""Largest share of documents that go to a further stage, by its last expert. The first keeps scoring within 50 µs a
text where there are many training documents; the others keep the cascade within 700 µs on two cores."""
_BUDGET_ALONE = 0.2
"""The share of the last transformer where no English one comes before it."""
_EQUAL = 0.995
"""Least cosine of documents that are nearly equal."""
_HAS_A_LABEL = 0.2
"""Least score of a label by which a training document with this label scores itself; one without a label scores 0."""
_OF_WORDS: tuple[Expert, ...] = ("linear", "keywords")
"""Experts that hold the interpreter's lock most of the time."""
_FEWEST_SIDE_BY_SIDE = 4096
"""Fewest documents that are scored in two threads. Fewer cost more for waiting than the second thread saves."""


class _Weight(NamedTuple):
    """The usual and the largest weight of an expert."""

    usual: float
    most: float


_WEIGHTS: dict[Expert, _Weight] = {
    "linear": _Weight(1.0, 100.0),
    "keywords": _Weight(1.0, 4.0),
    "multilingual": _Weight(8.0, 100.0),
    "english": _Weight(8.0, 100.0),
    "english_transformer": _Weight(16.0, 100.0),
    "transformer": _Weight(16.0, 100.0),
}
"""Usual weights are those of five to twenty examples a label. The largest weight of keywords is small, because the
examples, on which it is fitted, contain more keywords than other texts."""
_WEIGHTS_BESIDE_A_TRANSFORMER: dict[Expert, _Weight] = {
    "linear": _Weight(0.7, 100.0),
    "multilingual": _Weight(3.0, 100.0),
    "english": _Weight(3.0, 100.0),
    "english_transformer": _Weight(10.0, 100.0),
    "transformer": _Weight(10.0, 100.0),
}


_VOTES_ALONE = _Weight(16.0, 100.0)


def _weights(experts: Sequence[Expert]) -> list[_Weight]:
    """Return the bounds of the experts' weights: votes count more if no other expert knows the documents' words."""
    weights = {**_WEIGHTS, **(_WEIGHTS_BESIDE_A_TRANSFORMER if set(READERS) & set(experts) else {})}
    if not {"linear", "english", "transformer"} & set(experts):
        weights["multilingual"] = _VOTES_ALONE
    return [weights[expert] for expert in experts]


def _budget(experts: Sequence[Expert]) -> float:
    """Return the largest share of documents that go to a stage of these experts."""
    is_alone = set(READERS) & set(experts) == {"transformer"}
    return _BUDGET_ALONE if is_alone else BUDGETS[experts[-1]]


@dataclass(frozen=True)
class Stage:
    """What some of the experts say together about a document.

    Attributes:
        experts: The experts that are asked.
        stack: Combines the scores.
        novelty: Recognises documents that fit no label; None if every document fits one.
        openness: Factor of the probability that a document fits no label.
    """

    experts: tuple[Expert, ...]
    stack: Stack
    novelty: Novelty | None
    openness: float

    @classmethod
    def fit(
        cls, experts: tuple[Expert, ...], tried: Mapping[Expert, Trial], trials: Trials, openness: float = 1.0
    ) -> Stage:
        """Fit on the scores of the documents that are tried."""
        judged, asked = len(trials.judged), [tried[expert] for expert in experts]
        bounds = zip(*_weights(experts), strict=True)
        stack = Stack.fit([one.scores[:judged] for one in asked], trials.truth[:judged], *bounds)
        if not trials.open:
            return cls(experts, stack, None, openness)
        is_new = trials.truth == trials.count
        return cls(experts, stack, Novelty.fit(evidence_of(asked), is_new, trials.importance), openness)

    def answer(self, scores: Mapping[Expert, Trial]) -> Floats:
        """Return probabilities; the last column is the remainder if there is one."""
        asked = [scores[expert] for expert in self.experts]
        fitting = self.stack.predict([one.scores for one in asked])
        if self.novelty is None:
            return fitting
        equal, has_a_label = _find_equal(scores)
        unknown = self.openness * self.novelty.predict(evidence_of(asked))
        new = np.where(equal, np.where(has_a_label, 0.0, 1.0), unknown)[:, None]
        return np.hstack([fitting * (1 - new), new])

    @property
    def reads(self) -> bool:
        """Whether a transformer is asked."""
        return bool(set(READERS) & set(self.experts))

    def weight(self, expert: Expert) -> float:
        """Return the weight of an expert; 0 for one that is not asked."""
        return float(self.stack.weights[self.experts.index(expert)]) if expert in self.experts else 0.0


@dataclass(frozen=True)
class Ladder:
    """Stages of rising cost, the routes from one to the next, and the calibration of the final answers.

    Attributes:
        first: The stage of every document.
        steps: Each further stage with the route that leads to it.
        calibration: Calibrates the final probabilities.
    """

    first: Stage
    steps: tuple[tuple[Route, Stage], ...]
    calibration: Calibration

    @classmethod
    def fit(
        cls,
        stages: Sequence[tuple[Expert, ...]],
        tried: Mapping[Expert, Trial],
        trials: Trials,
        openness: float = 1.0,
    ) -> Ladder:
        """Fit on the scores of the documents that are tried.

        Args:
            stages: The experts of each stage; a later stage has those of the earlier ones, too.
            tried: Scores of each expert.
            trials: The documents.
            openness: Factor of the probability that a document fits no label.
        """
        made = [Stage.fit(experts, tried, trials, openness) for experts in stages]
        answers = made[0].answer(tried)
        steps: list[tuple[Route, Stage]] = []
        for stage in made[1:]:
            after = stage.answer(tried)
            route = Route.fit(answers, after, trials.truth, trials.importance, _budget(stage.experts))
            answers = route.take(answers, after)
            steps.append((route, stage))
        calibration = Calibration.fit(answers, trials.truth, trials.importance, trials.closing)
        return cls(made[0], tuple(steps), calibration)

    def answer(
        self, score: Callable[[Expert, Ints], Trial], rows: Ints, spoken: np.ndarray, *, reads_all: bool = False
    ) -> Floats:
        """Return calibrated probabilities of some documents; shape (rows, labels).

        Args:
            score: Returns the scores of some documents by one expert.
            rows: The documents.
            spoken: Whether each of the documents has a text; one without fits no label, and no further expert is asked.
            reads_all: Whether a transformer reads every document instead of the uncertain ones.
        """
        scores = _ask(self.first.experts, score, rows)
        answers = self.first.answer(scores)
        if self.first.novelty is not None:
            answers[~spoken] = np.eye(answers.shape[1])[-1]
        for place, (route, stage) in enumerate(self.steps, 1):
            every = reads_all and stage.reads
            if every and place < len(self.steps):
                continue  # the last stage answers all
            places = np.arange(len(rows)) if every else route.select(answers)
            places = places[spoken[places]]
            if len(places):
                asked = {expert: one.take(places) for expert, one in scores.items()}
                new = [expert for expert in stage.experts if expert not in asked]
                asked |= _ask(new, score, rows[places])
                answers[places] = stage.answer(asked)
        return self.calibration.apply(answers)


def _ask(experts: Sequence[Expert], score: Callable[[Expert, Ints], Trial], rows: Ints) -> dict[Expert, Trial]:
    """Return the scores of some documents by some experts.

    If there are many documents, the votes by vectors, which are products of matrices, are computed beside the rest.
    """

    def ask(some: Sequence[Expert]) -> dict[Expert, Trial]:
        return {expert: score(expert, rows) for expert in some}

    of_vectors = [expert for expert in experts if expert not in _OF_WORDS]
    if len(rows) < _FEWEST_SIDE_BY_SIDE or len(of_vectors) in (0, len(experts)):
        return ask(experts)
    with ThreadPoolExecutor(1) as pool:
        votes = pool.submit(ask, of_vectors)
        scores = ask([expert for expert in experts if expert in _OF_WORDS])
        return scores | votes.result()


def _find_equal(scores: Mapping[Expert, Trial]) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each document nearly equals a training document, such as a corrected one, and one with a label.

    Vectors of English alone do not tell: texts in other languages, or emojis, may have no word that they know.
    """
    equal, has_a_label = np.zeros((2, len(scores["multilingual"].scores) if "multilingual" in scores else 1), np.bool_)
    for expert, one in scores.items():
        if one.nearness is not None and expert not in ("english", "english_transformer"):
            alike = one.nearness >= _EQUAL
            equal, has_a_label = equal | alike, has_a_label | (alike & (one.scores.max(axis=1) >= _HAS_A_LABEL))
    return equal, has_a_label
