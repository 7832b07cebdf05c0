"""Quoted mails and signatures leave the text; what the sender wrote stays, in chats every character of it."""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from analytics_platform.sample import build
from analytics_platform.transform.cleaning import Cleaning
from analytics_platform.transform.messages import clean_messages
from analytics_platform.transform.privacy import Privacy
from analytics_platform.transform.text import clean_texts

MAILS, HTML_MAILS = (
    yaml.safe_load(Path(__file__).with_name(name).read_text(encoding="utf-8"))
    for name in ("mails.yaml", "html_mails.yaml")
)
SAMPLE = Path(build.__file__).with_name("conversations.parquet")


def split(text: str) -> tuple[str, str | None]:
    """Return the cleaned text and its quoted text."""
    texts, _, quoted = clean_texts(pa.chunked_array([[text]], pa.string()))
    return texts[0].as_py(), quoted[0].as_py()


@pytest.mark.parametrize("mail", MAILS, ids=[mail["name"] for mail in MAILS])
def test_a_mail_keeps_only_what_its_sender_wrote(mail):
    """A complaint above a friendly quoted answer came out as praise."""
    said, quoted = split(mail["mail"])

    assert said == mail["said"]
    assert quoted
    assert sorted(f"{said} {quoted}".split()) == sorted(mail["mail"].split())


def test_texts_without_line_ends_or_quotes_of_the_sample_are_whole():
    """Chats quote with "> ", too, and a line is all that somebody said."""
    texts = pq.read_table(SAMPLE)["text"]

    cleaned = clean_texts(texts)

    assert len(texts) > 200
    assert cleaned.quoted.null_count == len(texts)


@pytest.mark.parametrize(
    "text",
    [
        "> why?",
        ">> help me",
        "> is it free?\n> and when?",
        "On Monday he wrote:\nplease wait",
        "On 5 May she wrote:\nplease wait for us\nand I did",
        "From: Berlin\nTo: Hamburg\nDate: 5 June 2024\nplease book it",
        "I need a flight\nFrom: Berlin\nTo: Hamburg\nDate: 5 June 2024 10:30",
        "Von: Berlin\nAn: Hamburg\nbitte buchen",
        "Subject: refund\nFrom: anna@mail.example\nI want my money back",
        "My list:\n- milk\n- bread",
        "Thank you, that worked\nbut one more question: how do I pay?",
        "Thanks,\nit works now\ncan you also check the invoice?",
        "Regards\nis what he said, and then he left",
        "Cheers\nthat did it",
        "Take the second left\nTake it again",
        "Open:\nMon 10:00-12:00\nTue 10:00-12:00",
        "Appointments on 2024-06-20 at 10:00:\nAnna\nTom",
        "The log says:\n2024-06-20 10:00:00 INFO mail to a@b.example:\nok",
        "I ran this:\n>>> import os\n>>> os.getcwd()\nand it fails",
        "if a\n  > b\nthen stop",
        "SELECT a\n-- all rows\nFROM t",
        "Part one\n--\nand this is part two of it",
        "It is broken\nSent via DHL",
        "Do: not call me\nDo: write to me",
        "Warning: disk full\nCAUTION: hot",
        "Hello\n/anna is my colleague",
        "Sent from my iPhone",
        "-- \nAnna",
        "he wrote: > why",
        "(Sent from my iPhone",
        "Please book: From: Berlin Date: 5 June 2024 To: Hamburg Class: 2",
    ],
)
def test_what_only_looks_like_a_mail_stays_whole(text):
    """The library ends a text at a list item and at "Thank you,", and takes a journey for the headers of a mail."""
    assert split(text) == (" ".join(text.split()), None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "It does not help. On Mon, Jun 17, 2024 at 9:12 AM Tom <t@acme.example> wrote: > Restart it.",
            "It does not help.",
        ),
        ("Stimmt nicht. Am 17.06.24 um 09:12 schrieb Tom <t@acme.example>: > Doch.", "Stimmt nicht."),
        ("Nobody called. -----Original Message----- From: Tom Sent: Monday Subject: Call", "Nobody called."),
        ("Twice! From: Tom <t@acme.example> Sent: Monday, 9:12 AM To: Anna Subject: Re: x Thanks a lot", "Twice!"),
        ("The app crashes. Sent from my iPhone", "The app crashes."),
    ],
)
def test_mails_that_lost_their_line_ends_are_split(text, said):
    """Exports to CSV put a whole mail on one line."""
    assert split(text)[0] == said


@pytest.mark.parametrize("mail", HTML_MAILS, ids=[mail["name"] for mail in HTML_MAILS])
def test_an_html_mail_keeps_only_what_its_sender_wrote(mail):
    """Clients mark quotes and signatures by elements and classes, not by lines."""
    said, quoted = split(mail["html"])

    assert said == mail["said"]
    assert quoted


def test_a_quote_without_own_words_stays_the_text():
    """A forwarded mail without a comment would be an empty message."""
    assert split("<blockquote>only a quote</blockquote>") == ("only a quote", None)
    assert split("> one\n> two\n\n-- \nAnna") == ("> one > two -- Anna", None)


def test_quoted_words_are_out_of_counts_language_and_findings(make_raw):
    """Words, language and sentiment were those of the quoted mail."""
    text = (
        "Wo ist mein Paket geblieben?\n\nOn 2024-01-05 at 10:00 Tom <tom@acme.example> wrote:\n> call +44 20 7946 0958"
    )

    row = clean_messages(make_raw({"text": text})).to_pylist()[0]

    assert (row["text"], row["word_count"], row["language"], row["pii"]) == (
        "Wo ist mein Paket geblieben?",
        5,
        "de",
        [],
    )
    assert row["quoted_text"] == "On 2024-01-05 at 10:00 Tom <<EMAIL>> wrote: > call <PHONE>"


def test_quoted_text_stays_as_it_is_where_personal_data_is_kept(make_raw):
    raw = make_raw({"text": "No.\n> tom@acme.example"}, {"text": "Yes."})

    column = clean_messages(raw, Cleaning(privacy=Privacy(redact=False)))["quoted_text"]

    assert column.to_pylist() == ["> tom@acme.example", None]


@pytest.mark.slow  # large texts
@pytest.mark.parametrize(
    "unit",
    [
        "> a\n",
        "On 5 ",
        "On 10:00 2024\n",
        "From: a@b\n",
        "a:\n",
        "10:00 2024 <a@b.c>:\n",
        "-- \n",
        "Best regards\nA\n",
        ">\n",
        "\n",
    ],
)
def test_a_quarter_of_a_megabyte_of_mail_takes_linear_time(unit):
    """The library's patterns take quadratic time in the length of a line."""
    split(f"a\n{unit}")
    started = time.process_time()
    split("a\n" + unit * (250_000 // len(unit)))
    assert time.process_time() - started < 10


def test_only_texts_that_may_hold_a_quote_are_read_one_by_one(monkeypatch):
    """A day of plain chats would take longer by the time of the library."""
    read = []
    monkeypatch.setattr("analytics_platform.transform.text.split_quotes", lambda text: read.append(text) or (text, ""))

    texts = pa.chunked_array([["hello", "two\nlines", "a\n> b", "see you on Monday, Tom wrote: yes"]])

    assert clean_texts(texts).quoted.null_count == 4
    assert read == ["a\n> b"]
    assert pc.all(pc.is_valid(clean_texts(texts).texts)).as_py()
