"""Token counts agree with the tokenizer run on whole texts."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_platform.transform import token_counts
from analytics_platform.transform.token_counts import count_tokens

TEXTS = st.lists(st.text("abcdeXYZ 019.,-<s>/'漢é😀 \u0301", max_size=60).map(lambda text: " ".join(text.split())))


def test_known_counts() -> None:
    assert count_tokens(pa.array(["hello world", "", "hello", "<s>"])).to_pylist() == [2, 0, 1, 3]


@settings(deadline=None)
@given(TEXTS)
def test_counting_word_by_word_equals_encoding_the_whole_text(texts: list[str]) -> None:
    whole = [len(token_counts._tokenizer().encode(text, add_special_tokens=False)) for text in texts]
    assert count_tokens(pa.array(texts, pa.string())).to_pylist() == whole
