from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.analytics.reports import wording


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (90, "1 min 30 s"),
        (3600, "1 h"),
        (5040, "1 h 24 min"),
        (183600, "2 d 3 h"),
    ],
)
def test_a_duration_is_written_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert wording.seconds(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0%"), (0.004, "under 1%"), (0.5, "50%"), (0.996, "over 99%"), (1, "100%")]
)
def test_a_share_never_claims_none_or_all_when_it_is_not(value: float, text: str) -> None:
    assert wording.share(value) == text


def test_counts_take_the_singular_only_for_one() -> None:
    assert wording.count(1, "day") == "1 day"
    assert wording.count(0, "day") == "0 days"
    assert wording.part(12, 1630) == "12 of 1,630 conversations (under 1%)"


def test_a_large_ratio_reads_as_times_and_a_small_one_in_percent() -> None:
    assert wording.compared(198, 100, "more", "fewer") == "98% more than"
    assert wording.compared(40, 100, "more", "fewer") == "60% fewer than"
    assert wording.compared(450, 100, "more", "fewer") == "4.5 times"
    assert wording.change(3.5) == "4.5 times"
    assert wording.change(0.98) == "+98%"
    assert wording.change(-0.001) == "0%"


@given(st.floats(-1, 1))
def test_a_signed_number_says_its_sign_unless_it_rounds_to_zero(value: float) -> None:
    text = wording.signed(value)
    number = float(text.replace("\N{MINUS SIGN}", "-"))
    assert number == pytest.approx(value, abs=0.0051)
    assert (text[0] not in "+\N{MINUS SIGN}") == (number == 0)


@given(st.text(max_size=200))
def test_a_name_is_one_short_line(text: str) -> None:
    name = wording.named(text)
    assert len(name) <= 60
    assert len(name.splitlines()) <= 1
