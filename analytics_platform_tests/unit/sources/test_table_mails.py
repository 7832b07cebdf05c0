"""Tables of mails: the company is whose domain or address stands on one side of nearly all threads."""

from __future__ import annotations

import pytest

from analytics_platform.sources.base import SourceError

HEADER = "from,to,subject,body,date,thread id\n"


def mails(*rows: tuple[str, str, str], header: str = HEADER) -> str:
    lines = (f'"{one}","{other}",Lamp,text {number},2024-06-20 10:0{number},{thread}\n'
             for number, (one, other, thread) in enumerate(rows))  # fmt: skip
    return header + "".join(lines)


OF_A_COMPANY = mails(
    ("Ann <ann@x.com>", "help@shop.co.uk", "t1"),
    ("help@shop.co.uk", "ann@x.com", "t1"),
    ("eve@shop.co.uk", "tom@shop.co.uk", "t1"),
    ("bob@y.co.uk", "help@shop.co.uk; tom@shop.co.uk", "t2"),
    ("Eve <Eve@mail.Shop.co.uk>", "bob@y.co.uk", "t2"),
)


def test_the_domain_in_nearly_all_threads_is_the_company(said):
    """Addresses were words for roles without a meaning, so that a whole mailbox went into quarantine."""
    assert [(row["role"], row["user_id"], row["agent_id"]) for row in said(OF_A_COMPANY)] == [
        ("user", "ann@x.com", None),
        ("agent", "ann@x.com", "help@shop.co.uk"),
        ("system", None, "eve@shop.co.uk"),
        ("user", "bob@y.co.uk", None),
        ("agent", "bob@y.co.uk", "eve@mail.shop.co.uk"),
    ]


@pytest.mark.parametrize(
    ("rows", "agent"),
    [
        ([("a@gmail.com", "l@gmail.com", "1"), ("l@gmail.com", "a@gmail.com", "1"), ("b@gmx.de", "l@gmail.com", "2")],
         "l@gmail.com"),
        ([("support@b.com", "a@x.com", "1"), ("a@x.com", "support@b.com", "1")], "support@b.com"),
        ([("a@x.com", "eve@b.com", "1"), ("eve@b.com", "a@x.com", "1"), ("a@x.com", "eve@b.com", "2")], "eve@b.com"),
    ],
)  # fmt: skip
def test_an_address_at_a_provider_a_service_and_who_did_not_ask_is_the_company(said, rows, agent):
    found = said(mails(*rows, header=HEADER.replace("from,to", "Sender,Recipient")))
    assert {row["agent_id"] for row in found} == {None, agent}
    assert [row["role"] for row in found] == ["agent" if one == agent else "user" for one, *_ in rows]


def test_mails_that_show_no_company_are_not_guessed(folder):
    rows = [("a@x.com", "b@y.com", "1"), ("c@z.com", "d@w.com", "2"), ("e@v.com", "f@u.com", "3")]
    with pytest.raises(SourceError, match="role"):
        folder.rows_of("a.csv", mails(*rows, header=HEADER.replace("from,to", "from_email,to_email")))
