"""Fit the static vectors of many languages to the teacher's vectors; see README.md."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp
from numpy.typing import NDArray
from safetensors.numpy import save_file

from analytics_platform.insights.encoders.words import split_words
from analytics_platform.insights.vectors.static_multilingual import count_pieces, make_tokenizer
from analytics_platform.insights.vectors.unit_length import unit

Floats = NDArray[np.float32]

DIMENSIONS = 256
SHRINKAGE = 100
"""Texts of a language that count as much as the mean of all languages in the language's mean."""
RARITY = 1e-3
"""Probability of a piece whose vector alone is halved; more frequent pieces say less about a text."""
RIDGE = 1.0
"""Texts with one piece that count as much as the piece's vector alone."""
STEPS = 12
"""Steps of the conjugate gradient method."""
ROUNDS = 2
"""Fits; each after the first weighs texts so that all sums have unit length."""
WHITENING = 0.25
"""Dimensions are divided by their variance to this power: all of it (0.5) is worse across languages."""


def remove_language(vectors: Floats, languages: NDArray[np.str_], parallel: NDArray[np.bool_]) -> Floats:
    """Subtract the mean of each language, so that a vector says what a text means and not in which language.

    Means are those of the texts of a kind that every language has, so that a difference between the subjects of two
    languages' texts stays.
    """
    centred = vectors - vectors[parallel].mean(axis=0)
    for language in np.unique(languages):
        own = languages == language
        chosen = centred[own & parallel]
        centred[own] -= chosen.sum(axis=0) / (len(chosen) + SHRINKAGE)
    return centred


def principal_axes(vectors: Floats) -> tuple[Floats, Floats]:
    """Return the directions of largest variance as columns, shape (384, 256), and the variances."""
    variances, axes = np.linalg.eigh(vectors.T @ vectors / len(vectors))
    return axes[:, : -DIMENSIONS - 1 : -1].astype(np.float32), variances[: -DIMENSIONS - 1 : -1].astype(np.float32)


def ridge(counts: sp.csr_matrix, targets: Floats, penalty: float) -> Floats:
    """Return the vectors whose sums are nearest to the targets, by the conjugate gradient method.

    Args:
        counts: Weighted pieces of each text; shape (texts, pieces).
        targets: Shape (texts, dimensions).
        penalty: Weight of the squared length of every vector.

    Returns:
        Shape (pieces, dimensions).
    """
    transposed = counts.T.tocsr()
    residual = np.asarray(transposed @ targets, np.float32)
    scale = 1 / (np.asarray(counts.multiply(counts).sum(axis=0)).reshape(-1, 1) + penalty).astype(np.float32)
    result = np.zeros_like(residual)
    direction = scale * residual
    size = (residual * direction).sum(axis=0)
    for _ in range(STEPS):
        product = transposed @ (counts @ direction) + penalty * direction
        step = size / np.maximum((direction * product).sum(axis=0), 1e-20)
        result += step * direction
        residual -= step * product
        scaled = scale * residual
        before, size = size, (residual * scaled).sum(axis=0)
        direction = scaled + size / np.maximum(before, 1e-20) * direction
    return result


def fit(counts: sp.csr_matrix, targets: Floats, alone: Floats) -> Floats:
    """Return the vectors of the pieces; the direction of their sum in a text is nearest to the text's target.

    Args:
        counts: Pieces of each text; shape (texts, pieces).
        targets: Unit-length vectors; shape (texts, dimensions).
        alone: Vectors of the pieces as texts of their own; what texts do not tell stays in proportion to these.
    """
    lengths = np.sqrt(np.asarray(counts.sum(axis=1)).ravel())
    for _ in range(ROUNDS):
        weighted = sp.diags((1 / lengths).astype(np.float32)).tocsr() @ counts
        guess = np.asarray(weighted @ alone)
        share = float((guess * targets).sum() / (guess * guess).sum())
        vectors = share * alone + ridge(weighted, targets - share * guess, RIDGE)
        lengths = np.linalg.norm(counts @ vectors, axis=1)
        lengths = np.maximum(lengths, 0.3 * np.median(lengths))
        agreement = (unit(np.asarray(counts @ vectors)) * targets).sum(axis=1).mean()
        print(f"mean cosine to the teacher: {agreement:.4f}", flush=True)
    return vectors


def quantize(vectors: Floats) -> tuple[NDArray[np.int8], NDArray[np.float16]]:
    """Return 8-bit vectors and the scale of each."""
    scales = np.maximum(np.abs(vectors).max(axis=1) / 127, 1e-4).astype(np.float16)
    return np.rint(vectors / scales[:, None].astype(np.float32)).clip(-127, 127).astype(np.int8), scales


def read_vectors(table: pa.Table) -> Floats:
    """Return the column ``vector``; shape (rows, 384)."""
    column = table["vector"].combine_chunks()
    return column.values.to_numpy().reshape(len(column), -1).astype(np.float32)


def main() -> None:
    """Write the file of the static encoder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder that teach.py wrote")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    texts = pq.read_table(options.folder / "texts.parquet")
    pieces = pq.read_table(options.folder / "pieces.parquet")
    scores = pieces["score"].to_numpy().astype(np.float16)
    languages = np.array(texts["language"].to_pylist())
    centred = remove_language(read_vectors(texts), languages, texts["parallel"].to_numpy())
    axes, variances = principal_axes(centred)
    targets = unit(centred @ axes).astype(np.float32)

    words = split_words(texts["text"])
    tokenizer = make_tokenizer(pieces["piece"].to_pylist(), scores)
    counts = (words.incidence() @ count_pieces(tokenizer, words.vocabulary)).tocsr()
    probabilities = np.exp(scores.astype(np.float64))
    alone = read_vectors(pieces)
    alone = (alone - alone.mean(axis=0)) @ axes
    alone *= (RARITY / (RARITY + probabilities / probabilities.sum())).astype(np.float32)[:, None]

    known = np.asarray(counts.sum(axis=1)).ravel() > 0
    print(f"{known.sum():,} texts, {counts.shape[1]:,} pieces, {(counts.sum(axis=0) > 0).sum():,} of them in texts")
    vectors = fit(counts[known], targets[known], alone) * variances**-WHITENING
    codes, scales = quantize(vectors / np.linalg.norm(vectors, axis=1).mean())
    blob = np.frombuffer("\n".join(pieces["piece"].to_pylist()).encode(), np.uint8)
    save_file({"vectors": codes, "scales": scales, "scores": scores, "pieces": blob}, options.out)


if __name__ == "__main__":
    main()
