"""Whether a GPU gives the CPU's labels, and how much quicker it is; for a machine that has one.

Run: ``python benchmarks/gpu_check.py [--rows 20000]``. Fits the tiers static and transformer on the shipped slice, on
the CPU and on the GPU, scores the same texts with both, and prints one JSON object per tier. The exit status is 1
where too many labels differ. Says so in one line where there is no GPU.
"""

from __future__ import annotations

import argparse
import json
import sys

import numpy as np

from analytics_platform.insights.device import resolve_device
from analytics_platform.insights.evaluate import read_labelled, time_scoring
from analytics_platform.insights.heads import build_head
from analytics_platform.insights.minilm import CudaEncoder
from analytics_platform.insights.sentiment import SLICE_PATH
from analytics_platform.insights.tier import TierError

MOST_DIFFERENT = {"static": 0.001, "transformer": 0.03}
"""Share of labels that may differ; the transformer is int8 on the CPU and half precision on the GPU."""


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    rows = parser.parse_args().rows
    tiers = ["static"]
    try:
        resolve_device("gpu")
    except TierError as error:
        print(f"gpu-check: nothing compared: {error}")
        return
    try:
        CudaEncoder()
        tiers.append("transformer")
    except TierError as error:
        print(f"gpu-check: the transformer is not compared: {error}")
    texts, labels = read_labelled(SLICE_PATH)
    many = (texts * (rows // len(texts) + 1))[:rows]
    failed = False
    for tier in tiers:
        answers, result = [], {"tier": tier, "texts": len(many)}
        for device in ("cpu", "gpu"):
            head = build_head(tier, device).fit(texts, labels)
            answers.append(head.predict(texts))
            result[f"{device}_texts_per_second"] = time_scoring(head.predict, many, 0.0)["texts_per_second"]
        differ = float((answers[0].argmax(axis=1) != answers[1].argmax(axis=1)).mean())
        result |= {"labels_differ": differ, "largest_gap": float(np.abs(answers[0] - answers[1]).max())}
        result["gpu_times_cpu"] = result["gpu_texts_per_second"] / result["cpu_texts_per_second"]
        failed |= differ > MOST_DIFFERENT[tier]
        print(json.dumps(result))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
