"""The sentiment head: negative, neutral or positive, fitted on a small labelled slice shipped with the package.

``data/sentiment.parquet`` is the slice (see ``data/NOTICE``), ``data/sentiment.safetensors`` the result of
``fit_sentiment``; a test fits the head again and compares. Run the module to write the second file again.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp
from safetensors import safe_open
from safetensors.numpy import save_file

from analytics_platform.insights.encoders.encoder import StaticEncoder, static_encoder, unit
from analytics_platform.insights.encoders.words import TermMatcher, normalize, split_words
from analytics_platform.insights.heads.linear import LinearHead, saturate
from analytics_platform.insights.tiers.tier import SENTIMENT_VALUES

SLICE_PATH = Path(__file__).parents[1] / "data" / "sentiment.parquet"
WEIGHTS_PATH = Path(__file__).parents[1] / "data" / "sentiment.safetensors"

_VECTOR_SCALE = 3.0
"""Scale of vector dimensions against terms in the regularisation; best of 3, 6, 10 on held-out texts."""
_INVERSE_REGULARISATION = 0.05
_SMALLEST_COUNT = 5
_NEUTRAL_STRENGTH = 1.0
"""Log-odds added to the fitted bias of neutral, because two fifths of the training texts are neutral, but most texts of
customers are. With it, single words, which are weak evidence, keep a sentiment near 0.
"""
_LABELS = tuple(SENTIMENT_VALUES)


def fit_sentiment(encoder: StaticEncoder, labelled: pa.Table) -> LinearHead:
    """Fit the sentiment head; equal input gives an equal head up to the optimiser's tolerance.

    Args:
        encoder: Makes the vectors.
        labelled: Columns ``text`` and ``label``; a label is one of ``SENTIMENT_VALUES``.
    """
    from sklearn.feature_extraction.text import CountVectorizer  # noqa: PLC0415  (seconds; only fitting needs it)
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    normal = normalize(labelled["text"].combine_chunks()).to_pylist()
    counter = CountVectorizer(
        tokenizer=str.split,
        token_pattern=None,
        lowercase=False,
        ngram_range=(1, 2),
        min_df=_SMALLEST_COUNT,
        binary=True,
    )
    matcher = TermMatcher(sorted(counter.fit(normal).vocabulary_))
    words = split_words(normal)
    vectors = unit(encoder.sum_words(words).astype(np.float64))
    features = sp.hstack([sp.csr_matrix(vectors * _VECTOR_SCALE), saturate(matcher.count(words))]).tocsr()
    model = LogisticRegression(C=_INVERSE_REGULARISATION, max_iter=2000, tol=1e-5)
    model.fit(features, labelled["label"].to_pylist())
    weights = model.coef_[[list(model.classes_).index(label) for label in _LABELS]].T
    bias = model.intercept_[[list(model.classes_).index(label) for label in _LABELS]]
    bias[_LABELS.index("neutral")] += _NEUTRAL_STRENGTH
    dimensions = vectors.shape[1]
    return LinearHead(_LABELS, matcher, weights[:dimensions] * _VECTOR_SCALE, weights[dimensions:], bias)


def save_sentiment(head: LinearHead, path: Path) -> None:
    """Write a fitted head as safetensors in single precision."""
    tensors = {
        name: np.ascontiguousarray(getattr(head, name), np.float32)
        for name in ("vector_weights", "term_weights", "bias")
    }
    save_file(tensors, path, metadata={"terms": orjson.dumps(head.matcher.terms).decode()})


def load_sentiment(path: Path = WEIGHTS_PATH) -> LinearHead:
    """Load a fitted head."""
    with safe_open(path, framework="numpy") as file:
        terms = orjson.loads(file.metadata()["terms"])
        arrays = {name: file.get_tensor(name).astype(np.float64) for name in file.keys()}  # noqa: SIM118 (no mapping)
    return LinearHead(_LABELS, TermMatcher(terms), arrays["vector_weights"], arrays["term_weights"], arrays["bias"])


if __name__ == "__main__":
    save_sentiment(fit_sentiment(static_encoder(), pq.read_table(SLICE_PATH)), WEIGHTS_PATH)
