"""``make gpu-check`` tells a GPU that computes from one that errs, or is not asked; numpy stands for cupy."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from functools import wraps
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analytics_platform.insights.heads import classifier, stages
from analytics_platform.settings.loader import PROJECT_ROOT

pytestmark = pytest.mark.slow  # fits models

ROWS = 100


_answers_of_the_cpu: dict[str, Any] = {}


def _asking_the_cpu_once(ask: Callable[..., Any]) -> Callable[..., Any]:
    """Return what asks a device, but the CPU only once in all tests: its answers are always the same."""

    @wraps(ask)
    def asking(tier: str, device: str, rows: int) -> Any:
        if device != "cpu":
            return ask(tier, device, rows)
        if ask.__name__ not in _answers_of_the_cpu:
            _answers_of_the_cpu[ask.__name__] = ask(tier, device, rows)
        return _answers_of_the_cpu[ask.__name__]

    return asking


@pytest.fixture
def gpu_check(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, on a twelfth of the slice."""
    spec = importlib.util.spec_from_file_location("gpu_check", PROJECT_ROOT / "benchmarks" / "gpu_check.py")
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "gpu_check", script)  # its dataclass looks for its module there
    spec.loader.exec_module(script)
    read = script.read_labelled
    monkeypatch.setattr(script, "read_labelled", lambda path: tuple(column[::12] for column in read(path)))
    for name in ("ask_classifier", "ask_engine"):
        monkeypatch.setattr(script, name, _asking_the_cpu_once(getattr(script, name)))
    return script


def put_in(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    """Put a GPU in whose products are those of the CPU, times a factor."""
    cupy = SimpleNamespace(
        cuda=SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=lambda: 1)),
        asarray=np.asarray,
        asnumpy=np.asarray,
        matmul=lambda left, right: np.float32(factor) * np.matmul(left, right),
    )
    monkeypatch.setitem(sys.modules, "cupy", cupy)


def test_a_gpu_that_rounds_otherwise_passes_and_the_gap_is_stated(gpu_check: ModuleType, monkeypatch, capsys) -> None:
    """A comparison of the CPU with itself would find no gap at all."""
    put_in(monkeypatch, 1 + 1e-5)
    assert gpu_check.check(["static"], ROWS) == []
    for compared in map(json.loads, capsys.readouterr().out.splitlines()):
        assert compared["gpu_products"] > 0
        assert compared["labels_differ"] == 0
        assert 0 < compared["largest_gap"] < 0.001


def test_a_gpu_that_errs_fails_for_classifier_and_engine(gpu_check: ModuleType, monkeypatch, capsys) -> None:
    put_in(monkeypatch, -1)
    monkeypatch.setattr(sys, "argv", ["gpu_check", "--rows", str(ROWS)])
    with pytest.raises(SystemExit) as ended:
        gpu_check.main()
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert "failed: static classifier: labels_differ is" in said
    assert "failed: static engine: labels_differ is" in said


def test_a_gpu_that_is_not_asked_fails(gpu_check: ModuleType, monkeypatch) -> None:
    put_in(monkeypatch, 1)
    monkeypatch.setattr(classifier, "MOST_EXACT", 0)  # the neighbours are asked about doubtful texts alone
    monkeypatch.setattr(stages, "BUDGETS", dict.fromkeys(stages.BUDGETS, 0.0))  # no text goes on to the neighbours
    every = np.ones(10_000, np.bool_)  # texts in other languages are always shown to the neighbours
    monkeypatch.setattr(classifier.Classifier, "_is_home", lambda _, documents: every[: len(documents)])
    monkeypatch.setattr(gpu_check, "ask_engine", gpu_check.ask_classifier)
    assert "static classifier: the GPU was never asked, so nothing was compared" in gpu_check.check(["static"], ROWS)


def test_without_a_gpu_one_line_says_that_nothing_was_compared(gpu_check: ModuleType, monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr(sys, "argv", ["gpu_check"])
    gpu_check.main()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("gpu-check: nothing compared: device gpu: no GPU can be used")
