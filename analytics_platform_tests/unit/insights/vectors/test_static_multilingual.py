from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from analytics_platform.insights.encoders.words import split_words
from analytics_platform.insights.vectors.static_multilingual import static_encoder

QUESTIONS = {
    "en": "I forgot my password and cannot log in",
    "de": "Ich habe mein Passwort vergessen und kann mich nicht anmelden",
    "fr": "J'ai oublié mon mot de passe et je ne peux pas me connecter",
    "es": "Olvidé mi contraseña y no puedo iniciar sesión",
    "it": "Ho dimenticato la password e non riesco ad accedere",
    "pt": "Esqueci a minha senha e não consigo entrar",
    "nl": "Ik ben mijn wachtwoord vergeten en kan niet inloggen",
    "ru": "Я забыл пароль и не могу войти",
    "pl": "Zapomniałem hasła i nie mogę się zalogować",
    "tr": "Şifremi unuttum ve giriş yapamıyorum",
    "zh": "我忘记了密码，无法登录",
    "ja": "パスワードを忘れてログインできません",
    "ar": "نسيت كلمة المرور ولا أستطيع تسجيل الدخول",
}
OTHERS = ["The weather is nice today", "The parcel has not arrived yet", "Do you have this shirt in blue?"]
ODD = ["", " \n", "🦀", "日本", "x" * 1_000_000, "日本語" * 300_000, "word " * 50_000, "ｆｕｌｌ", "1234567", "\u200b"]


def test_vectors_have_unit_length_or_are_all_zeros_where_nothing_is_known() -> None:
    vectors = static_encoder().encode([*ODD, *QUESTIONS.values()])
    assert vectors.shape == (len(ODD) + len(QUESTIONS), 256)
    assert vectors.dtype == np.float32
    lengths = np.linalg.norm(vectors, axis=1)
    assert lengths[[0, 1, 2, 9]].tolist() == [0, 0, 0, 0]
    np.testing.assert_allclose(np.delete(lengths, [0, 1, 2, 9]), 1, atol=1e-5)


def test_a_text_has_the_same_vector_bit_for_bit_in_any_batch() -> None:
    encoder = static_encoder()
    texts = [*ODD, *QUESTIONS.values(), *OTHERS]
    together = encoder.encode([*texts, *reversed(texts)])
    for row, text in enumerate(texts):
        alone = encoder.encode([text])[0]
        assert np.array_equal(alone, together[row])
        assert np.array_equal(alone, together[-1 - row])


@pytest.mark.parametrize("language", sorted(set(QUESTIONS) - {"en"}))
def test_a_translation_is_the_nearest_text(language: str) -> None:
    vectors = static_encoder().encode([QUESTIONS[language], QUESTIONS["en"], *OTHERS])
    assert int((vectors[1:] @ vectors[0]).argmax()) == 0


@pytest.mark.parametrize("text", ["我的包裹还没有到", "荷物がまだ届いていません", "พัสดุของฉันยังไม่มาถึง"])
def test_a_language_without_spaces_is_cut_into_words(text: str) -> None:
    """A sentence without spaces is one word to a splitter on spaces, and unknown as such."""
    parcel, weather = static_encoder().encode([OTHERS[1], OTHERS[0]])
    vector = static_encoder().encode([text])[0]
    assert vector @ parcel > vector @ weather + 0.1


def test_lists_arrays_chunks_and_words_encode_alike() -> None:
    encoder = static_encoder()
    texts = list(QUESTIONS.values())
    expected = encoder.encode(texts)
    assert np.array_equal(encoder.encode(pa.array(texts)), expected)
    assert np.array_equal(encoder.encode(pa.chunked_array([texts[:1], texts[1:]])), expected)
    sums = encoder.sum_words(split_words(texts))
    np.testing.assert_allclose(sums / np.linalg.norm(sums, axis=1, keepdims=True), expected, atol=1e-6)
    assert encoder.encode([]).shape == (0, 256)
    assert encoder.encode(pa.chunked_array([], pa.string())).shape == (0, 256)
