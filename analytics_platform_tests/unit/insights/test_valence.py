from __future__ import annotations

import pytest

from analytics_platform.insights.encoders.valence import measure_valence, read_valence
from analytics_platform.insights.encoders.words import split_words


def valence(*texts: str) -> list[float]:
    return [float(value) for value in measure_valence(split_words(texts))]


def test_good_words_are_positive_bad_ones_negative_and_others_nothing() -> None:
    good, bad, neither, empty = valence("a great phone", "a terrible phone", "a phone", "")
    assert good > 0 > bad
    assert neither == empty == 0


def test_a_negation_turns_the_word_that_it_reaches_and_none_of_another_text() -> None:
    turned, reached, out_of_reach = valence("not good", "it is not very good", "not that this one here is good")
    assert max(turned, reached) < 0 < out_of_reach
    assert valence("this is not", "good") == [0, valence("good")[0]]


def test_degree_makes_a_word_stronger_or_weaker() -> None:
    weaker, plain, stronger = valence("slightly bad", "bad", "extremely bad")
    assert stronger < plain < weaker < 0


def test_what_follows_but_counts_more_than_what_precedes_it() -> None:
    bad_end, good_end = valence("great phone but terrible battery", "terrible battery but great phone")
    assert bad_end < good_end


def test_emoticons_speak() -> None:
    happy, sad = valence("well :)", "well :(")
    assert happy > 0 > sad


@pytest.mark.parametrize("texts", [[], [""], ["", "good", ""]])
def test_texts_without_words_are_no_trouble(texts: list[str]) -> None:
    assert len(valence(*texts)) == len(texts)


NEGATED = {
    "en": ("the service is not good", "it is not bad at all"),
    "de": ("Der Service ist nicht gut.", "Das Gerät ist nicht schlecht."),
    "fr": ("Le service n'est pas bon.", "Ce n'est pas mauvais."),
    "es": ("El servicio no es bueno.", "El producto no es malo."),
    "it": ("Il servizio non è buono.", "Il prodotto non è brutto."),
    "nl": ("De service is niet goed.", "Het is niet slecht."),
    "ru": ("Сервис не очень хороший.", "Это не плохо."),
    "tr": ("Bu hizmet iyi değil.", "Ürün kötü değil."),
    "zh": ("这个产品不方便", "这个产品不差"),
    "hi": ("यह सेवा अच्छी नहीं है", "यह बुरा नहीं है"),
}
MIXED = {
    "en": ("great phone but terrible battery", "terrible battery but great phone"),
    "de": ("Das Essen war gut, aber der Service war schlecht.", "Der Service war schlecht, aber das Essen war gut."),
    "fr": ("La qualité est bonne mais le service est mauvais.", "Le service est mauvais mais la qualité est bonne."),
    "es": ("El hotel es bonito pero la comida es mala.", "La comida es mala pero el hotel es bonito."),
    "pt": ("O hotel é bonito mas a comida é ruim.", "A comida é ruim mas o hotel é bonito."),
    "pl": ("Buty są ładne, ale słabe.", "Buty są słabe, ale ładne."),
    "ru": ("Экран красивый, но телефон медленный.", "Телефон медленный, но экран красивый."),
    "sv": ("Maten var god men personalen var otrevlig.", "Personalen var otrevlig men maten var god."),
    "zh": ("外观很漂亮，但是质量很差", "质量很差，但是外观很漂亮"),
    "ko": ("디자인은 예뻐요 하지만 느려요", "느려요 하지만 디자인은 예뻐요"),
}
POLITE = (
    "Thank you very much in advance, kind regards",
    "Hello, could you please help me, sorry for the trouble",
    "Vielen Dank im Voraus, mit freundlichen Grüßen",
    "Bonjour, merci d'avance, bonne journée",
    "Hola, buenos días, muchas gracias por favor",
    "Buongiorno, grazie mille, cordiali saluti",
    "Olá, bom dia, muito obrigado",
    "Здравствуйте, спасибо, с уважением",
    "您好，请问，谢谢",
    "よろしくお願いします",
)


@pytest.mark.parametrize("language", NEGATED)
def test_a_negation_turns_words_in_ten_languages(language: str) -> None:
    """The list was English, so that a negated word of another language weighed nothing."""
    praise_denied, blame_denied = valence(*NEGATED[language])
    assert praise_denied < 0 < blame_denied


@pytest.mark.parametrize("language", MIXED)
def test_the_clause_after_a_contrast_decides_in_ten_languages(language: str) -> None:
    """Only the English «but» was known."""
    bad_end, good_end = valence(*MIXED[language])
    assert bad_end < 0 < good_end


@pytest.mark.parametrize("text", POLITE)
def test_politeness_is_no_feeling(text: str) -> None:
    """Thanks and greetings made failed dialogues happier than successful ones."""
    assert valence(text) == [0]


def test_a_word_that_two_languages_share_follows_the_text() -> None:
    """«war» is bad in English and a verb in German; «sin» is bad in English and means «without» in Spanish."""
    german, spanish = valence("Das war in der Tasche", "Es un café sin azúcar para la mesa")
    assert german == spanish == 0
    assert valence("the war is terrible")[0] < 0


@pytest.mark.parametrize("batch", [["good", "非常满意", "نص", "", "x" * 100_000], ["非常满意"], ["สวัสดี ดีมาก"]])
def test_a_text_has_the_same_valence_in_every_batch(batch: list[str]) -> None:
    assert valence(*batch) == [valence(text)[0] for text in batch]


def test_words_carry_the_value_that_the_text_has() -> None:
    """The reasons of a sentiment quote words by these values."""
    read = read_valence(split_words(["Der Service ist nicht gut.", "产品 很差"]))
    assert read.by_word.nonzero()[0].tolist() == [4, 6]
    assert (read.by_word < 0).sum() == 2
    assert read.english.tolist() == [False, False]
