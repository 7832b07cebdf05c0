"""Small synthetic texts of clear kinds, and an encoder that gives texts of one kind like vectors."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from analytics_platform.insights.discovery.discover import Discovery, discover
from analytics_platform.insights.discovery.topic_model import TopicModel

ENCODER = "synthetic/1"
DIMENSIONS = 24
WORDS = ["parcel", "refund", "password", "invoice", "newsletter", "flight", "hotel", "pizza", "weather", "guitar"]


def texts_of(kind: int, count: int, first: int = 0) -> list[str]:
    """Return different texts of a kind: a word of the kind, and words that say nothing."""
    return [f"{WORDS[kind]} matter number{first + number} please" for number in range(count)]


def encode(texts: Sequence[str]) -> np.ndarray:
    """Return a vector near the direction of the text's first word; zeros for a text without a word of a kind."""
    rows = np.zeros((len(texts), DIMENSIONS), np.float32)
    for row, text in zip(rows, texts, strict=True):
        word = text.split(" ")[0]
        if word in WORDS:
            noise = np.random.default_rng(zlib.crc32(text.encode())).normal(size=DIMENSIONS)
            row[:] = 0.25 * noise / np.linalg.norm(noise)
            row[WORDS.index(word)] += 1
            row /= np.linalg.norm(row)
    return rows


def found(texts: Sequence[str | None], previous: TopicModel | None = None) -> Discovery:
    """Discover the topics of texts."""
    return discover(pa.array(texts, pa.string()), ENCODER, encode, previous)


def ids(discovery: Discovery) -> list[str | None]:
    """Return the topic's identifier of each text."""
    return [None if topic < 0 else discovery.model.ids[topic] for topic in discovery.topics.tolist()]
