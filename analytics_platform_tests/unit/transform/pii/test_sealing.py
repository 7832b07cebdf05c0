"""What was found is sealed, opens for who may, and puts texts back as they were."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.model.word_sets.pii_kinds import KINDS
from analytics_platform.transform.pii.sealing import Findings, SealedValue, Sealer, SealError
from analytics_platform.transform.pii.spans import placeholder

KEY = b"k" * 32
PLACES = Findings(
    redacted=True, places=(SealedValue(None, 4, "EMAIL", "𝒳🎉@example.com"), SealedValue(1, 0, "IP", "10.1.2.3"))
)

PARTS = st.lists(st.tuples(st.text(max_size=8), st.sampled_from(KINDS), st.text(max_size=8)), max_size=5)
"""A text in parts: some words, then personal data of a kind; any characters, placeholders among the words included."""


def as_it_was(parts: list[tuple[str, str, str]], piece: int | None) -> tuple[str, str, list[SealedValue]]:
    """Return the original of a text, what is stored of it, and what was found in it."""
    original = stored = ""
    found = []
    for words, kind, value in parts:
        found.append(SealedValue(piece, len(original + words), kind, value))
        original, stored = original + words + value, stored + words + placeholder(kind)
    return original + " end", stored + " end", found


@given(st.lists(PARTS, min_size=1, max_size=3), st.booleans(), st.text(max_size=5))
def test_sealed_opened_and_put_back_every_text_is_as_it_was(
    texts: list[list[tuple[str, str, str]]], redacted: bool, message_id: str
) -> None:
    pieces = [None, *range(len(texts) - 1)]
    made = [as_it_was(parts, piece) for parts, piece in zip(texts, pieces, strict=True)]
    findings = Findings(redacted, tuple(one for _, _, found in made for one in found))
    opened = Sealer(KEY).open(message_id, Sealer(KEY).seal(message_id, findings))
    assert opened == findings
    for (original, stored, _), piece in zip(made, pieces, strict=True):
        assert opened.put_back(stored if redacted else original, piece) == original


def test_the_same_message_gives_the_same_bytes_each_time_and_another_one_others() -> None:
    sealed = Sealer(KEY).seal("m1", PLACES)
    assert sealed == Sealer(KEY).seal("m1", PLACES)
    assert sealed != Sealer(KEY).seal("m2", PLACES)
    assert sealed != Sealer(b"another key of thirty-two bytes!").seal("m1", PLACES)


def test_nothing_of_what_is_sealed_can_be_read() -> None:
    sealed = Sealer(KEY).seal("m1", PLACES)
    assert not [word for word in (b"EMAIL", b"example", b"10.1", b"places", b"m1", KEY) if word in sealed]


@pytest.mark.parametrize(
    ("key", "message_id", "change"),
    [
        (KEY[:-1] + b"!", "m1", lambda sealed: sealed),
        (KEY, "m2", lambda sealed: sealed),
        (KEY, "m1", lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (KEY, "m1", lambda sealed: sealed[:5]),
        (KEY, "m1", lambda sealed: sealed[:0]),
    ],
    ids=["another key", "another message", "changed", "cut short", "empty"],
)
def test_what_does_not_open_is_said_in_one_line_without_values_or_keys(key, message_id, change) -> None:
    with pytest.raises(SealError, match="sealed with another ANALYTICS_PII_SPANS_KEY than the one set") as refused:
        Sealer(key).open(message_id, change(Sealer(KEY).seal("m1", PLACES)))
    line = str(refused.value)
    assert message_id in line
    assert "\n" not in line
    assert not [word for word in ("example", "10.1", key.decode()) if word in line]


def test_a_key_that_could_be_guessed_is_refused_by_the_name_of_its_variable() -> None:
    with pytest.raises(SealError, match=r"^ANALYTICS_PII_SPANS_KEY: must be at least 32 bytes$"):
        Sealer(b"hunter2" * 4)


def test_neither_values_nor_keys_are_in_what_python_shows() -> None:
    shown = f"{PLACES!r}{Sealer(KEY)!r}"
    assert "EMAIL" in shown
    assert not [word for word in ("example", "10.1", KEY.decode()) if word in shown]


@pytest.mark.slow  # starts a process
def test_who_keeps_nothing_does_not_wait_for_the_library() -> None:
    script = (
        "import sys, analytics_platform.transform.messages\n"
        "sys.exit(any(name.startswith('cryptography') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0
