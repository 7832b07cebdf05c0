from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from analytics_platform.insights.vectors import training_readings
from analytics_platform.insights.vectors.training_readings import TrainingReader


class Lengths:
    """Stands for a transformer: a text's vector is its length."""

    name = "lengths"
    device: Literal["cpu", "gpu"] = "cpu"
    english_encoder = None

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        return np.array([[len(text)] for text in texts], np.float32)


def test_a_training_text_is_read_once_by_all_fits_of_a_process() -> None:
    encoder, other = Lengths(), Lengths()
    for texts in (["a", "bb", "a"], ["bb", "ccc"]):
        assert TrainingReader(encoder).encode(texts).tolist() == [[len(text)] for text in texts]
    assert encoder.asked == ["a", "bb", "ccc"]
    TrainingReader(other).encode(["a"])
    assert other.asked == ["a"], "another encoder has other vectors"
    assert TrainingReader(encoder).encode([]).size == 0


def test_readings_stay_bounded(monkeypatch) -> None:
    monkeypatch.setattr(training_readings, "MOST_TEXTS", 2)
    encoder = Lengths()
    assert TrainingReader(encoder).encode(["a", "bb", "ccc"]).ravel().tolist() == [1, 2, 3]
    TrainingReader(encoder).encode(["a"])
    assert encoder.asked == ["a", "bb", "ccc", "a"]
