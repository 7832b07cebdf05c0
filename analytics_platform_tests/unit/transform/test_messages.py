"""Order, response times and counts of cleaned messages."""

from __future__ import annotations

import random
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_platform.model import find_violations
from analytics_platform.model.table import SchemaError
from analytics_platform.model.tables.clean_tables import MESSAGES
from analytics_platform.model.tables.raw_tables import RAW_MESSAGES, ROLES
from analytics_platform.transform.messages import clean_messages

MakeRaw = Callable[..., pa.Table]


def test_messages_are_ordered_by_time_then_as_the_source_had_them(make_raw: MakeRaw) -> None:
    raw = make_raw(
        {"message_id": "z", "at": 5, "source_row": 1},
        {"message_id": "a", "at": 5, "source_row": 2},
        {"message_id": "k", "at": 0, "source_row": 3},
        {"message_id": "o", "at": 1, "conversation_id": "b"},
    )
    cleaned = clean_messages(raw)
    assert cleaned["message_id"].to_pylist() == ["o", "k", "z", "a"]
    assert cleaned["position"].to_pylist() == [0, 0, 1, 2]


def test_the_order_of_the_rows_given_does_not_matter(make_raw: MakeRaw) -> None:
    raw = make_raw(*({"at": n // 3, "conversation_id": f"c{n % 4}", "text": f"text `{n}`"} for n in range(30)))
    shuffled = list(range(raw.num_rows))
    random.Random(1).shuffle(shuffled)
    assert clean_messages(raw.take(shuffled)).equals(clean_messages(raw))


def response_seconds(raw: pa.Table) -> list[float | None]:
    seconds: list[float | None] = clean_messages(raw)["response_seconds"].to_pylist()
    return seconds


def test_a_wait_runs_from_the_first_unanswered_message_to_the_next_answer(make_raw: MakeRaw) -> None:
    raw = make_raw(
        {"role": "agent", "at": 0},
        {"role": "user", "at": 10},
        {"role": "user", "at": 40},
        {"role": "assistant", "at": 70.5},
        {"role": "assistant", "at": 80},
        {"role": "user", "at": 100},
        {"role": "agent", "at": 101},
        {"role": "user", "at": 200},
    )
    assert response_seconds(raw) == [None, None, None, 60.5, None, None, 1.0, None]


def test_tool_calls_and_system_messages_end_no_wait(make_raw: MakeRaw) -> None:
    raw = make_raw(
        {"role": "user", "at": 0},
        {"role": "system", "at": 1},
        {"role": "assistant", "at": 2, "text": " "},
        {"role": "assistant", "at": 2, "text": "[tool call: shop_info]\n[tool call: look_up]"},
        {"role": "tool", "at": 3},
        {"role": "assistant", "at": 4, "text": "```only code```"},
    )
    assert response_seconds(raw) == [None, None, None, None, None, 4.0]


def test_a_wait_does_not_reach_into_the_next_conversation(make_raw: MakeRaw) -> None:
    raw = make_raw(
        {"role": "user", "at": 0, "conversation_id": "a"},
        {"role": "agent", "at": 9, "conversation_id": "b"},
        {"role": "user", "at": 10, "conversation_id": "b"},
        {"role": "agent", "at": 12, "conversation_id": "b"},
    )
    assert response_seconds(raw) == [None, None, None, 2.0]


def test_counts_are_of_the_cleaned_text(make_raw: MakeRaw) -> None:
    row = clean_messages(make_raw({"text": "<p>hello&nbsp;</p> world ```x```"})).to_pylist()[0]
    assert (row["text"], row["code"]) == ("hello world", ["x"])
    assert (row["character_count"], row["word_count"], row["token_count"]) == (11, 2, 2)


def test_a_stated_language_is_not_passed_on_to_other_messages(make_raw: MakeRaw) -> None:
    raw = make_raw({"text": "ok", "language": "de-AT"}, {"text": "ok"})
    assert clean_messages(raw)["language"].to_pylist() == ["de", "und"]


BAD_TEXTS = [
    "",
    "\x00",
    "a" * 1_000_000,
    "word " * 200_000,
    "😀" * 1000,
    "שלום" * 1000,
    "\u0301",
    "<" * 1000,
    "```" * 999,
]


def test_bad_texts_come_out_as_valid_rows(make_raw: MakeRaw) -> None:
    cleaned = clean_messages(make_raw(*({"text": text} for text in BAD_TEXTS)))
    assert cleaned.num_rows == len(BAD_TEXTS)
    assert find_violations(MESSAGES, cleaned) == []


def test_an_empty_day_gives_an_empty_table() -> None:
    assert clean_messages(RAW_MESSAGES.empty()).equals(MESSAGES.empty())


def test_another_table_is_refused_by_name() -> None:
    with pytest.raises(SchemaError, match="raw_messages"):
        clean_messages(MESSAGES.empty())


ROWS = st.fixed_dictionaries(
    {
        "role": st.sampled_from(sorted(ROLES)),
        "at": st.integers(0, 20),
        "conversation_id": st.sampled_from("abc"),
        "text": st.sampled_from(["", "hello there", "`x`"]),
    }
)


@settings(deadline=None)
@given(st.lists(ROWS, max_size=25))
def test_response_times_equal_a_walk_through_each_conversation(
    make_raw: MakeRaw, rows: list[dict[str, object]]
) -> None:
    cleaned = clean_messages(make_raw(*rows))
    assert find_violations(MESSAGES, cleaned) == []
    waiting_since, expected = {}, []
    for row in cleaned.to_pylist():
        conversation, answer = row["conversation_id"], None
        if row["role"] == "user":
            waiting_since.setdefault(conversation, row["sent_at"])
        elif row["role"] in ("agent", "assistant") and row["text"] and conversation in waiting_since:
            answer = (row["sent_at"] - waiting_since.pop(conversation)).total_seconds()
        expected.append(answer)
    assert cleaned["response_seconds"].to_pylist() == expected
