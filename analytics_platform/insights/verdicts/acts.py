"""What messages do in a conversation, by their meaning: an agent refuses, a customer is content, an opening chats.

Lists of phrases find what people say in the usual words of some languages. The heads of this module read the rest, in
every language of the vectors. ``training/outcomes/fit_acts.py`` fits them on ``training/outcomes/acts.tsv``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import safe_open
from scipy.special import softmax

from analytics_platform.insights.tiers.tier import Documents, Floats, Ints
from analytics_platform.insights.vectors.document_vectors import read_parts
from analytics_platform.insights.vectors.static_multilingual import static_encoder
from analytics_platform.insights.vectors.text_encoder import TextEncoder
from analytics_platform.insights.verdicts.cue_matching import Mask

ACTS_PATH = Path(__file__).parents[1] / "data" / "acts.safetensors"
SPEAKERS = ("agent", "customer", "opening")
"""Who writes: an agent, a customer after an answer, and a customer who begins."""
ENCODERS = ("static", "transformer")

BARS: Mapping[str, float] = {"static": 0.6, "transformer": 0.5}
"""Least probability of an act that counts, by encoder. Of 0.5, 0.6, 0.7 and 0.8, these leave the fewest errors on the
conversations of ``training/outcomes``, each judged without its own label: 0.825 and 0.848 are right."""
_TOGETHER = 0.5
"""Least probability of some acts together."""
_DECIMALS = 4
"""Digits of probabilities: few enough that batches cannot change an act."""
_BEGINNING = 200
"""Characters of an agent's message in which it says what it does; the whole of long answers gains nothing."""
_MOST_SENTENCES = 10
"""Most sentences of an agent's message that are read: the first ones, in which an answer refuses or promises."""
_SENTENCE_END = re.compile(r"(?<=[.!?…؟])\s+|(?<=[。！？])|\n+")
_QUESTION = re.compile("[?？؟]")


@dataclass(frozen=True)
class ActHead:
    """Weights of the acts of one speaker.

    Attributes:
        acts: Names of the acts.
        weights: Shape (dimensions, acts).
        bias: Shape (acts,).
        bar: Least probability of an act that counts.
    """

    acts: tuple[str, ...]
    weights: Floats
    bias: Floats
    bar: float

    def classify(self, vectors: Floats) -> Acts:
        """Return the probability of each act in texts.

        Args:
            vectors: Unit-length vectors; shape (texts, dimensions).
        """
        probability = np.asarray(softmax(vectors @ self.weights + self.bias, axis=1)).round(_DECIMALS)
        return Acts(self.acts, probability, self.bar)


class Acts(NamedTuple):
    """Acts of texts.

    Attributes:
        names: Names of the acts.
        probability: Shape (texts, acts).
        bar: Least probability of an act that counts.
    """

    names: tuple[str, ...]
    probability: Floats
    bar: float

    def among(self, *acts: str) -> Mask:
        """Return which texts have one of some acts as their likeliest one, at least as probable as the bar."""
        best = self.probability.argmax(axis=1)
        wanted = np.isin(best, [self.names.index(act) for act in acts])
        return np.asarray(wanted & (self.probability.max(axis=1) >= self.bar))

    def together(self, *acts: str) -> Mask:
        """Return in which texts some acts are together at least as probable as 0.5."""
        return np.asarray(self.probability[:, [self.names.index(act) for act in acts]].sum(axis=1) >= _TOGETHER)


class ActReader:
    """Reads acts with the vectors of one encoder; safe to share between threads.

    Args:
        transformer: Encodes the texts; None for the static vectors.
    """

    def __init__(self, transformer: TextEncoder | None = None) -> None:
        self._transformer = transformer
        self._heads = shipped_heads()["transformer" if transformer else "static"]

    def read(self, speaker: str, texts: Sequence[str]) -> Acts:
        """Return the acts of texts.

        Args:
            speaker: One of ``SPEAKERS``.
            texts: Any number of texts; an empty one has no act.
        """
        head = self._heads[speaker]
        acts = head.classify(self._encode(texts))
        acts.probability[[not text for text in texts]] = 0
        return acts

    def read_messages(self, speaker: str, parts: Documents, messages: Ints) -> Acts:
        """Return the acts of whole messages, of an agent's message of its beginning.

        Args:
            speaker: One of ``SPEAKERS``.
            parts: All messages as documents.
            messages: Indices of messages; -1 for no message, which has no act.
        """
        head, spoken = self._heads[speaker], messages >= 0
        distinct, places = np.unique(messages[spoken], return_inverse=True)
        acts = head.classify(self._vectors(speaker, parts, distinct))
        probability = np.zeros((len(messages), len(head.acts)))
        probability[spoken] = acts.probability[places]
        return Acts(head.acts, probability, head.bar)

    def _vectors(self, speaker: str, parts: Documents, messages: Ints) -> Floats:
        """Return vectors of distinct messages; the transformer reads the beginning of an agent's long message."""
        if self._transformer is None:
            return parts.vectors[messages]
        long = np.array(
            [speaker == "agent" and len(parts.texts[one]) > _BEGINNING for one in messages.tolist()], np.bool_
        )
        vectors = np.zeros((len(messages), self._dimensions))
        vectors[~long] = read_parts(self._transformer, parts, messages[~long])
        vectors[long] = self._encode([parts.texts[one][:_BEGINNING] for one in messages[long].tolist()])
        return vectors

    def read_agents(self, texts: Sequence[str]) -> Acts:
        """Return for each message of an agent the acts of its most telling sentence.

        Agents regret, refuse and offer in one message. A sentence of manners tells least; a message of questions alone
        asks.

        Args:
            texts: Any number of messages; an empty one has no act.
        """
        sentences = [_sentences(text) for text in texts]
        flat = [sentence for some in sentences for sentence in some]
        of_text = np.repeat(np.arange(len(texts)), [len(some) for some in sentences])
        names, each, bar = self.read("agent", flat)
        telling = np.delete(each, names.index("social"), axis=1).max(axis=1, initial=0)
        telling[[bool(_QUESTION.search(sentence)) for sentence in flat]] = 0
        order = np.lexsort((np.arange(len(flat)), -telling, of_text))
        told, first = np.unique(of_text[order], return_index=True)
        probability = np.zeros((len(texts), len(names)))
        best = order[first]
        probability[told] = each[best]
        only_asks = told[telling[best] == 0]
        probability[only_asks] = np.eye(len(names))[names.index("asks")]
        return Acts(names, probability, bar)

    def _encode(self, texts: Sequence[str]) -> Floats:
        encode = self._transformer.encode if self._transformer else static_encoder().encode
        distinct = list(dict.fromkeys(texts))
        place = {text: number for number, text in enumerate(distinct)}
        rows: Ints = np.array([place[text] for text in texts], np.int64)
        return np.asarray(encode(distinct)[rows], np.float64) if distinct else np.zeros((0, self._dimensions))

    @property
    def _dimensions(self) -> int:
        return len(self._heads["agent"].weights)


def _sentences(text: str) -> list[str]:
    return [one for one in _SENTENCE_END.split(text) if len(one.strip()) > 1][:_MOST_SENTENCES] or [text][: bool(text)]


@lru_cache(maxsize=1)
def shipped_heads() -> Mapping[str, Mapping[str, ActHead]]:
    """Return the shipped heads by encoder and speaker."""
    with safe_open(ACTS_PATH, framework="numpy") as file:
        names = file.metadata()
        return {
            encoder: {
                speaker: ActHead(
                    tuple(names[speaker].split()),
                    file.get_tensor(f"{encoder}_{speaker}_weights").astype(np.float64),
                    file.get_tensor(f"{encoder}_{speaker}_bias").astype(np.float64),
                    BARS[encoder],
                )
                for speaker in SPEAKERS
            }
            for encoder in ENCODERS
        }
