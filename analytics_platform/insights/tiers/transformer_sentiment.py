"""The sentiment head over the transformer's vectors, fitted on the shipped slice of labelled sentences.

The slice is English; the transformer's vectors of one meaning are near to each other in all its languages, so that the
head judges them too. The module makes and loads the file ``data/transformer_sentiment.safetensors``. Run the module to
write the file again, about two minutes on two cores.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import load_file, save_file

from analytics_platform.insights.tiers.sentiment import SLICE_PATH
from analytics_platform.insights.tiers.tier import SENTIMENT_VALUES, Floats
from analytics_platform.insights.vectors.text_encoder import TextEncoder, transformer_encoder

READER_PATH = Path(__file__).parents[1] / "data" / "transformer_sentiment.safetensors"
BUDGET = 0.09
"""Largest share of messages that the cascade sends to the transformer because of their sentiment; it bounds the run
time."""
WEIGHTS = (0.5, 0.7)
"""Weights of the static opinion on sentiment and of the transformer's, which rules where it has read; chosen on
held-out English texts and on the development half of ``training/sentiment/sentences.tsv``."""
_INVERSE_REGULARISATION = 3.0


class ReaderModel(NamedTuple):
    """The sentiment head over the transformer's vectors.

    Attributes:
        sentiment_weights: Shape (dimensions, 3), in the order of ``SENTIMENT_VALUES``.
        sentiment_bias: Shape (3,).
    """

    sentiment_weights: Floats
    sentiment_bias: Floats


def load_reader() -> ReaderModel:
    """Load the model from ``READER_PATH``."""
    return ReaderModel(**{name: tensor.astype(np.float64) for name, tensor in load_file(READER_PATH).items()})


def save_reader(model: ReaderModel) -> None:
    """Write the model to ``READER_PATH`` in single precision."""
    save_file({name: np.array(of, np.float32, order="C") for name, of in model._asdict().items()}, READER_PATH)


def fit_reader(vectors: Floats, labelled: pa.Table) -> ReaderModel:
    """Fit the sentiment head.

    All vectors of the transformer share a large part. It is subtracted before the fit, and the bias takes it up.

    Args:
        vectors: The transformer's vectors of the texts; shape (texts, dimensions).
        labelled: Column ``label``, one of ``SENTIMENT_VALUES``.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  (seconds; only fitting needs it)

    centre = vectors.mean(axis=0)
    model = LogisticRegression(C=_INVERSE_REGULARISATION, max_iter=2000)
    model.fit(vectors - centre, labelled["label"].to_pylist())
    order = [list(model.classes_).index(label) for label in SENTIMENT_VALUES]
    weights = model.coef_[order].T
    return ReaderModel(weights, model.intercept_[order] - centre @ weights)


def read_slice(transformer: TextEncoder, labelled: pa.Table) -> Floats:
    """Return the transformer's vectors of the labelled texts in double precision."""
    return transformer.encode(labelled["text"].to_pylist()).astype(np.float64)


if __name__ == "__main__":
    _labelled = pq.read_table(SLICE_PATH)
    save_reader(fit_reader(read_slice(transformer_encoder("cpu"), _labelled), _labelled))
