"""Addresses and numbers by which a person is reached or named, and what only looks like one."""

from __future__ import annotations

import ipaddress

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.model.word_sets.pii_kinds import STRUCTURED
from analytics_platform.transform.pii import find_pii, redact

NOBODYS = st.one_of(
    *(
        st.ip_addresses(v=4, network=network)
        for network in ("127.0.0.0/8", "169.254.0.0/16", "192.0.2.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4")
    ),
    st.ip_addresses(v=6, network="ff00::/8"),
    st.just(ipaddress.ip_address("::1")),
)


def redacted(text: str) -> str:
    texts = pa.array([text])
    return str(redact(texts, find_pii(texts, STRUCTURED))[0].as_py())


@pytest.mark.parametrize(
    "address",
    [
        '"john doe"@example.com',
        "jörg@müller.de",
        "用户@例子.公司",
        "用户@example.com",
        "user@xn--fsqu00a.xn--55qx5d",
        "john (at) example (dot) com",
        "john.doe[at]example.com",
        "john [at] mail [dot] example [dot] org",
        "john AT example DOT com",
        "john dot doe at gmail dot com",
        "info(ät)beispiel.de",
        "bob(a)firma.de",
        "anna-at-firma-dot-de",
        "bob@xn--mller-kva.de",
        "juan (arroba) ejemplo (punto) es",
    ],
)
def test_mail_addresses_are_found_however_they_are_written(address: str) -> None:
    """Quoted, internationalised and disguised addresses reached the tables."""
    assert redacted(f"{address}") == "<EMAIL>"
    assert redacted(f"mail: {address}, thanks") == "mail: <EMAIL>, thanks"


@pytest.mark.parametrize(
    "text",
    ["meet me at noon", "look at the dot com bubble", "see you at home dot com", "你好@小明.谢谢", "items[at] index"],
)
def test_at_and_dot_as_words_are_no_mail_address(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize(
    ("before", "number"),
    [
        ("My passport is", "C01X00T47"),
        ("Meine Passnummer lautet", "C01X00T47"),
        ("mon passeport est le", "12AB34567"),
        ("mi pasaporte es", "PAA123456"),
        ("il mio passaporto è", "YA1234567"),
        ("meu passaporte é", "FN123456"),
        ("mijn paspoort is", "SPECI2014"),
        ("mój paszport", "ZS0000177"),
        ("mitt passnummer är", "12345678"),
        ("pasaport numaram", "U12345678"),
        ("мой паспорт", "45 08 123456"),
        ("パスポート番号は", "TK1234567"),
        ("护照号码是", "E12345678"),
    ],
)
def test_a_passport_is_found_after_its_word_in_ten_languages(before: str, number: str) -> None:
    """Only English words, and only numbers with four digits in a row, were known."""
    assert redacted(f"{before} {number}.") == f"{before} <NATIONAL_ID>."
    assert redacted(f"order {number}.") == f"order {number}."


@pytest.mark.parametrize(
    "number",
    [
        "(11) 91234-5678",
        "(11) 3456-7890",
        "11 91234-5678",
        "(030) 1234567",
        "(91) 123 45 67",
        "(22) 123 45 67",
        "8 916 123-45-67",
        "8 (495) 123-45-67",
        "8-916-123-45-67",
        "(495) 123-45-67",
        "8(812)3456789",
        "(0)30 901820",
        "(0221) 98765-0",
    ],
)
def test_a_national_number_is_found_without_a_word(number: str) -> None:
    """An area code in brackets was known of North America alone."""
    assert redacted(f"it was {number} yesterday") == "it was <PHONE> yesterday"


@pytest.mark.parametrize(
    "text",
    [
        "call the function 12345678 times",
        "it was called 12345678 times",
        "call the API 12345678 from there",
        "text 12345678 users",
        "answer 12345678 questions",
        "the number 12345678 rows",
        "(12) 345-67 and (2024) 12-34",
    ],
)
def test_an_amount_is_no_phone_number(text: str) -> None:
    """A verb such as call made a phone number of every amount."""
    assert redacted(text) == text


@given(NOBODYS)
def test_an_address_of_nobody_stays(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Loopback, masks and addresses of documentation were redacted, though they lead to no person."""
    assert redacted(f"ping {address} now") == f"ping {address} now"


@pytest.mark.parametrize("address", ["fe80::1", "::ffff:127.0.0.1", "0.0.0.0"])
def test_an_address_within_a_machine_stays(address: str) -> None:
    assert redacted(f"ping {address} now") == f"ping {address} now"


@pytest.mark.parametrize(
    "address", ["192.168.1.20", "10.1.2.3", "172.16.30.2", "::ffff:8.8.4.4", "fe80::21a:2bff:fe3c:4d5e"]
)
def test_an_address_of_a_household_is_personal(address: str) -> None:
    assert redacted(f"my ip is {address} now") == "my ip is <IP> now"


@pytest.mark.parametrize(
    "text",
    [
        "chapter 3.4.2.1",
        "see section 10.2.3.4, §1.2.3.4 and fig. 1.2.3.4",
        "Kapitel 3.4.2.1, chapitre 3.4.2.1, 第3.4.2.1章",
        "firmware 2.3.1.31",
        "upgrade Firefox from 3.6.1.2 to 4.0.0.1 on iOS 17.4.1.2",
        "Chrome/120.0.0.0 on Firefox 1.5.0.3",
    ],
)
def test_a_number_of_a_chapter_or_version_is_no_ip_address(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "We run Node.js and ASP.NET with socket.io",
        "Booking.com charged me, monday.com and bbc.co.uk did not",
        "import java.net and System.IO",
    ],
)
def test_the_name_of_a_product_or_firm_is_no_url(text: str) -> None:
    """Every name with a dot before a top-level domain was redacted."""
    assert redacted(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "my website is {}",
        "visit {}",
        "my blog: {}",
        "at jane.{}",
        "{}/about",
        "www.{}",
        "{}:8080",
        "Meine Webseite ist {}",
    ],
)
def test_a_domain_that_is_a_place_is_a_url(text: str) -> None:
    assert "janedoe.com" not in redacted(text.format("janedoe.com"))
