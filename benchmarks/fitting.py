"""How long classifiers are fitted, and with how much memory, against a plain linear model of words.

Run: ``python benchmarks/fitting.py [--tier static] [--whole]``. Two files are made of the shipped slice's texts: 4,000
posts of some 1,000 characters with 20 labels, of which the bounds of ``training_sample`` leave some 1,500, and 6,000
short texts with 60. The baseline fits scikit-learn's TF-IDF and a linear support vector machine on all texts, in the
same run. Each measurement is of a process of its own, so that its peak memory is its own. Seconds are of the
processor, on all cores together, which other programs disturb less than the clock. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from analytics_platform.insights.quality.evaluate import evaluate, peak_memory_mb, read_labelled
from analytics_platform.insights.tiers.examples import general_texts

SIZES = {"long": (4_000, 1_000, 20), "short": (6_000, 40, 60)}
"""Texts, characters of each at least, and labels."""
_PARTS = 5_000
"""Most general texts that posts are put together of."""
_TESTED = 100
_HINTS = 3
"""Words that tell a text's label, strewn among the others."""


def fill(path: Path, texts: int, characters: int, labels: int) -> None:
    """Write texts put together of general ones, with words that tell the label."""
    random, parts = np.random.default_rng(0), general_texts(_PARTS)
    rows: dict[str, list[str]] = {"text": [], "label": []}
    for code in random.integers(labels, size=texts).tolist():
        said = [f"hint{code}of{number}" for number in random.integers(_HINTS, size=_HINTS)]
        while sum(map(len, said)) < characters:
            said.append(parts[random.integers(len(parts))])
        rows["text"].append(" ".join(said))
        rows["label"].append(f"l{code}")
    pq.write_table(pa.table(rows), path)
    pq.write_table(pa.table(rows).slice(0, _TESTED), path.with_suffix(".test"))


def platform(path: Path, tier: str, whole: bool) -> dict[str, Any]:
    """Fit a tier's classifier and score a few texts, as ``analytics evaluate`` does."""
    result = evaluate(path, path.with_suffix(".test"), tier, device="cpu", seconds=0, whole=whole)
    return {name: result[name] for name in ("fitted_rows", "fitting", "fit_seconds")}


def baseline(path: Path, tier: str, whole: bool) -> dict[str, Any]:  # noqa: ARG001  (one baseline for all)
    """Fit a linear model of words on every text."""
    texts, labels = read_labelled(path)
    LinearSVC(random_state=0).fit(TfidfVectorizer(dtype=np.float32).fit_transform(texts), labels)
    return {"fitted_rows": len(texts)}


def measure(connection: Any, work: Callable[[Path, str, bool], dict[str, Any]], *arguments: Any) -> None:
    """Send what a measurement says, with processor seconds and peak memory of this process."""
    began = time.process_time()
    result = work(*arguments)
    used = {"cpu_seconds": round(time.process_time() - began, 1), "peak_mb": round(peak_memory_mb())}
    connection.send({**result, **used})


def main() -> None:
    """Make the files, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tier", default="static", help="static, cascade or transformer")
    parser.add_argument("--whole", action="store_true", help="without the bounds")
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    result: dict[str, Any] = {"load_average": round(os.getloadavg()[0], 1), **vars(arguments)}
    with tempfile.TemporaryDirectory() as folder:
        for name, size in SIZES.items():
            path = Path(folder) / name
            fill(path, *size)
            measured: dict[str, Any] = {}
            for work in (baseline, platform):
                receiver, sender = context.Pipe(duplex=False)
                process = context.Process(target=measure, args=(sender, work, path, arguments.tier, arguments.whole))
                process.start()
                sender.close()
                measured[work.__name__] = receiver.recv()
                process.join()
            for unit in ("cpu_seconds", "peak_mb"):
                measured[f"{unit}_in_baselines"] = round(measured["platform"][unit] / measured["baseline"][unit], 2)
            result[name] = measured
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
