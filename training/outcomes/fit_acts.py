"""Fit the heads of `insights/verdicts/acts.py` on `acts.tsv`, and write `insights/data/acts.safetensors`.

`acts.tsv` holds messages in 28 languages, each with what it does. `side` is `agent`, `customer` (after an answer) or
`opening` (a customer who begins). A language model wrote them for this purpose (CC0); no conversation of a data set or
of the gold labels is among them.

    python training/outcomes/fit_acts.py           # writes the weights
    python training/outcomes/fit_acts.py --report  # also prints the accuracy on languages that were left out
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict

from analytics_platform.insights.vectors.static_multilingual import static_encoder
from analytics_platform.insights.vectors.text_encoder import transformer_encoder
from analytics_platform.insights.verdicts.acts import ACTS_PATH, ENCODERS, SPEAKERS

ACTS = Path(__file__).with_name("acts.tsv")
_INVERSE_REGULARISATION = {"static": 10.0, "transformer": 30.0}


def main() -> None:
    """Write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", action="store_true", help="print the accuracy on languages that were left out")
    given = parser.parse_args()
    with ACTS.open(encoding="utf-8") as file:
        written = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    tensors, names = {}, {}
    for encoder in ENCODERS:
        encode = static_encoder().encode if encoder == "static" else transformer_encoder("cpu").encode
        every = np.asarray(encode([row["text"] for row in written]), np.float64)
        # All vectors of the transformer share a large part. It is subtracted, and the bias takes it up.
        centre = every.mean(axis=0) if encoder == "transformer" else np.zeros(every.shape[1])
        for speaker in SPEAKERS:
            rows = [number for number, row in enumerate(written) if row["side"] == speaker]
            acts = np.array([written[row]["act"] for row in rows])
            model = LogisticRegression(C=_INVERSE_REGULARISATION[encoder], max_iter=3000)
            if given.report:
                languages = [written[row]["language"] for row in rows]
                guess = cross_val_predict(model, every[rows] - centre, acts, groups=languages, cv=GroupKFold(10))
                print(f"{encoder}, {speaker}: {np.mean(guess == acts):.3f} of {len(acts)} messages")
            model.fit(every[rows] - centre, acts)
            weights = model.coef_.T
            tensors[f"{encoder}_{speaker}_weights"] = np.ascontiguousarray(weights, np.float32)
            tensors[f"{encoder}_{speaker}_bias"] = (model.intercept_ - centre @ weights).astype(np.float32)
            names[speaker] = " ".join(model.classes_)
    save_file(tensors, ACTS_PATH, metadata=names)


if __name__ == "__main__":
    main()
