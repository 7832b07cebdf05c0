"""What the words of a source mean, as a setting says it."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.transform.outcomes import KNOWN_TO_EVERYBODY, normal_form, parse_outcomes

OWN = parse_outcomes("escalated=failure, Closed = SUCCESS, on_hold=neither, done=neither, a=b=failure,")


@pytest.mark.parametrize(
    ("outcome", "resolved"),
    [
        ("escalated", False),
        (" ESCALATED ", False),
        ("not-escalated", True),
        ("closed", True),
        ("On Hold", None),
        ("not on hold", None),
        ("done", None),
        ("a=b", False),
        ("resolved", True),
        ("transferred", None),
        (None, None),
    ],
)
def test_the_words_of_the_source_win(outcome: str | None, resolved: bool | None) -> None:
    assert OWN.resolved(pa.chunked_array([pa.array([outcome], pa.string())])).to_pylist() == [resolved]


def test_what_no_word_tells_is_counted_however_it_is_written() -> None:
    """``Transferred`` and ``transferred`` were two lines, each with half of the count."""
    stated = ["transferred", " Transferred", "on-hold", "escalated", "not_transferred", None, "", "resolved", "done"]
    column = pa.chunked_array([pa.array(stated, pa.string())])
    assert OWN.unknown(column) == {"transferred": 2, "not transferred": 1}
    assert KNOWN_TO_EVERYBODY.unknown(column)["escalated"] == 1


@given(st.text())
def test_what_is_counted_as_unknown_is_mapped_by_the_form_it_is_told_in(outcome: str) -> None:
    column = pa.chunked_array([pa.array([outcome], pa.string())])
    for form in KNOWN_TO_EVERYBODY.unknown(column):
        if "," not in form:
            assert parse_outcomes(f"{form}=success").resolved(column).to_pylist() == [True]
        assert normal_form(form) == form


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("escalated", "entry 1 must be word=success, word=failure or word=neither"),
        ("a=success, escalated=bad", "entry 2 must be"),
        ("=success", "entry 1 must be"),
        ("on hold=failure, On_Hold=success", "entry 2 must not name 'on hold' again"),
    ],
)
def test_a_wrong_entry_is_named(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says}"):
        parse_outcomes(text)
