"""The classifier of labels: it is fitted on a training set, labels documents with calibrated confidence, and explains.

Experts score a document where they help: `experts` scores, and `stages` decides which experts are asked about a
document, in the languages of the training texts and in others. `stacking` combines and calibrates, `routing` decides
which documents go to the next stage, and `novelty` decides whether a document fits no label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analytics_platform.insights.encoders.blas_threads import one_blas_thread
from analytics_platform.insights.encoders.device import CPU, Dense, Device
from analytics_platform.insights.heads.experts import MOST_EXACT, KeywordExpert, LinearExpert, NeighbourExpert
from analytics_platform.insights.heads.explanation import Slopes, explain_documents
from analytics_platform.insights.heads.stages import READERS, Expert, Ladder
from analytics_platform.insights.heads.training_set import (
    LONGEST_TEXT,
    LabelledVectors,
    TrainingSet,
    training_documents,
)
from analytics_platform.insights.heads.trials import Trial, Trials
from analytics_platform.insights.keeping.packing import State
from analytics_platform.insights.reasons.function_words import ENGLISH, is_clearly_english, languages_of_parts
from analytics_platform.insights.tiers.tier import Classified, Documents, Floats, Ints, Reason, Singles
from analytics_platform.insights.vectors.document_vectors import (
    pool_english,
    pool_multilingual,
    read_rows,
    split_pooled,
    split_read,
)
from analytics_platform.insights.vectors.static_multilingual import StaticEncoder
from analytics_platform.insights.vectors.text_encoder import TextEncoder
from analytics_platform.insights.vectors.training_readings import TrainingReader

Reads = Literal["nothing", "doubtful", "everything"]
"""Documents that the transformer reads during scoring."""
READS: dict[str, Reads] = {"static": "nothing", "cascade": "doubtful", "transformer": "everything"}

_MOST_NEIGHBOURS, _MOST_READERS = 10_000, 20_000
"""Most training documents that vote by static vectors, and by the transformer's vectors. Votes cost little compared
with the transformer, so the second number is larger."""
_FAMILIAR = 0.1
"""Least share of the training texts that are in a language for its texts to be judged by their words, too."""
_FEWEST_ABROAD = 100
"""Fewest training texts in unfamiliar languages by which the experts of unfamiliar languages are weighed."""
_FEWEST_ENGLISH = 20
"""Fewest clearly English training texts by which the experts of English texts are weighed; with fewer all texts are."""
_OPENNESS_ABROAD = 0.5
"""Factor of the probability that a document fits no label if no training text is in its language: unlike texts and
texts of another language differ from the training texts in the same way."""
_BATCH = 32_768
"""Most texts of a batch; each distinct word of a batch is split into n-grams once, in Python."""
_BATCH_CHARACTERS, _BATCH_SCORES = 2_000_000, 8_000_000
"""Most characters of a batch, and most texts times labels. Without these limits, 20,000 posts of 1,000 characters took
600 MB more than fitting did."""


class NothingToLearnError(ValueError):
    """No training text contains a word."""


@dataclass(frozen=True)
class _Voter:
    """Training documents that vote by one kind of vector.

    Attributes:
        encode: Makes the vectors of some documents: documents and row numbers.
        neighbours: The votes.
    """

    encode: Callable[[Documents, Ints], Singles]
    neighbours: NeighbourExpert

    def score(self, documents: Documents, rows: Ints) -> Trial:
        """Return scores and nearness of some documents."""
        return Trial(*self.neighbours.score(self.encode(documents, rows)))


class Classifier:
    """Labels documents by one kind of label; fitted when it is made, and safe to share between threads.

    Equal training sets give equal classifiers.

    Args:
        encoder: Makes the static vectors.
        training_set: The training set.
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
        training_set: TrainingSet,
        *,
        transformer: TextEncoder | None = None,
        reads: Reads = "nothing",
        device: Device = CPU,
        bounded: bool = True,
    ) -> None:
        if reads != "nothing" and transformer is None:
            raise ValueError(f"reads={reads!r} needs a transformer")
        self._encoder = encoder
        self.labels = (*training_set.labels, *([training_set.remainder] if training_set.remainder is not None else []))
        documents = training_documents(training_set.texts, encoder)
        if not len(documents.words.codes):
            raise NothingToLearnError
        voters = len(training_set.texts) + (0 if training_set.further is None else len(training_set.further.labels))
        trials = Trials.of(training_set, encoder, exact=voters <= MOST_EXACT)
        self._linear = LinearExpert(bounded=bounded)
        tried: dict[Expert, Trial] = {"linear": self._fit_linear(training_set, documents, trials)}
        self._keywords = KeywordExpert(training_set.keywords, training_set.labels) if training_set.keywords else None
        if self._keywords:
            tried["keywords"] = _try_keywords(self._keywords, documents, trials)
        fit_voter = partial(_fit_voter, documents, training_set, trials)
        further = training_set.further
        halves = (None, None) if further is None else split_pooled(further.vectors)
        fitted: dict[Expert, tuple[_Voter, Trial]] = {
            "multilingual": fit_voter(pool_multilingual, NeighbourExpert(_MOST_NEIGHBOURS, device), halves[0]),
            "english": fit_voter(pool_english, NeighbourExpert(_MOST_NEIGHBOURS, device), halves[1]),
        }
        languages = languages_of_parts(documents.words)
        self._familiar = np.flatnonzero(np.bincount(languages) >= _FAMILIAR * len(documents))
        if transformer is not None and reads != "nothing":
            of_all, of_english = split_read(None if further is None else further.read)
            readers: dict[Expert, tuple[TextEncoder, Dense | None]] = {"transformer": (transformer, of_all)}
            if transformer.english_encoder and self._familiar.tolist() == [ENGLISH]:
                readers = {"english_transformer": (transformer.english_encoder, of_english), **readers}
            for name, (reader, read) in readers.items():
                by_reading = NeighbourExpert(_MOST_READERS, device)
                _, trial = fit_voter(partial(read_rows, TrainingReader(reader)), by_reading, read)
                fitted[name] = _Voter(partial(read_rows, reader), by_reading), trial
        self._voters = {name: voter for name, (voter, _) in fitted.items()}
        tried |= {name: trial for name, (_, trial) in fitted.items()}
        is_english = is_clearly_english(documents.words)[trials.judged]
        self._fit_ladders(tried, trials, reads, is_english, ~np.isin(languages[trials.judged], self._familiar))

    @property
    def state(self) -> State:
        """What ``of_state`` needs to make a classifier with the same answers, to the last digit."""
        return {
            "labels": self.labels,
            "linear": self._linear.state,
            "keywords": self._keywords.keywords if self._keywords else None,
            "voters": {name: voter.neighbours.state for name, voter in self._voters.items()},
            "familiar": self._familiar,
            "home": self._home,
            "english": self._english,
            "abroad": self._abroad,
        }

    @classmethod
    def of_state(
        cls, encoder: StaticEncoder, state: State, *, transformer: TextEncoder | None = None, device: Device = CPU
    ) -> Classifier:
        """Return the fitted classifier of a state; its training set is not needed.

        Args:
            encoder: Makes the static vectors, as in the fit.
            state: From ``state``.
            transformer: Reads documents, as in the fit.
            device: Device of the products with neighbours.
        """
        classifier = cls.__new__(cls)
        classifier._encoder = encoder
        classifier.labels = state["labels"]
        classifier._linear = LinearExpert.of_state(state["linear"])
        keywords = state["keywords"]
        classifier._keywords = None if keywords is None else KeywordExpert(keywords, tuple(keywords))
        encoders = {"multilingual": pool_multilingual, "english": pool_english}
        if transformer is not None:
            encoders["transformer"] = partial(read_rows, transformer)
            if transformer.english_encoder and "english_transformer" in state["voters"]:
                encoders["english_transformer"] = partial(read_rows, transformer.english_encoder)
        classifier._voters = {
            name: _Voter(encoders[name], NeighbourExpert.of_state(one, device)) for name, one in state["voters"].items()
        }
        classifier._familiar = state["familiar"]
        classifier._home, classifier._english, classifier._abroad = (
            state[name] for name in ("home", "english", "abroad")
        )
        return classifier

    def _fit_linear(self, training_set: TrainingSet, documents: Documents, trials: Trials) -> Trial:
        known = np.flatnonzero(trials.codes < trials.count)
        scores = np.zeros((len(documents), trials.count), np.float32)
        inside = documents.single(known)
        scores[known] = self._linear.fit(inside, trials.codes[known], trials.count, training_set.weights[known])
        if len(trials.outside):
            scores[trials.outside] = self._linear.score(documents.single(trials.outside))
        far = None if trials.general is None else self._linear.score(trials.general)
        return Trial(trials.assemble(scores, None, far))

    def _fit_ladders(
        self,
        tried: Mapping[Expert, Trial],
        trials: Trials,
        reads: Reads,
        is_english: NDArray[np.bool_],
        abroad: NDArray[np.bool_],
    ) -> None:
        """Fit what is decided about documents in the languages of the training texts, and in other languages.

        English vectors say nothing about texts in other languages, nor do words if no training text is in their
        language. So there only keywords and vectors of many languages are asked, and a transformer about every
        document. A transformer of English is asked where English function words show that a document is English:
        short texts of other languages have no function words either.

        Args:
            tried: Scores of each expert.
            trials: The documents.
            reads: Documents that the transformers read during scoring.
            is_english: Whether each judged document is clearly English.
            abroad: Whether each judged document is in another language than most training texts.
        """
        of_words: tuple[Expert, ...] = ("linear", *(("keywords",) if self._keywords else ()))
        static: tuple[Expert, ...] = (*of_words, "multilingual", "english")
        every = tuple(expert for expert in tried if expert != "english_transformer")

        def fit(experts: Sequence[tuple[Expert, ...]], kept: NDArray[np.bool_] | None) -> Ladder:
            first = [] if trials.exact or reads == "everything" else [of_words]
            rows, judged = (np.arange(len(trials.truth)), trials) if kept is None else trials.restrict(kept)
            scores = {expert: trial.take(rows) for expert, trial in tried.items()}
            return Ladder.fit([*first, *dict.fromkeys(experts)], scores, judged)

        self._home = fit([every] if reads == "everything" else [static, every], None)
        self._english = None
        if "english_transformer" in tried:
            by_english: tuple[Expert, ...] = (*static, "english_transformer")
            stages = [static, by_english, tuple(tried)][2 if reads == "everything" else 0 :]
            self._english = fit(stages, is_english if is_english.sum() >= _FEWEST_ENGLISH else None)
        has_examples = abroad.sum() >= _FEWEST_ABROAD
        of_one_language = ("english",) if has_examples else ("linear", "english")
        of_languages = tuple(expert for expert in every if expert not in of_one_language)
        rows, judged = trials.restrict(abroad) if has_examples else (np.arange(len(trials.truth)), trials)
        scores = {expert: trial.take(rows) for expert, trial in tried.items()}
        self._abroad = Ladder.fit([of_languages], scores, judged, 1.0 if has_examples else _OPENNESS_ABROAD)

    @property
    def shares(self) -> dict[str, float]:
        """Expected share of documents, by expert: of English ones if a transformer of their own reads them."""
        ladder = self._english or self._home
        first = ladder.first.experts
        shares = {"neighbours": 1.0} if "multilingual" in first else {}
        shares |= {expert: 1.0 for expert in first if expert in READERS}
        names = [stage.experts[-1] if stage.reads else "neighbours" for _, stage in ladder.steps]
        return shares | dict(zip(names, (route.share for route, _ in ladder.steps), strict=True))

    def classify(self, documents: Documents) -> Classified:
        """Return the confidence in each label for each document; the last label is the remainder if there is one."""
        answers = np.zeros((len(documents), len(self.labels)))
        if not len(documents):
            return Classified(self.labels, answers)
        spoken = documents.weights.getnnz(axis=1) > 0
        is_home = self._is_home(documents)
        is_english = is_home & _is_mostly(documents, is_clearly_english(documents.words))
        ladders = [(self._abroad, ~is_home), (self._home, is_home)]
        if self._english:
            ladders[1:] = [(self._home, is_home & ~is_english), (self._english, is_english)]
        _ = documents.pooled  # before threads that would each compute it
        for ladder, chosen in ladders:
            rows = np.flatnonzero(chosen)
            if not len(rows):
                continue
            with one_blas_thread():
                score = partial(self._score, documents)
                answers[rows] = ladder.answer(score, rows, spoken[rows], reads_all=documents.grouped)
        return Classified(self.labels, answers)

    def _score(self, documents: Documents, expert: Expert, rows: Ints) -> Trial:
        """Return one expert's scores of some documents."""
        if expert in self._voters:
            return self._voters[expert].score(documents, rows)
        chosen = documents.take(rows)
        if expert == "keywords" and self._keywords:
            return Trial(self._keywords.score(chosen))
        return Trial(self._linear.score(chosen))

    def _is_home(self, documents: Documents) -> np.ndarray:
        """Return whether most of each document is in the training texts' languages; shape (documents,)."""
        return _is_mostly(documents, np.isin(languages_of_parts(documents.words), self._familiar))

    def predict(self, texts: Sequence[str]) -> Floats:
        """Return the probability of each label of each text; shape (texts, labels)."""
        short = [text[:LONGEST_TEXT] for text in texts]
        batches = [
            self.classify(training_documents(short[start:end], self._encoder)).confidence
            for start, end in _batches(short, len(self.labels))
        ]
        return np.concatenate(batches) if batches else np.zeros((0, len(self.labels)))

    @one_blas_thread()
    def explain(self, documents: Documents, chosen: Ints) -> list[Reason | None]:
        """Return the reason of each document's label; None for the remainder, and if no part supports the label.

        Args:
            documents: The documents.
            chosen: Column of the label of each document.
        """
        first = self._home.first
        columns = np.minimum(chosen, len(self.labels) - 1 - (first.novelty is not None))
        vectors = first.weight("linear") * self._linear.slope(columns)
        if "multilingual" in first.experts:
            pooled = pool_multilingual(documents, np.arange(len(documents)))
            votes = self._voters["multilingual"].neighbours.slope(pooled, columns)
            vectors = vectors + first.weight("multilingual") * votes
        words = self._linear.features.score_words(documents.words, self._linear.contrast)
        slopes = Slopes(
            vectors,
            first.weight("linear") * words,
            (self._keywords, first.weight("keywords")) if self._keywords else None,
        )
        reasons = explain_documents(documents, columns, slopes, self._encoder.encode_words)
        return [None if column != own else reason for column, own, reason in zip(chosen, columns, reasons, strict=True)]


def _is_mostly(documents: Documents, of_part: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return whether at least half of each document is of the marked parts; shape (documents,)."""
    heavy = documents.weights.multiply(np.maximum(documents.masses, 1e-3)[None, :]).tocsr()
    return np.asarray(heavy @ of_part >= heavy @ ~of_part)


def _fit_voter(
    documents: Documents,
    training_set: TrainingSet,
    trials: Trials,
    encode: Callable[[Documents, Ints], Singles],
    neighbours: NeighbourExpert,
    further: Dense | None,
) -> tuple[_Voter, Trial]:
    """Fit the votes of one kind of vector, with the documents of which only vectors are known.

    Returns:
        The votes, and their out-of-sample scores.
    """
    vectors, codes, weights = encode(documents, np.arange(len(documents))), trials.codes, training_set.weights
    if further is not None and training_set.further is not None:
        vectors = np.concatenate([vectors, further.astype(np.float32)])
        codes = np.concatenate([codes, _codes_of(training_set.further, training_set.labels)])
        weights = np.concatenate([weights, training_set.further.weights])
    known = neighbours.fit(vectors, codes, trials.count, weights)
    far = None
    if trials.general is not None:
        far = neighbours.score(encode(trials.general, np.arange(len(trials.general))))
    scores = trials.assemble(known.scores, known.without, far and far[0])
    near = trials.assemble(known.near, known.near_without, far and far[1])
    return _Voter(encode, neighbours), Trial(scores, near)


def _codes_of(taught: LabelledVectors, labels: Sequence[str]) -> Ints:
    place = {name: code for code, name in enumerate(labels)}
    return np.array([place.get(name, len(place)) for name in taught.labels], np.int64)


def _try_keywords(keywords: KeywordExpert, documents: Documents, trials: Trials) -> Trial:
    far = None if trials.general is None else keywords.score(trials.general)
    return Trial(trials.assemble(keywords.score(documents), None, far))


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
