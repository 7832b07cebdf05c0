"""A trained model: what people's corrections taught, as one small file named by its hash.

The file has vectors of the corrected documents and no text, so that a text that is deleted from the source is in no
model. `LabelModel.fits` tells whether a model matches a taxonomy and an encoder; `quality.promotion_gate` decides
whether a model is good enough to be used.
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

from analytics_platform.insights.heads.training_set import LabelledVectors
from analytics_platform.insights.taxonomies.taxonomy import Taxonomy
from analytics_platform.insights.tiers.tier import Kind
from analytics_platform.insights.vectors.static_multilingual import StaticEncoder
from analytics_platform.insights.vectors.text_encoder import TextEncoder, names_of

_FACTS = "model"
"""The only key of the file's metadata, because safetensors writes several keys in no fixed order."""


@dataclass(frozen=True)
class LabelModel:
    """A model.

    Attributes:
        content: Bytes of the model's safetensors file.
    """

    content: bytes

    @cached_property
    def model_id(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the file."""
        return hashlib.sha256(self.content).hexdigest()[:16]

    def taught(self, transformer: str | None = None) -> dict[Kind, LabelledVectors]:
        """Return the corrected documents by kind.

        Args:
            transformer: Names (``names_of``) of the transformer whose vectors are wanted; they are None if another one
                made them.
        """
        found: dict[Kind, LabelledVectors] = {}
        stored = self._facts.get("transformer")  # of a model from before the English one: the first of the two names
        for kind, labels in self._facts["labels"].items():
            same = stored is not None and transformer is not None and f"{transformer}+".startswith(f"{stored}+")
            found[kind] = LabelledVectors(
                self._tensors[f"{kind}.vectors"].astype(np.float64),
                labels,
                self._tensors[f"{kind}.weights"].astype(np.float64),
                self._tensors[f"{kind}.read"].astype(np.float32) if same else None,
                self._facts.get("by_llm", {}).get(kind, 0),
                self._facts.get("rules", {}).get(kind, ()),
                self._tensors[answers].astype(np.float64) if (answers := f"{kind}.answers") in self._tensors else None,
            )
        return found

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
        """Number of corrections that the model learnt from."""
        return sum(len(labels) for labels in self._facts["labels"].values())

    @property
    def learnt_of_llm(self) -> int:
        """Number of labels of an LLM that the model learnt from."""
        return sum(self._facts.get("by_llm", {}).values())

    def fits(self, content: Taxonomy, encoder: str) -> bool:
        """Tell whether the model is for this taxonomy and this encoder, and not of the format before version 2.

        Args:
            content: The taxonomy.
            encoder: Name of the static encoder.
        """
        return "labels" in self._facts and (self.taxonomy_version, self.encoder) == (content.version, encoder)

    @cached_property
    def _tensors(self) -> dict[str, np.ndarray]:
        return load(self.content)

    @cached_property
    def _facts(self) -> Any:
        length = int.from_bytes(self.content[:8], "little")
        return orjson.loads(orjson.loads(self.content[8 : 8 + length])["__metadata__"][_FACTS])


def make_model(
    encoder: StaticEncoder,
    content: Taxonomy,
    taught: Mapping[Kind, LabelledVectors] | None = None,
    transformer: TextEncoder | None = None,
) -> LabelModel:
    """Return a model; equal input gives equal bytes.

    Args:
        encoder: Made the static vectors.
        content: The taxonomy.
        taught: Corrected documents by kind; without them, the model is the default.
        transformer: Made the vectors ``LabelledVectors.read``; None if no transformer read the documents.
    """
    tensors: dict[str, np.ndarray] = {"version": np.array([2], np.int32)}
    for kind, one in (taught or {}).items():
        tensors[f"{kind}.vectors"] = one.vectors.astype(np.float16)
        tensors[f"{kind}.weights"] = np.asarray(one.weights, np.float32)
        if one.read is not None:
            tensors[f"{kind}.read"] = one.read.astype(np.float16)
        if one.answers is not None:
            tensors[f"{kind}.answers"] = np.asarray(one.answers, np.float32)
    by_llm = {kind: one.by_llm for kind, one in (taught or {}).items() if one.by_llm}
    rules = {kind: list(one.rules) for kind, one in (taught or {}).items() if one.rules}
    facts = {
        "taxonomy_version": content.version,
        "encoder": encoder.name,
        "labels": {kind: list(one.labels) for kind, one in (taught or {}).items()},
        **({"transformer": names_of(transformer)} if transformer else {}),
        **({"by_llm": by_llm} if by_llm else {}),
        **({"rules": rules} if rules else {}),
    }
    return LabelModel(save(tensors, metadata={_FACTS: orjson.dumps(facts, option=orjson.OPT_SORT_KEYS).decode()}))
