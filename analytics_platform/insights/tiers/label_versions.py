"""The versions of labels: hashes of everything that the labels of a tier depend on.

They are computed from names and from the text of the code: whether stored labels are current is found out without
loading or fitting anything. The modules of the tiers are named, because importing them takes a second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from analytics_platform.insights.heads.label_model import LabelModel
from analytics_platform.insights.learning.training_files import Training
from analytics_platform.insights.taxonomies.taxonomy import Taxonomy
from analytics_platform.insights.vectors.static_english import english_name
from analytics_platform.insights.vectors.static_multilingual import ENCODER_NAME
from analytics_platform.model.code_version import code_version

_STATIC = "analytics_platform.insights.tiers.static"
_READING = "analytics_platform.insights.tiers.transformer_tier"
_ENGINE = "analytics_platform.insights.engine"


def static_version(taxonomy: Taxonomy, model: LabelModel | None, training: Training) -> str:
    """Return the version of the static tier's answers, 16 hexadecimal digits.

    Args:
        taxonomy: The taxonomy.
        model: What corrections taught; None without.
        training: Labelled texts, which teach beside the taxonomy's examples.

    Raises:
        EncoderError: If the static vectors are not installed.
    """
    parts = [
        taxonomy.version.encode(),
        ENCODER_NAME.encode(),
        english_name().encode(),
        model.content if model else b"",
        code_version(_STATIC).encode(),  # with the shipped slice and weights
        *([training.version.encode()] if training.teaches else []),
    ]
    return hashlib.sha256(b"\x1f".join(parts)).hexdigest()[:16]


def reading_version(static: str, transformer: str) -> str:
    """Return the version of the answers of a tier with a transformer, 16 hexadecimal digits.

    Args:
        static: Version of the static tier.
        transformer: Name of the transformer.
    """
    parts = (static, transformer, code_version(_READING))  # with the shipped slices and vectors
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def engine_version(tier: str, tier_version: str) -> str:
    """Return the hash of everything that the labels depend on: taxonomy, encoder, weights and code."""
    return hashlib.sha256("\x1f".join((tier, tier_version, code_version(_ENGINE))).encode()).hexdigest()[:16]


def label_versions(tier: str, tier_version: str, taxonomy: Taxonomy, training: Training) -> Mapping[str, str]:
    """Return the versions that the labels depend on by name; ``engine`` is the hash of all, including the code."""
    return {
        "engine's tier": tier,
        "taxonomy": taxonomy.version,
        **({"training": training.version} if training.teaches else {}),
        "engine": engine_version(tier, tier_version),
    }
