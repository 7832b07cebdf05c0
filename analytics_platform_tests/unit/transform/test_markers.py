"""Marks of citations and markers of media: nobody said them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from analytics_platform.transform.messages import clean_messages
from analytics_platform.transform.text import clean_texts


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("It rains.\ue200cite\ue202turn0search0\ue202turn0search3\ue201", "It rains."),
        ("It rains citeturn0search0turn0news12 today.", "It rains today."),
        ("See \ue200filecite\ue202turn0file1\ue202L1-L9\ue201 there", "See there"),
        ('\ue200entity\ue202["company","Acme Lamps","maker"]\ue201 sells lamps', "Acme Lamps sells lamps"),
        ("Open \ue200url\ue202the guide\ue202turn0search1\ue201.", "Open the guide."),
        ("The lamp has two years【12†source】 of warranty【4:0†manual.pdf】.", "The lamp has two years of warranty."),
        ("Yes :contentReference[oaicite:0]{index=0}.", "Yes."),
        ("【重要】 keep this", "【重要】 keep this"),
        ("please cite the source", "please cite the source"),
    ],
)
def test_marks_of_citations_are_no_text(raw: str, cleaned: str) -> None:
    """Answers of ChatGPT ended in 'citeturn0search0' and private-use characters, which counted as words."""
    assert clean_texts(pa.chunked_array([[raw]])).texts.to_pylist() == [cleaned]


def test_markers_of_media_are_out_of_words_and_language(make_raw) -> None:
    """'[image]' and '[file: Rechnung über Lampen.pdf]' counted as words, and as a language."""
    raw = make_raw(
        {"text": "[image]"},
        {"text": "[file: Rechnung über drei neue Lampen.pdf]"},
        {"text": "[media]\nWhere is my new lamp, please?"},
    )
    rows = clean_messages(raw).to_pylist()
    assert [row["word_count"] for row in rows] == [0, 0, 6]
    assert [row["language"] for row in rows] == ["und", "und", "en"]
    assert rows[2]["text"] == "[media] Where is my new lamp, please?"
