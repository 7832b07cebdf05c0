"""What holds of every text."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iban, luhn

from analytics_platform.model.word_sets.pii_kinds import STRUCTURED
from analytics_platform.transform.pii import find_pii, redact

WORDS = st.lists(
    st.sampled_from(["hello", "my", "order", "ist", "да", "ok!", "🎉", "(see)", "please,"]), max_size=5
).map(" ".join)
EMAILS = st.tuples(
    st.from_regex(r"[a-z][a-z0-9]{0,9}", fullmatch=True), st.sampled_from(["example.com", "mail.de"])
).map("@".join)
CARDS = st.from_regex(r"4[0-9]{14}", fullmatch=True).map(lambda digits: digits + luhn.calc_check_digit(digits))
IBANS = st.from_regex(r"[0-9]{18}", fullmatch=True).map(lambda rest: f"DE{iban.calc_check_digits('DE00' + rest)}{rest}")
VALUES = st.one_of(EMAILS, CARDS.filter(lambda card: len(set(card)) > 1), IBANS)


def clean(texts: list[str]) -> list[str]:
    column = pa.array(texts, pa.string())
    cleaned: list[str] = redact(column, find_pii(column, STRUCTURED)).to_pylist()
    return cleaned


@given(WORDS, VALUES, WORDS)
def test_no_valid_value_is_left(before: str, value: str, after: str) -> None:
    assert value not in clean([f"{before} {value} {after}"])[0]


@given(st.lists(st.tuples(WORDS, VALUES, WORDS).map(" ".join), max_size=4))
def test_a_second_pass_finds_nothing_more(texts: list[str]) -> None:
    once = clean(texts)
    assert clean(once) == once


@given(st.lists(st.text(max_size=60), max_size=6))
def test_spans_lie_within_their_texts_in_order(texts: list[str]) -> None:
    end_of_last = {}
    for span in find_pii(pa.array(texts, pa.string())).to_pylist():
        assert end_of_last.get(span["row"], 0) <= span["start"] < span["end"] <= len(texts[span["row"]])
        end_of_last[span["row"]] = span["end"]


@given(st.text(st.characters(categories=["Ll", "Zs"], max_codepoint=0x2FF), max_size=80))
def test_a_text_of_words_in_small_letters_stays(text: str) -> None:
    assert clean([text]) == [text]


@pytest.mark.timeout(60)  # quadratic time is hours
@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "1",
        "1 ",
        "a.",
        "a@",
        "@",
        ":",
        "::1",
        "1.",
        "http://",
        "-",
        "www.",
        "key=",
        "A1",
        "(+",
        "aa ",
        "12 Ab ",
        "x1y2 ",
        "a at a dot ",
        "a(at)",
        "a(at)a.",
        "用",
        "用@a.",
        '"a@',
        '"a',
        "password is ",
        "password a ",
        "mot de passe ",
        "密码是",
        "密码1",
        "AccountKey=1",
        "a=b;AccountKey=1;",
        "passport is ",
        "passport a1",
        "(11) 9",
        "8 9",
        "key-1",
        "dapi1",
        "eyJ",
        "MTk4NjIyNDgzNDcxOTI1MjQ4.",
        "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.",
    ],
)
def test_a_megabyte_of_one_piece_does_not_take_longer_than_it_must(piece: str) -> None:
    find_pii(pa.array([piece * (1_000_000 // len(piece))]))
