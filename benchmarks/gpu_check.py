"""Whether a GPU gives the CPU's labels, and how much quicker it is; for a machine that has one.

Run: ``python benchmarks/gpu_check.py [--rows 20000]``. For the tiers static and transformer, on the CPU and on the GPU:
fits the classifier on four fifths of the shipped slice and scores the fifth held out, because the linear expert is
never uncertain about its training texts, and then the neighbours, which a GPU computes, are not asked; and has the
insight engine label the shipped gold conversations. Prints one JSON object per comparison. The exit status is 1, and a
line says why, if too many labels or confidences differ, or if the GPU was not asked. Prints one line if there is no
GPU.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from analytics_platform.insights.encoders.device import DeviceChoice, resolve_device
from analytics_platform.insights.engine import build_engine
from analytics_platform.insights.heads.classifier import READS, Classifier
from analytics_platform.insights.heads.training_set import TrainingSet
from analytics_platform.insights.quality.evaluate import read_labelled, time_scoring
from analytics_platform.insights.tiers.examples import as_messages, shipped_gold
from analytics_platform.insights.tiers.sentiment import SLICE_PATH
from analytics_platform.insights.tiers.tier import TierError
from analytics_platform.insights.vectors.static_multilingual import static_encoder
from analytics_platform.insights.vectors.text_encoder import CudaEncoder, transformer_encoder

MOST_DIFFERENT = {"static": 0.001, "transformer": 0.03}
"""Share of labels that may differ, and the mean distance that confidences may have; the transformer is int8 on the CPU
and half precision on the GPU."""

_HELD_OUT = 5
"""One text in so many is scored, the others are fitted on."""


@dataclass(frozen=True)
class Answers:
    """What one device answered.

    Attributes:
        labels: Any shape.
        confidence: Any shape.
        products: How often the GPU was asked for it.
        speed: What is known of it.
    """

    labels: np.ndarray
    confidence: np.ndarray
    products: int
    speed: dict[str, float]


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000, help="texts whose scoring is timed")
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
    sys.exit(1 if check(tiers, rows) else 0)


def check(tiers: list[str], rows: int) -> list[str]:
    """Compare the devices, print what was found, and return what is wrong, one line each."""
    wrong = []
    for tier in tiers:
        for ask in (ask_classifier, ask_engine):
            cpu, gpu = (ask(tier, device, rows) for device in ("cpu", "gpu"))
            name = f"{tier} {ask.__name__.removeprefix('ask_')}"
            result = compare(cpu, gpu)
            print(json.dumps({"compared": name, **result}))
            most = MOST_DIFFERENT[tier]
            if not gpu.products:
                wrong.append(f"{name}: the GPU was never asked, so nothing was compared")
            wrong += [
                f"{name}: {measure} is {result[measure]:.4f}, more than {most}"
                for measure in ("labels_differ", "mean_gap")
                if not result[measure] <= most  # nor is what is no number
            ]
    for line in wrong:
        print(f"gpu-check: failed: {line}")
    return wrong


def compare(cpu: Answers, gpu: Answers) -> dict[str, Any]:
    """Return how far the answers of two devices lie apart."""
    gaps = np.abs(cpu.confidence - gpu.confidence)
    return {
        "answers": cpu.labels.size,
        "labels_differ": float((cpu.labels != gpu.labels).mean()),
        "mean_gap": float(gaps.mean()),
        "largest_gap": float(gaps.max()),
        "gpu_products": gpu.products,
        **{f"cpu_{name}": value for name, value in cpu.speed.items()},
        **{f"gpu_{name}": value for name, value in gpu.speed.items()},
        **{f"gpu_times_cpu_{name}": gpu.speed[name] / value for name, value in cpu.speed.items()},
    }


def ask_classifier(tier: str, device: DeviceChoice, rows: int) -> Answers:
    """Fit a tier's classifier on a part of the shipped slice, and score the part held out."""
    pairs = list(zip(*read_labelled(SLICE_PATH), strict=True))
    held = [text for text, _ in pairs[::_HELD_OUT]]
    texts, labels = zip(*(pair for number, pair in enumerate(pairs) if number % _HELD_OUT), strict=True)
    classifier = Classifier(
        static_encoder(),
        TrainingSet.of_texts(texts, labels),
        transformer=None if tier == "static" else transformer_encoder(device),
        reads=READS[tier],
        device=resolve_device(device),
    )
    with count_products(device) as products:
        answers = classifier.predict(held)
    many = (held * (rows // len(held) + 1))[:rows]
    speed = time_scoring(classifier.predict, many, 0.0)["texts_per_second"]
    return Answers(answers.argmax(axis=1), answers, products(), {"texts_per_second": speed})


def ask_engine(tier: str, device: DeviceChoice, _: int) -> Answers:
    """Label the shipped gold conversations and their messages with an engine of its own."""
    messages = as_messages(shipped_gold())
    engine = build_engine.__wrapped__(tier, device)
    with count_products(device) as products:
        embeddings = engine.embed_messages(messages)
        said = engine.label_messages(messages, embeddings)
        tables = said, engine.label_conversations(messages, embeddings, said)
    kinds = ("intent", "primary_topic", "urgency", "resolution")
    labels = [table[name].to_numpy() for table in tables for name in kinds if name in table.column_names]
    columns = [table[field.name] for table in tables for field in table.schema if _is_number(field)]
    numbers = [column.fill_null(_NO_NUMBER).to_numpy() for column in columns]
    return Answers(np.concatenate(labels), np.concatenate(numbers), products(), {})


def _is_number(field: pa.Field) -> bool:
    return bool(pa.types.is_floating(field.type))


_NO_NUMBER = 9.0
"""Stands for null; it differs from every number of the tables by more than any gap that passes."""


@contextmanager
def count_products(device: DeviceChoice) -> Iterator[Callable[[], int]]:
    """Yield what says how many products cupy was asked for during the block; none on the CPU."""
    asked = 0
    if device == "cpu":
        yield lambda: asked
        return
    cupy = importlib.import_module("cupy")
    matmul = cupy.matmul

    def counted(left: Any, right: Any) -> Any:
        nonlocal asked
        asked += 1
        return matmul(left, right)

    cupy.matmul = counted
    try:
        yield lambda: asked
    finally:
        cupy.matmul = matmul


if __name__ == "__main__":
    main()
