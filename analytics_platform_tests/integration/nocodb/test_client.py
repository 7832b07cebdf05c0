from __future__ import annotations

import datetime as dt
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import SecretStr

from analytics_platform.sources.nocodb import (
    NocoAuthError,
    NocoClient,
    NocoNotFoundError,
    NocoRequestError,
    NocoServerError,
)
from analytics_platform.sources.nocodb.noco_api import filters
from analytics_platform_tests.integration.nocodb.server import chat_rows


@pytest.fixture(scope="module")
def chats(noco):
    table = noco.make_table()
    noco.insert(table, chat_rows(230))
    return table


def test_every_row_comes_once_in_the_order_of_its_id(client, chats):
    pages = list(client.pages(chats))
    assert [len(page) for page in pages] == [50, 50, 50, 50, 30]
    assert [row["Id"] for page in pages for row in page] == list(range(1, 231))
    assert {row["text"] for page in pages for row in page} == {row["text"] for row in chat_rows(230)}


def test_a_last_page_that_is_full_ends_the_reading(client, chats):
    assert [len(page) for page in client.pages(chats, after=130)] == [50, 50]


def test_a_table_without_rows_has_no_page(client, noco):
    assert list(client.pages(noco.make_table())) == []


def test_rows_that_come_and_go_meanwhile_neither_hide_nor_repeat_others(client, noco):
    table = noco.make_table()
    ids = noco.insert(table, chat_rows(200))
    kept = sorted(ids)
    seen = []
    for number, page in enumerate(client.pages(table)):
        seen += [row["Id"] for row in page]
        if number == 1:
            noco.delete(table, [*kept[:30], *kept[120:140]])  # some that were read, some that were not
            late = noco.insert(table, chat_rows(25))
    assert seen == [*kept[:120], *kept[140:], *sorted(late)]


def test_only_the_columns_asked_for_come_and_the_id_with_them(client, noco):
    table = noco.make_table({"plain": "SingleLineText", "a, b (c)": "SingleLineText"})
    noco.insert(table, [{"plain": "x", "a, b (c)": "y"}])
    assert list(client.pages(table, fields=["a, b (c)"])) == [[{"Id": 1, "a, b (c)": "y"}]]
    assert list(client.pages(table, fields=["Id"])) == [[{"Id": 1}]]


def test_changed_since_finds_new_and_edited_rows_from_that_second_on(client, noco, read_ids):
    table = noco.make_table()
    old = noco.insert(table, chat_rows(20))
    time.sleep(1.1)
    new = noco.insert(table, chat_rows(3))
    time.sleep(1.1)
    noco.edit(table, [{"Id": old[4], "text": "edited"}])
    rows = {row["Id"]: row for page in client.pages(table) for row in page}
    made, edited = (dt.datetime.fromisoformat(text) for text in (rows[new[0]]["CreatedAt"], rows[old[4]]["UpdatedAt"]))
    second = dt.timedelta(seconds=1)
    assert rows[new[0]]["UpdatedAt"] is None
    assert set(read_ids(table, where=filters.changed_since(edited))) == {old[4]}
    assert read_ids(table, where=filters.changed_since(edited + second)) == []
    expected = {row["Id"] for row in rows.values() if row["CreatedAt"] >= str(made) or row["UpdatedAt"]}
    assert set(read_ids(table, where=filters.changed_since(made))) == expected >= {*new, old[4]}


def test_count_agrees_with_the_rows_read(client, chats, read_ids):
    where = filters.all_of(filters.one_of("role", ["user"]), filters.gt("Id", 100))
    assert client.count(chats) == 230
    assert client.count(chats, where) == len(read_ids(chats, where=where)) == 65


def test_a_table_tells_its_columns_and_a_new_one_shows(client, noco):
    table = noco.make_table({"text": "LongText"})
    noco.add_column(table, "rating", "Number")
    columns = {column.title: column for column in client.table(table).columns}
    assert (columns["text"].type, columns["rating"].type) == ("LongText", "Number")
    assert columns["Id"].primary_key
    assert columns["CreatedAt"].system
    assert not columns["text"].system


def test_the_doctor_learns_whether_the_server_runs_and_whose_token_it_is(client):
    client.ping()
    assert client.whoami() == "tests@example.com"


def test_a_wrong_token_is_told_without_the_token(noco, chats):
    with NocoClient(noco.url, SecretStr("not-the-token")) as client:
        for ask in (client.whoami, lambda: client.count(chats)):
            with pytest.raises(NocoAuthError, match=r"^127\.0\.0\.1:\d+.* token is (refused|of no user)") as caught:
                ask()
            assert "not-the-token" not in str(caught.value)


def test_a_table_that_is_not_there_is_named(client):
    with pytest.raises(NocoNotFoundError, match="table m0000: not found"):
        client.count("m0000")


def test_a_column_that_is_not_there_is_named(client, chats):
    with pytest.raises(NocoRequestError, match="colour"):
        client.count(chats, filters.one_of("colour", ["red"]))
    with pytest.raises(NocoNotFoundError, match="colour"):
        list(client.pages(chats, fields=["colour"]))


def test_threads_share_a_client(client, chats, read_ids):
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: read_ids(chats), range(8)))
    assert answers == [list(range(1, 231))] * 8


def test_a_server_that_was_restarted_is_read_on(noco):
    table = noco.make_table()
    noco.insert(table, chat_rows(100))
    options = {"requests_per_second": None, "page_rows": 40, "attempts": 1}
    with NocoClient(noco.url, noco.token, **options) as client:
        pages = client.pages(table)
        first = next(pages)
        noco.stop()
        try:
            with pytest.raises(NocoServerError, match="the connection failed"):
                next(pages)
        finally:
            noco.start()
        rest = [row["Id"] for page in client.pages(table, after=first[-1]["Id"]) for row in page]
    assert [row["Id"] for row in first] + rest == list(range(1, 101))
