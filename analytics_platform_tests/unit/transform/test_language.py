"""Which language a text gets."""

from __future__ import annotations

import pyarrow as pa
import pytest

from analytics_platform.transform import language
from analytics_platform.transform.language import detect_languages, normalise_codes


def detect(text: str, stated: str | None = None) -> str:
    return str(detect_languages(pa.array([text]), pa.array([stated], pa.string()))[0].as_py())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("could you please tell me how to install this driver?", "en"),
        ("por favor, me ajude a instalar o sistema no meu computador", "pt"),
        ("egal, hab ich da auch nie dran rumgefummelt", "de"),
        ("ПОЖАЛУЙСТА ПОМОГИТЕ", "ru"),
        ("請問我要怎麼安裝這個程式", "zh"),
        ("nick: danke für die schnelle hilfe, http://example.com/an-english-path", "de"),
        ("the driver works, merci beaucoup pour votre aide à tous", "fr"),
        ("COULD YOU PLEASE HELP ME WITH MY PRINTER", "en"),
        ("perfect, that is all", "en"),
        ("it's broken", "en"),
        ("where is order 7F3K-2290?", "en"),
        ("tom_42, danke für die schnelle hilfe", "de"),
    ],
)
def test_a_clear_text_gets_its_language(text: str, expected: str) -> None:
    assert detect(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ok",
        "wait a sec",
        ";)",
        "xkcd qwrt zzgh plkj mnbv",
        "12345 67890 12345 67890",
        "😀😀😀😀😀😀😀😀",
        "<EMAIL> <PHONE> <URL>",
        "https://example.com/eine/lange/adresse",
        "9f86d081884c7d659a2feaa0c55ad015",
        "3b241101-e2bb-4255-8caf-4136c566a962",
        "dGhpcyBpcyBhIHNlY3JldCB2YWx1ZQpvZiBzb21lIGxlbmd0aA==",
        "\ufffdn\ufffdre\ufffd p\ufffdlat\ufffd g\ufffdrde\ufffd",
    ],
)
def test_a_short_or_unclear_text_is_unknown(text: str) -> None:
    assert detect(text) == "und"


@pytest.mark.parametrize(("stated", "code"), [("pt-BR", "pt"), (" DE ", "de"), ("en_US", "en"), ("yue", "yue")])
def test_what_the_source_states_wins(stated: str, code: str) -> None:
    assert detect("could you please tell me how to install this driver?", stated) == code


@pytest.mark.parametrize("stated", ["und", "English", "", "e", "12"])
def test_what_is_no_language_code_counts_as_not_stated(stated: str) -> None:
    assert normalise_codes(pa.array([stated])).to_pylist() == [None]
    assert detect("could you please tell me how to install this driver?", stated) == "en"


def test_a_column_keeps_its_order() -> None:
    texts = pa.array(
        ["ok", "wo finde ich bitte die Einstellungen für den Drucker?", "ok", "where are the printer settings?"]
    )
    stated = pa.array([None, None, "fr", None], pa.string())
    assert detect_languages(texts, stated).to_pylist() == ["und", "de", "fr", "en"]


def test_the_careful_detector_knows_languages_that_the_fast_one_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lingua = pytest.importorskip("lingua", reason="lingua is an extra")
    three = [lingua.Language.ENGLISH, lingua.Language.ZULU, lingua.Language.GERMAN]  # all of them take long to load
    monkeypatch.setattr(language, "_lingua", lingua.LanguageDetectorBuilder.from_languages(*three).build)
    texts = pa.array(["Ngiyabonga kakhulu ngosizo lwakho namhlanje", "where are the printer settings?", "12 😀"])
    unstated = pa.nulls(3, pa.string())
    assert detect_languages(texts, unstated, "careful").to_pylist() == ["zu", "en", "und"]
    assert detect_languages(texts, unstated)[0].as_py() != "zu"


def test_an_empty_column_stays_empty() -> None:
    assert len(detect_languages(pa.array([], pa.string()), pa.array([], pa.string()))) == 0
