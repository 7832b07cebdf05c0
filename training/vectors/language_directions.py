"""Find the directions that tell the language in vectors of multilingual-e5-small.

Run: ``python training/vectors/language_directions.py DATA/lingua_langid/dev.parquet OUT.safetensors``. DATA is the
folder of public data sets. The means of the sentences of 79 languages are compared; the leading directions of their
differences are kept. No text is in the file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from safetensors.numpy import save_file

from analytics_platform.insights.vectors.multilingual_transformer import multilingual_encoder

KEPT = 30
"""Directions: 0.95 of the variance of the languages' means. With 10 to 78 directions, the NMI of banking77, clinc150
and SGD changed by less than 0.01 either way; topics of one language became rarer up to 20 to 30."""


def main() -> None:
    """Encode, compare and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sentences", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    table = pq.read_table(options.sentences)
    table = table.filter(pc.equal(table["kind"], "sentence"))
    languages = np.array(table["label"].to_pylist())
    vectors = multilingual_encoder().encode(table["text"].to_pylist())
    means = np.array([vectors[languages == one].mean(axis=0, dtype=np.float64) for one in np.unique(languages)])
    _, _, directions = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_file({"directions": np.ascontiguousarray(directions[:KEPT], np.float32)}, options.out)


if __name__ == "__main__":
    main()
