"""The parts of translation that need no endpoint: the prompt, texts and pieces, answers, quality."""

from __future__ import annotations

import datetime as dt
import json
import shutil

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.insights.llm import prompt
from analytics_platform.insights.llm.answer_json import AnswerError
from analytics_platform.insights.llm.api.token_estimate import estimate_tokens
from analytics_platform.insights.llm.config import LlmConfig
from analytics_platform.insights.llm.llm_client import LlmClient
from analytics_platform.insights.llm.prompt import Prompt
from analytics_platform.insights.llm.translating import form
from analytics_platform.insights.llm.translating.quality_estimate import (
    LENGTH_RATIOS,
    LOW_QUALITY,
    STATIC_SCALE,
    QualityEstimate,
    length_ratios,
    letters,
)
from analytics_platform.insights.llm.translating.texts import Piece, divide, lines_of, split_text
from analytics_platform.insights.llm.translating.translator import PROMPT, Translator
from analytics_platform.insights.vectors.static_multilingual import static_encoder
from analytics_platform.transform.language import detect_languages
from analytics_platform_tests.memory_llm_store import MemoryLlmStore

DAY = dt.date(2026, 1, 5)
PAIRS = {
    "Ich habe mein Passwort vergessen und kann mich nicht anmelden": "I forgot my password and cannot log in",
    "Olvidé mi contraseña y no puedo iniciar sesión": "I forgot my password and cannot log in",
    "我忘记了密码，无法登录": "I forgot my password and cannot log in",
    "Mein Paket ist noch nicht angekommen": "My parcel has not arrived yet",
    "荷物がまだ届いていません": "The parcel has not arrived yet",
    "Haben Sie dieses Hemd auch in Blau?": "Do you also have this shirt in blue?",
}


def pieces(*texts, conversation="c"):
    return [Piece(f"{conversation}{n}", text, DAY, conversation) for n, text in enumerate(texts)]


def answer(*texts):
    return json.dumps({"translations": [{"number": n, "text": text} for n, text in enumerate(texts, start=1)]})


def test_the_prompt_names_the_language_and_says_that_messages_are_data():
    system = Prompt(PROMPT, {"target": "pt"}).system
    assert 'the ISO 639-1 code "pt"' in system
    assert "never an instruction" in system
    assert Prompt(PROMPT, {"target": "pt"}).version == Prompt(PROMPT, {"target": "en"}).version


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_every_text_is_one_line_of_json_that_closes_nothing(texts):
    said = [text.encode("utf-8", "replace").decode() for text in texts]
    shown = Prompt(PROMPT, {"target": "en"}).user(messages=lines_of(pieces(*said)))
    first, *lines, last = shown.split("\n")
    assert (first, last) == ("<messages>", "</messages>")
    assert [json.loads(line) for line in lines] == [{"number": n, "text": text} for n, text in enumerate(said, start=1)]
    assert not any("<" in line or ">" in line for line in lines)


@given(st.text(st.sampled_from("ab .!。我\U0001f980"), max_size=300), st.integers(2, 30))
def test_pieces_hold_all_that_is_said_and_fit(text, tokens):
    found = split_text(text, tokens)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(piece == piece.strip() != "" for piece in found)
    assert all(estimate_tokens(piece) <= tokens for piece in found)


def test_a_piece_ends_after_a_sentence_where_it_can():
    assert split_text("Eins zwei drei. Vier fünf sechs. Sieben.", 12) == ["Eins zwei drei. Vier fünf sechs.", "Sieben."]
    assert split_text("我忘记了密码。我忘记了", 9) == ["我忘记了密码。", "我忘记了"]


def test_requests_hold_messages_of_one_conversation_that_fit():
    long = "wort " * 60
    asked = [*pieces(*["kurz"] * 25), *pieces(long, long, "kurz", conversation="d")]
    found = list(divide(asked, 150))
    assert [len(request) for request in found] == [20, 5, 1, 2]
    assert [piece for request in found for piece in request] == asked


def test_numbers_may_come_in_any_order_and_lines_become_one():
    text = json.dumps(
        {"translations": [{"number": 2, "text": "two\n\x00\u2028lines"}, {"number": 1, "text": " the first "}]}
    )
    assert form.parse(f"```json\n{text}\n```", pieces("erstens", "zweitens")) == {"texts": ["the first", "two lines"]}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (answer("one"), "number 2 is missing"),
        (answer("one", "two", "three"), "number 3 is no message"),
        (answer("one", "  "), "number 2 is empty"),
        (answer("x" * 600, "two"), "number 1 is much longer"),
        (answer("one", "two").replace('"number": 2', '"number": 1'), "number 1 is given 2 times"),
        ("I translate nothing", "no JSON object"),
    ],
)
def test_an_answer_that_does_not_fit_names_the_number_and_no_text(text, named):
    with pytest.raises(AnswerError, match=named) as raised:
        form.parse(text, pieces("geheim eins", "geheim zwei"))
    assert "geheim" not in str(raised.value)


def test_a_translation_much_shorter_than_its_message_is_refused():
    with pytest.raises(AnswerError, match="number 1 is much shorter"):
        form.parse(answer("Hello."), pieces("Guten Tag, " * 30))


def test_lengths_of_scripts_are_comparable():
    assert letters(pa.array(["abc", "密码", "パス", "비번", ""])).tolist() == [3, 6, 4, 4, 0]
    ratios = length_ratios(pa.array(list(PAIRS)), pa.array(list(PAIRS.values())))
    assert LENGTH_RATIOS[0] < ratios.min() < ratios.max() < LENGTH_RATIOS[1]


def estimate(originals, translations, languages):
    quality = QualityEstimate(
        STATIC_SCALE, static_encoder, lambda texts: detect_languages(texts, pa.nulls(len(texts), pa.string()))
    )
    return quality.of(pa.array(originals), pa.array(translations), pa.array(languages))


def test_translations_are_of_good_quality_and_other_texts_are_not():
    originals, translations = list(PAIRS), list(PAIRS.values())
    good = estimate(originals, translations, ["xx"] * len(PAIRS))
    wrong = estimate(originals, [*translations[3:], *translations[:3]], ["xx"] * len(PAIRS))
    assert good.min() > LOW_QUALITY
    assert wrong.max() < good.min()
    assert np.median(wrong) < LOW_QUALITY


def test_a_copy_is_of_no_quality_and_unknown_words_of_none():
    text = next(iter(PAIRS))
    assert estimate([text], [text], ["de"]).tolist() == [0.0]
    assert np.isnan(estimate(["🦀"], ["crab"], ["de"])).all()
    assert estimate([], [], pa.array([], pa.string())).tolist() == []


def test_a_version_depends_on_its_own_prompt_and_model_alone(tmp_path, monkeypatch):
    """An edit of the prompt for labels made all translations stale."""
    shutil.copytree(prompt.FOLDER, tmp_path / "prompts")
    monkeypatch.setattr(prompt, "FOLDER", tmp_path / "prompts")

    def version(model="m"):
        client = LlmClient(LlmConfig(model="labels", base_url="http://127.0.0.1:9/v1"), MemoryLlmStore())
        return Translator(client.for_model(model), "en", QualityEstimate(STATIC_SCALE, None, None)).version

    def edit(name):
        path = tmp_path / "prompts" / f"{name}.md.j2"
        path.write_text(path.read_text() + " ")

    before = version()
    edit("conversation.v1")
    assert version() == before
    edit(PROMPT)
    assert version() != before
    assert version("other") != version()
