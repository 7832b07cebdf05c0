"""Topics as later calls need them: centroids, widths, names, and reference texts to compare later texts with."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from analytics_platform.errors import UserError
from analytics_platform.insights.discovery.vector_space import VectorSpace
from analytics_platform.insights.encoders.blas_threads import one_blas_thread
from analytics_platform.insights.tiers.tier import Floats, Ints, Singles

OUTLIER = -1
"""Number of the topic of a text that fits nowhere."""
Keys = NDArray[np.uint64]

PARENT_TOPICS = 3
"""Largest topics of a parent of which its name is made."""
_FORMAT = 1
"""Increase the number when the stored form changes."""
_BLOCK = 8_192
_LARGEST_CODE = 127
_DECIMALS = 9
"""Decimals of a cosine; further ones differ between processors."""


class TopicModelError(UserError, ValueError):
    """Stored topics cannot be continued; the message says why."""


@dataclass(frozen=True)
class Assigned:
    """Topics of some texts.

    Attributes:
        topics: Number of each text's topic in ``TopicModel.ids``, or ``OUTLIER``; shape (texts,).
        confidence: Expected share of a text's nearest neighbours that have its topic, 0 to 1; 0 for ``OUTLIER``.
        fit: Cosine of the text and its topic's centroid, in standard deviations from the topic's mean; shape (texts,).
        nearest: Number of the nearest topic, however far.
    """

    topics: Ints
    confidence: Floats
    fit: Floats
    nearest: Ints


@dataclass(frozen=True)
class TopicModel:
    """The topics of one or more calls.

    Attributes:
        space: How vectors become comparable.
        ids: Identifiers of the topics.
        parents: Identifier of each topic's parent.
        names: Names of the topics.
        parent_names: Names of the parents, by identifier.
        centroids: Unit-length centroids, rounded to half precision; shape (topics, dimensions).
        centres: Mean cosine of a topic's texts and its centroid; shape (topics,).
        spreads: Standard deviation of these cosines; shape (topics,).
        least_fit: Fit under which a text fits nowhere.
        sharpness: Factor of the cosines in the softmax that gives the confidence.
        resolution: Resolution of the partition that the topics come from.
        references: Vectors of some texts of the topics, as 8-bit numbers; shape (references, dimensions).
        reference_topics: Number of the topic of each of these texts.
        reference_keys: Hash of each of these texts.
    """

    space: VectorSpace
    ids: tuple[str, ...]
    parents: tuple[str, ...]
    names: tuple[str, ...]
    parent_names: dict[str, str]
    centroids: Singles
    centres: Singles
    spreads: Singles
    least_fit: float
    sharpness: float
    resolution: float
    references: NDArray[np.int8]
    reference_topics: Ints
    reference_keys: Keys

    def assign(self, vectors: Singles) -> Assigned:
        """Assign texts to the topic with the nearest centroid, or to none where they are farther than nearly all texts.

        A text's topic and confidence depend on its own vector alone. Products in single precision would differ in the
        last digits with the number of texts.

        Args:
            vectors: Vectors in the model's space; zero for a text without a word. Shape (texts, dimensions).
        """
        count = len(vectors)
        nearest, best, share = np.full(count, OUTLIER), np.zeros(count), np.zeros(count)
        if not self.ids:
            return Assigned(nearest, share, np.full(count, -np.inf), nearest)
        centroids = self.centroids.T.astype(np.float64)
        with one_blas_thread():
            for start in range(0, count, _BLOCK):
                cosines = np.round(vectors[start : start + _BLOCK].astype(np.float64) @ centroids, _DECIMALS)
                block = slice(start, start + len(cosines))
                nearest[block] = np.round(cosines, 6).argmax(axis=1)
                best[block] = cosines[np.arange(len(cosines)), nearest[block]]
                share[block] = 1 / np.exp(self.sharpness * (cosines - best[block, None])).sum(axis=1)
        fit = (best - self.centres[nearest]) / self.spreads[nearest]
        fits = (fit >= self.least_fit) & vectors.any(axis=1)
        return Assigned(np.where(fits, nearest, OUTLIER), np.where(fits, np.round(share, 6), 0.0), fit, nearest)

    def reference_vectors(self) -> Singles:
        """Return the vectors of the reference texts; of nearly unit length."""
        return np.asarray(self.references.astype(np.float32) / _LARGEST_CODE)

    def with_names(self, names: tuple[str, ...], parent_names: dict[str, str]) -> TopicModel:
        """Return the same topics under other names."""
        return replace(self, names=names, parent_names=parent_names)

    def topics_from(self, first: int) -> TopicModel:
        """Return the topics from a number on, with their reference texts."""
        own = self.reference_topics >= first
        return replace(
            self,
            ids=self.ids[first:],
            parents=self.parents[first:],
            names=self.names[first:],
            parent_names={one: self.parent_names[one] for one in dict.fromkeys(self.parents[first:])},
            centroids=self.centroids[first:],
            centres=self.centres[first:],
            spreads=self.spreads[first:],
            references=self.references[own],
            reference_topics=self.reference_topics[own] - first,
            reference_keys=self.reference_keys[own],
        )

    def followed_by(self, later: TopicModel) -> TopicModel:
        """Return these topics and later ones of the same space; the inverse of ``topics_from``."""
        return replace(
            self,
            ids=(*self.ids, *later.ids),
            parents=(*self.parents, *later.parents),
            names=(*self.names, *later.names),
            parent_names={**later.parent_names, **self.parent_names},
            centroids=np.concatenate([self.centroids, later.centroids]),
            centres=np.concatenate([self.centres, later.centres]),
            spreads=np.concatenate([self.spreads, later.spreads]),
            references=np.concatenate([self.references, later.references]),
            reference_topics=np.concatenate([self.reference_topics, later.reference_topics + len(self.ids)]),
            reference_keys=np.concatenate([self.reference_keys, later.reference_keys]),
        )

    def to_text(self) -> str:
        """Return the model as ASCII text, to be stored beside a result."""
        tensors = {
            "mean": self.space.mean.astype(np.float16),
            "centroids": self.centroids.astype(np.float16),
            "centres": self.centres,
            "spreads": self.spreads,
            "references": self.references,
            "reference_topics": self.reference_topics.astype(np.int32),
            "reference_keys": self.reference_keys,
        }
        words = {
            "format": _FORMAT,
            "encoder": self.space.encoder,
            "ids": self.ids,
            "parents": self.parents,
            "names": self.names,
            "parent_names": self.parent_names,
            "least_fit": self.least_fit,
            "sharpness": self.sharpness,
            "resolution": self.resolution,
        }
        content = save(
            {name: np.ascontiguousarray(value) for name, value in tensors.items()}, {"topics": json.dumps(words)}
        )
        return base64.b64encode(zlib.compress(content, 6)).decode("ascii")

    @classmethod
    def from_text(cls, text: str) -> TopicModel:
        """Return the model that ``to_text`` stored.

        Raises:
            TopicModelError: If the text is damaged, or of another version of this program.
        """
        try:
            content = zlib.decompress(base64.b64decode(text, validate=True))
            length = int.from_bytes(content[:8], "little")
            words = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["topics"])
            tensors = load(content)
        except (ValueError, KeyError, zlib.error, SafetensorError) as error:
            raise TopicModelError(f"the stored topics are damaged: {error}") from error
        if words["format"] != _FORMAT:
            raise TopicModelError(
                f"the stored topics have the format {words['format']}, expected {_FORMAT}; discover the topics anew"
            )
        return cls(
            space=VectorSpace(words["encoder"], tensors["mean"].astype(np.float32)),
            ids=tuple(words["ids"]),
            parents=tuple(words["parents"]),
            names=tuple(words["names"]),
            parent_names=words["parent_names"],
            centroids=tensors["centroids"].astype(np.float32),
            centres=tensors["centres"],
            spreads=tensors["spreads"],
            least_fit=words["least_fit"],
            sharpness=words["sharpness"],
            resolution=words["resolution"],
            references=tensors["references"],
            reference_topics=tensors["reference_topics"].astype(np.int64),
            reference_keys=tensors["reference_keys"],
        )


def to_bytes(vectors: Singles) -> NDArray[np.int8]:
    """Return unit-length vectors as 8-bit numbers."""
    return np.rint(vectors * _LARGEST_CODE).astype(np.int8)
