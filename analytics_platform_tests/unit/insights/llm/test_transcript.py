"""What a model is shown of a conversation."""

from __future__ import annotations

import datetime as dt
import json

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.insights.llm.api.token_estimate import estimate_tokens
from analytics_platform.insights.llm.transcript import read_transcripts

ROLES = ("user", "assistant", "agent", "system", "tool")
TURNS = st.lists(st.tuples(st.sampled_from(ROLES), st.text(max_size=400)), min_size=1, max_size=40)


def messages(turns: list[tuple[str, str]], conversation: str = "c") -> pa.Table:
    return pa.table(
        {
            "date": [dt.date(2026, 1, 5)] * len(turns),
            "conversation_id": [conversation] * len(turns),
            "message_id": [f"{conversation}-{n}" for n in range(len(turns))],
            "position": list(range(len(turns))),
            "role": [role for role, _ in turns],
            "text": [text for _, text in turns],
        }
    )


@given(TURNS, st.integers(200, 2000))
def test_a_transcript_keeps_its_budget_its_order_and_its_delimiter_and_is_always_the_same(turns, budget):
    (one,), (two,) = (read_transcripts(messages(turns), budget) for _ in range(2))
    assert one == two
    assert sum(line.tokens for line in one.lines) <= budget
    assert "<" not in one.text
    numbers = [line.number for line in one.lines]
    assert numbers == sorted(set(numbers))
    shown = [json.loads(line) for line in one.text.split("\n")] if one.lines else []
    assert [entry["text"] for entry in shown if "text" in entry] == [line.text for line in one.lines]
    spoken = [text for role, text in turns if role in ROLES[:3] and text.strip()]
    assert one.was_cut == ([line.text for line in one.lines] != spoken)


@given(TURNS)
def test_what_fits_is_shown_in_full(turns):
    (transcript,) = read_transcripts(messages(turns), 10**6)
    assert not transcript.was_cut


def test_a_cut_keeps_the_beginning_the_ending_and_the_customers_words_before_answers():
    turns = [("user", "the very beginning"), ("agent", "hello")]
    turns += [("agent" if n % 2 else "user", f"{n} " + "word " * 30) for n in range(40)]
    turns += [("agent", "goodbye"), ("user", "the very end")]
    (transcript,) = read_transcripts(messages(turns), 1000)
    assert transcript.was_cut
    assert transcript.lines[0].text == "the very beginning"
    assert transcript.lines[-1].text == "the very end"
    middle = transcript.lines[2:-4]
    assert middle
    assert {line.speaker for line in middle} == {"customer"}


def test_a_huge_message_is_shortened_in_the_middle():
    (transcript,) = read_transcripts(messages([("user", "start " + "x" * 1_000_000 + " end")]), 1000)
    (line,) = transcript.lines
    assert line.text.startswith("start x")
    assert line.text.endswith("x end")
    assert " […] " in line.text
    assert estimate_tokens(line.text) < 150


def test_conversations_are_told_apart_whatever_the_order_of_rows():
    both = pa.concat_tables([messages([("user", "b1"), ("user", "b2")], "b"), messages([("user", "a1")], "a")])
    found = read_transcripts(both.take([1, 2, 0]), 1000)
    assert [(t.conversation_id, [line.text for line in t.lines]) for t in found] == [("a", ["a1"]), ("b", ["b1", "b2"])]
