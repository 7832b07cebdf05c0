"""A trained model of topics and intents: one small file, named by the hash of its bytes.

`LabelModel.fits` tells whether a model matches a taxonomy and an encoder; `quality.promotion_gate` decides whether a
model is good enough to be used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import orjson
from safetensors.numpy import load, save

from analytics_platform.insights.encoders.encoder import StaticEncoder
from analytics_platform.insights.encoders.minilm import TextEncoder
from analytics_platform.insights.heads.likeness import Likeness, Taught, all_lessons
from analytics_platform.insights.taxonomies.taxonomy import Taxonomy
from analytics_platform.insights.tiers.reading_model import load_reader
from analytics_platform.insights.tiers.tier import Floats, Kind

_DECIMALS = 6
"""Decimals of a stored weight; rounding removes differences between processors."""
_KINDS: tuple[Kind, ...] = ("topic", "intent")
_READING = "reading"
_FACTS = "model"
"""The only key of the file's metadata, because safetensors writes several keys in no fixed order."""


@dataclass(frozen=True)
class LabelModel:
    """A fitted model.

    Attributes:
        content: Bytes of the model's safetensors file.
    """

    content: bytes

    @cached_property
    def model_id(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the file."""
        return hashlib.sha256(self.content).hexdigest()[:16]

    @property
    def likeness(self) -> dict[Kind, Likeness]:
        """Weights and bias of each kind of label over static vectors."""
        return {kind: (self._tensors[f"{kind}.weights"], self._tensors[f"{kind}.bias"]) for kind in _KINDS}

    def reading(self, transformer: TextEncoder) -> dict[Kind, Likeness]:
        """Return weights and bias over a transformer's vectors; empty if the model was not fitted with it."""
        if self._facts.get("transformer") != transformer.name:
            return {}
        names = {kind: f"{kind}.{_READING}" for kind in _KINDS}
        return {kind: (self._tensors[f"{name}.weights"], self._tensors[f"{name}.bias"]) for kind, name in names.items()}

    @property
    def taxonomy_version(self) -> str:
        """Version of the taxonomy of the model's labels."""
        return str(self._facts["taxonomy_version"])

    @property
    def encoder(self) -> str:
        """Name of the static encoder of the model's vectors."""
        return str(self._facts["encoder"])

    @property
    def corrections(self) -> int:
        """Number of corrections that the model was fitted on."""
        return int(self._facts["corrections"])

    def fits(self, content: Taxonomy, encoder: StaticEncoder) -> bool:
        """Tell whether the model was fitted for this taxonomy and this encoder."""
        return (self.taxonomy_version, self.encoder) == (content.version, encoder.name)

    @cached_property
    def _tensors(self) -> dict[str, Floats]:
        return {name: tensor.astype(np.float64) for name, tensor in load(self.content).items()}

    @cached_property
    def _facts(self) -> Any:
        length = int.from_bytes(self.content[:8], "little")
        return orjson.loads(orjson.loads(self.content[8 : 8 + length])["__metadata__"][_FACTS])


@dataclass(frozen=True)
class Read:
    """Corrected documents encoded by a transformer.

    Attributes:
        transformer: The transformer.
        taught: The documents by kind.
    """

    transformer: TextEncoder
    taught: Mapping[Kind, Taught]


def fit_model(
    encoder: StaticEncoder,
    content: Taxonomy,
    taught: Mapping[Kind, Taught] | None = None,
    read: Read | None = None,
) -> LabelModel:
    """Fit a model; equal input gives equal bytes.

    Args:
        encoder: Makes the static vectors.
        content: The taxonomy.
        taught: Corrected documents by kind; without them, the model contains the default heads.
        read: The same documents encoded by a transformer, for the heads over its vectors; without them, the model has
            no such heads.
    """
    taught = taught or {}
    fitted: dict[str, Likeness] = {
        kind: lessons.fit() for kind, lessons in all_lessons(encoder.encode, content, taught).items()
    }
    if read:
        lessons_read = all_lessons(read.transformer.encode, content, read.taught, load_reader().slice_vectors)
        fitted |= {f"{kind}.{_READING}": lessons.fit() for kind, lessons in lessons_read.items()}
    tensors: dict[str, np.ndarray] = {}
    for name, (weights, bias) in fitted.items():
        tensors[f"{name}.weights"] = np.ascontiguousarray(weights.round(_DECIMALS) + 0.0, np.float32)
        tensors[f"{name}.bias"] = bias.astype(np.float32)
    facts = {
        "taxonomy_version": content.version,
        "encoder": encoder.name,
        "corrections": sum(len(part.labels) for part in taught.values()),
        **({"transformer": read.transformer.name} if read else {}),
    }
    return LabelModel(save(tensors, metadata={_FACTS: orjson.dumps(facts, option=orjson.OPT_SORT_KEYS).decode()}))
