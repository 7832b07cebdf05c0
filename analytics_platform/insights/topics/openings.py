"""How conversations open: one vector per conversation, of the customer's first messages, and their words.

The opening says what a conversation is about; vectors of whole conversations differ too little to be told apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from analytics_platform.insights.discovery.clustering import Texts
from analytics_platform.insights.discovery.topic_model import Keys
from analytics_platform.insights.discovery.vector_space import VectorSpace
from analytics_platform.insights.tiers.tier import Ints
from analytics_platform.insights.vectors.unit_length import unit
from analytics_platform.model.message_keys import message_keys
from analytics_platform.model.tables.insight_tables import EMBEDDING_DIMENSIONS

COLUMNS = ("conversation_id", "message_id", "role", "position", "word_count", "text")
"""Columns of ``MESSAGES`` that openings are made of."""
_ENOUGH_WORDS = 6
"""Words after which no further message is part of an opening: the first message is often a greeting."""
_MESSAGES = 3
"""Most messages of an opening."""
_MOST_WORDS = 40
"""Most words that add to a message's weight."""
_MIXERS = np.random.default_rng(0).integers(0, 2**63, EMBEDDING_DIMENSIONS // 4, np.uint64) * np.uint64(2) + np.uint64(
    1
)


@dataclass(frozen=True)
class Openings:
    """The openings of some conversations.

    Attributes:
        ids: Identifiers of the conversations, distinct.
        vectors: Unit-length vectors in half precision, zeros for an opening without a known word; shape (ids, 256).
        encoder: Name of the encoder; empty without conversations.
    """

    ids: pa.Array
    vectors: np.ndarray
    encoder: str

    def __len__(self) -> int:
        """Return the number of conversations."""
        return len(self.ids)

    @cached_property
    def keys(self) -> Keys:
        """A hash of each vector; shape (ids,)."""
        words = np.ascontiguousarray(self.vectors).view(np.uint64)
        mixed = pd.util.hash_array(words.ravel()).reshape(words.shape)
        return np.asarray((mixed * _MIXERS).sum(axis=1, dtype=np.uint64))

    @property
    def with_words(self) -> np.ndarray:
        """Whether the encoder knows a word of the opening; shape (ids,)."""
        return np.asarray(self.vectors.any(axis=1))

    def only(self, chosen: pa.Array) -> Openings:
        """Return the openings of some conversations; shape of the boolean array (ids,)."""
        return Openings(self.ids.filter(chosen), self.vectors[chosen.to_numpy(zero_copy_only=False)], self.encoder)

    def distinct(self) -> tuple[Ints, Ints]:
        """Return a row of each distinct vector with a word, in the order of the hashes, and how often it occurs."""
        rows = np.flatnonzero(self.with_words)
        _, first, counts = np.unique(self.keys[rows], return_index=True, return_counts=True)
        return rows[first], counts

    def texts(self, space: VectorSpace) -> Texts:
        """Return the distinct openings with a word, in a space."""
        rows, counts = self.distinct()
        return Texts(space.place(self.vectors[rows]), self.keys[rows], counts)


def read_openings(messages: pa.Table, message_embeddings: pa.Table) -> Openings:
    """Return the opening of each conversation in which a customer's message has a vector.

    An opening is the customer's first message, and up to two more while those before them have fewer than six words.
    Its vector is the mean of the messages' vectors; a message weighs as many words as it has, at most 40.

    Args:
        messages: A ``MESSAGES`` table, or its columns ``COLUMNS`` without the text.
        message_embeddings: ``MESSAGE_EMBEDDINGS``; a vector without its message is left out, as on a day whose vectors
            still have to be computed again.
    """
    places = pc.index_in(message_keys(message_embeddings), value_set=message_keys(messages))
    said = message_embeddings.filter(places.is_valid())
    for name in ("role", "position", "word_count"):
        said = said.append_column(name, messages[name].take(places.drop_null()))
    said = _first_messages(said)
    coded = said["conversation_id"].combine_chunks().dictionary_encode()
    weights = np.clip(said["word_count"].to_numpy(), 1, _MOST_WORDS).astype(np.float64)
    rows = np.arange(len(said))
    mean = sp.csr_matrix((weights, (coded.indices.to_numpy(), rows)), shape=(len(coded.dictionary), len(said)))
    flat = said["embedding"].combine_chunks().flatten().to_numpy().reshape(len(said), EMBEDDING_DIMENSIONS)
    vectors = unit(np.asarray(mean @ flat.astype(np.float64))).astype(np.float16)
    encoder = pc.min(said["encoder"]).as_py() or ""
    return Openings(coded.dictionary, vectors, encoder)


def join_openings(parts: list[Openings]) -> Openings:
    """Return the openings of several days as one, of the last day's encoder; those of another encoder are left out."""
    known = [part for part in parts if len(part)]
    if not known:
        return Openings(pa.array([], pa.string()), np.zeros((0, EMBEDDING_DIMENSIONS), np.float16), "")
    same = [part for part in known if part.encoder == known[-1].encoder]
    ids = pa.concat_arrays([part.ids for part in same])
    return Openings(ids, np.concatenate([part.vectors for part in same]), same[-1].encoder)


def opening_words(messages: pa.Table, ids: pa.Array) -> pa.Array:
    """Return the words of some conversations' openings; empty where ``messages`` lacks the conversation.

    Args:
        messages: The columns ``COLUMNS`` of ``MESSAGES``.
        ids: Identifiers of the conversations, distinct.
    """
    said = messages.filter(pc.is_in(messages["conversation_id"], value_set=ids))
    said = _first_messages(said.filter(pc.greater(said["word_count"], 0)))
    joined = said.group_by("conversation_id", use_threads=False).aggregate([("text", "list")])
    words = pc.binary_join(joined["text_list"].cast(pa.list_(pa.string())), " ")
    places = pc.index_in(ids, value_set=joined["conversation_id"].combine_chunks())
    return pc.fill_null(words.combine_chunks().take(places), "")


def words_of_days(days: Iterable[pa.Table], ids: pa.Array) -> pa.Array:
    """Return the words of some conversations' openings, from the ``MESSAGES`` of their days."""
    words = pa.array([""] * len(ids), pa.string())
    for messages in days:
        own = opening_words(messages, ids)
        words = pc.if_else(pc.equal(own, ""), words, own)
    return words


def _first_messages(said: pa.Table) -> pa.Table:
    """Return the messages of each conversation's opening, by conversation and position."""
    said = said.filter(pc.equal(said["role"], "user")).sort_by(
        [("conversation_id", "ascending"), ("position", "ascending")]
    )
    codes = said["conversation_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    first = np.searchsorted(codes, codes)
    words = np.concatenate([[0], np.cumsum(said["word_count"].to_numpy())])
    is_opening = (words[:-1] - words[first] < _ENOUGH_WORDS) & (np.arange(len(codes)) - first < _MESSAGES)
    return said.filter(pa.array(is_opening))
