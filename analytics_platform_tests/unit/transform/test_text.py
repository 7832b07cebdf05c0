"""What cleaning takes out of a text, and above all what it leaves."""

from __future__ import annotations

import time
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analytics_platform.transform.text import CODE_TYPE, clean_texts, count_words


def clean(text: str) -> tuple[str, list[str]]:
    texts, code, _ = clean_texts(pa.chunked_array([[text]], pa.string()))
    return texts[0].as_py(), code[0].as_py()


@pytest.mark.parametrize(
    "text",
    [
        "is a < b and c > d?",
        "if a<b and c>d then stop",
        "it reads from <stdin> and writes to <stdout>",
        "dpkg -L <package-name> lists the files",
        "<cesc_> what driver did you install ?",
        "#include <stdio.h> and std::vector<int> v;",
        "use the <title> tag for that",
        "an <input> inside </form>",
        "half a template: <a href='x'>$title</a></td>",
        "i <3 you -> really <- me",
        "<-- that's this channel",
        "AT&T, R&D; ?a=1&copy=2 &unknown; &",
        "pip` what makes you say that, Time`s_Witness?",
        "a lone ``` in the middle of a line",
        "hello~~~ ok~~~",
        "dir\\n is not a line end",
        "100% *sure* _really_ #ubuntu",
        "<b> and <i> are tags",
        "use <input/> here",
        "<config><port>80</port></config>",
        "<your name> and <at> sign",
        "",
    ],
)
def test_what_only_looks_like_markup_survives(text: str) -> None:
    assert clean(text) == (text, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<b>Hel</b>lo <a href='x?a=1'>there</a>", "Hello there"),
        ("<p>one</p><p>two</p>", "one two"),
        ("one<br>two<br/>three <img src='x'>", "one two three"),
        ("<ul><li>one<li>two</ul>", "one two"),
        ("<DIV>one</DIV><!-- not <b> this -->two", "one two"),
        ("<p>keep <stdin></p>", "keep <stdin>"),
        ("<p>a &lt;b&gt; c</p>", "a <b> c"),
        ("fish &amp; chips &#39;n&#x27; &eacute;", "fish & chips 'n' é"),
        ("&amp;lt; is decoded once", "&lt; is decoded once"),
        ("a&#7;b &#0; c", "ab \ufffd c"),
    ],
)
def test_html_is_stripped_and_decoded(text: str, expected: str) -> None:
    assert clean(text) == (expected, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "<div>My parcel is lost.<br>Tracking says <b>delivered</b><div>Please help",
            "My parcel is lost. Tracking says delivered Please help",
        ),
        ('<p>We are sorry. <font color="red">We look into it.</p><p>Regards', "We are sorry. We look into it. Regards"),
        ('<p>See <a href="https://shop.exam', "See"),
        ('<p>Hello</p><p>bye <span style="color:r', "Hello bye"),
        ('<span style="font-size:12px">My parcel is lost', "My parcel is lost"),
        ("Dear all,<br>my <font color=red>parcel is lost", "Dear all, my parcel is lost"),
        ("<div>Hello</div></div>", "Hello"),
        ("<p class=MsoNormal>One<o:p></o:p></p><p><o:p>&nbsp;</o:p></p><p>two</p>", "One two"),
        ('<at id="0">Helpdesk</at>&nbsp;my laptop', "Helpdesk my laptop"),
        ('<p>Ready? <emoji id="s" alt="🙂"></emoji></p><attachment id="5"></attachment>', "Ready? 🙂"),
        ('<p>Hi <img alt="😀" src="x"> <img alt="logo" src="y">there</p>', "Hi 😀 there"),
        ("<systemEventMessage/>", ""),
        (
            "<!DOCTYPE html><html><head><title>x</title></head><body>Hello<!--[if mso]>no<![endif]--></body></html>",
            "Hello",
        ),
        ('<p>A <custom-card data-x="1">card</custom-card> and <stdin></p>', "A card and <stdin>"),
        ("<table><tr><td>Order</td><td>5512</td></tr><tr><td>late</td></tr></table>", "Order 5512 late"),
    ],
)
def test_html_that_a_client_or_a_limit_left_unbalanced_has_no_tags(text, expected) -> None:
    """One open element made words of all tags, attributes included."""
    assert clean(text) == (expected, [])


@pytest.mark.slow  # large texts
@pytest.mark.parametrize(
    "unit", ["<div>", "<div><b>", "<b><p>", "<table><tr><td>", "<i><b></i></b>", "<p>x", "<blockquote>x"]
)
def test_deeply_nested_html_takes_linear_time(unit: str) -> None:
    """The parser takes quadratic time in the depth of a tree."""
    started = time.process_time()
    clean('<p style="a">' + unit * (250_000 // len(unit)))
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("text", "expected", "code"),
    [
        ("try\n```python\nprint(1)\nx = '<b>'\n```\nplease", "try please", ["print(1)\nx = '<b>'"]),
        ("try ```ls -l``` now", "try now", ["ls -l"]),
        ("```\r\na\r\n```", "", ["a"]),
        ("cut short:\n```sh\nls", "cut short:", ["ls"]),
        ("1. do\n    ```\n    x\n    ```\n2. done", "1. do 2. done", ["    x\n    "]),
        ("run `ls <b>x</b> &amp;` twice", "run ls <b>x</b> &amp; twice", ["ls <b>x</b> &amp;"]),
        ("`a` or ``b``", "a or b", ["a", "b"]),
        ("<p>see</p><pre>x &lt; 1 <b>y</b></pre>", "see", ["x < 1 <b>y</b>"]),
        ("<style>p {}</style>hi <script>go()</script>", "hi", ["p {}", "go()"]),
        ("```block``` and `inline`", "and inline", ["block", "inline"]),
    ],
)
def test_code_moves_out_and_inline_code_keeps_its_words(text: str, expected: str, code: list[str]) -> None:
    assert clean(text) == (expected, code)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x0303(NEW)\x03 \x02bold\x02 \x0304,12red\x0f", "(NEW) bold red"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("a\x00b\x08c\x7fd\x9fe", "abcde"),
        ("\ufeffhi \u200bzero\u202e\u2066 width\u00ad", "hi zero width"),
        (" a\t\tb\r\nc\u00a0\u3000d\u2028e ", "a b c d e"),
        ("cafe\u0301", "café"),
        ("\u0645\u06cc\u200c\u062e\u0648", "\u0645\u06cc\u200c\u062e\u0648"),
        ("👩\u200d💻", "👩\u200d💻"),
    ],
)
def test_control_characters_go_and_spelling_stays(text: str, expected: str) -> None:
    assert clean(text)[0] == expected


def test_each_text_of_a_column_gets_its_own_code() -> None:
    texts, code, _ = clean_texts(pa.chunked_array([["a `b` c", "plain", "```d``` ```e```", ""]]))
    assert texts.to_pylist() == ["a b c", "plain", "", ""]
    assert code.to_pylist() == [["b"], [], ["d", "e"], []]
    assert code.type == CODE_TYPE


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])) | st.text("<>/b`&;#x3 \n\x03pre!-", max_size=60))
@example("<b>" * 3 + "</b>" * 3)
@example("```")
@example("`` ` ``")
@example("\x00" + "0\x00")
def test_any_text_comes_out_clean(text: str) -> None:
    cleaned, code = clean(text)
    assert clean(text) == (cleaned, code)
    assert cleaned == " ".join(cleaned.split())
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not [character for character in cleaned + "".join(code) if character < " " and character not in "\t\n\r"]
    assert all(block.strip() for block in code)


@settings(deadline=None)
@given(st.text("abc é漢 😀.,!?", max_size=80))
def test_a_text_without_markup_only_has_its_spaces_collapsed(text: str) -> None:
    assert clean(text) == (" ".join(text.split()), [])


@pytest.mark.slow  # large texts
@pytest.mark.parametrize(
    "unit", ["a", "`", "`a", "<", "<b>", "<b ", "<!--", "<b></b><!--", "<pre>", "&a", "``` ", "\x03", "\x1b[", "😀"]
)
def test_a_quarter_of_a_megabyte_of_nonsense_takes_linear_time(unit: str) -> None:
    clean(unit)  # compiles the patterns
    started = time.process_time()
    clean(unit * (250_000 // len(unit)))
    assert time.process_time() - started < 10  # linear time is under one second, quadratic time many minutes


@pytest.mark.parametrize(
    ("text", "words"),
    [("", 0), ("one", 1), ("don't panic :)", 3), ("漢字かな", 4), ("vim 漢字 ok", 4), ("שלום עולם", 2)],
)
def test_words_are_counted_with_and_without_spaces(text: str, words: int) -> None:
    assert count_words(pa.array([text])).to_pylist() == [words]
