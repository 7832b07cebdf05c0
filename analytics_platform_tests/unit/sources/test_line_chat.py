"""The text export of LINE, in the languages of its phones."""

from __future__ import annotations

import pytest

CHAT = '''[LINE] Chat history with Ann
Saved on: 2024/06/21 10:00

2024/06/20(Thu)
10:00\tAnn\tmy lamp
10:05\tShop\t"sorry
2024/06/19(Wed)
about ""that"""
10:06\tAnn\t[Sticker]
10:07\tAnn unsent a message.
10:08\tAnn\t☎ Missed call
10:09\tAnn\t"ok

2024/06/21(Fri)
09:00\tAnn\thello?
more
'''


def test_a_chat_of_line_is_a_conversation(said):
    """It was taken for a table whose header was its first message."""
    rows = said(CHAT, "[LINE] Chat with Ann.txt")

    assert [(row["role"], row["timestamp"][5:], row["text"]) for row in rows] == [
        ("user", "06-20T10:00", "my lamp"),
        ("agent", "06-20T10:05", 'sorry\n2024/06/19(Wed)\nabout "that"'),
        ("user", "06-20T10:06", "[sticker]"),
        ("system", "06-20T10:07", "Ann unsent a message."),
        ("system", "06-20T10:08", "☎ Missed call"),
        ("user", "06-20T10:09", chr(34) + "ok\n\n2024/06/21(Fri)"),
        ("user", "06-21T09:00", "hello?\nmore"),
    ]
    assert {row["conversation_id"] for row in rows} == {"[LINE] Chat with Ann"}


@pytest.mark.parametrize(
    ("day", "early", "late", "photo"),
    [
        ("[LINE] 山田とのトーク履歴\r\n保存日時：2024/06/21 10:00\r\n\r\n2024/06/20(木)\r", "午後", "", "[写真]"),
        ("2024.06.20 木曜日", "午後", "", "[写真]"),
        ("2024년 6월 20일 목요일", "오후 ", "", "[사진]"),
        ("Thu, 20/06/2024", "", " PM", "[Photo]"),
        ("2024/06/20\uff08木\uff09", "", " pm", "[Photo]"),
    ],
)
def test_days_and_times_of_other_phones_are_read(said, day, early, late, photo):
    rows = said(f"{day}\n{early}9:00{late}\tAnn\tmy lamp\n{early}9:05{late}\tShop\t{photo}\n", "a.txt")
    assert [(row["role"], row["timestamp"], row["text"]) for row in rows] == [
        ("user", "2024-06-20T21:00", "my lamp"),
        ("agent", "2024-06-20T21:05", "[image]"),
    ]


def test_a_message_above_the_first_day_is_refused(folder):
    """It was lost without a word."""
    found = folder.rows_of("a.txt", CHAT.replace("\n\n", "\n\n09:59\tAnn\thi\n", 1))

    assert found.reasons == {1: "bad_timestamp"}
    assert ['"hi"' in row["content"] for row in found.quarantined] == [True]


def test_a_table_with_tabs_is_no_chat_of_line(said):
    rows = said("time\tticket\trole\ttext\n2024-06-20 10:00\tc1\tuser\thi\n", "a.txt")
    assert [row["text"] for row in rows] == ["hi"]
