"""Which language a text gets."""

from __future__ import annotations

import pyarrow as pa
import pytest

from analytics_platform.transform.language import detect_languages, normalise_codes


def detect(text: str, stated: str | None = None) -> str:
    return str(detect_languages(pa.array([text]), pa.array([stated], pa.string()))[0].as_py())


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("could you please tell me how to install this driver?", "en"),
        ("por favor, me ajude a instalar o sistema no meu computador", "pt"),
        ("egal, hab ich da auch nie dran rumgefummelt", "de"),
        ("ПОЖАЛУЙСТА ПОМОГИТЕ", "ru"),
        ("請問我要怎麼安裝這個程式", "zh"),
        ("COULD YOU PLEASE HELP ME WITH MY PRINTER", "en"),
    ],
)
def test_a_clear_text_gets_its_language(text: str, language: str) -> None:
    assert detect(text) == language


@pytest.mark.parametrize("text", ["", "ok", "wait a sec", ";)", "xkcd qwrt zzgh plkj mnbv", "12345 67890 12345 67890"])
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


def test_an_empty_column_stays_empty() -> None:
    assert len(detect_languages(pa.array([], pa.string()), pa.array([], pa.string()))) == 0
