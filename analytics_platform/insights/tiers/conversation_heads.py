"""Small linear heads over evidence about whole conversations; ``training/development/fit.py`` fits and writes them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file
from scipy.special import softmax

from analytics_platform.insights.tiers.tier import Floats

HEADS_PATH = Path(__file__).parents[1] / "data" / "conversation_heads.safetensors"
HeadName = Literal["mood", "sentiment", "resolution"]
EncoderName = Literal["static", "transformer"]


class ConversationHead(NamedTuple):
    """A multinomial logistic regression.

    Attributes:
        labels: Names of the labels.
        weights: Shape (pieces of evidence, labels).
        bias: Shape (labels,).
    """

    labels: tuple[str, ...]
    weights: Floats
    bias: Floats

    def logits(self, evidence: Floats) -> Floats:
        """Return the log-odds of the labels up to a constant; shape (rows, labels)."""
        return np.asarray(evidence @ self.weights + self.bias)

    def predict(self, evidence: Floats) -> Floats:
        """Return the probability of each label; shape (rows, labels).

        Args:
            evidence: Shape (rows, pieces of evidence).
        """
        return np.asarray(softmax(self.logits(evidence), axis=1))


def save_heads(heads: Mapping[tuple[HeadName, EncoderName], ConversationHead], path: Path = HEADS_PATH) -> None:
    """Write heads as safetensors in single precision."""
    tensors, labels = {}, {}
    for (name, encoder), head in heads.items():
        tensors[f"{name}_{encoder}_weights"] = np.ascontiguousarray(head.weights, np.float32)
        tensors[f"{name}_{encoder}_bias"] = np.asarray(head.bias, np.float32)
        labels[f"{name}_{encoder}"] = " ".join(head.labels)
    save_file(tensors, path, metadata=labels)


@lru_cache(maxsize=1)
def shipped_conversation_heads() -> Mapping[tuple[HeadName, EncoderName], ConversationHead]:
    """Return the shipped heads by name and encoder."""
    heads: dict[tuple[HeadName, EncoderName], ConversationHead] = {}
    names: tuple[HeadName, ...] = ("mood", "sentiment", "resolution")
    encoders: tuple[EncoderName, ...] = ("static", "transformer")
    with safe_open(HEADS_PATH, framework="numpy") as file:
        labels = file.metadata()
        for name in names:
            for encoder in encoders:
                weights, bias = (
                    file.get_tensor(f"{name}_{encoder}_{part}").astype(np.float64) for part in ("weights", "bias")
                )
                heads[name, encoder] = ConversationHead(tuple(labels[f"{name}_{encoder}"].split()), weights, bias)
    return heads
