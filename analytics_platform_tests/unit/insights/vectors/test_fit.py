from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import scipy.sparse as sp

SCRIPT = Path(__file__).parents[4] / "training" / "vectors" / "fit.py"


@pytest.fixture(scope="module")
def fit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vectors_fit", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_ridge_regression_equals_the_closed_form(fit: ModuleType) -> None:
    """Conjugate gradients that are wrong in one term converge to something plausible."""
    rng = np.random.default_rng(0)
    counts = sp.random(200, 12, 0.3, format="csr", dtype=np.float32, random_state=0)
    targets = rng.normal(size=(200, 5)).astype(np.float32)
    dense = counts.toarray()
    expected = np.linalg.solve(dense.T @ dense + 2 * np.eye(12), dense.T @ targets)
    np.testing.assert_allclose(fit.ridge(counts, targets, 2.0), expected, atol=1e-4)


def test_translations_fall_together_once_the_language_is_removed(fit: ModuleType) -> None:
    rng = np.random.default_rng(0)
    meanings = rng.normal(size=(20_000, 4)).astype(np.float32)
    languages = np.repeat(["de", "en"], 20_000)
    language = np.array([5, 0, 0, 0], np.float32)
    vectors = np.concatenate([meanings + language, meanings - language])
    german, english = np.split(fit.remove_language(vectors, languages, np.ones(40_000, bool)), 2)
    assert np.abs(german - english).max() < 0.1


def test_another_subject_of_one_language_stays(fit: ModuleType) -> None:
    """The mean over all English texts, most of them chats, would remove what makes them chats."""
    vectors = np.concatenate([np.zeros((20_000, 2)), np.full((5_000, 2), 3.0)]).astype(np.float32)
    languages = np.array(["de"] * 10_000 + ["en"] * 15_000)
    parallel = np.arange(25_000) < 20_000
    centred = fit.remove_language(vectors, languages, parallel)
    np.testing.assert_allclose(centred[20_000:] - centred[:1], 3.0, atol=1e-3)


def test_eight_bits_keep_a_vector(fit: ModuleType) -> None:
    vectors = np.random.default_rng(0).normal(size=(100, 256)).astype(np.float32)
    vectors[0] = 0
    codes, scales = fit.quantize(vectors)
    restored = codes * scales[:, None].astype(np.float32)
    assert np.abs(restored - vectors).max() < 0.02
    assert not restored[0].any()
