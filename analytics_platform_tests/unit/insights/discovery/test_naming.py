"""Names of topics say their matter, and neither codes of customers nor the words of any chat."""

from __future__ import annotations

import numpy as np
import pytest

from analytics_platform.insights.discovery.naming import name_topics


def name_of(*texts: str) -> str:
    return name_topics(texts, np.zeros(len(texts), np.int64), 1)[0]


@pytest.mark.parametrize("code", ["48291034", "SI5UKW", "DE89370400440532013000", "order99213", "4-8-2-9-1"])
def test_a_name_has_no_code_of_a_customer(code: str) -> None:
    texts = [f"cancel booking {code} today" for _ in range(4)] + [f"cancel booking for trip {n}" for n in range(30)]
    assert not any(map(str.isdigit, name_of(*texts)))
    assert not any(map(str.isdigit, name_of(f"about {code}", f"{code} late", "never")))


def test_a_number_is_in_no_place_of_a_term() -> None:
    assert not any(map(str.isdigit, name_of(*["upgrade ubuntu 1004 server"] * 20)))


@pytest.mark.parametrize("thing", ["mp3", "ipv6"])
def test_the_name_of_a_thing_may_have_digits(thing: str) -> None:
    kinds = ["codec", "router", "player", "cable", "driver", "folder"]
    assert thing in name_of(*(f"{thing} {kind}" for kind in kinds))
    assert thing not in name_of(*(f"{thing} {kind}" for kind in kinds[:4]))


def test_a_topic_of_numbers_alone_has_a_name() -> None:
    assert name_of("48291034", "48291034 1") == "numbers"


def test_two_texts_of_a_customer_are_no_term() -> None:
    name = name_of("seat upgrade zebra", "seat upgrade zebra", "seat upgrade", "seat row", "seat map")
    assert "zebra" not in name
    assert "seat" in name


def test_words_of_a_chat_alone_are_no_term() -> None:
    assert (
        name_of("please help anyone printer", "hello printer help please", "hey anyone help please printer")
        == "printer"
    )
    assert "printer" in name_of(*["need printer help"] * 5)


def test_words_of_a_chat_in_english_are_words_of_content_elsewhere() -> None:
    assert "hey" in name_of(*["wo ist die hey und der und die"] * 5)
