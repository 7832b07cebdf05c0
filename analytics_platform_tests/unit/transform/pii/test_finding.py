"""What is found in a text, and what is not."""

from __future__ import annotations

import pyarrow as pa
import pytest

from analytics_platform.model.word_sets.pii_kinds import KINDS
from analytics_platform.transform.pii import SPANS, find_pii, redact


def redacted(text: str, *kinds: str) -> str:
    texts = pa.array([text])
    return str(redact(texts, find_pii(texts, kinds or KINDS))[0].as_py())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail me: jane.doe+shop@mail.example.co.uk, please", "mail me: <EMAIL>, please"),
        ("write to pelé@exämple.com", "write to <EMAIL>"),
        ("{'email': 'bob@example.com'}", "{'email': '<EMAIL>'}"),
        ("my mail...bob@example.com", "my mail...<EMAIL>"),
        ("%20bob@example.com-thanks", "%<EMAIL>-thanks"),
        ("(-bob@example.com, +bob@example.com, _bob@example.com_)", "(-<EMAIL>, +<EMAIL>, <EMAIL>_)"),
        ("my card is 4111 1111 1111 1111.", "my card is <CARD>."),
        ("amex 378282246310005", "amex <CARD>"),
        ("pay into DE89 3704 0044 0532 0130 00 today", "pay into <IBAN> today"),
        ("my iban is gb82west12345698765432", "my iban is <IBAN>"),
        ("SSN: 536-32-3065", "SSN: <SSN>"),
        ("call me at (212) 555-0142 x12", "call me at <PHONE>"),
        ("it is +44 20 7946 0958!", "it is <PHONE>!"),
        ("mein Telefon: 030 1234567", "mein Telefon: <PHONE>"),
        ("ping 192.168.17.4, then 2001:db8::8a2e:370:7334", "ping <IP>, then <IP>"),
        ("my mac is 00:1A:2B:3C:4D:5E", "my mac is <MAC>"),
        ("see https://example.org/a(b)?q=1.", "see <URL>."),
        ("(look at www.example.com)", "(look at <URL>)"),
        ("clone https://bob:hunter2@git.example.com/x.git", "clone <SECRET>"),
        ("the key is AKIAIOSFODNN7EXAMPLE ok", "the key is <SECRET> ok"),
        ("password: Tr0ub4dor&3x", "password: <SECRET>"),
        ("password: hunter2", "password: <SECRET>"),
        ("login bob, pw=Xk29dk", "login bob, pw=<SECRET>"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic <SECRET>"),
        ("www.example.com/?token=abcdef123", "<SECRET>"),
        ("postgres://app:p^ssw0rd@db:5432/x", "<SECRET>"),
        ("CPF 529.982.247-25", "CPF <NATIONAL_ID>"),
        ("my driver's license number is A1234567", "my driver's license number is <NATIONAL_ID>"),
        ("send it to P.O. Box 123", "send it to <ADDRESS>"),
        ("I live at 12 Long Acre Road", "I live at <ADDRESS>"),
        ("my name is Anna Schmidt and I need help", "my name is <NAME> and I need help"),
        ("👩‍👩‍👧 naïve jane@example.com 👍", "👩‍👩‍👧 naïve <EMAIL> 👍"),
        ("نص jane@example.com عربي", "نص <EMAIL> عربي"),
        ("卡号4111111111111111谢谢", "卡号<CARD>谢谢"),
        ("😀 john＠example．com まで", "😀 <EMAIL> まで"),
        ("ｊｏｈｎ＠ｅｘａｍｐｌｅ．ｃｏｍ", "<EMAIL>"),
        ("カード番号:４１１１ １１１１ １１１１ １１１１です", "カード番号:<CARD>です"),
        ("بطاقة ٤١١١ ١١١١ ١١١١ ١١١١ شكرا", "بطاقة <CARD> شكرا"),
        ("मेरा कार्ड ४१११११११११११११११ है", "मेरा कार्ड <CARD> है"),
        ("カード番号:4111-1111-1111-1111です", "カード番号:<CARD>です"),
        ("บัตร4111111111111111ครับ", "บัตร<CARD>ครับ"),
        ("服务器192.168.1.1连不上", "服务器<IP>连不上"),
        ("내 번호는 010-1234-5678입니다", "내 번호는 <PHONE>입니다"),
        ("请打+8613812345678联系我", "请打<PHONE>联系我"),
        ("我的电话: 13812345678", "我的电话: <PHONE>"),
        ("SSN是123-45-6789", "SSN是<SSN>"),
        ("IBAN:DE89370400440532013000です", "IBAN:<IBAN>です"),
        ("邮箱john@example.com谢谢你帮我退款", "邮箱<EMAIL>谢谢你帮我退款"),
        ("邮" * 80 + "john@example.com" + "谢" * 80, "邮" * 80 + "<EMAIL>" + "谢" * 80),
        ("密码:abc12345", "密码:<SECRET>"),
        ("пароль: Qwerty123", "пароль: <SECRET>"),
        ("Hauptstr. 12", "<ADDRESS>"),
        ("my SIN is 123-456-782", "my SIN is <NATIONAL_ID>"),
    ],
)
def test_personal_data_gives_way_to_its_kind(text: str, expected: str) -> None:
    assert redacted(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4242 4242 4242 4242 12/26 123", "<CARD> 12/26 123"),
        ("4242424242424242 12/2026", "<CARD> 12/2026"),
        ("amex 3782 822463 10005 11/27", "amex <CARD> 11/27"),
        ("charge 4111111111111111 123 please", "charge <CARD> 123 please"),
        ("paid with 4242 4242 4242 4242 2 days ago", "paid with <CARD> 2 days ago"),
        ("item 2 4242 4242 4242 4242", "item 2 <CARD>"),
        ("10:30 4242 4242 4242 4242 paid", "10:30 <CARD> paid"),
        ("2024-01-02 4242 4242 4242 4242", "2024-01-02 <CARD>"),
        ("1) 4111 1111 1111 1111 2) 5105 1051 0510 5100", "1) <CARD> 2) <CARD>"),
        ("no.4111111111111111", "no.<CARD>"),
        ("4111.1111.1111.1111", "<CARD>"),
        ("DE89 3704 0044 0532 0130 00 and GB29 NWBK 6016 1331 9268 19", "<IBAN> and <IBAN>"),
        ("from DE89370400440532013000 to GB29NWBK60161331926819", "from <IBAN> to <IBAN>"),
        ("Invoice IN24 DE89370400440532013000", "Invoice IN24 <IBAN>"),
        ("room ab12 DE89 3704 0044 0532 0130 00", "room ab12 <IBAN>"),
        ("call +442079460958 2 times", "call <PHONE> 2 times"),
        ("+44 20 7946 0958 2 missed calls", "<PHONE> 2 missed calls"),
        ("(415) 555-0123 3 times", "<PHONE> 3 times"),
        ("from 10.0.0.1-10.0.0.20", "from <IP>-<IP>"),
        ("route 2001:db8::/32", "route <IP>/32"),
        ("the nameserver 8.8.8.8 of the server 10.20.30.40", "the nameserver <IP> of the server <IP>"),
        ("mount -v 192.168.1.5:/x", "mount -v <IP>:/x"),
    ],
)
def test_what_stands_beside_it_does_not_hide_it(text: str, expected: str) -> None:
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "order 4111111111111112 is late",  # fails the checksum
        "DE89370400440532013001",
        "bug 1946412 in kernel 2.6.12-9-386 since 2008-09-25 13:46",
        "the version is 10.0.0.1",
        "pkg_ver=1.2.3.4",
        "Authorization: Basic authentication is off",
        "ver 1.2.3.4, v1.2.3.4 and libfoo-1.2-3.4.5.6",
        "parcel 94001118995622420000 41111111111111112 12",
        "at 12:30:45 it said std::vector<int>",
        "we meet 1981-1995, 20.000-30.000 Euro",
        "ticket number is 123-456-789",
        "done.Is that all?",
        "I reset my password yesterday",
        "password: ********, or is it password: yes?",
        "password=$PASSWORD1 in /etc/passwd:0",
        "edit main.py and readme.md",
        "What is the exchange rate? How long does it take?",
        "",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert redacted(text) == text


def test_spans_say_where_in_characters() -> None:
    text = "é🎉 jane@example.com and bob@example.com"
    spans = find_pii(pa.array(["nothing", text]))
    assert spans.schema == SPANS
    assert [(row["row"], text[row["start"] : row["end"]], row["kind"]) for row in spans.to_pylist()] == [
        (1, "jane@example.com", "EMAIL"),
        (1, "bob@example.com", "EMAIL"),
    ]


def test_only_the_kinds_asked_for_are_found() -> None:
    assert redacted("jane@example.com or 212-555-0142", "PHONE") == "jane@example.com or <PHONE>"


def test_the_stronger_kind_wins_where_two_overlap() -> None:
    assert redacted("https://example.com/?mail=jane@example.com") == "<URL>"


def test_a_column_without_findings_is_the_same_column() -> None:
    texts = pa.array(["hello", "how are you?"])
    assert redact(texts, find_pii(texts)) is texts


def test_an_empty_column_has_no_spans() -> None:
    assert find_pii(pa.array([], pa.string())).equals(SPANS.empty_table())
