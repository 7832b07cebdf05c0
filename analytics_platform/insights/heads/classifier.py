"""The classifier of labels: it is fitted on a training set, labels documents with calibrated confidence, and explains.

Experts of rising cost score a document where they help: `experts` scores, `stacking` combines and calibrates,
`routing` decides which documents go to the next expert, and `novelty` decides whether a document fits no label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from analytics_platform.insights.encoders.device import CPU, Dense, Device
from analytics_platform.insights.heads.experts import MOST_EXACT, KeywordExpert, LinearExpert, NeighbourExpert
from analytics_platform.insights.heads.explanation import Slopes, explain_documents
from analytics_platform.insights.heads.lessons import LONGEST_TEXT, Lessons, Taught, training_documents
from analytics_platform.insights.heads.linear import pool
from analytics_platform.insights.heads.novelty import Novelty, evidence_of
from analytics_platform.insights.heads.routing import Route
from analytics_platform.insights.heads.stacking import Calibration, Stack
from analytics_platform.insights.heads.trials import Trial, Trials
from analytics_platform.insights.tiers.tier import Classified, Documents, Floats, Ints, Reason, Singles
from analytics_platform.insights.vectors.english import english_encoder
from analytics_platform.insights.vectors.static_multilingual import StaticEncoder
from analytics_platform.insights.vectors.text_encoder import TextEncoder
from analytics_platform.insights.vectors.unit_length import unit
from analytics_platform.model.tables.insight_tables import EMBEDDING_DIMENSIONS

Reads = Literal["nothing", "doubtful", "everything"]
"""Documents that the transformer reads during scoring."""
READS: dict[str, Reads] = {"static": "nothing", "cascade": "doubtful", "transformer": "everything"}

_MOST_NEIGHBOURS, _MOST_READERS = 10_000, 20_000
"""Most training documents that vote by static vectors, and by the transformer's vectors. Votes cost little compared
with the transformer, so the second number is larger."""
BUDGETS = (0.25, 0.2)
"""Largest share of documents that go to the neighbours where there are many, which keeps scoring within 50 µs a text,
and that the cascade sends to the transformer."""
_ENGLISH_WEIGHT = 0.7
"""Length of the vector of English words, against 1 for the vector of many languages."""
_EQUAL = 0.995
"""Least cosine of documents that are nearly equal."""
_HAS_A_LABEL = 0.2
"""Least score of a label by which a training document with this label scores itself; one without a label scores 0."""
_BATCH = 32_768
"""Most texts of a batch; each distinct word of a batch is split into n-grams once, in Python."""
_BATCH_CHARACTERS, _BATCH_SCORES = 2_000_000, 8_000_000
"""Most characters of a batch, and most texts times labels. Without these limits, 20,000 posts of 1,000 characters took
600 MB more than fitting did."""


class _Weight(NamedTuple):
    """The usual and the largest weight of an expert."""

    usual: float
    most: float


_LINEAR, _KEYWORDS, _VOTES = _Weight(1.0, 100.0), _Weight(1.0, 4.0), _Weight(13.0, 100.0)
"""Usual weights are those of five to twenty examples a label. The largest weight of keywords is small, because the
examples, on which it is fitted, contain more keywords than other texts."""


class NothingToLearnError(ValueError):
    """No training text contains a word."""


@dataclass(frozen=True)
class _Voter:
    """Training documents that vote by one kind of vector.

    Attributes:
        encode: Makes the vectors of some documents: documents and row numbers.
        neighbours: The votes.
        trial: Their out-of-sample scores.
    """

    encode: Callable[[Documents, Ints], Singles]
    neighbours: NeighbourExpert
    trial: Trial

    def score(self, documents: Documents, rows: Ints) -> Trial:
        """Return scores and nearness of some documents."""
        return Trial(*self.neighbours.score(self.encode(documents, rows)))


@dataclass(frozen=True)
class _Stage:
    """What is decided when some of the experts have scored a document.

    Attributes:
        stack: Combines the scores.
        novelty: Recognises documents that fit no label; None if every document fits one.
    """

    stack: Stack
    novelty: Novelty | None

    @classmethod
    def fit(cls, tried: Sequence[Trial], trials: Trials, weights: Sequence[_Weight]) -> _Stage:
        """Fit on the scores of the documents that are tried; ``weights`` bound the weights of the experts."""
        judged = len(trials.judged)
        stack = Stack.fit([one.scores[:judged] for one in tried], trials.truth[:judged], *zip(*weights, strict=True))
        if not trials.open:
            return cls(stack, None)
        is_new = trials.truth == trials.count
        return cls(stack, Novelty.fit(evidence_of(tried), is_new, trials.importance))

    def answer(self, tried: Sequence[Trial]) -> Floats:
        """Return probabilities; the last column is the remainder if there is one."""
        fitting = self.stack.predict([one.scores for one in tried])
        if self.novelty is None:
            return fitting
        equal, has_a_label = _find_equal(tried)
        new = np.where(equal, np.where(has_a_label, 0.0, 1.0), self.novelty.predict(evidence_of(tried)))[:, None]
        return np.hstack([fitting * (1 - new), new])


class Classifier:
    """Labels documents by one kind of label; fitted when it is made, and safe to share between threads.

    Equal training sets give equal classifiers.

    Args:
        encoder: Makes the static vectors.
        lessons: The training set.
        transformer: Reads the documents that ``reads`` selects.
        reads: Documents that the transformer reads during scoring.
        device: Device of the products with neighbours.
        bounded: Whether cheaper solvers replace those that are slow for many labels.

    Raises:
        NothingToLearnError: If no training text contains a word.
        ValueError: If ``reads`` is not ``nothing`` and there is no transformer.
    """

    def __init__(
        self,
        encoder: StaticEncoder,
        lessons: Lessons,
        *,
        transformer: TextEncoder | None = None,
        reads: Reads = "nothing",
        device: Device = CPU,
        bounded: bool = True,
    ) -> None:
        if reads != "nothing" and transformer is None:
            raise ValueError(f"reads={reads!r} needs a transformer")
        self._encoder = encoder
        self.labels = (*lessons.labels, *([lessons.remainder] if lessons.remainder is not None else []))
        documents = training_documents(lessons.texts, encoder)
        if not len(documents.words.codes):
            raise NothingToLearnError
        voters = len(lessons.texts) + (0 if lessons.further is None else len(lessons.further.labels))
        trials = Trials.of(lessons, encoder, exact=voters <= MOST_EXACT)
        self._linear = LinearExpert(bounded=bounded)
        tried = [self._fit_linear(lessons, documents, trials)]
        weights = [_LINEAR]
        self._keywords = KeywordExpert(lessons.keywords, lessons.labels) if lessons.keywords else None
        if self._keywords:
            tried.append(_try_keywords(self._keywords, documents, trials))
            weights.append(_KEYWORDS)
        fit_voter = partial(_fit_voter, documents, lessons, trials)
        by_vector = NeighbourExpert(_MOST_NEIGHBOURS, device)
        further = lessons.further
        self._voters = [fit_voter(pool_both, by_vector, None if further is None else further.vectors)]
        if transformer is not None and reads != "nothing":
            read = partial(read_rows, transformer)
            by_reading = NeighbourExpert(_MOST_READERS, device)
            self._voters.append(fit_voter(read, by_reading, None if further is None else further.read))
        always = int(trials.exact)
        self._always = len(self._voters) if reads == "everything" else always  # voters asked about every document
        tried += [one.trial for one in self._voters]
        weights += [_VOTES] * len(self._voters)
        self._fit_stages(tried, trials, weights)

    def _fit_linear(self, lessons: Lessons, documents: Documents, trials: Trials) -> Trial:
        known = np.flatnonzero(trials.codes < trials.count)
        scores = np.zeros((len(documents), trials.count), np.float32)
        inside = documents.single(known)
        scores[known] = self._linear.fit(inside, trials.codes[known], trials.count, lessons.weights[known])
        if len(trials.outside):
            scores[trials.outside] = self._linear.score(documents.single(trials.outside))
        far = None if trials.general is None else self._linear.score(trials.general)
        return Trial(trials.assemble(scores, None, far))

    def _fit_stages(self, tried: Sequence[Trial], trials: Trials, weights: Sequence[_Weight]) -> None:
        """Fit what is decided after each expert, and the routes between the experts."""
        plain = len(tried) - len(self._voters)
        asked = plain + self._always
        self._first = _Stage.fit(tried[:asked], trials, weights[:asked])
        answers = self._first.answer(tried[:asked])
        self._steps: list[tuple[Route, _Stage]] = []
        for voter in range(self._always, len(self._voters)):
            asked = plain + voter + 1
            stage = _Stage.fit(tried[:asked], trials, weights[:asked])
            after = stage.answer(tried[:asked])
            route = Route.fit(answers, after, trials.truth, trials.importance, BUDGETS[voter])
            answers = route.take(answers, after)
            self._steps.append((route, stage))
        self._calibration = Calibration.fit(answers, trials.truth, trials.importance, trials.closing)

    @property
    def shares(self) -> dict[str, float]:
        """Expected share of documents that each expert after the first scores, by expert."""
        shares = [1.0] * self._always + [route.share for route, _ in self._steps]
        return dict(zip(("neighbours", "transformer"), shares, strict=False))

    def classify(self, documents: Documents) -> Classified:
        """Return the confidence in each label for each document; the last label is the remainder if there is one."""
        if not len(documents):
            return Classified(self.labels, np.zeros((0, len(self.labels))))
        rows = np.arange(len(documents))
        plain = [Trial(self._linear.score(documents))]
        if self._keywords:
            plain.append(Trial(self._keywords.score(documents)))
        known = [*plain, *(voter.score(documents, rows) for voter in self._voters[: self._always])]
        answers = self._first.answer(known)
        spoken = documents.weights.getnnz(axis=1) > 0
        if self._first.novelty is not None:
            answers[~spoken] = np.eye(answers.shape[1])[-1]  # a document without words fits no label
        for number, (route, stage) in enumerate(self._steps, self._always):
            rows = route.select(answers)
            rows = rows[spoken[rows]]
            if len(rows):
                earlier = [_take(one, rows) for one in plain]
                asked = [voter.score(documents, rows) for voter in self._voters[: number + 1]]
                answers[rows] = stage.answer([*earlier, *asked])
        return Classified(self.labels, self._calibration.apply(answers))

    def predict(self, texts: Sequence[str]) -> Floats:
        """Return the probability of each label of each text; shape (texts, labels)."""
        short = [text[:LONGEST_TEXT] for text in texts]
        batches = [
            self.classify(training_documents(short[start:end], self._encoder)).confidence
            for start, end in _batches(short, len(self.labels))
        ]
        return np.concatenate(batches) if batches else np.zeros((0, len(self.labels)))

    def explain(self, documents: Documents, chosen: Ints) -> list[Reason | None]:
        """Return the reason of each document's label; None for the remainder, and if no part supports the label.

        Args:
            documents: The documents.
            chosen: Column of the label of each document.
        """
        columns = np.minimum(chosen, len(self.labels) - 1 - (self._first.novelty is not None))
        weights = self._first.stack.weights
        vectors = weights[0] * self._linear.slope(columns)
        if self._always:
            votes = weights[-self._always if len(self._voters) == self._always else -1]
            vectors = (
                vectors
                + votes
                * self._voters[0].neighbours.slope(pool_both(documents, np.arange(len(documents))), columns)[
                    :, :EMBEDDING_DIMENSIONS
                ]
            )
        slopes = Slopes(
            vectors,
            weights[0] * self._linear.features.score_words(documents.words, self._linear.contrast),
            (self._keywords, weights[1]) if self._keywords else None,
        )
        reasons = explain_documents(documents, columns, slopes, self._encoder.encode_words)
        return [None if column != own else reason for column, own, reason in zip(chosen, columns, reasons, strict=True)]


def _find_equal(tried: Sequence[Trial]) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each document nearly equals a training document, such as a corrected one, and one with a label."""
    equal, has_a_label = np.zeros((2, len(tried[0].scores)), np.bool_)
    for one in tried:
        if one.nearness is not None:
            alike = one.nearness >= _EQUAL
            equal |= alike
            has_a_label |= alike & (one.scores.max(axis=1) >= _HAS_A_LABEL)
    return equal, has_a_label


def read_rows(transformer: TextEncoder, documents: Documents, rows: Ints) -> Singles:
    """Return a transformer's vectors of some documents; the transformer reads each part only once.

    Returns:
        Unit-length vectors, zeros for a document without parts; shape (rows, dimensions).
    """
    weights = documents.weights[rows]
    parts = np.unique(weights.indices)
    readings = documents.readings
    new = [part for part in parts.tolist() if part not in readings]
    if new:
        readings.update(zip(new, transformer.encode([documents.texts[part] for part in new]), strict=True))
    vectors = np.array([readings[part] for part in parts.tolist()], np.float64).reshape(len(parts), -1)
    heavy = weights[:, parts].multiply(documents.masses[None, parts]).tocsr()
    return np.asarray(unit(np.asarray(heavy @ vectors)), np.float32)


def pool_both(documents: Documents, rows: Ints) -> Singles:
    """Return the pooled vectors of many languages and of English words side by side; shape (rows, 512).

    The vectors of English words tell English texts apart that are alike in the vectors of many languages.
    """
    english = english_encoder()
    if english.name not in documents.memory:
        documents.memory[english.name] = np.asarray(unit(english.sum_words(documents.words)), np.float32)
    second = pool(replace(documents, vectors=documents.memory[english.name].astype(np.float64)))
    return np.asarray(unit(np.hstack([pool(documents)[rows], _ENGLISH_WEIGHT * second[rows]])), np.float32)


def _fit_voter(
    documents: Documents,
    lessons: Lessons,
    trials: Trials,
    encode: Callable[[Documents, Ints], Singles],
    neighbours: NeighbourExpert,
    further: Dense | None,
) -> _Voter:
    """Fit the votes of one kind of vector, with the documents of which only vectors are known."""
    vectors, codes, weights = encode(documents, np.arange(len(documents))), trials.codes, lessons.weights
    if further is not None and lessons.further is not None:
        vectors = np.concatenate([vectors, further.astype(np.float32)])
        codes = np.concatenate([codes, _codes_of(lessons.further, lessons.labels)])
        weights = np.concatenate([weights, lessons.further.weights])
    known = neighbours.fit(vectors, codes, trials.count, weights)
    far = None
    if trials.general is not None:
        far = neighbours.score(encode(trials.general, np.arange(len(trials.general))))
    scores = trials.assemble(known.scores, known.without, far and far[0])
    return _Voter(encode, neighbours, Trial(scores, trials.assemble(known.near, known.near_without, far and far[1])))


def _codes_of(taught: Taught, labels: Sequence[str]) -> Ints:
    place = {name: code for code, name in enumerate(labels)}
    return np.array([place.get(name, len(place)) for name in taught.labels], np.int64)


def _try_keywords(keywords: KeywordExpert, documents: Documents, trials: Trials) -> Trial:
    far = None if trials.general is None else keywords.score(trials.general)
    return Trial(trials.assemble(keywords.score(documents), None, far))


def _take(trial: Trial, rows: Ints) -> Trial:
    return Trial(trial.scores[rows], None if trial.nearness is None else trial.nearness[rows])


def _batches(texts: Sequence[str], labels: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of runs of texts that are scored together; a run has at least one text."""
    ends = np.cumsum([len(text) for text in texts])
    most, start = max(1, min(_BATCH, _BATCH_SCORES // labels)), 0
    while start < len(texts):
        before = ends[start - 1] if start else 0
        fitting = int(np.searchsorted(ends, before + _BATCH_CHARACTERS, side="right"))
        end = min(max(fitting, start + 1), start + most)
        yield start, end
        start = end
