"""The words that reasons quote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest

from analytics_platform.insights.encoders.words import split_words
from analytics_platform.insights.reasons.function_words import function_words, languages_of_parts
from analytics_platform.insights.reasons.quotes import Quotes

Build = Callable[[Sequence[Any]], pa.Table]
Label = Callable[[pa.Table], tuple[pa.Table, pa.Table, pa.Table]]

_TEXTS = (
    "does anyone know where all the flights to the coast are",
    "ich habe das paket mit der post noch nicht bekommen",
    "no me han devuelto el dinero de la reserva",
    "can you do it for me now",
)


def test_reasons_of_no_kind_quote_function_words(label: Label, build_messages: Build) -> None:
    """Reasons quoted "the", "all" and "to", which explain nothing."""
    turns = [(f"c{number}", "user", text) for number, text in enumerate(_TEXTS)]
    every = frozenset.union(*(function_words()[code] for code in ("en", "de", "es")))
    for row in label(build_messages(turns))[2].to_pylist():
        for reason in row["reasons"]:
            assert not set(reason["words"]) & every, reason


@pytest.mark.parametrize(
    ("text", "ranked", "quoted"),
    [
        ("all the flights to the coast", ["the", "flights", "all"], ("flights",)),
        ("all the flights to the coast", ["all", "the"], ("all the flights",)),
        ("the coast to the north", ["to"], ("coast to",)),
        ("is it on", ["it"], ("is it on",)),
        ("wann kommt die post", ["die", "post"], ("post",)),
        ("the die is broken", ["die", "broken"], ("die", "broken")),
    ],
)
def test_function_words_give_way_to_content_or_a_phrase(text: str, ranked: list[str], quoted: tuple[str, ...]) -> None:
    assert Quotes(split_words([text]), [0]).choose(0, ranked) == quoted


@pytest.mark.parametrize(
    ("text", "ranked", "quoted"),
    [
        ("how do i change the oil", ["how", "oil"], ("how do i change the oil",)),
        ("how do i change the oil", ["oil", "how"], ("how do i change the oil",)),
        ("how do i change the old oil", ["how", "oil"], ("how do i change", "oil")),
        ("how do i change the old oil", ["oil", "how"], ("oil",)),
        (
            "please cancel two of my flights to rome",
            ["flights", "cancel", "rome"],
            ("cancel two of my flights", "rome"),
        ),
        ("oil oil", ["oil"], ("oil",)),
        ("取消订单,我想退款", ["我想退款", "取消订单"], ("我想退款", "取消订单")),
        ("my oil is where", ["where", "oil"], ("oil is where",)),
        ("will it rain", ["it"], ("it rain",)),
    ],
)
def test_what_is_asked_is_told_by_a_phrase_with_its_function_words(
    text: str, ranked: list[str], quoted: tuple[str, ...]
) -> None:
    """Two readers called a quarter of the reasons of intents poor, because they named the subject alone."""
    assert Quotes(split_words([text]), [0]).choose(0, ranked, is_asked=True) == quoted


@pytest.mark.parametrize(
    "text",
    ["我昨天在你们的网站上买的鞋子到现在还没有收到", "昨日サイトで買った靴がまだ届いていません"],
)
def test_languages_without_spaces_are_quoted_by_a_short_piece(text: str) -> None:
    """A word of such a language is a whole sentence."""
    [piece] = Quotes(split_words([text]), [0]).choose(0, [text])
    assert piece in text
    assert 2 <= len(piece) <= 12


def test_the_language_of_a_text_follows_from_function_words_or_script() -> None:
    """A text in letters that are not Latin, without a function word between spaces, counted as English."""
    texts = [
        "where is my order",
        "wo ist denn meine bestellung",
        "怎么把个人账号改成企业账号?",
        "refund",
        "สวัสดีครับ",
        "👍 ok",
    ]
    english, german, chinese, bare, thai, emoji = languages_of_parts(split_words(texts)).tolist()
    assert english == bare == emoji
    assert len({english, german, chinese}) == 3
    assert thai not in (english, german)
