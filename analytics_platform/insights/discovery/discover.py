"""Texts in; their topics out, with ids that stay when the topics of an earlier call are continued."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.insights.discovery.births import add_new_topics
from analytics_platform.insights.discovery.clustering import MOST_COMPARED, Texts, find_topics
from analytics_platform.insights.discovery.naming import TEXTS_PER_TOPIC, name_topics
from analytics_platform.insights.discovery.topic_model import OUTLIER, PARENT_TOPICS, Keys, TopicModel, TopicModelError
from analytics_platform.insights.discovery.vector_space import VectorSpace
from analytics_platform.insights.tiers.tier import Floats, Ints
from analytics_platform.system.plain_text import counted

Encode = Callable[[Sequence[str]], np.ndarray]

_BATCH = 8_192


@dataclass(frozen=True)
class Discovery:
    """Topics of texts.

    Attributes:
        model: The topics, for later calls.
        topics: Number of each text's topic in ``model.ids``, or ``OUTLIER``; shape (texts,).
        confidence: Confidence in each text's topic, 0 to 1; 0 for ``OUTLIER``.
        new: Number of topics that the earlier topics lack; they are the last ones of the model.
    """

    model: TopicModel
    topics: Ints
    confidence: Floats
    new: int


def discover(
    texts: pa.ChunkedArray | pa.Array,
    encoder: str,
    encode: Encode,
    previous: TopicModel | None = None,
    *,
    on_stage: Callable[[str], object] = str,
) -> Discovery:
    """Find the topics of texts, or continue earlier ones.

    The order of the texts makes no difference.

    Args:
        texts: The texts; null counts as empty.
        encoder: Name of the encoder.
        encode: Returns the vectors of texts; zeros for a text without a word.
        previous: Topics of an earlier call, whose ids stay; None to find all topics anew.
        on_stage: Called with a few words when a stage begins.

    Raises:
        TopicModelError: If the earlier topics are those of another encoder.
    """
    if previous is not None and previous.space.encoder != encoder:
        raise TopicModelError(
            f"the earlier topics are of the encoder {previous.space.encoder}, this call uses {encoder}; "
            "use the same tier and version, or discover the topics anew"
        )
    previous = previous if previous is not None and previous.ids else None
    distinct, keys, place = _distinct_texts(texts)
    on_stage(f"encoding {len(distinct):,} different texts")
    vectors = _encode(distinct, encode)
    rows = np.bincount(place, minlength=len(distinct))
    with_words = np.flatnonzero(vectors.any(axis=1))
    on_stage(f"comparing {len(with_words):,} texts")
    if previous is None:
        space = VectorSpace.of(encoder, vectors[with_words[:MOST_COMPARED]])
        model = find_topics(space, _texts(space, vectors, keys, rows, with_words))
    else:
        unseen = with_words[~np.isin(keys[with_words], previous.reference_keys)]
        model = add_new_topics(previous, _texts(previous.space, vectors, keys, rows, unseen))
    topics, confidence, fit = _assign(model, vectors)
    new = len(model.ids) - (len(previous.ids) if previous else 0)
    on_stage(f"naming {counted(new, 'topic')}")
    central = central_texts(topics, fit)
    sizes = np.bincount(topics[topics != OUTLIER], minlength=len(model.ids))
    spelled = distinct.take(pa.array(central)).to_pylist() if new else []
    model = name_new_topics(model, new, spelled, topics[central], sizes)
    return Discovery(model, topics[place], confidence[place], new)


def _distinct_texts(texts: pa.ChunkedArray | pa.Array) -> tuple[pa.Array, Keys, Ints]:
    """Return the distinct texts in the order of their hashes, the hashes, and the number of each text among them."""
    whole = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    encoded = pc.fill_null(whole.cast(pa.large_string()), "").dictionary_encode()
    distinct = encoded.dictionary
    keys = np.empty(len(distinct), np.uint64)
    for start in range(0, len(distinct), _BATCH):
        keys[start : start + _BATCH] = pd.util.hash_array(
            np.array(distinct[start : start + _BATCH].to_pylist(), dtype=object), categorize=False
        )
    order = np.argsort(keys, kind="stable")
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    return distinct.take(pa.array(order)), keys[order], number[encoded.indices.to_numpy()]


def _encode(texts: pa.Array, encode: Encode) -> np.ndarray:
    """Return vectors in half precision; shape (texts, dimensions)."""
    vectors = np.zeros((len(texts), encode([""]).shape[1]), np.float16)
    for start in range(0, len(texts), _BATCH):
        vectors[start : start + _BATCH] = encode(texts[start : start + _BATCH].to_pylist())
    return vectors


def _texts(space: VectorSpace, vectors: np.ndarray, keys: Keys, rows: Ints, chosen: Ints) -> Texts:
    """Return the first of the chosen texts, at most as many as are compared, in the space."""
    chosen = chosen[:MOST_COMPARED]
    return Texts(space.place(vectors[chosen]), keys[chosen], rows[chosen])


def _assign(model: TopicModel, vectors: np.ndarray) -> tuple[Ints, Floats, Floats]:
    """Return topic, confidence and fit of each vector."""
    topics, confidence, fit = np.full(len(vectors), OUTLIER), np.zeros(len(vectors)), np.zeros(len(vectors))
    for start in range(0, len(vectors), _BATCH):
        block = slice(start, start + _BATCH)
        assigned = model.assign(model.space.place(vectors[block]))
        topics[block], confidence[block], fit[block] = assigned.topics, assigned.confidence, assigned.fit
    return topics, confidence, fit


def central_texts(topics: Ints, fit: Floats) -> Ints:
    """Return the rows of each topic's most central texts, by topic and the most central first; no outliers."""
    order = np.lexsort((-fit, topics))
    order = order[topics[order] != OUTLIER]
    rank = np.arange(len(order)) - np.searchsorted(topics[order], topics[order])
    return np.asarray(order[rank < TEXTS_PER_TOPIC])


def name_new_topics(model: TopicModel, new: int, texts: Sequence[str], topics: Ints, sizes: Ints) -> TopicModel:
    """Return the model with names of its last topics, and of parents without a name.

    Args:
        model: The topics.
        new: Number of topics without a name; they are the last ones.
        texts: The central texts of all topics, as ``central_texts`` orders them.
        topics: Number of each text's topic; shape (texts,).
        sizes: Number of texts of each topic, by which the topics of a parent are ordered.
    """
    if not new:
        return model
    count = len(model.ids)
    names = name_topics(texts, topics, count)
    kept = (*model.names[: count - new], *names[count - new :])
    return model.with_names(kept, {**_parent_names(model, kept, sizes), **model.parent_names})


def _parent_names(model: TopicModel, names: Sequence[str], sizes: Ints) -> dict[str, str]:
    """Return a name for each parent: the first terms of its ``PARENT_TOPICS`` largest topics."""
    by_size = sorted(range(len(names)), key=lambda one: (-sizes[one], model.ids[one]))
    members: dict[str, list[str]] = {}
    for one in by_size:
        members.setdefault(model.parents[one], []).append(names[one].split(", ")[0])
    return {parent: ", ".join(dict.fromkeys(terms[:PARENT_TOPICS])) for parent, terms in members.items()}
